/*
 * The message is canonicalised once for all keys of the domain, and the keys
 * are parsed when they are loaded.
 *
 * libopendkim, which verifies for us, does not sign: it parses the key for
 * each signature, canonicalises for each key anew (together five times the
 * CPU), and its 2.11 beta leaves the parsed Ed25519 key behind each time.
 * Its verifier is what the tests and `gatepost dkim test` judge by.
 *
 * What is signed (RFC 6376 section 5.4): everything a reader sees or a mail
 * program acts on.  Signed once more than present ("over-signed", section
 * 8.15), so that nobody can add another: what an author's program always
 * writes or what would change the message's meaning.  List-* is signed when it
 * is there (RFC 8058 wants that), but not over-signed: a list that passes mail
 * on unchanged adds its own, and the signature should survive that.
 *
 * No l= (a body could be appended), no i=, no x=.
 */
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <string.h>
#include <sys/stat.h>

#include "mail/header.h"
#include "policy/sgn_canon.h"
#include "policy/sgn_sign.h"
#include "policy/sgn_wire.h"

#define PIECE     (64u << 10)
#define SHA256    32u
#define SIG_MAX   1024u /* bytes of a signature: RSA of 8192 bits */
#define LINE_WIDE 72u   /* of the field that we write */

static const struct covered {
	struct str name;
	bool over; /* once more than it is there */
} covered[] = {
	{ STR_INIT("From"), true },
	{ STR_INIT("Sender"), false },
	{ STR_INIT("Reply-To"), true },
	{ STR_INIT("To"), true },
	{ STR_INIT("Cc"), true },
	{ STR_INIT("Subject"), true },
	{ STR_INIT("Date"), true },
	{ STR_INIT("Message-ID"), true },
	{ STR_INIT("In-Reply-To"), false },
	{ STR_INIT("References"), false },
	{ STR_INIT("MIME-Version"), true },
	{ STR_INIT("Content-Type"), true },
	{ STR_INIT("Content-Transfer-Encoding"), true },
	{ STR_INIT("Content-ID"), false },
	{ STR_INIT("Content-Description"), false },
	{ STR_INIT("Content-Disposition"), false },
	{ STR_INIT("Content-Language"), false },
	{ STR_INIT("Auto-Submitted"), false },
	{ STR_INIT("List-Id"), false },
	{ STR_INIT("List-Help"), false },
	{ STR_INIT("List-Unsubscribe"), false },
	{ STR_INIT("List-Unsubscribe-Post"), false },
	{ STR_INIT("List-Subscribe"), false },
	{ STR_INIT("List-Post"), false },
	{ STR_INIT("List-Owner"), false },
	{ STR_INIT("List-Archive"), false },
};

/* One message on its way to its signatures. */
struct work {
	const struct log *log;
	struct arena *a;
	const struct sgn_message *m;
	int64_t now;
	EVP_MD_CTX *sha; /* of the body */
	struct sgn_body body;
	struct mail_field fields[SGN_SIGNED_MAX]; /* in the message's order */
	size_t n;
	struct buf names;  /* h=, folded */
	struct buf header; /* canonical, without our own field */
	unsigned char hash[SHA256];
};

bool
sgn_covers(struct str name)
{
	for (size_t i = 0; i < COUNT(covered); i++)
		if (str_ieq(name, covered[i].name))
			return true;
	return false;
}

struct sgn_private {
	EVP_PKEY *pkey;
};

struct sgn_private *
sgn_private_new(struct str pem)
{
	struct sgn_private *k = xcalloc(1, sizeof(*k));
	BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);

	if (bio != NULL)
		k->pkey = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
	BIO_free(bio);
	if (k->pkey == NULL)
		sgn_private_free(&k);
	return k;
}

void
sgn_private_free(struct sgn_private **k)
{
	if (*k != NULL)
		EVP_PKEY_free((*k)->pkey); /* wiped by the library */
	xfree(*k);
	*k = NULL;
}

static enum rc
library_failed(struct work *w, const char *step)
{
	log_error(w->log, "dkim.library", KVC("step", step),
	    KV("domain", w->m->domain));
	return RC_TEMP;
}

/* ---- the message */

static enum rc
take_fields(struct work *w, struct str block)
{
	struct mail_header_iter it = { block };
	struct mail_field f;

	while (mail_header_next(&it, &f)) {
		if (!sgn_covers(f.name))
			continue;
		if (w->n == SGN_SIGNED_MAX ||
		    memchr(f.whole.p, 0, f.whole.n) != NULL)
			return RC_BAD;
		w->fields[w->n++] = f;
	}
	return RC_OK;
}

static void
hash_piece(void *arg, struct str piece)
{
	struct work *w = arg;

	if (EVP_DigestUpdate(w->sha, piece.p, piece.n) != 1)
		panic("SHA-256");
}

static enum rc
read_piece(struct work *w, char *p, size_t n, uint64_t at)
{
	enum rc rc = fd_pread_all(w->m->fd, p, n, at);

	if (rc != RC_OK)
		log_error(w->log, "dkim.body", KVC("why", rc_name(rc)),
		    KVU("at", at));
	return rc == RC_NOENT ? RC_BAD : rc;
}

static enum rc
check_fd(struct work *w)
{
	struct stat st;

	if (fstat(w->m->fd, &st) < 0) {
		log_error(w->log, "dkim.body", KVE(errno));
		return RC_TEMP;
	}
	/* Sealed or not: it is read once and never mapped. */
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != w->m->size) {
		log_error(w->log, "dkim.body", KVU("size", st.st_size),
		    KVU("said", w->m->size));
		return RC_BAD;
	}
	return RC_OK;
}

/* What begins the message, at least its header, in memory. */
static enum rc
read_head(struct work *w, struct str *out)
{
	size_t n = (size_t)MIN(w->m->size, (uint64_t)PIECE);
	enum rc rc;

	if (w->m->fd < 0) {
		*out = w->m->inline_data;
		return RC_OK;
	}
	rc = check_fd(w);
	while (rc == RC_OK) {
		char *p = arena_alloc(w->a, n + 1);

		rc = read_piece(w, p, n, 0);
		*out = str_n(p, n);
		if (rc != RC_OK || n == w->m->size || mail_header_len(*out) < n)
			break;
		if (n >= SGN_HEADER_MAX)
			return RC_BAD;
		n = (size_t)MIN(w->m->size, (uint64_t)SGN_HEADER_MAX);
	}
	return rc;
}

static enum rc
read_rest(struct work *w, uint64_t at)
{
	char *p = at < w->m->size ? arena_alloc(w->a, PIECE) : NULL;

	while (at < w->m->size) {
		size_t n = (size_t)MIN(w->m->size - at, (uint64_t)PIECE);
		enum rc rc = read_piece(w, p, n, at);

		if (rc != RC_OK)
			return rc;
		sgn_body_add(&w->body, str_n(p, n));
		at += n;
	}
	return RC_OK;
}

static enum rc
take_message(struct work *w)
{
	struct str head = STR(""), header;
	enum rc rc = read_head(w, &head);

	if (rc != RC_OK)
		return rc;
	header = str_sub(head, 0, mail_header_len(head));
	if (header.n > SGN_HEADER_MAX)
		return RC_BAD;
	rc = take_fields(w, w->m->edits);
	if (rc == RC_OK)
		rc = take_fields(w, header);
	if (rc != RC_OK)
		return rc;
	if (EVP_DigestInit_ex(w->sha, EVP_sha256(), NULL) != 1)
		return library_failed(w, "hash");
	sgn_body_init(&w->body, hash_piece, w);
	sgn_body_add(&w->body, str_from(head, header.n));
	rc = read_rest(w, head.n);
	if (rc != RC_OK)
		return rc;
	sgn_body_end(&w->body);
	if (EVP_DigestFinal_ex(w->sha, w->hash, NULL) != 1)
		return library_failed(w, "hash");
	return RC_OK;
}

/* ---- the header that is signed */

static enum rc
add_name(struct work *w, struct str name, size_t *column)
{
	enum rc rc = RC_OK;

	if (w->names.n > 0)
		rc = buf_add_char(&w->names, ':');
	*column += name.n + 1;
	if (rc == RC_OK && *column > LINE_WIDE) {
		rc = buf_add(&w->names, STR("\r\n\t "));
		*column = 9 + name.n;
	}
	return rc == RC_OK ? buf_add(&w->names, name) : rc;
}

/*
 * RFC 6376 section 5.4.2: of several fields with a name, the last one in the
 * message is the first one that is signed.
 */
static enum rc
add_covered(struct work *w, const struct covered *c, size_t *column)
{
	enum rc rc = RC_OK;

	for (size_t i = w->n; rc == RC_OK && i-- > 0;) {
		if (!str_ieq(w->fields[i].name, c->name))
			continue;
		if ((rc = add_name(w, c->name, column)) == RC_OK &&
		    (rc = sgn_canon_field(
			 &w->header, c->name, w->fields[i].value)) == RC_OK)
			rc = buf_add(&w->header, STR("\r\n"));
	}
	if (rc == RC_OK && c->over)
		rc = add_name(w, c->name, column);
	return rc;
}

static enum rc
canon_header(struct work *w)
{
	size_t column = 10; /* behind the tab and h= */
	enum rc rc = RC_OK;

	buf_init(&w->names, 64u << 10);
	buf_init(&w->header, 2 * SGN_HEADER_MAX);
	for (size_t i = 0; rc == RC_OK && i < COUNT(covered); i++)
		rc = add_covered(w, &covered[i], &column);
	return rc;
}

/* ---- one signature */

static enum rc
fold(struct buf *out, struct str s)
{
	enum rc rc = RC_OK;

	while (rc == RC_OK && s.n > 0) {
		rc = buf_add(out, str_sub(s, 0, LINE_WIDE - 10));
		s = str_from(s, LINE_WIDE - 10);
		if (rc == RC_OK && s.n > 0)
			rc = buf_add(out, STR("\r\n\t "));
	}
	return rc;
}

/* The value of the field, up to "b=". */
static enum rc
begin_value(struct work *w, const struct sgn_signer *k, struct buf *out)
{
	return buf_fmt(out,
	    " v=1; a=%s-sha256; c=relaxed/relaxed;\r\n\td=%.*s; s=%.*s;"
	    "\r\n\tt=%lld; bh=%.*s;\r\n\th=%.*s;\r\n\tb=",
	    sgn_alg_name(k->alg), STRF(w->m->domain), STRF(k->selector),
	    (long long)w->now,
	    STRF(str_b64(w->a, str_n(w->hash, sizeof(w->hash)))),
	    STRF(buf_str(&w->names)));
}

/*
 * RSA signs the data, hashing it on the way; Ed25519 signs the hash as if it
 * were the data (RFC 8463 section 3).
 */
static enum rc
sign_data(struct work *w, const struct sgn_signer *k, struct str data,
    unsigned char *sig, size_t *len)
{
	bool rsa = k->alg == SGN_RSA;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char hash[SHA256];
	int ok = 0;

	if (!rsa) {
		ok = EVP_Digest(data.p, data.n, hash, NULL, EVP_sha256(), NULL);
		data = str_n(hash, sizeof(hash));
	}
	if (ctx != NULL && (rsa || ok == 1) &&
	    EVP_DigestSignInit(
		ctx, NULL, rsa ? EVP_sha256() : NULL, NULL, k->key->pkey) == 1)
		ok = EVP_DigestSign(
		    ctx, sig, len, (const unsigned char *)data.p, data.n);
	else
		ok = 0;
	EVP_MD_CTX_free(ctx);
	return ok == 1 ? RC_OK : library_failed(w, "sign");
}

static enum rc
add_signature(struct work *w, const struct sgn_signer *k, struct buf *out)
{
	static const struct str name = STR_INIT("DKIM-Signature");
	size_t before = w->header.n, len = SIG_MAX, at;
	unsigned char sig[SIG_MAX];
	enum rc rc;

	if (buf_add(out, name) || buf_add_char(out, ':'))
		return RC_TEMP;
	at = out->n;
	rc = begin_value(w, k, out);
	if (rc == RC_OK)
		rc = sgn_canon_field(
		    &w->header, name, str_from(buf_str(out), at));
	if (rc == RC_OK)
		rc = sign_data(w, k, buf_str(&w->header), sig, &len);
	w->header.n = before;
	if (rc == RC_OK)
		rc = fold(out, str_b64(w->a, str_n(sig, len)));
	return rc == RC_OK ? buf_add(out, STR("\r\n")) : rc;
}

enum rc
sgn_sign_message(const struct log *log, struct arena *a,
    const struct sgn_signer *keys, size_t n, const struct sgn_message *m,
    int64_t now, struct str *out)
{
	struct work *w = arena_calloc(a, 1, sizeof(*w));
	AUTO_BUF fields = { 0 };
	enum rc rc;

	*w = (struct work){ .log = log, .a = a, .m = m, .now = now };
	w->sha = EVP_MD_CTX_new();
	if (w->sha == NULL)
		return library_failed(w, "hash");
	buf_init(&fields, SGN_FIELDS_MAX);
	rc = take_message(w);
	if (rc == RC_OK)
		rc = canon_header(w);
	for (size_t i = 0; rc == RC_OK && i < n; i++)
		rc = add_signature(w, &keys[i], &fields);
	if (rc == RC_OK)
		*out = str_dup(a, buf_str(&fields));
	EVP_MD_CTX_free(w->sha);
	buf_free(&w->names);
	buf_free(&w->header);
	return rc;
}
