/*
 * Every struct has a put and a get side by side.  A set of UIDs travels as
 * packed pairs of 32 bit little-endian numbers; everything else as named
 * fields, lists as repeated fields or groups.
 */
#include "store/wire.h"

/* Field helpers: a missing or wrong one makes the whole get RC_BAD. */

static bool
get_str(struct ipc_in *in, const char *name, struct str *out)
{
	return ipc_get_str(in, name, out) == RC_OK;
}

static bool
get_u64(struct ipc_in *in, const char *name, uint64_t max, uint64_t *out)
{
	return ipc_get_u64(in, name, out) == RC_OK && *out <= max;
}

static bool
get_i64(struct ipc_in *in, const char *name, int64_t *out)
{
	return ipc_get_i64(in, name, out) == RC_OK;
}

static bool
get_u32(struct ipc_in *in, const char *name, uint32_t *out)
{
	uint64_t v;

	if (!get_u64(in, name, UINT32_MAX, &v))
		return false;
	*out = (uint32_t)v;
	return true;
}

static bool
get_bool(struct ipc_in *in, const char *name, bool *out)
{
	uint64_t v;

	if (!get_u64(in, name, 1, &v))
		return false;
	*out = v != 0;
	return true;
}

static enum rc
done(struct ipc_in *in, bool ok)
{
	return ok && ipc_in_done(in) == RC_OK ? RC_OK : RC_BAD;
}

/* How many fields of that name there are, up to max + 1. */
static size_t
count_strs(struct ipc_in *in, const char *name, size_t max)
{
	struct str s;
	size_t pos = 0, n = 0;

	while (n <= max && ipc_next_str(in, name, &pos, &s) == RC_OK)
		n++;
	return n;
}

static size_t
count_groups(struct ipc_in *in, const char *name, size_t max)
{
	struct ipc_in g;
	size_t pos = 0, n = 0;

	while (n <= max && ipc_next_group(in, name, &pos, &g) == RC_OK)
		n++;
	return n;
}

static bool
get_strs(struct ipc_in *in, struct arena *a, const char *name, size_t max,
    struct str **out, size_t *out_n)
{
	size_t n = count_strs(in, name, max), pos = 0;

	*out = NULL;
	*out_n = n;
	if (n > max)
		return false;
	if (n > 0)
		*out = arena_calloc(a, n, sizeof(**out));
	for (size_t i = 0; i < n; i++)
		if (ipc_next_str(in, name, &pos, &(*out)[i]) != RC_OK)
			return false;
	return true;
}

static void
put_uids(struct ipc_msg *m, const char *name, struct uid_set set)
{
	AUTO_ARENA a = { 0 };
	unsigned char *p = arena_alloc(&a, set.n * 8);

	for (size_t i = 0; i < set.n; i++)
		for (unsigned k = 0; k < 4; k++) {
			p[i * 8 + k] = (unsigned char)(set.v[i].lo >> 8 * k);
			p[i * 8 + 4 + k] =
			    (unsigned char)(set.v[i].hi >> 8 * k);
		}
	ipc_put_str(m, name, str_n(p, set.n * 8));
}

static uint32_t
le32(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;

	return (uint32_t)u[0] | (uint32_t)u[1] << 8 | (uint32_t)u[2] << 16 |
	       (uint32_t)u[3] << 24;
}

static bool
get_uids(
    struct ipc_in *in, struct arena *a, const char *name, struct uid_set *out)
{
	struct str s;

	if (!get_str(in, name, &s) || s.n % 8 || s.n / 8 > WIRE_UIDS_MAX)
		return false;
	out->n = s.n / 8;
	out->v = arena_calloc(a, out->n, sizeof(*out->v));
	for (size_t i = 0; i < out->n; i++) {
		out->v[i].lo = le32(s.p + i * 8);
		out->v[i].hi = le32(s.p + i * 8 + 4);
		if (out->v[i].lo == 0 || out->v[i].lo > out->v[i].hi)
			return false;
	}
	return true;
}

/* A message body. */

static void
put_body(struct ipc_msg *m, const struct store_body *b)
{
	ipc_put_str(m, "edits", b->edits);
	ipc_put_str(m, "meta", b->meta);
	if (b->fd >= 0)
		ipc_put_fd(m, "body", b->fd);
	else
		ipc_put_str(m, "inline", b->inline_data);
	ipc_put_u64(m, "size", b->size);
}

static bool
get_body(struct ipc_in *in, struct store_body *b)
{
	b->fd = -1;
	if (!get_str(in, "edits", &b->edits) ||
	    !get_str(in, "meta", &b->meta) ||
	    !get_u64(in, "size", INT64_MAX, &b->size))
		return false;
	if (ipc_get_fd(in, "body", &b->fd) == RC_OK)
		return true;
	b->fd = -1;
	return get_str(in, "inline", &b->inline_data) &&
	       b->inline_data.n == b->size;
}

/* Deliveries and queue entries. */

static void
put_keywords(struct ipc_msg *m, const struct str *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		ipc_put_str(m, "keyword", v[i]);
}

static void
put_deliveries(struct ipc_msg *m, const struct store_delivery *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t at = ipc_begin(m, "to");

		ipc_put_str(m, "account", v[i].account);
		ipc_put_str(m, "mailbox", v[i].mailbox);
		ipc_put_str(m, "prefix", v[i].prefix);
		ipc_put_u64(m, "flags", v[i].flags);
		put_keywords(m, v[i].keywords, v[i].nkeywords);
		ipc_end(m, at);
	}
}

static bool
get_deliveries(struct ipc_in *in, struct arena *a,
    const struct store_delivery **out, size_t *out_n)
{
	size_t n = count_groups(in, "to", WIRE_LIST_MAX), pos = 0;
	struct store_delivery *v = arena_calloc(a, n, sizeof(*v));
	struct ipc_in g;

	if (n > WIRE_LIST_MAX)
		return false;
	for (size_t i = 0; i < n; i++)
		if (ipc_next_group(in, "to", &pos, &g) != RC_OK ||
		    !get_str(&g, "account", &v[i].account) ||
		    !get_str(&g, "mailbox", &v[i].mailbox) ||
		    !get_str(&g, "prefix", &v[i].prefix) ||
		    !get_u64(&g, "flags", UINT64_MAX, &v[i].flags) ||
		    !get_strs(&g, a, "keyword", STORE_KEYWORDS_MAX,
			&v[i].keywords, &v[i].nkeywords))
			return false;
	*out = v;
	*out_n = n;
	return true;
}

static void
put_entries(struct ipc_msg *m, const struct store_queued *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t at = ipc_begin(m, "entry");

		ipc_put_u64(m, "id", v[i].id);
		ipc_put_str(m, "rcpt", v[i].rcpt);
		ipc_put_str(m, "dir_id", v[i].dir_id);
		ipc_put_u64(m, "kind", v[i].kind);
		ipc_put_u64(m, "state", v[i].state);
		ipc_put_u64(m, "attempts", v[i].attempts);
		ipc_put_i64(m, "next_at", v[i].next_at);
		ipc_put_i64(m, "expires_at", v[i].expires_at);
		ipc_put_str(m, "reason", v[i].reason);
		ipc_put_str(m, "prefix", v[i].prefix);
		ipc_put_str(m, "data", v[i].data);
		ipc_end(m, at);
	}
}

static bool
get_entry(struct ipc_in *g, struct store_queued *q)
{
	return get_u64(g, "id", UINT64_MAX, &q->id) &&
	       get_str(g, "rcpt", &q->rcpt) &&
	       get_str(g, "dir_id", &q->dir_id) &&
	       get_u32(g, "kind", &q->kind) && get_u32(g, "state", &q->state) &&
	       get_u32(g, "attempts", &q->attempts) &&
	       get_i64(g, "next_at", &q->next_at) &&
	       get_i64(g, "expires_at", &q->expires_at) &&
	       get_str(g, "reason", &q->reason) &&
	       get_str(g, "prefix", &q->prefix) &&
	       get_str(g, "data", &q->data) &&
	       q->data.n <= STORE_QUEUED_DATA_MAX;
}

static bool
get_entries(struct ipc_in *in, struct arena *a, struct store_queued **out,
    size_t *out_n)
{
	size_t n = count_groups(in, "entry", WIRE_LIST_MAX), pos = 0;
	struct store_queued *v = arena_calloc(a, n, sizeof(*v));
	struct ipc_in g;

	if (n > WIRE_LIST_MAX)
		return false;
	for (size_t i = 0; i < n; i++)
		if (ipc_next_group(in, "entry", &pos, &g) != RC_OK ||
		    !get_entry(&g, &v[i]))
			return false;
	*out = v;
	*out_n = n;
	return true;
}

/* Requests. */

void
wire_put_submit(struct ipc_msg *m, const struct store_submit *x)
{
	ipc_put_str(m, "op_id", x->op_id);
	ipc_put_str(m, "from", x->from);
	ipc_put_str(m, "submitter", x->submitter);
	ipc_put_i64(m, "received_at", x->received_at);
	put_body(m, &x->body);
	put_deliveries(m, x->to, x->nto);
	put_entries(m, x->queue, x->nqueue);
}

enum rc
wire_get_submit(struct ipc_in *in, struct arena *a, struct store_submit *out)
{
	struct store_submit x = { .body.fd = -1 };
	struct store_queued *queue;
	bool ok = get_str(in, "op_id", &x.op_id) && x.op_id.n > 0 &&
		  x.op_id.n <= STORE_OPID_MAX && get_str(in, "from", &x.from) &&
		  get_str(in, "submitter", &x.submitter) &&
		  get_i64(in, "received_at", &x.received_at) &&
		  get_deliveries(in, a, &x.to, &x.nto) &&
		  get_entries(in, a, &queue, &x.nqueue) &&
		  get_body(in, &x.body);

	if (done(in, ok) != RC_OK) {
		fd_close(&x.body.fd);
		return RC_BAD;
	}
	x.queue = queue;
	*out = x;
	return RC_OK;
}

void
wire_put_submitted(struct ipc_msg *m, const struct store_submitted *x)
{
	ipc_put_str(m, "message_id", x->message_id);
	ipc_put_u64(m, "repeated", x->repeated);
	ipc_put_u64(m, "first_entry", x->first_entry);
}

enum rc
wire_get_submitted(struct ipc_in *in, struct store_submitted *out)
{
	return done(
	    in, get_str(in, "message_id", &out->message_id) &&
		    get_bool(in, "repeated", &out->repeated) &&
		    ipc_get_u64(in, "first_entry", &out->first_entry) == RC_OK);
}

void
wire_put_page(struct ipc_msg *m, const struct wire_page *x)
{
	ipc_put_str(m, "after", x->after);
	ipc_put_u64(m, "max", x->max);
}

enum rc
wire_get_page(struct ipc_in *in, struct wire_page *out)
{
	uint64_t max = 0;
	enum rc rc = done(in, get_str(in, "after", &out->after) &&
				  get_u64(in, "max", WIRE_LIST_MAX, &max));

	out->max = (size_t)max;
	return rc;
}

void
wire_put_item(struct ipc_msg *m, const struct store_queue_item *x)
{
	size_t at = ipc_begin(m, "item");

	ipc_put_str(m, "message_id", x->message_id);
	ipc_put_str(m, "from", x->from);
	ipc_put_str(m, "submitter", x->submitter);
	ipc_put_i64(m, "received_at", x->received_at);
	ipc_put_u64(m, "size", x->size);
	ipc_put_str(m, "edits", x->edits);
	put_entries(m, x->entries, x->nentries);
	ipc_end(m, at);
}

enum rc
wire_get_items(struct ipc_in *in, struct arena *a,
    struct store_queue_item **out, size_t *out_n)
{
	size_t n = count_groups(in, "item", WIRE_LIST_MAX), pos = 0;
	struct store_queue_item *v = arena_calloc(a, n, sizeof(*v));
	bool ok = n <= WIRE_LIST_MAX;
	struct ipc_in g;

	for (size_t i = 0; i < n && ok; i++)
		ok = ipc_next_group(in, "item", &pos, &g) == RC_OK &&
		     get_str(&g, "message_id", &v[i].message_id) &&
		     get_str(&g, "from", &v[i].from) &&
		     get_str(&g, "submitter", &v[i].submitter) &&
		     get_i64(&g, "received_at", &v[i].received_at) &&
		     get_u64(&g, "size", INT64_MAX, &v[i].size) &&
		     get_str(&g, "edits", &v[i].edits) &&
		     get_entries(&g, a, &v[i].entries, &v[i].nentries);
	*out = v;
	*out_n = n;
	return done(in, ok);
}

void
wire_put_update(struct ipc_msg *m, const struct store_queue_update *x)
{
	ipc_put_str(m, "op_id", x->op_id);
	ipc_put_str(m, "message_id", x->message_id);
	put_entries(m, x->set, x->nset);
	for (size_t i = 0; i < x->nremove; i++) {
		size_t at = ipc_begin(m, "remove");

		ipc_put_u64(m, "id", x->remove[i]);
		ipc_end(m, at);
	}
	for (size_t i = 0; i < x->nexpect; i++) {
		size_t at = ipc_begin(m, "expect");

		ipc_put_u64(m, "id", x->expect[i].id);
		ipc_put_u64(m, "state", x->expect[i].state);
		ipc_put_u64(m, "attempts", x->expect[i].attempts);
		ipc_end(m, at);
	}
	put_deliveries(m, x->to, x->nto);
}

static bool
get_expected(struct ipc_in *in, struct arena *a, struct store_queue_update *x)
{
	size_t n = count_groups(in, "expect", WIRE_LIST_MAX), pos = 0;
	struct store_expect *v = arena_calloc(a, n, sizeof(*v));
	struct ipc_in g;

	if (n > WIRE_LIST_MAX)
		return false;
	for (size_t i = 0; i < n; i++)
		if (ipc_next_group(in, "expect", &pos, &g) != RC_OK ||
		    !get_u64(&g, "id", UINT64_MAX, &v[i].id) ||
		    !get_u32(&g, "state", &v[i].state) ||
		    !get_u32(&g, "attempts", &v[i].attempts))
			return false;
	x->expect = v;
	x->nexpect = n;
	return true;
}

enum rc
wire_get_update(
    struct ipc_in *in, struct arena *a, struct store_queue_update *out)
{
	struct store_queue_update x = { 0 };
	size_t n = count_groups(in, "remove", WIRE_LIST_MAX), pos = 0;
	uint64_t *remove = arena_calloc(a, n, sizeof(*remove));
	struct store_queued *set;
	struct ipc_in g;
	bool ok = n <= WIRE_LIST_MAX && get_str(in, "op_id", &x.op_id) &&
		  x.op_id.n > 0 && x.op_id.n <= STORE_OPID_MAX &&
		  get_str(in, "message_id", &x.message_id) &&
		  get_expected(in, a, &x) &&
		  get_entries(in, a, &set, &x.nset) &&
		  get_deliveries(in, a, &x.to, &x.nto);

	for (size_t i = 0; i < n && ok; i++)
		ok = ipc_next_group(in, "remove", &pos, &g) == RC_OK &&
		     get_u64(&g, "id", UINT64_MAX, &remove[i]);
	if (done(in, ok) != RC_OK)
		return RC_BAD;
	x.set = set;
	x.remove = remove;
	x.nremove = n;
	*out = x;
	return RC_OK;
}

void
wire_put_account(struct ipc_msg *m, const struct wire_account *x)
{
	ipc_put_str(m, "account", x->account);
	ipc_put_str(m, "name", x->name);
	ipc_put_str(m, "to", x->to);
	ipc_put_u64(m, "on", x->on);
	ipc_put_u64(m, "mailbox", x->mailbox);
	ipc_put_u64(m, "dest", x->dest);
	put_uids(m, "uids", x->uids);
}

enum rc
wire_get_account(struct ipc_in *in, struct arena *a, struct wire_account *out)
{
	return done(in,
	    get_str(in, "account", &out->account) &&
		get_str(in, "name", &out->name) &&
		out->name.n <= STORE_NAME_MAX && get_str(in, "to", &out->to) &&
		out->to.n <= STORE_NAME_MAX && get_bool(in, "on", &out->on) &&
		get_u64(in, "mailbox", UINT64_MAX, &out->mailbox) &&
		get_u64(in, "dest", UINT64_MAX, &out->dest) &&
		get_uids(in, a, "uids", &out->uids));
}

void
wire_put_append(struct ipc_msg *m, const struct store_append *x)
{
	ipc_put_str(m, "account", x->account);
	ipc_put_u64(m, "mailbox", x->mailbox);
	ipc_put_u64(m, "flags", x->flags);
	put_keywords(m, x->keywords, x->nkeywords);
	ipc_put_i64(m, "date", x->internal_date);
	ipc_put_str(m, "op_id", x->op_id);
	put_body(m, &x->body);
}

enum rc
wire_get_append(struct ipc_in *in, struct arena *a, struct store_append *out)
{
	struct store_append x = { .body.fd = -1 };
	bool ok = get_str(in, "account", &x.account) &&
		  get_u64(in, "mailbox", UINT64_MAX, &x.mailbox) &&
		  get_u64(in, "flags", UINT64_MAX, &x.flags) &&
		  get_strs(in, a, "keyword", STORE_KEYWORDS_MAX, &x.keywords,
		      &x.nkeywords) &&
		  get_i64(in, "date", &x.internal_date) &&
		  get_str(in, "op_id", &x.op_id) && x.op_id.n > 0 &&
		  x.op_id.n <= STORE_OPID_MAX && get_body(in, &x.body);

	if (done(in, ok) != RC_OK) {
		fd_close(&x.body.fd);
		return RC_BAD;
	}
	*out = x;
	return RC_OK;
}

void
wire_put_flags(struct ipc_msg *m, const struct store_flags *x)
{
	ipc_put_str(m, "account", x->account);
	ipc_put_u64(m, "mailbox", x->mailbox);
	put_uids(m, "uids", x->uids);
	ipc_put_u64(m, "op", x->op);
	ipc_put_u64(m, "flags", x->flags);
	put_keywords(m, x->keywords, x->nkeywords);
	ipc_put_u64(m, "unchanged", x->unchanged_since);
}

enum rc
wire_get_flags(struct ipc_in *in, struct arena *a, struct store_flags *out)
{
	uint64_t op = 0;
	enum rc rc = done(in,
	    get_str(in, "account", &out->account) &&
		get_u64(in, "mailbox", UINT64_MAX, &out->mailbox) &&
		get_uids(in, a, "uids", &out->uids) &&
		get_u64(in, "op", STORE_FLAGS_REMOVE, &op) &&
		get_u64(in, "flags", UINT64_MAX, &out->flags) &&
		get_strs(in, a, "keyword", STORE_KEYWORDS_MAX, &out->keywords,
		    &out->nkeywords) &&
		get_u64(in, "unchanged", UINT64_MAX, &out->unchanged_since));

	out->op = (enum store_flag_op)op;
	return rc;
}

/* Replies. */

void
wire_put_flagged(struct ipc_msg *m, const struct store_flagged *x)
{
	ipc_put_u64(m, "modseq", x->modseq);
	put_uids(m, "modified", x->modified);
}

enum rc
wire_get_flagged(struct ipc_in *in, struct arena *a, struct store_flagged *out)
{
	return done(in, get_u64(in, "modseq", UINT64_MAX, &out->modseq) &&
			    get_uids(in, a, "modified", &out->modified));
}

void
wire_put_copied(struct ipc_msg *m, const struct store_copied *x)
{
	ipc_put_u64(m, "uidvalidity", x->uidvalidity);
	put_uids(m, "from", x->from);
	put_uids(m, "to", x->to);
}

enum rc
wire_get_copied(struct ipc_in *in, struct arena *a, struct store_copied *out)
{
	return done(in, get_u32(in, "uidvalidity", &out->uidvalidity) &&
			    get_uids(in, a, "from", &out->from) &&
			    get_uids(in, a, "to", &out->to));
}

void
wire_put_number(struct ipc_msg *m, uint64_t n)
{
	ipc_put_u64(m, "number", n);
}

enum rc
wire_get_number(struct ipc_in *in, uint64_t max, uint64_t *out)
{
	return done(in, get_u64(in, "number", max, out));
}

void
wire_put_bytes(struct ipc_msg *m, struct str s)
{
	ipc_put_str(m, "bytes", s);
}

enum rc
wire_get_bytes(struct ipc_in *in, struct str *out)
{
	return done(in, get_str(in, "bytes", out));
}

void
wire_put_lease(struct ipc_msg *m, const struct store_lease *x)
{
	ipc_put_u64(m, "token", x->token);
	ipc_put_u64(m, "pos", x->pos);
	ipc_put_u64(m, "last", x->last);
	ipc_put_u64(m, "seq", x->seq);
	ipc_put_u64(m, "chain", x->chain);
}

enum rc
wire_get_lease(struct ipc_in *in, struct store_lease *out)
{
	return done(in, get_u64(in, "token", UINT64_MAX, &out->token) &&
			    get_u64(in, "pos", UINT64_MAX, &out->pos) &&
			    get_u64(in, "last", UINT64_MAX, &out->last) &&
			    get_u64(in, "seq", UINT64_MAX, &out->seq) &&
			    get_u64(in, "chain", UINT64_MAX, &out->chain));
}

void
wire_put_hint(struct ipc_msg *m, const struct wire_hint *x)
{
	size_t at = ipc_begin(m, "hint");

	ipc_put_str(m, "account", x->account);
	ipc_put_u64(m, "mailbox", x->mailbox);
	ipc_put_u64(m, "modseq", x->modseq);
	ipc_end(m, at);
}

enum rc
wire_next_hint(struct ipc_in *in, size_t *pos, struct wire_hint *out)
{
	struct ipc_in g;
	enum rc rc = ipc_next_group(in, "hint", pos, &g);

	if (rc != RC_OK)
		return rc;
	return get_str(&g, "account", &out->account) &&
		       get_u64(&g, "mailbox", UINT64_MAX, &out->mailbox) &&
		       get_u64(&g, "modseq", UINT64_MAX, &out->modseq)
		   ? RC_OK
		   : RC_BAD;
}
