/* One message: its letter opened, then meta, prefix and content. */
#include <string.h>

#include "store/local.h"
#include "store/reader_impl.h"
#include "store/rows.h"

struct opened {
	struct store_row row;
	struct ix_detail detail;
	struct letter letter;
};

static enum rc
open_letter(struct store_view *v, struct arena *a, struct str account,
    const unsigned char *key, uint64_t mailbox, uint32_t uid,
    struct opened *out)
{
	const struct ix *ix = &v->x->ix;
	enum rc rc = rows_get(ix, v->t, mailbox, uid, &out->row);

	if (rc == RC_OK && key == NULL)
		rc = RC_DENY;
	if (rc == RC_OK)
		rc = ix_detail_get(ix, v->t, mailbox, uid, &out->detail);
	if (rc == RC_OK && letter_open(a, key, account, out->row.body,
			       out->detail.letter, &out->letter) != RC_OK) {
		log_error(&v->r->log, "reader.letter", KVU("mailbox", mailbox),
		    KVU("uid", uid));
		rc = RC_TEMP;
	}
	return reader_rc(rc);
}

/*
 * Compaction may take a place between looking it up and reading there; who
 * looks again sees where it moved.  More than a few times is no coincidence.
 */
#define LOOKS 4

static enum rc
read_meta(struct store_view *v, struct arena *a,
    const unsigned char body[BODY_ID], struct str *out)
{
	struct ix_body b;
	char *p;
	enum rc rc = ix_body_get(&v->x->ix, v->t, body, &b);

	if (rc != RC_OK || b.meta_len == 0)
		return rc;
	if (b.meta_len > REC_MAX)
		return RC_TEMP;
	p = arena_alloc(a, b.meta_len);
	*out = str_n(p, b.meta_len);
	return seglog_read(v->r->files, b.meta_pos, p, b.meta_len);
}

/* The sealed meta blob: beside the letter, or in the log. */
static enum rc
find_meta(struct store_view *v, struct arena *a, const struct opened *o,
    struct str *out)
{
	enum rc rc;

	*out = o->detail.meta;
	if (out->n > 0)
		return RC_OK;
	rc = read_meta(v, a, o->row.body, out);
	for (int i = 0; rc == RC_NOENT && i < LOOKS; i++) {
		AUTO_VIEW *now = NULL;

		rc = store_view_begin(v->r, &now);
		if (rc == RC_OK)
			rc = read_meta(now, a, o->row.body, out);
	}
	return rc == RC_NOENT ? RC_TEMP : rc;
}

enum rc
store_meta(struct store_view *v, struct arena *a, struct str account,
    const unsigned char *key, uint64_t mailbox, uint32_t uid,
    struct str *out_meta, struct str *out_prefix)
{
	struct opened o;
	struct str sealed;
	enum rc rc = open_letter(v, a, account, key, mailbox, uid, &o);

	if (rc != RC_OK)
		return rc;
	rc = find_meta(v, a, &o, &sealed);
	*out_meta = STR("");
	if (rc == RC_OK && sealed.n > 0)
		rc = content_open_meta(
		    a, o.row.body, o.letter.key, sealed, out_meta);
	seal_wipe(o.letter.key, SEAL_KEY);
	*out_prefix = o.letter.prefix;
	if (rc != RC_OK)
		log_error(&v->r->log, "reader.meta", KVU("mailbox", mailbox),
		    KVU("uid", uid), KVC("rc", rc_name(rc)));
	return reader_rc(rc);
}

struct store_msg {
	struct log log;
	struct store_reader *r;
	unsigned char body[BODY_ID];
	uint64_t mailbox, size;
	uint32_t uid;
	struct content_reader *content;
	size_t prefix_n;
	char prefix[];
};

enum rc
store_msg_open(struct store_view *v, struct str account,
    const unsigned char *key, uint64_t mailbox, uint32_t uid,
    struct store_msg **out)
{
	AUTO_ARENA a = { 0 };
	struct store_msg *m;
	struct opened o;
	struct ix_body b;
	enum rc rc = open_letter(v, &a, account, key, mailbox, uid, &o);

	if (rc != RC_OK)
		return rc;
	rc = ix_body_get(&v->x->ix, v->t, o.row.body, &b);
	if (rc != RC_OK) {
		seal_wipe(o.letter.key, SEAL_KEY);
		return RC_TEMP;
	}
	m = xcalloc(1, sizeof(*m) + o.letter.prefix.n);
	m->log = v->r->log;
	m->r = v->r;
	memcpy(m->body, o.row.body, BODY_ID);
	m->mailbox = mailbox;
	m->uid = uid;
	m->size = o.letter.prefix.n + b.body.content;
	m->prefix_n = o.letter.prefix.n;
	if (m->prefix_n > 0)
		memcpy(m->prefix, o.letter.prefix.p, m->prefix_n);
	rc = content_open(
	    v->r->pool, v->r->files, &b.body, o.letter.key, &m->content);
	seal_wipe(o.letter.key, SEAL_KEY);
	if (rc != RC_OK)
		store_msg_close(&m);
	*out = m;
	return reader_rc(rc);
}

enum rc
store_queue_msg_open(struct store_view *v, const unsigned char *key,
    struct str message_id, struct store_msg **out)
{
	const struct ix *ix = &v->x->ix;
	AUTO_ARENA a = { 0 };
	struct envelope env;
	struct store_msg *m;
	struct str id, value;
	struct ix_body b;
	struct key k = { 0 };
	enum rc rc;

	if (str_unhex(&a, message_id, &id) != RC_OK || id.n != BODY_ID)
		return RC_BAD;
	rc = ix_get(ix, v->t, ix->queue, id, &value);
	if (rc != RC_OK)
		return reader_rc(rc);
	rc = ix_body_get(ix, v->t, (const unsigned char *)id.p, &b);
	if (rc != RC_OK || value.n < 12)
		return RC_TEMP;
	memcpy(k.b, key, SEAL_KEY);
	rc = envelope_open(
	    &a, &k, (const unsigned char *)id.p, str_from(value, 12), &env);
	seal_wipe(&k, sizeof(k));
	if (rc != RC_OK) {
		log_error(&v->r->log, "reader.envelope", KV("id", message_id));
		return RC_TEMP;
	}
	m = xcalloc(1, sizeof(*m));
	m->log = v->r->log;
	m->r = v->r;
	memcpy(m->body, id.p, BODY_ID);
	m->size = b.body.content;
	rc = content_open(
	    v->r->pool, v->r->files, &b.body, env.key, &m->content);
	seal_wipe(env.key, SEAL_KEY);
	if (rc != RC_OK)
		store_msg_close(&m);
	*out = m;
	return reader_rc(rc);
}

uint64_t
store_msg_size(const struct store_msg *m)
{
	return m->size;
}

/* n bytes of the content, wherever it stands by now. */
static enum rc
read_content(struct store_msg *m, uint64_t off, char *p, size_t n, size_t *got)
{
	enum rc rc = content_read(m->content, off, p, n, got);

	for (int i = 0; rc == RC_NOENT && i < LOOKS; i++) {
		AUTO_VIEW *now = NULL;
		struct ix_body b;

		rc = store_view_begin(m->r, &now);
		if (rc == RC_OK)
			rc = ix_body_get(&now->x->ix, now->t, m->body, &b);
		if (rc == RC_NOENT) /* expunged meanwhile */
			return RC_TEMP;
		if (rc == RC_OK)
			rc = content_moved(m->content, &b.body);
		if (rc == RC_OK)
			rc = content_read(m->content, off, p, n, got);
	}
	return rc == RC_NOENT ? RC_TEMP : rc;
}

enum rc
store_msg_read(
    struct store_msg *m, uint64_t off, void *p, size_t n, size_t *out_n)
{
	size_t k = 0, got = 0;
	enum rc rc;

	*out_n = 0;
	if (off < m->prefix_n) {
		k = MIN(n, m->prefix_n - off);
		memcpy(p, m->prefix + off, k);
		off += k;
	}
	if (k < n && off >= m->prefix_n) {
		rc = read_content(
		    m, off - m->prefix_n, (char *)p + k, n - k, &got);
		if (rc != RC_OK) {
			log_error(&m->log, "reader.content",
			    KVU("mailbox", m->mailbox), KVU("uid", m->uid),
			    KVC("rc", rc_name(rc)));
			return reader_rc(rc);
		}
	}
	*out_n = k + got;
	return RC_OK;
}

void
store_msg_close(struct store_msg **mp)
{
	struct store_msg *m = *mp;

	if (m == NULL)
		return;
	content_close(&m->content);
	xfree(m);
	*mp = NULL;
}
