/*
 * HEADER, BODY and TEXT.  Fields that the envelope keeps are searched there;
 * others, and bodies, are read from the message.  Text parts are decoded
 * (transfer encoding, charset); of other parts only headers are searched.
 */
#include "imap/search.h"

#include "mail/header.h"

#define PIECE           (16u << 10) /* on the stack */
#define SEARCHED_HEADER (1u << 20)  /* bytes of one header looked at */

static const struct str *
envelope_field(const struct mail_envelope *e, struct str name)
{
	const struct {
		struct str name;
		const struct str *value;
	} fields[] = {
		{ STR_INIT("Date"), &e->date },
		{ STR_INIT("Subject"), &e->subject },
		{ STR_INIT("From"), &e->from },
		{ STR_INIT("Sender"), &e->sender },
		{ STR_INIT("Reply-To"), &e->reply_to },
		{ STR_INIT("To"), &e->to },
		{ STR_INIT("Cc"), &e->cc },
		{ STR_INIT("Bcc"), &e->bcc },
		{ STR_INIT("In-Reply-To"), &e->in_reply_to },
		{ STR_INIT("Message-ID"), &e->message_id },
		{ STR_INIT("References"), &e->references },
	};

	for (size_t i = 0; i < COUNT(fields); i++) {
		if (str_ieq(name, fields[i].name))
			return fields[i].value;
	}
	return NULL;
}

/* Any field of that name, or with no name any field at all. */
static bool
find_in_block(const struct mail_needle *nd, struct str block, struct str name)
{
	struct mail_header_iter it = { block };
	struct mail_field f;

	while (mail_header_next(&it, &f)) {
		if (name.n == 0) {
			if (mail_needle_in_value(nd, f.whole))
				return true;
		} else if (str_ieq(f.name, name) &&
			   mail_needle_in_value(nd, f.value)) {
			return true;
		}
	}
	return false;
}

static enum rc
find_in_header(struct imap_session *s, struct imap_message *m,
    const struct mail_part *p, const struct search_key *k, struct str name,
    bool *out)
{
	struct mail_span span = mail_part_header(p, m->row.prefix_len);
	AUTO_ARENA a = { 0 };
	struct str block;
	enum rc rc = imap_message_open(s, m);

	if (rc != RC_OK)
		return rc;
	span.len = MIN(span.len, SEARCHED_HEADER);
	rc = imap_message_read(m, &a, imap_message_clamp(m, span), &block);
	if (rc == RC_OK)
		*out = find_in_block(k->needle, block, name);
	return rc;
}

enum rc
imap_search_header(struct imap_session *s, const struct search_key *k,
    struct imap_message *m, bool *out)
{
	const struct str *kept = NULL;
	enum rc rc = imap_message_meta(s, m, k->cost > 1);

	if (rc != RC_OK)
		return rc;
	if (m->meta.root->envelope != NULL && !m->meta.limited)
		kept = envelope_field(m->meta.root->envelope, k->field);
	if (kept != NULL) {
		*out =
		    kept->p != NULL && mail_needle_in_value(k->needle, *kept);
		return RC_OK;
	}
	*out = false;
	rc = imap_message_meta(s, m, true);
	if (rc != RC_OK || k->field.n == 0)
		return rc;
	return find_in_header(s, m, m->meta.root, k, k->field, out);
}

static enum rc
search_leaf(const struct mail_needle *nd, struct imap_message *m,
    const struct mail_part *p, bool *out)
{
	struct mail_span span =
	    imap_message_clamp(m, mail_part_body(p, m->row.prefix_len));
	struct mail_search *search =
	    mail_search_new(nd, mail_cte_of(p->encoding),
		mail_param_find(p->param, p->nparam, STR("charset")));
	char piece[PIECE];
	enum rc rc = RC_OK;
	size_t n;

	*out = false;
	while (rc == RC_OK && span.len > 0 && !*out) {
		rc = store_msg_read(
		    m->msg, span.off, piece, MIN(span.len, PIECE), &n);
		if (rc == RC_OK && n == 0)
			rc = RC_TEMP;
		if (rc != RC_OK)
			break;
		*out = mail_search_feed(search, str_n(piece, n));
		span.off += n;
		span.len -= n;
	}
	if (rc == RC_OK && !*out)
		*out = mail_search_end(search);
	mail_search_free(&search);
	return rc;
}

/*
 * TEXT looks at the header of every part, BODY at those of messages within
 * the message only.
 */
static bool
has_text_header(const struct search_key *k, const struct mail_part *p)
{
	if (p->parent == NULL) /* the message's own is no part's */
		return false;
	return k->kind == SEARCH_TEXT || p->parent->kind == MAIL_PART_MESSAGE;
}

/* The part, what is in it, and what follows it. */
static enum rc
search_parts(struct imap_session *s, const struct search_key *k,
    struct imap_message *m, const struct mail_part *p, bool *out)
{
	enum rc rc = RC_OK;

	for (*out = false; rc == RC_OK && p != NULL && !*out; p = p->next) {
		if (has_text_header(k, p))
			rc = find_in_header(s, m, p, k, STR(""), out);
		if (rc != RC_OK || *out)
			continue;
		if (p->kind == MAIL_PART_TEXT)
			rc = search_leaf(k->needle, m, p, out);
		else
			rc = search_parts(s, k, m, p->child, out);
	}
	return rc;
}

enum rc
imap_search_text(struct imap_session *s, const struct search_key *k,
    struct imap_message *m, bool *out)
{
	enum rc rc = imap_message_meta(s, m, true);

	if (rc == RC_OK)
		rc = imap_message_open(s, m);
	*out = k->needle->folded.n == 0;
	if (rc != RC_OK || *out)
		return rc;
	if (k->kind == SEARCH_TEXT) {
		rc = find_in_header(s, m, m->meta.root, k, STR(""), out);
		if (rc != RC_OK || *out)
			return rc;
	}
	return search_parts(s, k, m, m->meta.root, out);
}
