/*
 * One request each; nothing is kept here but the connections.  Slices of a
 * reply are copied into the caller's arena, because the message that holds
 * them is freed before we return.
 */
#include <string.h>

#include "store/wire.h"

struct store_client {
	struct ipc_client *ipc;
	struct log log;
};

struct store_sub {
	struct ipc_sub *ipc;
	void (*hint)(
	    void *arg, struct str account, uint64_t mailbox, uint64_t modseq);
	void *arg;
};

struct store_client *
store_client_new(const struct log *log, const char *path, unsigned max_conns)
{
	struct store_client *s = xcalloc(1, sizeof(*s));

	s->log = *log;
	s->ipc = ipc_client_new(log, "store", path, max_conns);
	return s;
}

void
store_client_free(struct store_client **sp)
{
	struct store_client *s = *sp;

	if (s == NULL)
		return;
	*sp = NULL;
	ipc_client_free(&s->ipc);
	xfree(s);
}

/* A reply that does not parse: we cannot know what happened. */
static enum rc
parsed(struct store_client *s, uint16_t op, enum rc rc)
{
	if (rc == RC_OK)
		return RC_OK;
	log_error(&s->log, "store.bad_reply", KVU("op", op));
	return RC_TEMP;
}

static enum rc
ask(struct store_client *s, struct ipc_msg *req, struct deadline dl,
    struct ipc_msg *reply, struct ipc_in *in)
{
	enum rc rc = ipc_call(s->ipc, req, dl, reply);

	if (rc == RC_OK)
		ipc_in_init(in, reply);
	return rc;
}

enum rc
store_submit(struct store_client *s, struct arena *a,
    const struct store_submit *x, struct deadline dl,
    struct store_submitted *out)
{
	AUTO_MSG req = { 0 }, reply = { 0 };
	struct store_submitted got;
	struct ipc_in in;
	enum rc rc;

	ipc_msg_init(&req, STORE_OP_SUBMIT);
	wire_put_submit(&req, x);
	rc = ask(s, &req, dl, &reply, &in);
	if (rc == RC_OK)
		rc = parsed(s, req.op, wire_get_submitted(&in, &got));
	if (rc != RC_OK)
		return rc;
	*out = (struct store_submitted){ str_dup(a, got.message_id),
		got.repeated, got.first_entry };
	return RC_OK;
}

struct started {
	struct store_client *s;
	void (*done)(void *arg, enum rc rc, const struct store_submitted *out);
	void *arg;
};

static void
on_submitted(void *arg, enum rc rc, struct ipc_msg *reply)
{
	struct started *st = arg;
	struct store_submitted got = { 0 };
	struct ipc_in in;

	if (rc == RC_OK) {
		ipc_in_init(&in, reply);
		rc = parsed(
		    st->s, STORE_OP_SUBMIT, wire_get_submitted(&in, &got));
	}
	st->done(st->arg, rc, &got);
	xfree(st);
}

void
store_submit_start(struct store_client *s, const struct store_submit *x,
    struct deadline dl,
    void (*done)(void *arg, enum rc rc, const struct store_submitted *out),
    void *arg)
{
	AUTO_MSG req = { 0 };
	struct started *st = xcalloc(1, sizeof(*st));

	*st = (struct started){ s, done, arg };
	ipc_msg_init(&req, STORE_OP_SUBMIT);
	wire_put_submit(&req, x);
	ipc_start(s->ipc, &req, dl, on_submitted, st);
}

/* Entries and items as they must outlive their message. */
static void
keep_item(struct arena *a, struct store_queue_item *x)
{
	x->message_id = str_dup(a, x->message_id);
	x->from = str_dup(a, x->from);
	x->submitter = str_dup(a, x->submitter);
	x->edits = str_dup(a, x->edits);
	for (size_t i = 0; i < x->nentries; i++) {
		struct store_queued *q = &x->entries[i];

		q->rcpt = str_dup(a, q->rcpt);
		q->dir_id = str_dup(a, q->dir_id);
		q->reason = str_dup(a, q->reason);
		q->prefix = str_dup(a, q->prefix);
		q->data = str_dup(a, q->data);
	}
}

static enum rc
ask_items(struct store_client *s, struct arena *a, struct ipc_msg *req,
    struct deadline dl, struct store_queue_item **out, size_t *out_n)
{
	AUTO_MSG reply = { 0 };
	struct ipc_in in;
	enum rc rc = ask(s, req, dl, &reply, &in);

	if (rc == RC_OK)
		rc = parsed(s, req->op, wire_get_items(&in, a, out, out_n));
	for (size_t i = 0; rc == RC_OK && i < *out_n; i++)
		keep_item(a, &(*out)[i]);
	return rc;
}

enum rc
store_queue_list(struct store_client *s, struct arena *a,
    struct str after_message_id, size_t max, struct deadline dl,
    struct store_queue_item **out, size_t *out_n)
{
	AUTO_MSG req = { 0 };

	ipc_msg_init(&req, STORE_OP_QUEUE_LIST);
	wire_put_page(&req, &(struct wire_page){ after_message_id, max });
	return ask_items(s, a, &req, dl, out, out_n);
}

enum rc
store_queue_get(struct store_client *s, struct arena *a, struct str message_id,
    struct deadline dl, struct store_queue_item *out)
{
	AUTO_MSG req = { 0 };
	struct store_queue_item *v;
	size_t n;
	enum rc rc;

	ipc_msg_init(&req, STORE_OP_QUEUE_GET);
	wire_put_account(&req, &(struct wire_account){ .name = message_id });
	rc = ask_items(s, a, &req, dl, &v, &n);
	if (rc == RC_OK && n != 1)
		rc = parsed(s, req.op, RC_BAD);
	if (rc == RC_OK)
		*out = v[0];
	return rc;
}

enum rc
store_queue_update(struct store_client *s, const struct store_queue_update *x,
    struct deadline dl)
{
	AUTO_MSG req = { 0 }, reply = { 0 };

	ipc_msg_init(&req, STORE_OP_QUEUE_UPDATE);
	wire_put_update(&req, x);
	return ipc_call(s->ipc, &req, dl, &reply);
}

struct updating {
	void (*done)(void *arg, enum rc rc);
	void *arg;
};

static void
on_updated(void *arg, enum rc rc, struct ipc_msg *reply)
{
	struct updating u = *(struct updating *)arg;

	(void)reply;
	xfree(arg);
	u.done(u.arg, rc);
}

void
store_queue_update_start(struct store_client *s,
    const struct store_queue_update *x, struct deadline dl,
    void (*done)(void *arg, enum rc rc), void *arg)
{
	struct updating *u = xmalloc(sizeof(*u));
	AUTO_MSG req = { 0 };

	*u = (struct updating){ done, arg };
	ipc_msg_init(&req, STORE_OP_QUEUE_UPDATE);
	wire_put_update(&req, x);
	ipc_start(s->ipc, &req, dl, on_updated, u);
}

/* A request about an account; the reply is read by the caller. */
static enum rc
about(struct store_client *s, enum store_op op, const struct wire_account *x,
    struct deadline dl, struct ipc_msg *reply, struct ipc_in *in)
{
	AUTO_MSG req = { 0 };

	ipc_msg_init(&req, (uint16_t)op);
	wire_put_account(&req, x);
	return ask(s, &req, dl, reply, in);
}

static enum rc
about_plain(struct store_client *s, enum store_op op,
    const struct wire_account *x, struct deadline dl)
{
	AUTO_MSG reply = { 0 };
	struct ipc_in in;

	return about(s, op, x, dl, &reply, &in);
}

static enum rc
about_number(struct store_client *s, enum store_op op,
    const struct wire_account *x, struct deadline dl, uint64_t max,
    uint64_t *out)
{
	AUTO_MSG reply = { 0 };
	struct ipc_in in;
	uint64_t n;
	enum rc rc = about(s, op, x, dl, &reply, &in);

	if (rc == RC_OK)
		rc = parsed(s, (uint16_t)op, wire_get_number(&in, max, &n));
	if (rc == RC_OK)
		*out = n;
	return rc;
}

enum rc
store_account_ensure(
    struct store_client *s, struct str account, struct deadline dl)
{
	return about_plain(s, STORE_OP_ENSURE,
	    &(struct wire_account){ .account = account }, dl);
}

static enum rc
ask_key(struct store_client *s, enum store_op op, struct str account,
    struct deadline dl, struct store_attach *out)
{
	AUTO_MSG reply = { 0 };
	struct ipc_in in;
	struct str key;
	enum rc rc = about(s, op, &(struct wire_account){ .account = account },
	    dl, &reply, &in);

	if (rc != RC_OK)
		return rc;
	rc = wire_get_bytes(&in, &key);
	if (rc == RC_OK && key.n != sizeof(out->key))
		rc = RC_BAD;
	if (rc == RC_OK)
		memcpy(out->key, key.p, sizeof(out->key));
	explicit_bzero(reply.b.p, reply.b.n);
	return parsed(s, (uint16_t)op, rc);
}

enum rc
store_attach(struct store_client *s, struct str account, struct deadline dl,
    struct store_attach *out)
{
	return ask_key(s, STORE_OP_ATTACH, account, dl, out);
}

enum rc
store_queue_key(
    struct store_client *s, struct deadline dl, struct store_attach *out)
{
	return ask_key(s, STORE_OP_QUEUE_KEY, STR(""), dl, out);
}

enum rc
store_mailbox_create(struct store_client *s, struct str account,
    struct str name, struct deadline dl, uint64_t *out_mailbox)
{
	return about_number(s, STORE_OP_CREATE,
	    &(struct wire_account){ .account = account, .name = name }, dl,
	    UINT64_MAX, out_mailbox);
}

enum rc
store_mailbox_delete(struct store_client *s, struct str account,
    struct str name, struct deadline dl)
{
	return about_plain(s, STORE_OP_DELETE,
	    &(struct wire_account){ .account = account, .name = name }, dl);
}

enum rc
store_mailbox_rename(struct store_client *s, struct str account,
    struct str from, struct str to, struct deadline dl)
{
	return about_plain(s, STORE_OP_RENAME,
	    &(struct wire_account){
		.account = account, .name = from, .to = to },
	    dl);
}

enum rc
store_mailbox_subscribe(struct store_client *s, struct str account,
    struct str name, bool on, struct deadline dl)
{
	return about_plain(s, STORE_OP_SUBSCRIBED,
	    &(struct wire_account){
		.account = account, .name = name, .on = on },
	    dl);
}

enum rc
store_append(struct store_client *s, const struct store_append *x,
    struct deadline dl, uint32_t *out_uid)
{
	AUTO_MSG req = { 0 }, reply = { 0 };
	struct ipc_in in;
	uint64_t uid;
	enum rc rc;

	ipc_msg_init(&req, STORE_OP_APPEND);
	wire_put_append(&req, x);
	rc = ask(s, &req, dl, &reply, &in);
	if (rc == RC_OK)
		rc = parsed(s, req.op, wire_get_number(&in, UINT32_MAX, &uid));
	if (rc == RC_OK)
		*out_uid = (uint32_t)uid;
	return rc;
}

enum rc
store_flags(struct store_client *s, struct arena *a,
    const struct store_flags *x, struct deadline dl, struct store_flagged *out)
{
	AUTO_MSG req = { 0 }, reply = { 0 };
	struct store_flagged got;
	struct ipc_in in;
	enum rc rc;

	ipc_msg_init(&req, STORE_OP_FLAGS);
	wire_put_flags(&req, x);
	rc = ask(s, &req, dl, &reply, &in);
	if (rc == RC_OK)
		rc = parsed(s, req.op, wire_get_flagged(&in, a, &got));
	if (rc == RC_OK)
		*out = got;
	return rc;
}

enum rc
store_copy(struct store_client *s, struct arena *a, struct str account,
    uint64_t from, struct uid_set uids, uint64_t to, bool move,
    struct deadline dl, struct store_copied *out)
{
	AUTO_MSG reply = { 0 };
	struct store_copied got;
	struct ipc_in in;
	enum rc rc = about(s, STORE_OP_COPY,
	    &(struct wire_account){ .account = account,
		.mailbox = from,
		.dest = to,
		.uids = uids,
		.on = move },
	    dl, &reply, &in);

	if (rc == RC_OK)
		rc = parsed(s, STORE_OP_COPY, wire_get_copied(&in, a, &got));
	if (rc == RC_OK)
		*out = got;
	return rc;
}

enum rc
store_expunge(struct store_client *s, struct str account, uint64_t mailbox,
    struct uid_set uids, struct deadline dl, uint64_t *out_modseq)
{
	return about_number(s, STORE_OP_EXPUNGE,
	    &(struct wire_account){
		.account = account, .mailbox = mailbox, .uids = uids },
	    dl, UINT64_MAX, out_modseq);
}

enum rc
store_take_recent(struct store_client *s, struct str account, uint64_t mailbox,
    bool peek, struct deadline dl, uint32_t *out_first)
{
	uint64_t first;
	enum rc rc = about_number(s, STORE_OP_RECENT,
	    &(struct wire_account){
		.account = account, .mailbox = mailbox, .on = peek },
	    dl, UINT32_MAX, &first);

	if (rc == RC_OK)
		*out_first = (uint32_t)first;
	return rc;
}

static enum rc
json(struct store_client *s, enum store_op op, struct arena *a,
    struct deadline dl, struct str *out_json)
{
	AUTO_MSG reply = { 0 };
	struct ipc_in in;
	struct str text;
	enum rc rc = about(s, op, &(struct wire_account){ 0 }, dl, &reply, &in);

	if (rc == RC_OK)
		rc = parsed(s, (uint16_t)op, wire_get_bytes(&in, &text));
	if (rc == RC_OK)
		*out_json = str_dup(a, text);
	return rc;
}

enum rc
store_stats(struct store_client *s, struct arena *a, struct deadline dl,
    struct str *out_json)
{
	return json(s, STORE_OP_STATS, a, dl, out_json);
}

enum rc
store_upkeep(struct store_client *s, struct arena *a, struct deadline dl,
    struct str *out_json)
{
	return json(s, STORE_OP_UPKEEP, a, dl, out_json);
}

enum rc
store_compact(struct store_client *s, struct deadline dl)
{
	return about_plain(
	    s, STORE_OP_COMPACT, &(struct wire_account){ 0 }, dl);
}

static enum rc
lease(struct store_client *s, uint64_t token, bool on, struct deadline dl,
    struct store_lease *out)
{
	struct wire_account x = { .mailbox = token, .on = on };
	AUTO_MSG reply = { 0 };
	struct ipc_in in;
	enum rc rc = about(s, STORE_OP_LEASE, &x, dl, &reply, &in);

	if (rc == RC_OK)
		rc = parsed(s, STORE_OP_LEASE, wire_get_lease(&in, out));
	return rc;
}

enum rc
store_lease_begin(
    struct store_client *s, struct deadline dl, struct store_lease *out)
{
	return lease(s, 0, true, dl, out);
}

enum rc
store_lease_renew(struct store_client *s, uint64_t token, struct deadline dl)
{
	struct store_lease x;

	return lease(s, token, true, dl, &x);
}

enum rc
store_lease_end(struct store_client *s, uint64_t token, struct deadline dl)
{
	struct store_lease x;

	return lease(s, token, false, dl, &x);
}

/* Hints. */

static void
fill_listen(void *arg, struct ipc_msg *req)
{
	(void)arg;
	req->op = STORE_OP_LISTEN;
}

static void
on_push(void *arg, struct ipc_msg *m)
{
	struct store_sub *sub = arg;
	struct wire_hint h;
	struct ipc_in in;
	size_t pos = 0;

	if (m == NULL) { /* connected anew: anything may have changed */
		sub->hint(sub->arg, STR(""), 0, 0);
		return;
	}
	ipc_in_init(&in, m);
	while (wire_next_hint(&in, &pos, &h) == RC_OK)
		sub->hint(sub->arg, h.account, h.mailbox, h.modseq);
}

struct store_sub *
store_subscribe(struct store_client *s,
    void (*hint)(
	void *arg, struct str account, uint64_t mailbox, uint64_t modseq),
    void *arg)
{
	struct store_sub *sub = xcalloc(1, sizeof(*sub));

	sub->hint = hint;
	sub->arg = arg;
	sub->ipc = ipc_subscribe(s->ipc, fill_listen, on_push, sub);
	return sub;
}

void
store_sub_free(struct store_sub **sp)
{
	struct store_sub *sub = *sp;

	if (sub == NULL)
		return;
	*sp = NULL;
	ipc_sub_free(&sub->ipc);
	xfree(sub);
}
