/*
 * GnuTLS talks to memory: it pulls from what the reactor has read (c->pull)
 * and pushes into c->raw, which the reactor writes.  So the steps of a
 * handshake, which cost CPU, run on a worker that never touches the socket.
 */
#include <errno.h>
#include <string.h>

#include "lib/netd_impl.h"
#include "lib/tls_impl.h"

static ssize_t
pull(gnutls_transport_ptr_t p, void *to, size_t n)
{
	struct netd_conn *c = p;

	n = MIN(n, c->pull.n);
	if (n == 0) {
		gnutls_transport_set_errno(c->tls, EAGAIN);
		return -1;
	}
	memcpy(to, c->pull.p, n);
	c->pull = str_from(c->pull, n);
	return (ssize_t)n;
}

static int
pull_wait(gnutls_transport_ptr_t p, unsigned ms)
{
	struct netd_conn *c = p;

	(void)ms;
	return c->pull.n > 0;
}

static ssize_t
push(gnutls_transport_ptr_t p, const void *from, size_t n)
{
	struct netd_conn *c = p;

	if (buf_add(&c->raw, str_n(from, n)) != RC_OK) {
		gnutls_transport_set_errno(c->tls, EIO);
		return -1;
	}
	return (ssize_t)n;
}

static enum rc
begin(struct netd_conn *c)
{
	struct tls_ctx *ctx;
	enum rc rc;

	pthread_mutex_lock(&c->d->tls_lock);
	ctx = tls_ctx_ref(c->d->tls);
	pthread_mutex_unlock(&c->d->tls_lock);
	if (ctx == NULL)
		return RC_BAD;
	rc = tls_session_new(ctx, &c->tls);
	if (rc != RC_OK) {
		tls_ctx_unref(&ctx);
		return RC_BAD;
	}
	/* The session borrows the credentials of its context. */
	gnutls_session_set_ptr(c->tls, ctx);
	gnutls_transport_set_ptr(c->tls, c);
	gnutls_transport_set_pull_function(c->tls, pull);
	gnutls_transport_set_pull_timeout_function(c->tls, pull_wait);
	gnutls_transport_set_push_function(c->tls, push);
	return RC_OK;
}

static void
failed(struct netd_conn *c, int r)
{
	const char *alert = NULL;

	if (r == GNUTLS_E_FATAL_ALERT_RECEIVED)
		alert = gnutls_alert_get_name(gnutls_alert_get(c->tls));
	else
		gnutls_alert_send_appropriate(c->tls, r);
	log_info(&c->log, "tls.failed", KVC("error", gnutls_strerror(r)),
	    KVC("alert", alert ? alert : "-"), KV("client", netd_peer_ip(c)));
}

enum rc
netd_tls_step(struct netd_conn *c)
{
	enum rc rc = RC_TEMP;
	int r;

	if (c->tls == NULL && begin(c) != RC_OK) {
		log_warn(
		    &c->log, "tls.unavailable", KV("client", netd_peer_ip(c)));
		return RC_BAD;
	}
	c->pull = buf_str(&c->rin);
	do {
		r = gnutls_handshake(c->tls);
	} while (
	    r == GNUTLS_E_INTERRUPTED || r == GNUTLS_E_WARNING_ALERT_RECEIVED);
	if (r == GNUTLS_E_SUCCESS) {
		struct tls_info info = tls_session_info(c->tls);

		log_debug(&c->log, "tls.ok", KVC("version", info.version),
		    KVC("cipher", info.cipher),
		    KVU("resumed", gnutls_session_is_resumed(c->tls)));
		rc = RC_OK;
	} else if (gnutls_error_is_fatal(r)) {
		failed(c, r);
		rc = RC_BAD;
	}
	buf_consume(&c->rin, c->rin.n - c->pull.n);
	c->pull = STR_NULL;
	if (c->rin.n == 0)
		buf_release(&c->rin);
	return rc;
}

void
netd_tls_bye(struct netd_conn *c)
{
	if (c->tls != NULL && c->secured && !c->shut)
		gnutls_bye(c->tls, GNUTLS_SHUT_WR);
}

void
netd_tls_free(struct netd_conn *c)
{
	struct tls_ctx *ctx;

	if (c->tls == NULL)
		return;
	ctx = gnutls_session_get_ptr(c->tls);
	gnutls_deinit(c->tls);
	c->tls = NULL;
	tls_ctx_unref(&ctx);
}
