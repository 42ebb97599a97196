/*
 * One notice a call: all recipients of one message with the same action.
 *
 * It goes where other mail to the sender goes, by the rules as they are then:
 * senders exist by map, subaddress (VERP) or catch-all as recipients do.
 *
 * A notice that leaves is signed by the key of our name, or of the mail domain
 * that our name lies in, which is as good for DMARC.  A signer that is down, or
 * an original that cannot be read, keeps it waiting as long as a try would wait
 * at most, and not longer: late and unsigned, or without the original, is
 * better than never.
 */
#include <string.h>

#include "delivery/dlv.h"
#include "delivery/dlv_notice.h"
#include "delivery/dlv_retry.h"
#include "delivery/dlv_sched.h"
#include "delivery/dlv_track.h"
#include "directory/dir_resolve_client.h"
#include "mail/dsn.h"
#include "mail/header.h"

#define TRY_MS    10000
#define COMMIT_MS 30000
#define SIGN_MS   5000
#define DSN_MAX   (4u << 20)

struct notice {
	struct dlv *d;
	struct arena *a;
	const struct log *log;
	const struct conf *conf;
	const struct mail_rules *rules;
	const struct store_queue_item *item;
	int64_t now;
	enum dlv_action action;
	const struct store_queued *q[DLV_NOTICE_RCPTS];
	struct dlv_entry e[DLV_NOTICE_RCPTS];
	size_t n;
	struct str told; /* who is told */
	bool to_postmaster;
	struct dlv_rcpt *to; /* where mail to them goes */
	size_t nto;
};

static void
add(struct notice *t, const struct store_queued *q, const struct dlv_entry *e)
{
	t->q[t->n] = q;
	t->e[t->n++] = *e;
}

static void
collect(struct notice *t)
{
	const struct store_queue_item *item = t->item;

	for (size_t i = 0; i < item->nentries && t->n < DLV_NOTICE_RCPTS; i++) {
		const struct store_queued *q = &item->entries[i];
		struct dlv_entry e;

		if (q->state != DLV_DONE || q->next_at > t->now)
			continue;
		if (dlv_entry_get(q->data, &e) != RC_OK)
			e = (struct dlv_entry){ .action = DLV_FAILED };
		if (t->n == 0)
			t->action = (enum dlv_action)e.action;
		if (e.action == t->action)
			add(t, q, &e);
	}
	if (t->n > 0)
		return;
	t->action = DLV_DELAYED;
	for (size_t i = 0; i < item->nentries && t->n < DLV_NOTICE_RCPTS; i++) {
		const struct store_queued *q = &item->entries[i];
		struct dlv_entry e;

		if (dlv_entry_get(q->data, &e) == RC_OK &&
		    dlv_retry_warn_at(
			t->conf, item, q, &e, dlv_queue_grace(t->d)) <= t->now)
			add(t, q, &e);
	}
}

/* Of an entry that was not tried yet: while its place is down, others are. */
static struct str
why_untried(const struct notice *t, const struct store_queued *q)
{
	struct str hop = dlv_plan_hop(t->a, t->conf, q);
	struct dlv_why why;

	if (hop.n == 0 || dlv_queue_why(t->d->queue, t->a, hop, &why) != RC_OK)
		return STR("not tried yet");
	return dlv_why_text(t->a, "not tried yet", &why);
}

static struct mail_dsn_rcpt
rcpt_of(const struct notice *t, size_t i)
{
	const struct dlv_entry *e = &t->e[i];
	struct mail_dsn_rcpt r = {
		.address = t->q[i]->rcpt,
		.orcpt = e->orcpt,
		.status = e->status,
		.host = e->host,
		.reply = e->reply.n > 0 ? e->reply : t->q[i]->reason,
		.from_server = e->from_server,
		.expired = e->expired,
		.last_attempt = e->tried_at,
	};

	switch (t->action) {
	case DLV_DELAYED:
		r.action = MAIL_DSN_DELAYED;
		r.will_retry = t->q[i]->expires_at;
		if (t->q[i]->attempts == 0)
			r.reply = why_untried(t, t->q[i]);
		/* RFC 3464 section 2.3.4: a delay is never 5.x.x. */
		if (r.status.n == 0 || r.status.p[0] != '4')
			r.status = STR("4.4.7");
		break;
	case DLV_DELIVERED:
		r.action = MAIL_DSN_DELIVERED;
		r.status = STR("2.0.0");
		r.reply = STR("");
		break;
	case DLV_RELAYED:
		r.action = MAIL_DSN_RELAYED;
		r.status = STR("2.0.0");
		break;
	case DLV_EXPANDED:
		r.action = MAIL_DSN_EXPANDED;
		r.status = STR("2.0.0");
		r.reply = STR("");
		break;
	default:
		r.action = MAIL_DSN_FAILED;
		/* The last answer was temporary; that it is over is not. */
		if (e->expired || r.status.n == 0 || r.status.p[0] != '5')
			r.status = e->expired ? STR("5.4.7") : STR("5.0.0");
	}
	return r;
}

/* The same for the same recipients at the same attempt. */
static void
name_of(const struct notice *t, uint64_t out[2])
{
	for (uint64_t k = 0; k < 2; k++) {
		uint64_t h = str_hash(t->item->message_id) + k;

		for (size_t i = 0; i < t->n; i++) {
			uint64_t v[5] = { h, k, t->action, t->q[i]->id,
				t->action == DLV_DELAYED ? 0
							 : t->q[i]->attempts };

			h = str_hash(str_n(v, sizeof(v)));
		}
		out[k] = h;
	}
}

/* Whom mail to this address is for, in t->to; RC_NOENT: nobody. */
static enum rc
addressees(struct notice *t, struct str address)
{
	const struct dir_resolve r = {
		.dir = t->d->dir,
		.conf = t->conf,
		.rules = t->rules,
		.a = t->a,
		.authenticated = true,
		.timeout_ms = TRY_MS,
	};
	struct dir_target *v;
	enum rc rc = dir_resolve_one(&r, address, &v, &t->nto);

	if (rc != RC_OK)
		return rc;
	t->to = arena_calloc(t->a, t->nto, sizeof(*t->to));
	for (size_t i = 0; i < t->nto; i++)
		t->to[i] = (struct dlv_rcpt){
			.address = v[i].address,
			.kind = v[i].is.kind,
			.dir_id = v[i].is.id,
			.route = v[i].is.route,
		};
	return RC_OK;
}

static bool
has_failed(const struct notice *t, struct str address)
{
	for (size_t i = 0; i < t->n; i++) {
		if (str_ieq(t->q[i]->rcpt, address))
			return true;
	}
	return false;
}

/*
 * What failed on its way to the postmaster is not told to them again, or it
 * would be for ever.  Members of a group fail under their own address: nobody
 * hears of those.
 */
static enum rc
choose_postmaster(struct notice *t)
{
	struct str postmaster = str_c(t->conf->postmaster);
	enum rc rc;

	if (has_failed(t, postmaster))
		return RC_DENY;
	t->told = postmaster;
	t->to_postmaster = true;
	rc = addressees(t, postmaster);
	for (size_t i = 0; rc == RC_OK && i < t->nto; i++) {
		if (has_failed(t, t->to[i].address))
			return RC_DENY;
		if (t->to[i].kind == DIR_GROUP)
			t->to[i].notify = REM_NOTIFY_NEVER;
	}
	return rc == RC_NOENT ? RC_DENY : rc;
}

/*
 * The sender, or the postmaster if the message is itself a notice or its
 * sender is not there.  RC_NOENT: nobody; RC_DENY: only an administrator can
 * help.
 */
static enum rc
choose(struct notice *t)
{
	enum rc rc = addressees(t, t->item->from);

	t->told = t->item->from;
	if (rc != RC_NOENT || t->action != DLV_FAILED)
		return rc;
	return choose_postmaster(t);
}

/* When the notice was due. */
static int64_t
due_since(const struct notice *t)
{
	if (t->action == DLV_DELAYED)
		return dlv_retry_warn_at(
		    t->conf, t->item, t->q[0], &t->e[0], 0);
	return t->q[0]->next_at;
}

/* It has waited for what it cannot have as long as a try waits at most. */
static bool
overdue(const struct notice *t)
{
	return t->now >= due_since(t) + (int64_t)t->conf->queue_retry_max_s;
}

/* What of the original goes back, RFC 3461 section 4.3; RC_TEMP: later. */
static enum rc
original(struct notice *t, struct mail_dsn *dsn)
{
	const struct store_queue_item *item = t->item;
	uint64_t size = item->edits.n + item->size;
	uint64_t max = t->e[0].ret == REM_RET_FULL   ? DLV_NOTICE_FULL
		       : t->e[0].ret == REM_RET_NONE ? DLV_NOTICE_SHORT
						     : 0;
	bool full = t->action == DLV_FAILED && size <= max;
	struct str text = STR("");
	enum rc rc = dlv_body_head(t->d, t->a, item->message_id,
	    full ? (size_t)size : DLV_NOTICE_HEADER, &text);

	if (rc != RC_OK) {
		log_warn(t->log, "notice.original", KVC("rc", rc_name(rc)),
		    KVU("full", full));
		if (!overdue(t))
			return RC_TEMP;
		dsn->unreadable = true;
		return RC_OK;
	}
	dsn->full = full;
	dsn->original = full ? text : str_sub(text, 0, mail_header_len(text));
	return RC_OK;
}

static enum rc
sign_as(struct notice *t, const struct dlv_submit *m, struct str domain,
    struct str *out)
{
	const struct sgn_message in = {
		.domain = domain,
		.inline_data = m->inline_data,
		.fd = m->fd,
		.size = m->size,
	};

	return sgn_sign(t->d->signer, t->a, &in, deadline_in(SIGN_MS), out);
}

/* RC_TEMP: later. */
static enum rc
sign(struct notice *t, struct dlv_submit *m)
{
	const struct conf *c = t->conf;
	struct str host = str_c(c->hostname);
	enum rc rc;

	if (t->d->signer == NULL || c->dkim_dir[0] == '\0')
		return RC_OK;
	rc = sign_as(t, m, host, &m->edits);
	for (size_t i = 0; rc == RC_NOENT && i < c->domains.n; i++) {
		struct str domain = str_c(c->domains.v[i]);

		if (host.n > domain.n && host.p[host.n - domain.n - 1] == '.' &&
		    str_ieq(str_from(host, host.n - domain.n), domain))
			rc = sign_as(t, m, domain, &m->edits);
	}
	if (rc == RC_OK || rc == RC_NOENT)
		return RC_OK;
	log_warn(t->log, "notice.unsigned", KVC("rc", rc_name(rc)),
	    KV("to", t->told));
	return rc == RC_BAD || overdue(t) ? RC_OK : RC_TEMP;
}

static bool
leaves(const struct notice *t)
{
	for (size_t i = 0; i < t->nto; i++) {
		if (t->to[i].kind != DIR_USER)
			return true;
	}
	return false;
}

static enum rc
submit(struct notice *t)
{
	struct mail_dsn_rcpt *rcpt = arena_calloc(t->a, t->n, sizeof(*rcpt));
	uint64_t name[2];
	AUTO_BUF text = { 0 };
	AUTO_FD fd = -1;
	struct mail_dsn dsn = {
		.host = str_c(t->conf->hostname),
		.postmaster = str_c(t->conf->postmaster),
		.to = t->told,
		.now = t->now,
		.arrived = t->item->received_at,
		.envid = t->e[0].envid,
		.rcpt = rcpt,
		.nrcpt = t->n,
	};
	struct dlv_submit m = {
		.sid = t->item->message_id, /* for track */
		.to = t->to,
		.nto = t->nto,
		.fd = -1,
		.received_at = t->now,
	};
	enum rc rc = original(t, &dsn);

	if (rc != RC_OK)
		return rc;
	name_of(t, name);
	m.id = str_n(name, sizeof(name));
	dsn.unique = str_hex(t->a, m.id);
	dsn.is_double = t->to_postmaster;
	if (t->to_postmaster)
		dsn.double_to = t->item->from;
	for (size_t i = 0; i < t->n; i++)
		rcpt[i] = rcpt_of(t, i);
	buf_init(&text, DSN_MAX);
	rc = mail_dsn_write(&text, &dsn);
	if (rc != RC_OK)
		return RC_TEMP;
	m.size = text.n;
	if (text.n <= STORE_INLINE_MAX) {
		m.inline_data = buf_str(&text);
	} else {
		fd = fd_sealed("notice", buf_str(&text));
		if (fd < 0)
			return RC_TEMP;
		m.fd = fd;
	}
	/* What stays here needs no signature. */
	if (leaves(t) && sign(t, &m) != RC_OK)
		return RC_TEMP;
	return dlv_submit_own(t->d, t->log, &m);
}

static enum rc
conclude(struct notice *t, bool hold)
{
	struct store_queued *set = arena_calloc(t->a, t->n, sizeof(*set));
	uint64_t *remove = arena_calloc(t->a, t->n, sizeof(*remove));
	struct store_queue_update up = {
		.message_id = t->item->message_id,
		.set = set,
		.remove = remove,
	};
	uint64_t name[2];
	enum rc rc;

	name_of(t, name);
	up.op_id = str_fmt(t->a, "%.*s.n%x%016llx",
	    STRF(str_sub(t->item->message_id, 0, 40)), hold,
	    (unsigned long long)name[0]);
	for (size_t i = 0; i < t->n; i++) {
		if (t->action != DLV_DELAYED && !hold) {
			remove[up.nremove++] = t->q[i]->id;
			continue;
		}
		set[i] = *t->q[i];
		if (hold) {
			set[i].state = DLV_HELD;
			set[i].reason = STR("a notice that nobody can be told "
					    "about");
			/* Who releases it wants another try. */
			t->e[i].action = DLV_NO_ACTION;
			t->e[i].expired = false;
		}
		t->e[i].warned = true;
		set[i].data = dlv_entry_put(t->a, &t->e[i]);
		up.nset++;
	}
	dlv_entry_expect(t->a, t->item, &up);
	rc = store_queue_update(t->d->store, &up, deadline_in(COMMIT_MS));
	if (rc == RC_OK && hold)
		dlv_track_update(t->d, NULL, &up);
	return rc;
}

static enum rc
run(struct notice *t)
{
	enum rc rc;

	collect(t);
	if (t->n == 0)
		return RC_NOENT;
	rc = choose(t);
	if (rc == RC_OK) {
		rc = submit(t);
		/* It may not be written or routed: rather held than lost. */
		if (rc == RC_BAD || rc == RC_DENY || rc == RC_NOENT)
			rc = RC_DENY;
	}
	log_info(t->log, "notice", KV("to", t->told), KVC("rc", rc_name(rc)),
	    KVU("action", t->action), KVU("rcpts", t->n),
	    KV("first", t->q[0]->rcpt));
	if (rc == RC_TEMP)
		return rc;
	if (rc == RC_DENY)
		log_error(t->log, "notice.held", KV("from", t->item->from),
		    KV("first", t->q[0]->rcpt), KVU("rcpts", t->n));
	if (rc == RC_OK)
		t->d->counts.notices++;
	rc = conclude(t, rc == RC_DENY && t->action == DLV_FAILED);
	/* Somebody was faster: read it again. */
	return rc == RC_NOENT ? RC_OK : rc;
}

enum rc
dlv_notice(struct dlv *d, struct arena *a, const struct log *log,
    const struct store_queue_item *item, int64_t now)
{
	struct notice *t = arena_calloc(a, 1, sizeof(*t));
	enum rc rc;

	*t = (struct notice){
		.d = d,
		.a = a,
		.log = log,
		.conf = dlv_conf(d),
		.rules = dlv_rules(d),
		.item = item,
		.now = now,
	};
	rc = run(t);
	mail_rules_unref(&t->rules);
	conf_unref(&t->conf);
	return rc;
}
