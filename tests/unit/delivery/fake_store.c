#include <string.h>

#include "tests/unit/delivery/fake.h"
#include "store/reader.h"
#include "tests/unit/delivery/fake_store.h"

void
fake_store_init(struct store_client *s)
{
	*s = (struct store_client){ 0 };
	pthread_mutex_init(&s->lock, NULL);
	s->queued_body = STR("Subject: hello\r\nMessage-ID: <x@y>\r\n\r\n"
			     "the body\r\n");
}

void
fake_store_free(struct store_client *s)
{
	arena_free(&s->a);
	pthread_mutex_destroy(&s->lock);
}

struct store_queued *
fake_store_add(
    struct store_client *s, const char *message_id, const char *dir_id)
{
	struct store_queue_item *it = &s->item[s->nitem++];

	assert_true(s->nitem <= FAKE_ITEMS);
	*it = (struct store_queue_item){
		.message_id = str_c(message_id),
		.from = STR("joe@example.net"),
		.received_at = now_unix(),
		.size = s->queued_body.n,
		.entries =
		    arena_calloc(&s->a, FAKE_ENTRIES, sizeof(it->entries[0])),
		.nentries = 1,
	};
	it->entries[0] = (struct store_queued){
		.id = 1,
		.rcpt = STR("x@example.org"),
		.dir_id = str_c(dir_id),
		.kind = DIR_USER,
		.state = DLV_READY,
		.attempts = 1,
		.expires_at = INT64_MAX,
		.prefix = STR("Return-Path: <>\r\nX: kept\r\n"),
		.reason = STR("because"),
	};
	return &it->entries[0];
}

size_t
fake_store_entries(struct store_client *s)
{
	size_t n = 0;

	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->nitem; i++)
		n += s->item[i].nentries;
	pthread_mutex_unlock(&s->lock);
	return n;
}

static struct str
body_of(struct store_client *s, const struct store_body *b)
{
	char *p;

	if (b->fd < 0)
		return str_dup(&s->a, b->inline_data);
	p = arena_alloc(&s->a, (size_t)b->size + 1);
	assert_int_equal(fd_pread_all(b->fd, p, (size_t)b->size, 0), RC_OK);
	return str_n(p, (size_t)b->size);
}

static void
note_submit(struct store_client *s, const struct store_submit *in)
{
	s->submits++;
	s->op_id = str_dup(&s->a, in->op_id);
	s->meta = str_dup(&s->a, in->body.meta);
	s->body = body_of(s, &in->body);
	s->edits = str_dup(&s->a, in->body.edits);
	s->has_fd = in->body.fd >= 0;
	s->nto = in->nto;
	s->nqueue = in->nqueue;
	if (in->nto > 0)
		s->prefix = str_dup(&s->a, in->to[0].prefix);
	s->first_to = in->nto > 0 ? str_dup(&s->a, in->to[0].account) : STR("");
	s->first_queued =
	    in->nqueue > 0 ? str_dup(&s->a, in->queue[0].rcpt) : STR("");
}

void
store_submit_start(struct store_client *s, const struct store_submit *in,
    struct deadline dl,
    void (*done)(void *arg, enum rc rc, const struct store_submitted *out),
    void *arg)
{
	(void)dl;
	note_submit(s, in);
	s->done = done;
	s->arg = arg;
}

/* The same operation again is not done again. */
enum rc
store_submit(struct store_client *s, struct arena *a,
    const struct store_submit *in, struct deadline dl,
    struct store_submitted *out)
{
	bool repeated;

	(void)a;
	(void)dl;
	if (s->answer != RC_OK)
		return s->answer;
	pthread_mutex_lock(&s->lock);
	repeated = s->submits > 0 && str_eq(s->op_id, in->op_id);
	if (!repeated)
		note_submit(s, in);
	pthread_mutex_unlock(&s->lock);
	*out = (struct store_submitted){ STR("d5e1"), repeated };
	return RC_OK;
}

void
fake_store_commit(struct store_client *s, enum rc rc)
{
	const struct store_submitted out = { .message_id = STR("cafe"),
		.first_entry = s->first_entry };

	s->done(s->arg, rc, rc == RC_OK ? &out : NULL);
}

static struct store_queue_item *
item_of(struct store_client *s, struct str id)
{
	for (size_t i = 0; i < s->nitem; i++) {
		if (str_eq(s->item[i].message_id, id) &&
		    s->item[i].nentries > 0)
			return &s->item[i];
	}
	return NULL;
}

static void
copy_out(struct arena *a, const struct store_queue_item *from,
    struct store_queue_item *to)
{
	*to = *from;
	to->entries = arena_calloc(a, FAKE_ENTRIES, sizeof(to->entries[0]));
	memcpy(to->entries, from->entries,
	    from->nentries * sizeof(to->entries[0]));
}

enum rc
store_queue_get(struct store_client *s, struct arena *a, struct str message_id,
    struct deadline dl, struct store_queue_item *out)
{
	struct store_queue_item *it;
	enum rc rc = s->answer;

	(void)dl;
	pthread_mutex_lock(&s->lock);
	it = item_of(s, message_id);
	if (rc == RC_OK && it == NULL)
		rc = RC_NOENT;
	if (rc == RC_OK)
		copy_out(a, it, out);
	pthread_mutex_unlock(&s->lock);
	return rc;
}

/* Pages of one, so that paging is exercised. */
enum rc
store_queue_list(struct store_client *s, struct arena *a,
    struct str after_message_id, size_t max, struct deadline dl,
    struct store_queue_item **out, size_t *out_n)
{
	void (*listed)(struct store_client *);

	(void)dl;
	assert_true(max > 0);
	if (s->answer != RC_OK)
		return s->answer;
	*out = arena_calloc(a, 1, sizeof(**out));
	*out_n = 0;
	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->nitem && *out_n == 0; i++) {
		if (s->item[i].nentries == 0 ||
		    str_cmp(s->item[i].message_id, after_message_id) <= 0)
			continue;
		copy_out(a, &s->item[i], *out);
		*out_n = 1;
	}
	listed = s->listed;
	s->listed = NULL;
	pthread_mutex_unlock(&s->lock);
	if (listed != NULL)
		listed(s);
	return RC_OK;
}

static struct store_queued *
entry_of(struct store_queue_item *it, uint64_t id)
{
	for (size_t i = 0; i < it->nentries; i++) {
		if (it->entries[i].id == id)
			return &it->entries[i];
	}
	return NULL;
}

/* Words of the entries, as they would be. */
static size_t
weight(const struct store_queue_item *it, const struct store_queue_update *in)
{
	size_t n = 0;

	for (size_t i = 0; i < it->nentries; i++) {
		const struct store_queued *q = &it->entries[i];

		for (size_t k = 0; k < in->nset; k++)
			if (in->set[k].id == q->id)
				q = &in->set[k];
		n += q->data.n + q->reason.n;
	}
	return n;
}

static enum rc
update(struct store_client *s, const struct store_queue_update *in)
{
	struct store_queue_item *it = item_of(s, in->message_id);

	if (it == NULL)
		return RC_NOENT;
	for (size_t i = 0; i < in->nexpect; i++) {
		const struct store_expect *e = &in->expect[i];
		const struct store_queued *q = entry_of(it, e->id);

		if (q == NULL || q->state != e->state ||
		    q->attempts != e->attempts)
			return RC_NOENT;
	}
	if (s->weight_max > 0 && weight(it, in) > s->weight_max)
		return RC_DENY;
	for (size_t i = 0; i < in->nremove; i++) {
		struct store_queued *q = entry_of(it, in->remove[i]);

		if (q == NULL)
			return RC_NOENT;
		*q = it->entries[--it->nentries];
	}
	for (size_t i = 0; i < in->nset; i++) {
		struct store_queued *q = entry_of(it, in->set[i].id);

		if (q == NULL)
			return RC_NOENT;
		*q = in->set[i];
		q->rcpt = str_dup(&s->a, q->rcpt);
		q->dir_id = str_dup(&s->a, q->dir_id);
		q->reason = str_dup(&s->a, q->reason);
		q->prefix = str_dup(&s->a, q->prefix);
		q->data = str_dup(&s->a, q->data);
	}
	s->updates++;
	s->delivered += (unsigned)in->nto;
	if (in->nto > 0)
		s->last_account = str_dup(&s->a, in->to[0].account);
	return RC_OK;
}

enum rc
store_queue_update(struct store_client *s, const struct store_queue_update *in,
    struct deadline dl)
{
	enum rc rc = s->answer;

	(void)dl;
	assert_true(in->op_id.n > 0);
	pthread_mutex_lock(&s->lock);
	if (s->before != NULL) {
		void (*before)(struct store_client *) = s->before;

		s->before = NULL;
		before(s);
	}
	if (rc == RC_OK)
		rc = update(s, in);
	pthread_mutex_unlock(&s->lock);
	return rc;
}

void
store_queue_update_start(struct store_client *s,
    const struct store_queue_update *in, struct deadline dl,
    void (*done)(void *arg, enum rc rc), void *arg)
{
	done(arg, store_queue_update(s, in, dl));
}

enum rc
store_queue_key(
    struct store_client *s, struct deadline dl, struct store_attach *out)
{
	(void)dl;
	memset(out->key, 7, sizeof(out->key));
	return s->answer;
}

/* The reader is the store itself. */
struct store_msg {
	struct str text;
	bool damaged;
};

enum rc
store_view_begin(struct store_reader *r, struct store_view **out)
{
	*out = (struct store_view *)(void *)r;
	return RC_OK;
}

void
store_view_end(struct store_view **v)
{
	*v = NULL;
}

enum rc
store_queue_msg_open(struct store_view *v, const unsigned char *key,
    struct str message_id, struct store_msg **out)
{
	struct store_client *s = (struct store_client *)(void *)v;
	struct store_msg *m;
	bool found;

	assert_int_equal(key[0], 7);
	pthread_mutex_lock(&s->lock);
	found = item_of(s, message_id) != NULL;
	pthread_mutex_unlock(&s->lock);
	if (!found)
		return RC_NOENT;
	m = xcalloc(1, sizeof(*m));
	m->text = s->queued_body;
	m->damaged = s->damaged;
	*out = m;
	return RC_OK;
}

uint64_t
store_msg_size(const struct store_msg *m)
{
	return m->text.n;
}

enum rc
store_msg_read(
    struct store_msg *m, uint64_t off, void *p, size_t n, size_t *out_n)
{
	struct str s = str_sub(m->text, (size_t)off, n);

	if (m->damaged)
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
