/*
 * One credentials object and one compiled priority string for all sessions of
 * a context: a session of its own costs 18 KB in GnuTLS and would cost more
 * with private copies.  Several pairs (ECDSA and RSA) may be given; GnuTLS
 * picks by what the client can verify.
 *
 * Priorities: TLS 1.3 and 1.2, ephemeral elliptic curves only (no RSA key
 * transport, RFC 9325 section 4.1; no finite-field groups, which cost the
 * server ten times as much), our order counts.
 */
#include <stdatomic.h>
#include <string.h>

#include <gnutls/x509.h>

#include "lib/tls_impl.h"

#define PRIORITIES                                                             \
	"NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA:-DHE-RSA:"            \
	"-GROUP-DH-ALL:%SERVER_PRECEDENCE"
#define TICKET_KEY_SIZE 64u

struct tls_ctx {
	atomic_uint refs;
	gnutls_certificate_credentials_t cred;
	gnutls_priority_t prio;
	gnutls_datum_t ticket_key;
};

static gnutls_datum_t
datum(struct str s)
{
	union {
		const char *in;
		unsigned char *out;
	} p = { s.p };

	return (gnutls_datum_t){ .data = p.out, .size = (unsigned)s.n };
}

static void
ctx_free(struct tls_ctx *ctx)
{
	if (ctx->prio != NULL)
		gnutls_priority_deinit(ctx->prio);
	if (ctx->cred != NULL)
		gnutls_certificate_free_credentials(ctx->cred);
	if (ctx->ticket_key.data != NULL) {
		explicit_bzero(ctx->ticket_key.data, ctx->ticket_key.size);
		xfree(ctx->ticket_key.data);
	}
	xfree(ctx);
}

/* An expired certificate is used, as any client would rather know; we warn. */
static void
report_pair(const struct log *log, const struct tls_ctx *ctx, int index)
{
	gnutls_x509_crt_t *chain = NULL;
	unsigned n = 0, bits = 0;
	char dn[256];
	size_t dn_size = sizeof(dn);
	int64_t until;
	int algo;

	if (gnutls_certificate_get_x509_crt(
		ctx->cred, (unsigned)index, &chain, &n) < 0)
		return;
	if (n > 0) {
		until = gnutls_x509_crt_get_expiration_time(chain[0]);
		algo = gnutls_x509_crt_get_pk_algorithm(chain[0], &bits);
		if (gnutls_x509_crt_get_dn(chain[0], dn, &dn_size) < 0)
			dn[0] = '\0';
		if (until <= now_unix())
			log_warn(log, "tls.expired", KVC("subject", dn),
			    KVI("not_after", until));
		else
			log_info(log, "tls.certificate", KVC("subject", dn),
			    KVC("key", gnutls_pk_algorithm_get_name(
					   (gnutls_pk_algorithm_t)algo)),
			    KVU("bits", bits), KVI("not_after", until));
	}
	for (unsigned i = 0; i < n; i++)
		gnutls_x509_crt_deinit(chain[i]);
	gnutls_free(chain);
}

static enum rc
add_pair(const struct log *log, struct tls_ctx *ctx, const struct tls_pair *p)
{
	gnutls_datum_t cert = datum(p->cert), key = datum(p->key);
	int r = gnutls_certificate_set_x509_key_mem2(
	    ctx->cred, &cert, &key, GNUTLS_X509_FMT_PEM, NULL, 0);

	if (r < 0) {
		log_error(
		    log, "tls.bad_pair", KVC("error", gnutls_strerror(r)));
		return RC_BAD;
	}
	report_pair(log, ctx, r);
	return RC_OK;
}

enum rc
tls_ctx_new(const struct log *log, const struct tls_pair *pairs, size_t npairs,
    struct str ticket_key, struct tls_ctx **out)
{
	struct tls_ctx *ctx;
	int r;

	if (npairs == 0 || ticket_key.n != TICKET_KEY_SIZE) {
		log_error(log, "tls.bad_pair",
		    KVC("error", npairs ? "ticket key is not 64 bytes"
					: "no certificate"));
		return RC_BAD;
	}
	ctx = xcalloc(1, sizeof(*ctx));
	atomic_init(&ctx->refs, 1);
	ctx->ticket_key.data = xmalloc(TICKET_KEY_SIZE);
	ctx->ticket_key.size = TICKET_KEY_SIZE;
	memcpy(ctx->ticket_key.data, ticket_key.p, TICKET_KEY_SIZE);
	r = gnutls_certificate_allocate_credentials(&ctx->cred);
	if (r >= 0)
		r = gnutls_priority_init(&ctx->prio, PRIORITIES, NULL);
	if (r < 0) {
		log_error(log, "tls.init", KVC("error", gnutls_strerror(r)));
		ctx_free(ctx);
		return RC_BAD;
	}
	for (size_t i = 0; i < npairs; i++) {
		if (add_pair(log, ctx, &pairs[i]) != RC_OK) {
			ctx_free(ctx);
			return RC_BAD;
		}
	}
	*out = ctx;
	return RC_OK;
}

struct tls_ctx *
tls_ctx_ref(struct tls_ctx *ctx)
{
	if (ctx != NULL)
		atomic_fetch_add(&ctx->refs, 1);
	return ctx;
}

void
tls_ctx_unref(struct tls_ctx **ctx)
{
	if (*ctx != NULL && atomic_fetch_sub(&(*ctx)->refs, 1) == 1)
		ctx_free(*ctx);
	*ctx = NULL;
}

enum rc
tls_session_new(const struct tls_ctx *ctx, gnutls_session_t *out)
{
	gnutls_session_t s;
	int r =
	    gnutls_init(&s, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL);

	if (r < 0)
		return RC_TEMP;
	r = gnutls_priority_set(s, ctx->prio);
	if (r >= 0)
		r = gnutls_credentials_set(
		    s, GNUTLS_CRD_CERTIFICATE, ctx->cred);
	if (r >= 0)
		r = gnutls_session_ticket_enable_server(s, &ctx->ticket_key);
	if (r < 0) {
		gnutls_deinit(s);
		return RC_TEMP;
	}
	gnutls_certificate_server_set_request(s, GNUTLS_CERT_IGNORE);
	*out = s;
	return RC_OK;
}

struct tls_info
tls_session_info(gnutls_session_t s)
{
	gnutls_cipher_algorithm_t c = gnutls_cipher_get(s);

	return (struct tls_info){
		.version =
		    gnutls_protocol_get_name(gnutls_protocol_get_version(s)),
		.cipher = gnutls_cipher_get_name(c),
		.bits = (unsigned)gnutls_cipher_get_key_size(c) * 8,
	};
}
