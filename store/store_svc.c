/*
 * Every handler has one shape: get the request, check what the engine cannot
 * know, hand it to the engine.  A change becomes an intent that lives in the
 * request's arena until the engine says it is durable; a question is answered
 * at once.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "store/store_svc.h"
#include "store/svc_upkeep.h"
#include "store/wire.h"

#define RPC_CONNS 512u
#define TEND_MS   10000

struct store_svc {
	struct log log;
	struct engine *engine;
	struct svc_upkeep *upkeep;
	struct rpcd *rpcd;
	uid_t key_uid, queue_key_uid;
	pthread_mutex_t lock; /* guards what follows */
	struct rpcd_conn *sub[SVC_SUBSCRIBERS];
	size_t nsub;
	bool stop;
	pthread_cond_t wake;
	pthread_t tender;
};

static struct engine_intent *
intent_new(struct rpcd_req *r, enum engine_kind kind,
    void (*done)(struct engine_intent *in, enum rc rc))
{
	struct engine_intent *in = arena_calloc(&r->a, 1, sizeof(*in));

	in->kind = kind;
	in->a = &r->a;
	in->done = done;
	in->arg = r;
	return in;
}

static enum rpcd_next
start(struct store_svc *s, struct engine_intent *in)
{
	s->engine->ops->start(s->engine, in);
	return RPCD_LATER;
}

static void
done_plain(struct engine_intent *in, enum rc rc)
{
	rpcd_reply(in->arg, rc);
}

/* Submitting */

static void
put_submitted(struct rpcd_req *r, const struct engine_result *out)
{
	struct store_submitted x = { .repeated = out->repeated,
		.first_entry = out->entry };

	x.message_id = str_hex(&r->a, str_n(out->body, sizeof(out->body)));
	wire_put_submitted(&r->out, &x);
}

static void
done_submit(struct engine_intent *in, enum rc rc)
{
	struct rpcd_req *r = in->arg;

	if (rc == RC_OK)
		put_submitted(r, &in->out);
	rpcd_reply(r, rc);
}

static void
done_append(struct engine_intent *in, enum rc rc)
{
	struct rpcd_req *r = in->arg;

	if (rc == RC_OK)
		wire_put_number(&r->out, in->out.uid);
	rpcd_reply(r, rc);
}

static const struct engine_delivery *
deliveries(struct arena *a, const struct store_delivery *v, size_t n)
{
	struct engine_delivery *to = arena_calloc(a, n, sizeof(*to));

	for (size_t i = 0; i < n; i++)
		to[i] = (struct engine_delivery){ .account = v[i].account,
			.name = v[i].mailbox,
			.prefix = v[i].prefix,
			.flags = v[i].flags,
			.keywords = v[i].keywords,
			.nkeywords = v[i].nkeywords };
	return to;
}

/* The body goes in first, on this thread; the descriptor is done with then. */
static enum rc
put_body(struct store_svc *s, struct store_body *b, struct engine_body **out)
{
	struct engine_content c = { .edits = b->edits,
		.data = b->inline_data,
		.fd = b->fd,
		.size = b->size,
		.meta = b->meta };
	enum rc rc;

	engine_body_id(c.id);
	rc = s->engine->ops->put_body(s->engine, &c, out);
	fd_close(&b->fd);
	return rc;
}

static enum rpcd_next
on_submit(struct store_svc *s, struct rpcd_req *r, enum rc *rc)
{
	struct engine_intent *in = intent_new(r, ENGINE_SUBMIT, done_submit);
	struct store_submit x;

	*rc = wire_get_submit(&r->in, &r->a, &x);
	if (*rc != RC_OK)
		return RPCD_REPLY;
	*rc = s->engine->ops->find_op(s->engine, x.op_id, &in->out);
	if (*rc == RC_OK) { /* asked again after a lost answer */
		fd_close(&x.body.fd);
		in->out.repeated = true;
		put_submitted(r, &in->out);
		return RPCD_REPLY;
	}
	*rc = put_body(s, &x.body, &in->submit.body);
	if (*rc != RC_OK)
		return RPCD_REPLY;
	in->op_id = x.op_id;
	in->submit.from = x.from;
	in->submit.submitter = x.submitter;
	in->submit.received_at = x.received_at;
	in->submit.to = deliveries(&r->a, x.to, x.nto);
	in->submit.nto = x.nto;
	in->submit.set = x.queue;
	in->submit.nset = x.nqueue;
	return start(s, in);
}

static enum rpcd_next
on_append(struct store_svc *s, struct rpcd_req *r, enum rc *rc)
{
	struct engine_intent *in = intent_new(r, ENGINE_SUBMIT, done_append);
	struct engine_delivery *to = arena_calloc(&r->a, 1, sizeof(*to));
	struct store_append x;

	*rc = wire_get_append(&r->in, &r->a, &x);
	if (*rc != RC_OK)
		return RPCD_REPLY;
	*rc = s->engine->ops->find_op(s->engine, x.op_id, &in->out);
	if (*rc == RC_OK) {
		fd_close(&x.body.fd);
		wire_put_number(&r->out, in->out.uid);
		return RPCD_REPLY;
	}
	*rc = put_body(s, &x.body, &in->submit.body);
	if (*rc != RC_OK)
		return RPCD_REPLY;
	*to = (struct engine_delivery){ .account = x.account,
		.mailbox = x.mailbox,
		.flags = x.flags,
		.keywords = x.keywords,
		.nkeywords = x.nkeywords };
	in->op_id = x.op_id;
	in->account = x.account;
	in->submit.received_at = x.internal_date;
	in->submit.to = to;
	in->submit.nto = 1;
	return start(s, in);
}

/* The queue */

static enum rc
message_id(struct arena *a, struct str hex, unsigned char out[BODY_ID])
{
	struct str raw;

	if (str_unhex(a, hex, &raw) != RC_OK || raw.n != BODY_ID)
		return RC_BAD;
	memcpy(out, raw.p, BODY_ID);
	return RC_OK;
}

static enum rpcd_next
on_queue_list(struct store_svc *s, struct rpcd_req *r, enum rc *rc)
{
	struct store_queue_item *v;
	struct wire_page x;
	struct str after;
	size_t n;

	*rc = wire_get_page(&r->in, &x);
	if (*rc == RC_OK)
		*rc = str_unhex(&r->a, x.after, &after);
	if (*rc == RC_OK && after.n != 0 && after.n != BODY_ID)
		*rc = RC_BAD;
	if (*rc == RC_OK)
		*rc = s->engine->ops->queue_list(
		    s->engine, &r->a, after, x.max, &v, &n);
	for (size_t i = 0; *rc == RC_OK && i < n; i++)
		wire_put_item(&r->out, &v[i]);
	return RPCD_REPLY;
}

static enum rpcd_next
on_queue_get(struct store_svc *s, struct rpcd_req *r, enum rc *rc)
{
	struct store_queue_item item;
	unsigned char id[BODY_ID];
	struct wire_account x;

	*rc = wire_get_account(&r->in, &r->a, &x);
	if (*rc == RC_OK)
		*rc = message_id(&r->a, x.name, id);
	if (*rc == RC_OK)
		*rc = s->engine->ops->queue_get(s->engine, &r->a, id, &item);
	if (*rc == RC_OK)
		wire_put_item(&r->out, &item);
	return RPCD_REPLY;
}

static enum rpcd_next
on_queue_update(struct store_svc *s, struct rpcd_req *r, enum rc *rc)
{
	struct engine_intent *in = intent_new(r, ENGINE_QUEUE, done_plain);
	struct store_queue_update x;

	*rc = wire_get_update(&r->in, &r->a, &x);
	if (*rc == RC_OK)
		*rc = message_id(&r->a, x.message_id, in->submit.id);
	if (*rc != RC_OK)
		return RPCD_REPLY;
	in->op_id = x.op_id;
	in->submit.to = deliveries(&r->a, x.to, x.nto);
	in->submit.nto = x.nto;
	in->submit.set = x.set;
	in->submit.nset = x.nset;
	in->submit.remove = x.remove;
	in->submit.nremove = x.nremove;
	in->submit.expect = x.expect;
	in->submit.nexpect = x.nexpect;
	return start(s, in);
}

/* Accounts and mailboxes */

static void
done_mailbox(struct engine_intent *in, enum rc rc)
{
	struct rpcd_req *r = in->arg;

	if (rc == RC_OK)
		wire_put_number(&r->out, in->out.mailbox);
	rpcd_reply(r, rc);
}

static void
done_modseq(struct engine_intent *in, enum rc rc)
{
	struct rpcd_req *r = in->arg;

	if (rc == RC_OK)
		wire_put_number(&r->out, in->out.modseq);
	rpcd_reply(r, rc);
}

static void
done_copy(struct engine_intent *in, enum rc rc)
{
	struct rpcd_req *r = in->arg;

	if (rc == RC_OK)
		wire_put_copied(&r->out, &in->out.copied);
	rpcd_reply(r, rc);
}

/* The changes that name an account: which request is which intent. */
static const struct account_op {
	enum store_op op;
	enum engine_kind kind;
	void (*done)(struct engine_intent *in, enum rc rc);
} account_ops[] = {
	{ STORE_OP_ENSURE, ENGINE_ENSURE, done_plain },
	{ STORE_OP_CREATE, ENGINE_CREATE, done_mailbox },
	{ STORE_OP_DELETE, ENGINE_DELETE, done_plain },
	{ STORE_OP_RENAME, ENGINE_RENAME, done_plain },
	{ STORE_OP_SUBSCRIBED, ENGINE_SUBSCRIBE, done_plain },
	{ STORE_OP_COPY, ENGINE_COPY, done_copy },
	{ STORE_OP_EXPUNGE, ENGINE_EXPUNGE, done_modseq },
};

static enum rpcd_next
on_account(struct store_svc *s, struct rpcd_req *r, const struct account_op *op,
    enum rc *rc)
{
	struct engine_intent *in = intent_new(r, op->kind, op->done);
	struct wire_account x;

	*rc = wire_get_account(&r->in, &r->a, &x);
	if (*rc != RC_OK)
		return RPCD_REPLY;
	in->account = x.account;
	in->mailbox = x.mailbox;
	switch (op->kind) {
	case ENGINE_COPY:
		in->copy.uids = x.uids;
		in->copy.to = x.dest;
		in->copy.move = x.on;
		break;
	case ENGINE_EXPUNGE:
		in->expunge = x.uids;
		break;
	default:
		in->name = (struct engine_mailbox){ x.name, x.to, x.on };
	}
	return start(s, in);
}

static void
done_flags(struct engine_intent *in, enum rc rc)
{
	struct rpcd_req *r = in->arg;

	if (rc == RC_OK)
		wire_put_flagged(
		    &r->out, &(struct store_flagged){
				 in->out.modseq, in->out.modified });
	rpcd_reply(r, rc);
}

static enum rpcd_next
on_flags(struct store_svc *s, struct rpcd_req *r, enum rc *rc)
{
	struct engine_intent *in = intent_new(r, ENGINE_FLAGS, done_flags);

	*rc = wire_get_flags(&r->in, &r->a, &in->flags);
	if (*rc != RC_OK)
		return RPCD_REPLY;
	in->account = in->flags.account;
	in->mailbox = in->flags.mailbox;
	return start(s, in);
}

static bool
may_have_key(struct store_svc *s, const struct rpcd_req *r, uid_t who)
{
	if (r->uid == who || r->uid == 0)
		return true;
	log_warn(&s->log, "attach.deny", KVU("uid", r->uid), KVI("pid", r->pid),
	    KVU("op", r->op));
	return false;
}

/* Only imap reads mailboxes, so only imap is given their keys. */
static enum rpcd_next
on_attach(struct store_svc *s, struct rpcd_req *r, enum rc *rc)
{
	unsigned char key[SEAL_KEY];
	struct wire_account x;

	if (!may_have_key(s, r, s->key_uid)) {
		*rc = RC_DENY;
		return RPCD_REPLY;
	}
	*rc = wire_get_account(&r->in, &r->a, &x);
	if (*rc == RC_OK)
		*rc = s->engine->ops->attach(s->engine, x.account, key);
	if (*rc == RC_OK) {
		wire_put_bytes(&r->out, str_n(key, sizeof(key)));
		seal_wipe(key, sizeof(key));
	}
	return RPCD_REPLY;
}

/* Only delivery reads what is queued. */
static enum rpcd_next
on_queue_key(struct store_svc *s, struct rpcd_req *r, enum rc *rc)
{
	unsigned char key[SEAL_KEY];
	struct wire_account x;

	*rc = RC_DENY;
	if (!may_have_key(s, r, s->queue_key_uid))
		return RPCD_REPLY;
	*rc = wire_get_account(&r->in, &r->a, &x);
	if (*rc != RC_OK)
		return RPCD_REPLY;
	s->engine->ops->queue_key(s->engine, key);
	wire_put_bytes(&r->out, str_n(key, sizeof(key)));
	seal_wipe(key, sizeof(key));
	return RPCD_REPLY;
}

static enum rpcd_next
on_recent(struct store_svc *s, struct rpcd_req *r, enum rc *rc)
{
	struct wire_account x;
	uint32_t first;

	*rc = wire_get_account(&r->in, &r->a, &x);
	if (*rc == RC_OK)
		*rc = s->engine->ops->take_recent(
		    s->engine, x.account, x.mailbox, x.on, &first);
	if (*rc == RC_OK)
		wire_put_number(&r->out, first);
	return RPCD_REPLY;
}

static enum rpcd_next
on_stats(struct store_svc *s, struct rpcd_req *r, enum rc *rc)
{
	struct engine_stats x;

	s->engine->ops->stats(s->engine, &x);
#define N(field) (unsigned long long)x.field
	wire_put_bytes(&r->out,
	    str_fmt(&r->a,
		"{\"messages\":%llu,\"bodies\":%llu,\"queued\":%llu,"
		"\"accounts\":%llu,\"commits\":%llu,\"log_bytes\":%llu,"
		"\"log_syncs\":%llu,\"free_bytes\":%llu,\"read_only\":%s,"
		"\"below_floor\":%s}",
		N(messages), N(bodies), N(queued), N(accounts), N(commits),
		N(log_bytes), N(log_syncs), N(free_bytes),
		x.read_only ? "true" : "false",
		x.below_floor ? "true" : "false"));
#undef N
	*rc = RC_OK;
	return RPCD_REPLY;
}

/* Hints */

static enum rpcd_next
on_listen(struct store_svc *s, struct rpcd_req *r, enum rc *rc)
{
	*rc = RC_TEMP;
	pthread_mutex_lock(&s->lock);
	if (s->nsub < SVC_SUBSCRIBERS) {
		s->sub[s->nsub++] = rpcd_conn_ref(r);
		*rc = RC_OK;
	}
	pthread_mutex_unlock(&s->lock);
	return RPCD_REPLY;
}

static void
gone(void *ctx, struct rpcd_conn *conn)
{
	struct store_svc *s = ctx;
	struct rpcd_conn *found = NULL;

	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->nsub && found == NULL; i++)
		if (s->sub[i] == conn) {
			found = conn;
			s->sub[i] = s->sub[--s->nsub];
		}
	pthread_mutex_unlock(&s->lock);
	if (found != NULL)
		rpcd_conn_unref(&found);
	/* A reader may have died with a transaction open. */
	s->engine->ops->tend(s->engine);
}

void
store_svc_changed(void *ctx, const struct engine_change *changes, size_t n)
{
	struct store_svc *s = ctx;
	AUTO_MSG m = { 0 };

	ipc_msg_init(&m, STORE_OP_HINT);
	for (size_t i = 0; i < n; i++)
		wire_put_hint(&m, &(struct wire_hint){ changes[i].account,
				      changes[i].mailbox, changes[i].modseq });
	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->nsub; i++)
		if (rpcd_push(s->sub[i], &m) != RC_OK)
			log_debug(&s->log, "hint.overflow", KVU("hints", n));
	pthread_mutex_unlock(&s->lock);
}

/* The table */

static enum rpcd_next
handle(void *ctx, struct rpcd_req *r, enum rc *rc)
{
	static enum rpcd_next (*const run[])(
	    struct store_svc *, struct rpcd_req *, enum rc *) = {
		[STORE_OP_SUBMIT] = on_submit,
		[STORE_OP_QUEUE_LIST] = on_queue_list,
		[STORE_OP_QUEUE_GET] = on_queue_get,
		[STORE_OP_QUEUE_UPDATE] = on_queue_update,
		[STORE_OP_ATTACH] = on_attach,
		[STORE_OP_APPEND] = on_append,
		[STORE_OP_FLAGS] = on_flags,
		[STORE_OP_RECENT] = on_recent,
		[STORE_OP_LISTEN] = on_listen,
		[STORE_OP_STATS] = on_stats,
		[STORE_OP_QUEUE_KEY] = on_queue_key,
	};
	struct store_svc *s = ctx;

	for (size_t i = 0; i < COUNT(account_ops); i++)
		if (account_ops[i].op == r->op)
			return on_account(s, r, &account_ops[i], rc);
	if (r->op >= STORE_OP_UPKEEP && r->op <= STORE_OP_LEASE)
		return svc_upkeep_handle(s->upkeep, r, rc);
	if (r->op < COUNT(run) && run[r->op] != NULL)
		return run[r->op](s, r, rc);
	*rc = RC_BAD;
	return RPCD_REPLY;
}

static void *
tender_main(void *arg)
{
	struct store_svc *s = arg;

	pthread_mutex_lock(&s->lock);
	while (!s->stop) {
		struct deadline dl = deadline_in(TEND_MS);
		struct timespec ts = { dl.at_ns / 1000000000,
			dl.at_ns % 1000000000 };

		pthread_cond_timedwait(&s->wake, &s->lock, &ts);
		pthread_mutex_unlock(&s->lock);
		s->engine->ops->tend(s->engine);
		svc_upkeep_tend(s->upkeep);
		pthread_mutex_lock(&s->lock);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

struct store_svc *
store_svc_new(const struct log *log)
{
	struct store_svc *s = xcalloc(1, sizeof(*s));
	pthread_condattr_t attr;

	s->log = *log;
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->wake, &attr);
	pthread_condattr_destroy(&attr);
	return s;
}

void
store_svc_start(
    struct store_svc *s, struct engine *e, const struct store_svc_conf *conf)
{
	s->engine = e;
	s->upkeep = svc_upkeep_new(&s->log, e);
	s->key_uid = conf->key_uid;
	s->queue_key_uid = conf->queue_key_uid;
	if (pthread_create(&s->tender, NULL, tender_main, s) != 0)
		panic("cannot start a thread");
	s->rpcd = rpcd_start(&s->log, &(struct rpcd_conf){
					  .name = "store",
					  .listen_fd = conf->listen_fd,
					  .workers = conf->workers,
					  .max_conns = RPC_CONNS,
					  .uids = conf->uids,
					  .nuids = conf->nuids,
					  .handle = handle,
					  .gone = gone,
					  .ctx = s,
				      });
}

void
store_svc_stop(struct store_svc *s, struct deadline dl)
{
	rpcd_stop(&s->rpcd, dl);
	pthread_mutex_lock(&s->lock);
	s->stop = true;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->tender, NULL);
	svc_upkeep_free(&s->upkeep);
}

void
store_svc_free(struct store_svc **sp)
{
	struct store_svc *s = *sp;

	if (s == NULL)
		return;
	*sp = NULL;
	while (s->nsub > 0)
		rpcd_conn_unref(&s->sub[--s->nsub]);
	pthread_cond_destroy(&s->wake);
	pthread_mutex_destroy(&s->lock);
	xfree(s);
}
