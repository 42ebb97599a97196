/*
 * From the last byte of a message to its 250, step by step: may the submitter
 * say this, may it come in, the trace field, and the message handed to delivery
 * under a random id.  A step that waits does so without a thread (NEXT_WAIT)
 * and is taken up again when the answer wakes the session.
 *
 * If the answer is lost because a process died, the same id is submitted once
 * more: a commit that did happen answers with its first result.  A third time
 * is the client's to try (a poison message must not go round in here).
 */
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/random.h>

#include "gateway/gw_rules.h"
#include "mail/trace.h"

#define COMMIT_MS    60000 /* RFC 5321 section 4.5.3.2.6 allows 10 minutes */
#define COMMIT_TRIES 2u
#define TRACE_MAX    4096u

/* Shared by the session and the callback; the last one frees it. */
struct gw_pending {
	_Atomic int refs;
	_Atomic bool answered;
	struct netd_waker *waker;
	enum rc rc;
	char queue_id[72];
	uint64_t delivered, queued;
};

static void
pending_unref(struct gw_pending *p)
{
	if (atomic_fetch_sub(&p->refs, 1) > 1)
		return;
	netd_waker_unref(&p->waker);
	xfree(p);
}

void
gw_pending_drop(struct gw_smtp *s)
{
	if (s->pending != NULL)
		pending_unref(s->pending);
	s->pending = NULL;
}

/* On the client's thread: note the answer, wake the session, block never. */
static void
submitted(void *arg, enum rc rc, const struct dlv_submitted *out)
{
	struct gw_pending *p = arg;

	p->rc = rc;
	if (rc == RC_OK) {
		struct str id =
		    str_sub(out->queue_id, 0, sizeof(p->queue_id) - 1);

		memcpy(p->queue_id, id.p, id.n);
		p->delivered = out->delivered;
		p->queued = out->queued;
	}
	atomic_store(&p->answered, true);
	netd_wake(p->waker);
	pending_unref(p);
}

static enum next
submit(struct gw_smtp *s)
{
	struct gw_tx *tx = &s->tx;
	struct dlv_rcpt *to = arena_calloc(&s->unit, tx->nrcpt, sizeof(*to));
	struct gw_pending *p = xcalloc(1, sizeof(*p));
	struct dlv_submit in = {
		.id = str_n(tx->id, sizeof(tx->id)),
		.from = tx->from,
		.submitter = s->authenticated ? s->account.id : STR(""),
		.sid = netd_sid(s->c),
		.client_ip = netd_peer_ip(s->c),
		.to = to,
		.nto = tx->nrcpt,
		.trace = tx->trace,
		.edits = tx->edits,
		.junk = tx->junk,
		.hold = tx->hold,
		.inline_data =
		    tx->body.fd < 0 ? buf_str(&tx->body.head) : STR(""),
		.fd = tx->body.fd,
		.size = tx->body.size,
		.received_at = tx->received_at,
		.asked_ms = (uint64_t)(now_ns() - tx->asked_ns) / 1000000,
		.envid = tx->envid,
		.ret = tx->ret,
	};

	for (size_t i = 0; i < tx->nrcpt; i++)
		to[i] = (struct dlv_rcpt){
			.address = tx->rcpt[i].address,
			.kind = tx->rcpt[i].kind,
			.dir_id = tx->rcpt[i].dir_id,
			.route = tx->rcpt[i].route,
			.notify = tx->rcpt[i].notify,
			.orcpt = tx->rcpt[i].orcpt,
		};
	p->waker = netd_waker(s->c);
	p->refs = 2;
	s->pending = p;
	tx->tries++;
	s->phase = PH_COMMIT;
	dlv_submit_start(s->gw->dlv, &in, tx->dl, submitted, p);
	return NEXT_WAIT;
}

static enum rc
write_trace(struct gw_smtp *s)
{
	struct gw_tx *tx = &s->tx;
	struct tls_info tls = netd_tls_info(s->c);
	struct mail_received r = {
		.helo = s->helo,
		.client_ip = netd_peer_ip(s->c),
		.by = str_c(s->conf->hostname),
		.id = str_sub(
		    str_hex(&s->unit, str_n(tx->id, sizeof(tx->id))), 0, 16),
		.rcpt = tx->nrcpt == 1 ? tx->rcpt[0].address : STR(""),
		.esmtp = s->esmtp,
		.authenticated = s->authenticated,
		.lmtp = s->lmtp,
		.when = { tx->received_at, 0 },
	};
	AUTO_BUF b = { 0 };

	if (netd_is_tls(s->c))
		r.tls = str_fmt(&s->unit, "%s %s", tls.version, tls.cipher);
	/* Where a submission came from is nobody else's business. */
	buf_init(&b, TRACE_MAX);
	if (mail_trace_received(&b, &r) != RC_OK)
		return RC_BAD;
	tx->trace = str_dup(&tx->a, buf_str(&b));
	return RC_OK;
}

/*
 * A step: true is "go on with the next", false that *out is what to do now.
 */
static bool
step_begin(struct gw_smtp *s, enum next *out)
{
	struct gw_tx *tx = &s->tx;

	tx->received_at = now_unix();
	tx->edits = tx->author = STR("");
	tx->spf = tx->dkim = tx->dmarc = STR("");
	tx->junk = tx->hold = false;
	if (getrandom(tx->id, sizeof(tx->id), 0) == sizeof(tx->id))
		return true;
	log_error(s->log, "random", KVE(errno));
	gw_tx_reset(s);
	*out = gw_reply(s, 451, "4.3.0", "No randomness");
	return false;
}

static bool
step_sender(struct gw_smtp *s, enum next *out)
{
	if (s->submission
		? gw_sender_header_ok(s, out)
		: !gw_sender_is_relay(s) || gw_sender_complete(s, out))
		return true;
	gw_tx_reset(s);
	return false;
}

static bool
step_sign(struct gw_smtp *s, enum next *out)
{
	if (s->tx.author.n == 0 || gw_sign(s, out))
		return true;
	gw_tx_reset(s);
	return false;
}

static bool
step_trace(struct gw_smtp *s, enum next *out)
{
	if (write_trace(s) == RC_OK)
		return true;
	gw_tx_reset(s);
	*out = gw_reply(s, 451, "4.3.0", "Trace field too long");
	return false;
}

static bool
step_submit(struct gw_smtp *s, enum next *out)
{
	s->tx.tries = 0;
	s->tx.handed_ms = now_unix_ms();
	s->tx.dl = deadline_in(COMMIT_MS);
	*out = submit(s);
	return false;
}

static bool (*const steps[])(struct gw_smtp *s, enum next *out) = {
	step_begin, step_sender, gw_policy_step, step_sign, gw_rules_step,
	step_trace, step_submit, /* the last: its answer is gw_commit_wake's */
};

static enum next
go_on(struct gw_smtp *s)
{
	enum next next;

	while (steps[s->tx.step++](s, &next))
		assert(s->tx.step < COUNT(steps));
	return next;
}

enum next
gw_commit(struct gw_smtp *s)
{
	s->tx.step = 0;
	return go_on(s);
}

static enum next
finish(struct gw_smtp *s, const struct gw_pending *p)
{
	struct gw_tx *tx = &s->tx;
	const char *text;

	log_info(s->log, p->rc == RC_OK ? "message.accept" : "message.refuse",
	    KVC("qid", p->queue_id), KV("from", tx->from),
	    KVU("rcpts", tx->nrcpt), KVU("size", tx->body.size),
	    KVC("rc", rc_name(p->rc)), KVU("delivered", p->delivered),
	    KVU("queued", p->queued), KV("client", netd_peer_ip(s->c)),
	    KV("spf", tx->spf), KV("dkim", tx->dkim), KV("dmarc", tx->dmarc));
	switch (p->rc) {
	case RC_OK:
		atomic_fetch_add(&s->gw->accepted, 1);
		gw_track_accept(s, str_c(p->queue_id));
		s->errors = 0;
		gw_tx_reset(s);
		text = str_fmt(&s->unit, "Accepted as %s", p->queue_id).p;
		return gw_reply(s, 250, "2.0.0", text);
	case RC_DENY:
		atomic_fetch_add(&s->gw->refused, 1);
		return gw_refuse(s, 554, "5.4.6", "Mail loop: too many hops");
	case RC_BAD:
	case RC_NOENT:
	default:
		atomic_fetch_add(&s->gw->deferred, 1);
		return gw_refuse(
		    s, 451, "4.3.0", "Cannot store the message now");
	}
}

bool
gw_commit_answered(const struct gw_smtp *s)
{
	const struct gw_pending *p = s->pending;

	return s->phase == PH_COMMIT && p != NULL &&
	       atomic_load(&p->answered) && p->rc != RC_TEMP;
}

enum next
gw_commit_wake(struct gw_smtp *s)
{
	struct gw_pending *p = s->pending;
	enum next next;

	if (s->phase == PH_POLICY)
		return gw_policy_wake(s, &next) ? go_on(s) : next;
	if (s->phase != PH_COMMIT || p == NULL)
		return NEXT_INPUT;
	if (!atomic_load(&p->answered))
		return NEXT_WAIT;
	s->pending = NULL;
	if (p->rc == RC_TEMP && s->tx.tries < COMMIT_TRIES &&
	    !deadline_over(s->tx.dl)) {
		pending_unref(p);
		return submit(s);
	}
	s->phase = PH_READY;
	next = finish(s, p);
	pending_unref(p);
	return next;
}
