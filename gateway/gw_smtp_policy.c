/*
 * May the message come in?  Policy is asked without holding a thread; what it
 * says is done here: refuse, set aside, put fields before the message, leave
 * out fields that were forged in our name.
 *
 * Policy parses hostile mail and may die of it, hang, or not be there: that is
 * asked about once more, a moment later (it is started again within 100 ms),
 * and then the setting policy_down decides.  A message that is taken unchecked
 * still loses its forged results, or somebody behind us would believe them.
 *
 * Mail of people who have logged in is theirs by the directory and not checked,
 * nor is that of relay_networks: SPF would say of every machine of ours that it
 * is not the server for the domain.  Results in our name are taken out of it
 * all the same, before we sign it (RFC 8601 section 5).  What comes by LMTP or
 * from front_networks was checked by the server before us, which saw the
 * client.
 */
#include <stdatomic.h>

#include "gateway/gw_session.h"
#include "mail/ares.h"

#define POLICY_TRIES 2u
#define AGAIN_MS     300
#define HEADER_MAX   (512u << 10) /* in which forged fields are looked for */

/* Shared by the session and the callback; the last one frees it. */
struct gw_verdict {
	_Atomic int refs;
	_Atomic bool answered;
	struct netd_waker *waker;
	enum rc rc;
	struct arena a;
	struct pol_verdict v;
};

static void
verdict_unref(struct gw_verdict *p)
{
	if (atomic_fetch_sub(&p->refs, 1) > 1)
		return;
	netd_waker_unref(&p->waker);
	arena_free(&p->a);
	xfree(p);
}

void
gw_verdict_drop(struct gw_smtp *s)
{
	if (s->verdict != NULL)
		verdict_unref(s->verdict);
	s->verdict = NULL;
}

static void
keep(struct gw_verdict *p, const struct pol_verdict *v)
{
	struct pol_cut *cut = arena_calloc(&p->a, v->ncut, sizeof(*cut));

	for (size_t i = 0; i < v->ncut; i++)
		cut[i] = v->cut[i];
	p->v = (struct pol_verdict){ .action = v->action,
		.status = str_dup(&p->a, v->status),
		.text = str_dup(&p->a, v->text),
		.why = str_dup(&p->a, v->why),
		.edits = str_dup(&p->a, v->edits),
		.cut = cut,
		.ncut = v->ncut,
		.spf = str_dup(&p->a, v->spf),
		.dkim = str_dup(&p->a, v->dkim),
		.dmarc = str_dup(&p->a, v->dmarc) };
}

/* On the client's thread: keep the answer, wake the session, block never. */
static void
answered(void *arg, enum rc rc, const struct pol_verdict *v)
{
	struct gw_verdict *p = arg;

	p->rc = rc;
	if (rc == RC_OK)
		keep(p, v);
	atomic_store(&p->answered, true);
	netd_wake(p->waker);
	verdict_unref(p);
}

static enum next
start(struct gw_smtp *s)
{
	struct gw_tx *tx = &s->tx;
	struct str *rcpt = arena_calloc(&s->unit, tx->nrcpt, sizeof(*rcpt));
	struct gw_verdict *p = xcalloc(1, sizeof(*p));
	const struct pol_check in = {
		.sid = netd_sid(s->c),
		.client_ip = netd_peer_ip(s->c),
		.helo = str_sub(s->helo, 0, MAIL_DOMAIN_MAX),
		.from = tx->from,
		.rcpt = rcpt,
		.nrcpt = tx->nrcpt,
		.inline_data =
		    tx->body.fd < 0 ? buf_str(&tx->body.head) : STR(""),
		.fd = tx->body.fd,
		.size = tx->body.size,
		.received_at = tx->received_at,
	};

	for (size_t i = 0; i < tx->nrcpt; i++)
		rcpt[i] = tx->rcpt[i].address;
	p->waker = netd_waker(s->c);
	p->refs = 2;
	s->verdict = p;
	tx->tries++;
	s->phase = PH_POLICY;
	pol_check_start(s->gw->pol, &in, tx->dl, answered, p);
	return NEXT_WAIT;
}

static bool
cut_out(struct gw_smtp *s, const struct mail_range *v, size_t n)
{
	if (n == 0)
		return true;
	log_info(s->log, "policy.cut", KVU("fields", n),
	    KV("client", netd_peer_ip(s->c)));
	return gw_body_cut(&s->tx.body, v, n) == RC_OK;
}

static bool
cut_as_said(struct gw_smtp *s, const struct pol_verdict *v)
{
	struct mail_range *r = arena_calloc(&s->unit, v->ncut, sizeof(*r));

	for (size_t i = 0; i < v->ncut; i++)
		r[i] = (struct mail_range){ v->cut[i].off, v->cut[i].len };
	return cut_out(s, r, v->ncut);
}

/*
 * What policy would have found; with `trusted`, from a server of ours before
 * us, whose mark of Junk is followed.  That of a submission says nothing to us.
 */
static bool
cut_forged(struct gw_smtp *s, bool trusted)
{
	struct mail_range cut[POL_CUTS_MAX];
	struct str header;
	size_t n;

	switch (gw_body_header(&s->tx.body, &s->unit, HEADER_MAX, &header)) {
	case RC_OK:
	case RC_BAD: /* its beginning, which is where readers look */
		break;
	default:
		return false;
	}
	if (trusted && mail_ares_is_junk(header)) {
		log_info(
		    s->log, "policy.marked", KV("client", netd_peer_ip(s->c)));
		s->tx.junk = true;
	}
	/* LMTP is spoken behind the one who is before the world. */
	if (s->lmtp)
		return true;
	/* Without policy the mark is somebody else's, for somebody else. */
	if (mail_ares_cuts(header, str_c(s->conf->hostname),
		!trusted && !s->submission && s->conf->policy, cut, COUNT(cut),
		&n) != RC_OK)
		return false;
	return cut_out(s, cut, n);
}

/* End the transaction with a reply. */
static bool
answer(struct gw_smtp *s, enum next *out, int code, const char *status,
    const char *text)
{
	atomic_fetch_add(code >= 500   ? &s->gw->refused
			 : code >= 400 ? &s->gw->deferred
				       : &s->gw->accepted,
	    1);
	*out = gw_refuse(s, code, status, text);
	return false;
}

static bool
trouble(struct gw_smtp *s, enum next *out)
{
	return answer(s, out, 451, "4.3.0", "Cannot store the message now");
}

/* No verdict, for good. */
static bool
unchecked(struct gw_smtp *s, enum rc rc, enum next *out)
{
	log_warn(s->log, "policy.none", KVC("rc", rc_name(rc)),
	    KV("from", s->tx.from), KV("client", netd_peer_ip(s->c)));
	if (s->conf->policy_down == CONF_DOWN_DEFER)
		return answer(
		    s, out, 451, "4.7.0", "Cannot check the message now");
	atomic_fetch_add(&s->gw->unchecked, 1);
	return cut_forged(s, false) || trouble(s, out);
}

static bool
refuse(struct gw_smtp *s, const struct pol_verdict *v, enum next *out)
{
	int code = v->action == POL_REJECT ? 550 : 451;
	struct str status = str_dup(&s->unit, v->status);

	log_info(s->log, "message.refuse", KV("from", s->tx.from),
	    KVU("rcpts", s->tx.nrcpt), KVU("size", s->tx.body.size),
	    KV("why", v->why), KV("client", netd_peer_ip(s->c)));
	return answer(s, out, code, str_fmt(&s->unit, "%.*s", STRF(status)).p,
	    str_fmt(&s->unit, "%.*s", STRF(v->text)).p);
}

static bool
apply(struct gw_smtp *s, const struct pol_verdict *v, enum next *out)
{
	struct gw_tx *tx = &s->tx;

	gw_track_policy(s, v);
	switch (v->action) {
	case POL_REJECT:
	case POL_DEFER:
		return refuse(s, v, out);
	case POL_DISCARD:
		log_info(s->log, "message.discard", KV("from", tx->from),
		    KVU("rcpts", tx->nrcpt), KVU("size", tx->body.size),
		    KV("why", v->why), KV("client", netd_peer_ip(s->c)));
		return answer(s, out, 250, "2.0.0", "Accepted");
	case POL_JUNK:
		tx->junk = true;
		/* For the server behind us, if the mailbox is there. */
		tx->edits = str_cat(&tx->a, STR(MAIL_JUNK_MARK), tx->edits);
		break;
	case POL_HOLD:
		tx->hold = true;
		break;
	case POL_ACCEPT:
		break;
	}
	tx->edits = str_cat(&tx->a, v->edits, tx->edits);
	tx->spf = str_dup(&tx->a, v->spf);
	tx->dkim = str_dup(&tx->a, v->dkim);
	tx->dmarc = str_dup(&tx->a, v->dmarc);
	/* Without results it was not checked, and nothing was looked for. */
	if (v->edits.n == 0)
		atomic_fetch_add(&s->gw->unchecked, 1);
	return (v->edits.n == 0 ? cut_forged(s, false) : cut_as_said(s, v)) ||
	       trouble(s, out);
}

bool
gw_policy_step(struct gw_smtp *s, enum next *out)
{
	bool trusted = gw_sender_is_front(s) || gw_sender_is_relay(s);

	if (!s->conf->policy || trusted || s->submission)
		return cut_forged(s, trusted) || trouble(s, out);
	s->tx.tries = 0;
	s->tx.dl = deadline_in(s->conf->policy_timeout_ms);
	*out = start(s);
	return false;
}

bool
gw_policy_wake(struct gw_smtp *s, enum next *out)
{
	struct gw_verdict *p = s->verdict;
	bool on;

	if (p == NULL) { /* AGAIN_MS are over */
		*out = start(s);
		return false;
	}
	if (!atomic_load(&p->answered)) {
		*out = NEXT_WAIT;
		return false;
	}
	s->verdict = NULL;
	if (p->rc == RC_TEMP && s->tx.tries < POLICY_TRIES &&
	    deadline_left_ms(s->tx.dl) > AGAIN_MS) {
		verdict_unref(p);
		netd_wake_in(s->c, AGAIN_MS);
		*out = NEXT_WAIT;
		return false;
	}
	s->phase = PH_READY;
	on = p->rc == RC_OK ? apply(s, &p->v, out) : unchecked(s, p->rc, out);
	verdict_unref(p);
	return on;
}
