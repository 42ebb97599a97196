#include <string.h>
#include <unistd.h>

#include "mail/meta.h"
#include "tests/unit/imap/fake.h"

struct store_client {
	struct fake_world *w;
};
struct store_reader {
	struct fake_world *w;
};
struct store_view {
	struct fake_world *w;
};
struct store_msg {
	struct fake_world *w;
	const struct fake_msg *m;
};
struct dir_client {
	struct fake_world *w;
};

static const struct {
	const char *name, *use;
} defaults[] = {
	{ "INBOX", "" },
	{ "Drafts", "\\Drafts" },
	{ "Sent", "\\Sent" },
	{ "Trash", "\\Trash" },
};

static const struct conf *
conf_get(struct imap_daemon *d)
{
	return d->conf;
}

const struct conf *
conf_ref(const struct conf *c)
{
	return c;
}

void
conf_unref(const struct conf **c)
{
	*c = NULL;
}

static struct fake_box *
add_box(struct fake_world *w, struct str name)
{
	for (size_t i = 0; i < FAKE_BOXES; i++) {
		struct fake_box *b = &w->boxes[i];

		if (b->used)
			continue;
		*b = (struct fake_box){ .used = true, .first_recent = 1 };
		b->msgs = arena_calloc(&w->mem, w->max_msgs, sizeof(*b->msgs));
		b->mb = (struct store_mailbox){ .id = ++w->next_id,
			.name = str_dup(&w->mem, name),
			.exists = true,
			.uidvalidity = 1000 + (uint32_t)w->next_id,
			.uidnext = 1,
			.highest_modseq = 1 };
		return b;
	}
	return NULL;
}

void
fake_world_init_small(struct fake_world *w, size_t max_msgs)
{
	*w = (struct fake_world){
		.ticket = RC_OK, .mechs = RC_OK, .max_msgs = max_msgs
	};
	w->conf = (struct conf){ .message_size_max = 3u << 20,
		.imap_timeout_s = 1800 };
	w->spool = (struct imap_spool){ .dir = "/tmp", .memory_max = 8u << 20 };
	w->d = (struct imap_daemon){ .log = &w->log,
		.conf = &w->conf,
		.conf_get = conf_get,
		.spool = &w->spool };
	imap_mechs_init(&w->d.mechs);
	w->d.store = arena_calloc(&w->mem, 1, sizeof(*w->d.store));
	w->d.store->w = w;
	w->d.reader = arena_calloc(&w->mem, 1, sizeof(*w->d.reader));
	w->d.reader->w = w;
	w->d.dir = arena_calloc(&w->mem, 1, sizeof(*w->d.dir));
	w->d.dir->w = w;
	w->d.inflight = inflight_open(-1);
	w->d.accounts = imap_accounts_new(w->d.store);
	w->d.watches = imap_watches_new();
	for (size_t i = 0; i < COUNT(defaults); i++) {
		struct fake_box *b = add_box(w, str_c(defaults[i].name));

		b->mb.special_use = str_c(defaults[i].use);
		b->mb.subscribed = true;
	}
}

void
fake_world_init(struct fake_world *w)
{
	fake_world_init_small(w, FAKE_MSGS);
}

void
fake_world_free(struct fake_world *w)
{
	imap_accounts_free(&w->d.accounts);
	inflight_close(&w->d.inflight);
	imap_watches_free(&w->d.watches);
	arena_free(&w->mem);
}

static struct fake_box *
by_name(struct fake_world *w, struct str name)
{
	for (size_t i = 0; i < FAKE_BOXES; i++) {
		if (w->boxes[i].used && str_eq(w->boxes[i].mb.name, name))
			return &w->boxes[i];
	}
	return NULL;
}

static struct fake_box *
by_id(struct fake_world *w, uint64_t id)
{
	for (size_t i = 0; i < FAKE_BOXES; i++) {
		if (w->boxes[i].used && w->boxes[i].mb.exists &&
		    w->boxes[i].mb.id == id)
			return &w->boxes[i];
	}
	return NULL;
}

struct fake_box *
fake_box(struct fake_world *w, const char *name)
{
	return by_name(w, str_c(name));
}

static void
recount(struct fake_box *b)
{
	b->mb.messages = b->mb.unseen = b->mb.deleted = 0;
	for (size_t i = 0; i < b->n; i++) {
		const struct fake_msg *m = &b->msgs[i];

		if (m->gone != 0)
			continue;
		b->mb.messages++;
		b->mb.unseen += (m->row.flags & STORE_SEEN) == 0;
		b->mb.deleted += (m->row.flags & STORE_DELETED) != 0;
	}
}

static void
changed(struct fake_world *w, struct fake_box *b)
{
	recount(b);
	w->writes++;
	imap_watch_hint(w->d.watches, b->mb.id);
}

static uint32_t
add_message(struct fake_world *w, struct fake_box *b, struct str bytes,
    struct str meta, uint64_t flags, int64_t date)
{
	struct fake_msg *m = &b->msgs[b->n++];

	assert(b->n <= w->max_msgs);
	m->bytes = str_dup(&w->mem, bytes);
	m->meta = str_dup(&w->mem, meta);
	m->row = (struct store_row){ .uid = b->mb.uidnext++,
		.flags = flags,
		.modseq = ++b->mb.highest_modseq,
		.size = bytes.n,
		.internal_date = date };
	changed(w, b);
	return m->row.uid;
}

uint32_t
fake_deliver(
    struct fake_world *w, const char *box, struct str msg, uint64_t flags)
{
	AUTO_ARENA a = { 0 };
	AUTO_BUF blob = { 0 };
	struct mail_meta meta;

	buf_init(&blob, MAIL_META_MAX);
	mail_mime_parse(&a, msg, &meta);
	if (mail_meta_encode(&meta, &blob) != RC_OK)
		panic("fake: meta");
	/* 1996-07-17 09:44:25 UTC, RFC 3501's example */
	return add_message(
	    w, fake_box(w, box), msg, buf_str(&blob), flags, 837596665);
}

/* directory */
enum rc
dir_ticket_redeem(struct dir_client *d, struct arena *a, struct str ticket,
    struct str service, struct deadline dl, struct dir_account *out)
{
	(void)a, (void)dl;
	if (d->w->ticket != RC_OK)
		return d->w->ticket;
	if (!str_eq(ticket, STR("t1cket")) ||
	    (!str_eq(service, STR("imap")) && !str_eq(service, STR("pop"))))
		return RC_DENY;
	out->id = STR("5f0e1c9a-0000-4000-8000-000000000001");
	out->login = STR("ann");
	return RC_OK;
}

enum rc
dir_sasl_mechs(
    struct dir_client *d, struct arena *a, struct deadline dl, struct str *out)
{
	(void)a, (void)dl;
	d->w->asked_mechs++;
	*out = STR("GSSAPI");
	return d->w->mechs;
}

/* store: accounts and mailboxes */
enum rc
store_attach(struct store_client *s, struct str account, struct deadline dl,
    struct store_attach *out)
{
	(void)account, (void)dl;
	if (s->w->down)
		return RC_TEMP;
	memset(out->key, 7, sizeof(out->key));
	return RC_OK;
}

enum rc
store_account_ensure(
    struct store_client *s, struct str account, struct deadline dl)
{
	(void)account, (void)dl;
	return s->w->down ? RC_TEMP : RC_OK;
}

enum rc
store_mailbox_create(struct store_client *s, struct str account,
    struct str name, struct deadline dl, uint64_t *out)
{
	struct fake_box *b = by_name(s->w, name);

	(void)account, (void)dl;
	if (s->w->down)
		return RC_TEMP;
	if (b != NULL && b->mb.exists)
		return RC_DENY;
	if (b != NULL) {
		bool subscribed = b->mb.subscribed;

		b->used = false;
		b = add_box(s->w, name);
		b->mb.subscribed = subscribed;
	} else {
		b = add_box(s->w, name);
	}
	if (b == NULL)
		return RC_DENY;
	*out = b->mb.id;
	s->w->writes++;
	return RC_OK;
}

enum rc
store_mailbox_delete(struct store_client *s, struct str account,
    struct str name, struct deadline dl)
{
	struct fake_box *b = by_name(s->w, name);

	(void)account, (void)dl;
	if (s->w->down)
		return RC_TEMP;
	if (b == NULL || !b->mb.exists)
		return RC_NOENT;
	imap_watch_hint(s->w->d.watches, b->mb.id);
	b->mb.exists = false;
	b->used = b->mb.subscribed;
	s->w->writes++;
	return RC_OK;
}

enum rc
store_mailbox_rename(struct store_client *s, struct str account,
    struct str from, struct str to, struct deadline dl)
{
	struct fake_world *w = s->w;

	(void)account, (void)dl;
	if (w->down)
		return RC_TEMP;
	for (size_t i = 0; i < FAKE_BOXES; i++) {
		struct fake_box *b = &w->boxes[i];
		struct str rest = b->mb.name;

		if (!b->used || !str_cut_prefix(&rest, from))
			continue;
		if (rest.n == 0 || rest.p[0] == '/')
			b->mb.name = str_cat(&w->mem, to, rest);
	}
	if (str_eq(from, STR("INBOX")) && add_box(w, from) == NULL)
		return RC_DENY;
	w->writes++;
	return RC_OK;
}

enum rc
store_mailbox_subscribe(struct store_client *s, struct str account,
    struct str name, bool on, struct deadline dl)
{
	struct fake_box *b = by_name(s->w, name);

	(void)account, (void)dl;
	if (s->w->down)
		return RC_TEMP;
	if (b == NULL)
		return RC_NOENT;
	b->mb.subscribed = on;
	b->used = b->mb.exists || on;
	s->w->writes++;
	return RC_OK;
}

enum rc
store_take_recent(struct store_client *s, struct str account, uint64_t mailbox,
    bool peek, struct deadline dl, uint32_t *out)
{
	struct fake_box *b = by_id(s->w, mailbox);

	(void)account, (void)dl;
	if (s->w->down)
		return RC_TEMP;
	if (b == NULL)
		return RC_NOENT;
	*out = b->first_recent;
	if (!peek)
		b->first_recent = b->mb.uidnext;
	return RC_OK;
}

/* store: messages */
/* false: no room for a keyword. */
static bool
flag_bits(struct fake_world *w, struct fake_box *b, uint64_t system,
    const struct str *kw, size_t nkw, uint64_t *out)
{
	*out = system;
	for (size_t i = 0; i < nkw; i++) {
		size_t k = 0;

		while (k < STORE_KEYWORDS_MAX && b->mb.keywords[k].n > 0 &&
		       !str_ieq(b->mb.keywords[k], kw[i]))
			k++;
		if (k == STORE_KEYWORDS_MAX)
			return false;
		if (b->mb.keywords[k].n == 0)
			b->mb.keywords[k] = str_dup(&w->mem, kw[i]);
		*out |= (uint64_t)1 << (8 + k);
	}
	return true;
}

enum rc
store_append(struct store_client *s, const struct store_append *in,
    struct deadline dl, uint32_t *out_uid)
{
	struct fake_box *b = by_id(s->w, in->mailbox);
	struct str bytes = in->body.inline_data;
	uint64_t bits;

	(void)dl;
	if (s->w->down)
		return RC_TEMP;
	if (b == NULL)
		return RC_NOENT;
	assert(in->op_id.n == 32 && in->body.meta.n > 0);
	if (in->body.fd >= 0) {
		char *p = arena_alloc(&s->w->mem, in->body.size);

		if (fd_pread_all(in->body.fd, p, in->body.size, 0) != RC_OK)
			return RC_TEMP;
		bytes = str_n(p, in->body.size);
	}
	assert(bytes.n == in->body.size);
	if (b->n == s->w->max_msgs ||
	    !flag_bits(s->w, b, in->flags, in->keywords, in->nkeywords, &bits))
		return RC_DENY;
	*out_uid =
	    add_message(s->w, b, bytes, in->body.meta, bits, in->internal_date);
	return RC_OK;
}

enum rc
store_flags(struct store_client *s, struct arena *a,
    const struct store_flags *in, struct deadline dl, struct store_flagged *out)
{
	struct fake_box *b = by_id(s->w, in->mailbox);
	uint64_t bits, modseq;
	bool any = false;

	(void)a, (void)dl;
	assert(s->w->views == 0);
	*out = (struct store_flagged){ 0 };
	if (s->w->down)
		return RC_TEMP;
	if (b == NULL)
		return RC_NOENT;
	if (!flag_bits(s->w, b, in->flags, in->keywords, in->nkeywords, &bits))
		return RC_DENY;
	modseq = b->mb.highest_modseq + 1;
	for (size_t i = 0; i < b->n; i++) {
		struct store_row *row = &b->msgs[i].row;
		uint64_t flags = bits;

		if (b->msgs[i].gone != 0 ||
		    !imap_uids_have(&in->uids, row->uid))
			continue;
		if (in->op == STORE_FLAGS_ADD)
			flags = row->flags | bits;
		else if (in->op == STORE_FLAGS_REMOVE)
			flags = row->flags & ~bits;
		if (flags == row->flags)
			continue;
		row->flags = flags;
		row->modseq = modseq;
		any = true;
	}
	if (any) {
		b->mb.highest_modseq = out->modseq = modseq;
		changed(s->w, b);
	}
	return RC_OK;
}

static void
push_uid(struct arena *a, size_t max, struct uid_set *set, uint32_t uid)
{
	if (set->v == NULL)
		set->v = arena_calloc(a, max, sizeof(*set->v));
	if (set->n > 0 && set->v[set->n - 1].hi + 1 == uid)
		set->v[set->n - 1].hi = uid;
	else
		set->v[set->n++] = (struct uid_range){ uid, uid };
}

enum rc
store_copy(struct store_client *s, struct arena *a, struct str account,
    uint64_t from, struct uid_set uids, uint64_t to, bool move,
    struct deadline dl, struct store_copied *out)
{
	struct fake_box *src = by_id(s->w, from), *dst = by_id(s->w, to);
	size_t n;

	(void)account, (void)dl;
	*out = (struct store_copied){ 0 };
	if (s->w->down)
		return RC_TEMP;
	if (src == NULL || dst == NULL)
		return RC_NOENT;
	out->uidvalidity = dst->mb.uidvalidity;
	n = src->n;
	for (size_t i = 0; i < n; i++) {
		struct fake_msg *m = &src->msgs[i];

		if (m->gone != 0 || !imap_uids_have(&uids, m->row.uid))
			continue;
		if (dst->n == s->w->max_msgs)
			return RC_DENY;
		push_uid(a, n, &out->from, m->row.uid);
		push_uid(a, n, &out->to,
		    add_message(s->w, dst, m->bytes, m->meta, m->row.flags,
			m->row.internal_date));
		if (move)
			m->gone = ++src->mb.highest_modseq;
	}
	changed(s->w, src);
	return RC_OK;
}

enum rc
store_expunge(struct store_client *s, struct str account, uint64_t mailbox,
    struct uid_set uids, struct deadline dl, uint64_t *out)
{
	struct fake_box *b = by_id(s->w, mailbox);

	(void)account, (void)dl;
	*out = 0;
	if (s->w->down)
		return RC_TEMP;
	if (b == NULL)
		return RC_NOENT;
	for (size_t i = 0; i < b->n; i++) {
		struct fake_msg *m = &b->msgs[i];

		if (m->gone == 0 && (m->row.flags & STORE_DELETED) != 0 &&
		    imap_uids_have(&uids, m->row.uid))
			m->gone = *out = ++b->mb.highest_modseq;
	}
	changed(s->w, b);
	return RC_OK;
}

/* reader */
enum rc
store_view_begin(struct store_reader *r, struct store_view **out)
{
	if (r->w->down)
		return RC_TEMP;
	*out = xcalloc(1, sizeof(**out));
	(*out)->w = r->w;
	r->w->views++;
	return RC_OK;
}

void
store_view_end(struct store_view **v)
{
	if (*v == NULL)
		return;
	(*v)->w->views--;
	xfree(*v);
	*v = NULL;
}

enum rc
store_mailboxes(struct store_view *v, struct arena *a, struct str account,
    const unsigned char *key, struct store_mailbox **out, size_t *out_n)
{
	(void)account, (void)key;
	*out = arena_calloc(a, FAKE_BOXES, sizeof(**out));
	*out_n = 0;
	for (size_t i = 0; i < FAKE_BOXES; i++) {
		if (v->w->boxes[i].used)
			(*out)[(*out_n)++] = v->w->boxes[i].mb;
	}
	return RC_OK;
}

enum rc
store_mailbox_get(struct store_view *v, struct arena *a, struct str account,
    const unsigned char *key, uint64_t mailbox, struct store_mailbox *out)
{
	struct fake_box *b = by_id(v->w, mailbox);

	(void)a, (void)account, (void)key;
	if (b == NULL)
		return RC_NOENT;
	*out = b->mb;
	return RC_OK;
}

enum rc
store_mailbox_find(struct store_view *v, struct arena *a, struct str account,
    const unsigned char *key, struct str name, struct store_mailbox *out)
{
	struct fake_box *b = by_name(v->w, name);

	(void)a, (void)account, (void)key;
	if (b == NULL)
		return RC_NOENT;
	*out = b->mb;
	return RC_OK;
}

enum rc
store_rows_since(struct store_view *v, uint64_t mailbox, uint64_t since,
    uint32_t lo, uint32_t hi, struct store_row *rows, size_t max, size_t *out_n)
{
	struct fake_box *b = by_id(v->w, mailbox);

	*out_n = 0;
	if (b == NULL)
		return RC_NOENT;
	for (size_t i = 0; i < b->n && *out_n < max; i++) {
		const struct fake_msg *m = &b->msgs[i];

		if (m->gone == 0 && m->row.uid >= lo && m->row.uid <= hi &&
		    m->row.modseq > since)
			rows[(*out_n)++] = m->row;
	}
	return RC_OK;
}

enum rc
store_rows(struct store_view *v, uint64_t mailbox, uint32_t lo, uint32_t hi,
    struct store_row *rows, size_t max, size_t *out_n)
{
	return store_rows_since(v, mailbox, 0, lo, hi, rows, max, out_n);
}

enum rc
store_expunged(struct store_view *v, struct arena *a, uint64_t mailbox,
    uint64_t since, struct uid_set *out)
{
	struct fake_box *b = by_id(v->w, mailbox);

	*out = (struct uid_set){ 0 };
	for (size_t i = 0; b != NULL && i < b->n; i++) {
		if (b->msgs[i].gone > since)
			push_uid(a, b->n, out, b->msgs[i].row.uid);
	}
	return b == NULL ? RC_NOENT : RC_OK;
}

static const struct fake_msg *
find_msg(struct fake_world *w, uint64_t mailbox, uint32_t uid)
{
	struct fake_box *b = by_id(w, mailbox);

	for (size_t i = 0; b != NULL && i < b->n; i++) {
		if (b->msgs[i].row.uid == uid && b->msgs[i].gone == 0)
			return &b->msgs[i];
	}
	return NULL;
}

enum rc
store_meta(struct store_view *v, struct arena *a, struct str account,
    const unsigned char *key, uint64_t mailbox, uint32_t uid,
    struct str *out_meta, struct str *out_prefix)
{
	const struct fake_msg *m = find_msg(v->w, mailbox, uid);

	(void)a, (void)account, (void)key;
	if (m == NULL)
		return RC_NOENT;
	*out_meta = m->meta;
	*out_prefix = STR("");
	return RC_OK;
}

enum rc
store_msg_open(struct store_view *v, struct str account,
    const unsigned char *key, uint64_t mailbox, uint32_t uid,
    struct store_msg **out)
{
	const struct fake_msg *m = find_msg(v->w, mailbox, uid);

	(void)account, (void)key;
	if (m == NULL)
		return RC_NOENT;
	*out = xcalloc(1, sizeof(**out));
	**out = (struct store_msg){ v->w, m };
	return RC_OK;
}

uint64_t
store_msg_size(const struct store_msg *m)
{
	return m->m->bytes.n;
}

enum rc
store_msg_read(
    struct store_msg *m, uint64_t off, void *p, size_t n, size_t *out_n)
{
	struct str s = str_sub(m->m->bytes, off, n);

	m->w->reads++;
	if (m->w->deadly)
		_exit(77);
	if (m->w->unreadable)
		return RC_TEMP;
	if (s.n > 0)
		memcpy(p, s.p, s.n);
	*out_n = s.n;
	return RC_OK;
}

void
store_msg_close(struct store_msg **m)
{
	xfree(*m);
	*m = NULL;
}
