/*
 * What RFC 3501 leaves open follows what clients have been tested against
 * most: a text part without a charset shows the default one (RFC 2046 section
 * 4.1.2), a multipart without parts shows one empty text/plain.
 */
#include "imap/structure.h"

#include "mail/addrlist.h"

static void
put_address(struct imap_out *o, const struct mail_entry *e)
{
	const struct str fields[] = { e->name, e->adl, e->mailbox, e->host };

	imap_out_str(o, STR("("));
	for (size_t i = 0; i < COUNT(fields); i++) {
		if (i > 0)
			imap_out_str(o, STR(" "));
		imap_out_nstring(o, fields[i]);
	}
	imap_out_str(o, STR(")"));
}

static void
put_addresses(struct imap_out *o, const struct mail_addrlist *l)
{
	imap_out_str(o, STR(" "));
	if (l->n == 0) {
		imap_out_str(o, STR("NIL"));
		return;
	}
	imap_out_str(o, STR("("));
	for (size_t i = 0; i < l->n; i++)
		put_address(o, &l->v[i]);
	imap_out_str(o, STR(")"));
}

static struct mail_addrlist
parse_addresses(struct arena *a, struct str value)
{
	struct mail_addrlist l = { 0 };

	if (value.n > 0)
		mail_addrlist_parse(a, value, &l);
	return l;
}

void
imap_structure_envelope(
    struct imap_out *o, struct arena *a, const struct mail_envelope *e)
{
	static const struct mail_envelope none = { 0 };
	struct mail_addrlist from, other;

	if (e == NULL)
		e = &none;
	imap_out_str(o, STR("("));
	imap_out_nstring(o, e->date);
	imap_out_str(o, STR(" "));
	imap_out_nstring(o, e->subject);
	from = parse_addresses(a, e->from);
	put_addresses(o, &from);
	other = parse_addresses(a, e->sender);
	put_addresses(o, other.n > 0 ? &other : &from);
	other = parse_addresses(a, e->reply_to);
	put_addresses(o, other.n > 0 ? &other : &from);
	other = parse_addresses(a, e->to);
	put_addresses(o, &other);
	other = parse_addresses(a, e->cc);
	put_addresses(o, &other);
	other = parse_addresses(a, e->bcc);
	put_addresses(o, &other);
	imap_out_str(o, STR(" "));
	imap_out_nstring(o, e->in_reply_to);
	imap_out_str(o, STR(" "));
	imap_out_nstring(o, e->message_id);
	imap_out_str(o, STR(")"));
}

static void
put_pair(struct imap_out *o, bool *first, struct mail_param p)
{
	imap_out_str(o, *first ? STR("(") : STR(" "));
	*first = false;
	imap_out_string(o, p.name);
	imap_out_str(o, STR(" "));
	imap_out_string(o, p.value);
}

static void
put_params(
    struct imap_out *o, const struct mail_param *v, size_t n, bool charset)
{
	static const struct mail_param ascii = { STR_INIT("charset"),
		STR_INIT("us-ascii") };
	bool first = true;

	if (charset && mail_param_find(v, n, STR("charset")).p == NULL)
		put_pair(o, &first, ascii);
	for (size_t i = 0; i < n; i++)
		put_pair(o, &first, v[i]);
	imap_out_str(o, first ? STR("NIL") : STR(")"));
}

/* Disposition, language, location: the same for all kinds. */
static void
put_extension(struct imap_out *o, const struct mail_part *p)
{
	imap_out_str(o, STR(" "));
	if (p->disposition.p == NULL) {
		imap_out_str(o, STR("NIL"));
	} else {
		imap_out_str(o, STR("("));
		imap_out_string(o, p->disposition);
		imap_out_str(o, STR(" "));
		put_params(o, p->dparam, p->ndparam, false);
		imap_out_str(o, STR(")"));
	}
	imap_out_str(o, STR(" "));
	if (p->nlanguage == 0)
		imap_out_str(o, STR("NIL"));
	else if (p->nlanguage == 1)
		imap_out_string(o, p->language[0]);
	for (size_t i = 0; p->nlanguage > 1 && i < p->nlanguage; i++) {
		imap_out_str(o, i == 0 ? STR("(") : STR(" "));
		imap_out_string(o, p->language[i]);
	}
	if (p->nlanguage > 1)
		imap_out_str(o, STR(")"));
	imap_out_str(o, STR(" "));
	imap_out_nstring(o, p->location);
}

static void
put_multipart(struct imap_out *o, struct arena *a, const struct mail_part *p,
    bool extended)
{
	imap_out_str(o, STR("("));
	for (const struct mail_part *c = p->child; c != NULL; c = c->next)
		imap_structure_body(o, a, c, extended);
	if (p->child == NULL) {
		imap_out_str(
		    o, STR("(\"text\" \"plain\" (\"charset\" \"us-ascii\") "
			   "NIL NIL \"7bit\" 0 0"));
		imap_out_str(o, extended ? STR(" NIL NIL NIL NIL)") : STR(")"));
	}
	imap_out_str(o, STR(" "));
	imap_out_string(o, p->subtype);
	if (extended) {
		imap_out_str(o, STR(" "));
		put_params(o, p->param, p->nparam, false);
		put_extension(o, p);
	}
	imap_out_str(o, STR(")"));
}

void
imap_structure_body(struct imap_out *o, struct arena *a,
    const struct mail_part *p, bool extended)
{
	if (p->kind == MAIL_PART_MULTIPART) {
		put_multipart(o, a, p, extended);
		return;
	}
	imap_out_str(o, STR("("));
	imap_out_string(o, p->type);
	imap_out_str(o, STR(" "));
	imap_out_string(o, p->subtype);
	imap_out_str(o, STR(" "));
	put_params(o, p->param, p->nparam, p->kind == MAIL_PART_TEXT);
	imap_out_str(o, STR(" "));
	imap_out_nstring(o, p->id);
	imap_out_str(o, STR(" "));
	imap_out_nstring(o, p->description);
	imap_out_str(o, STR(" "));
	imap_out_string(o, p->encoding);
	imap_out_str(o, STR(" "));
	imap_out_u64(o, p->body_len);
	if (p->kind == MAIL_PART_MESSAGE) {
		imap_out_str(o, STR(" "));
		imap_structure_envelope(o, a, p->child->envelope);
		imap_out_str(o, STR(" "));
		imap_structure_body(o, a, p->child, extended);
	}
	if (p->kind != MAIL_PART_LEAF) {
		imap_out_str(o, STR(" "));
		imap_out_u64(o, p->body_lines);
	}
	if (extended) {
		imap_out_str(o, STR(" "));
		imap_out_nstring(o, p->md5);
		put_extension(o, p);
	}
	imap_out_str(o, STR(")"));
}
