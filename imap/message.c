/*
 * The structure was computed at delivery; a message whose blob this version
 * does not know is parsed again, for this one look.
 */
#include "imap/message.h"

#define PIECE (16u << 10) /* on the stack */

void
imap_message_begin(struct imap_message *m, const struct store_row *row)
{
	m->row = *row;
	m->have = META_NONE;
}

void
imap_message_end(struct imap_message *m)
{
	store_msg_close(&m->msg);
	arena_reset(&m->mem);
	m->have = META_NONE;
}

enum rc
imap_message_open(struct imap_session *s, struct imap_message *m)
{
	struct store_view *rv;
	enum rc rc;

	if (m->msg != NULL)
		return RC_OK;
	rc = imap_view_of_store(s, &rv);
	if (rc != RC_OK)
		return rc;
	return store_msg_open(rv, s->account->id, s->account->key, s->box->id,
	    m->row.uid, &m->msg);
}

static enum rc
parse_again(struct imap_session *s, struct imap_message *m)
{
	uint64_t off = m->row.prefix_len;
	char piece[PIECE];
	struct mail_mime *mime;
	size_t n;
	enum rc rc = imap_message_open(s, m);

	if (rc != RC_OK)
		return rc;
	mime = mail_mime_new(&m->mem);
	while ((rc = store_msg_read(m->msg, off, piece, PIECE, &n)) == RC_OK &&
	       n > 0) {
		mail_mime_feed(mime, str_n(piece, n));
		off += n;
	}
	if (rc == RC_OK)
		mail_mime_end(mime, &m->meta);
	mail_mime_free(&mime);
	return rc;
}

enum rc
imap_message_meta(struct imap_session *s, struct imap_message *m, bool full)
{
	struct store_view *rv;
	struct str blob, prefix;
	enum rc rc;

	if (m->have == META_FULL || (m->have == META_HEAD && !full))
		return RC_OK;
	rc = imap_view_of_store(s, &rv);
	if (rc == RC_OK)
		rc = store_meta(rv, &m->mem, s->account->id, s->account->key,
		    s->box->id, m->row.uid, &blob, &prefix);
	if (rc != RC_OK)
		return rc;
	if (full)
		rc = mail_meta_decode(&m->mem, blob, &m->meta);
	else
		rc = mail_meta_decode_head(&m->mem, blob, &m->meta);
	m->have = full ? META_FULL : META_HEAD;
	if (rc != RC_OK) { /* another version's, or damaged */
		rc = parse_again(s, m);
		m->have = rc == RC_OK ? META_FULL : META_NONE;
	}
	return rc;
}

struct mail_span
imap_message_clamp(const struct imap_message *m, struct mail_span span)
{
	uint64_t size = store_msg_size(m->msg);

	span.off = MIN(span.off, size);
	span.len = MIN(span.len, size - span.off);
	return span;
}

enum rc
imap_message_read(struct imap_message *m, struct arena *a,
    struct mail_span span, struct str *out)
{
	char *p = arena_alloc(a, span.len + 1);
	size_t have = 0, n;

	while (have < span.len) {
		enum rc rc = store_msg_read(
		    m->msg, span.off + have, p + have, span.len - have, &n);

		if (rc != RC_OK)
			return rc;
		if (n == 0)
			return RC_TEMP;
		have += n;
	}
	*out = str_n(p, have);
	return RC_OK;
}
