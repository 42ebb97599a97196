/*
 * RFC 3501 section 6.4.5.  Everything but HEADER.FIELDS is a range of the
 * message's bytes and is read straight into the output.
 */
#include "imap/section.h"

#include "mail/header.h"

#define PIECE (64u << 10)

/* The part's bytes; RC_NOENT when there are none of that name. */
static enum rc
find_span(const struct imap_message *m, const struct fetch_item *it,
    struct mail_span *out)
{
	const struct mail_part *p = m->meta.root;
	uint64_t prefix = m->row.prefix_len;

	if (it->nparts == 0 && it->text == TEXT_ALL) {
		*out = (struct mail_span){ 0, UINT64_MAX };
		return RC_OK;
	}
	if (it->nparts > 0)
		p = mail_part_at(p, it->part, it->nparts);
	if (p == NULL)
		return RC_NOENT;
	if (it->nparts > 0 && it->text == TEXT_ALL) {
		*out = mail_part_body(p, prefix);
		return RC_OK;
	}
	if (it->text == TEXT_MIME) {
		*out = mail_part_header(p, prefix);
		return RC_OK;
	}
	if (it->nparts > 0) { /* of a message within the message */
		if (p->kind != MAIL_PART_MESSAGE)
			return RC_NOENT;
		p = p->child;
	}
	*out = it->text == TEXT_TEXT ? mail_part_body(p, prefix)
				     : mail_part_header(p, prefix);
	return RC_OK;
}

static bool
is_named(const struct fetch_item *it, struct str name)
{
	for (size_t i = 0; i < it->nfields; i++) {
		if (str_ieq(it->field[i], name))
			return true;
	}
	return false;
}

/* The empty line belongs to every header that has one (section 6.4.5). */
enum rc
imap_section_fields(
    const struct fetch_item *it, struct str block, struct buf *out)
{
	struct mail_header_iter iter = { block };
	bool wanted = it->text == TEXT_FIELDS;
	struct mail_field f;

	while (mail_header_next(&iter, &f)) {
		if (is_named(it, f.name) == wanted &&
		    buf_add(out, f.whole) != RC_OK)
			return RC_BAD;
	}
	if (str_eq(block, STR("\r\n")) ||
	    (block.n >= 4 &&
		str_eq(str_from(block, block.n - 4), STR("\r\n\r\n"))))
		return buf_add(out, STR("\r\n"));
	return RC_OK;
}

static struct mail_span
cut_partial(const struct fetch_item *it, struct mail_span span)
{
	uint64_t skip;

	if (!it->partial)
		return span;
	skip = MIN(it->off, span.len);
	span.off += skip;
	span.len = MIN(span.len - skip, it->len);
	return span;
}

static void
put_label(struct imap_session *s, const struct fetch_item *it, uint64_t len)
{
	imap_out_str(&s->out, it->label);
	if (len == 0) {
		imap_out_str(&s->out, STR(" \"\""));
		return;
	}
	imap_out_str(&s->out, STR(" {"));
	imap_out_u64(&s->out, len);
	imap_out_str(&s->out, STR("}\r\n"));
}

static enum rc
put_fields(struct imap_session *s, struct imap_message *m,
    const struct fetch_item *it, struct mail_span span)
{
	AUTO_BUF b = { 0 };
	AUTO_ARENA a = { 0 };
	struct str block;
	size_t at;
	enum rc rc;

	buf_init(&b, IMAP_HEADER_MAX + 2);
	span.len = MIN(span.len, IMAP_HEADER_MAX);
	rc = imap_message_read(m, &a, span, &block);
	if (rc == RC_OK && imap_section_fields(it, block, &b) != RC_OK)
		rc = RC_TEMP;
	if (rc != RC_OK)
		return rc;
	span = cut_partial(it, (struct mail_span){ 0, b.n });
	put_label(s, it, span.len);
	at = s->out.b.n;
	imap_out_str(&s->out, str_sub(buf_str(&b), span.off, span.len));
	if (!s->out.bad)
		imap_out_hide_nul(s->out.b.p + at, span.len);
	return RC_OK;
}

enum rc
imap_section_begin(struct imap_session *s, struct imap_message *m,
    const struct fetch_item *it, struct imap_section *sec)
{
	struct mail_span span;
	enum rc rc;

	*sec = (struct imap_section){ 0 };
	rc = find_span(m, it, &span);
	if (rc == RC_NOENT) {
		imap_out_str(&s->out, it->label);
		imap_out_str(&s->out, STR(" NIL"));
		return RC_OK;
	}
	if (rc == RC_OK)
		rc = imap_message_open(s, m);
	if (rc != RC_OK)
		return rc;
	span = imap_message_clamp(m, span);
	if (it->text == TEXT_FIELDS || it->text == TEXT_FIELDS_NOT)
		return put_fields(s, m, it, span);
	span = cut_partial(it, span);
	put_label(s, it, span.len);
	*sec = (struct imap_section){ span.off, span.len };
	return span.len == 0 ? RC_OK : imap_section_go_on(s, m, sec);
}

enum rc
imap_section_go_on(
    struct imap_session *s, struct imap_message *m, struct imap_section *sec)
{
	size_t want = (size_t)MIN(sec->left, PIECE), n = 0;
	char *p = imap_out_reserve(&s->out, want);
	enum rc rc;

	if (p == NULL)
		return RC_TEMP;
	rc = store_msg_read(m->msg, sec->off, p, want, &n);
	if (rc != RC_OK || n == 0)
		return RC_TEMP;
	imap_out_hide_nul(p, n);
	imap_out_commit(&s->out, n);
	sec->off += n;
	sec->left -= n;
	return RC_OK;
}
