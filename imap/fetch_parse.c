/*
 * The grammar of fetch-att and section.  RFC822 and its relatives are other
 * names of BODY[...] (section 6.4.5), so they become sections with the label
 * that the client expects.
 */
#include "imap/fetch.h"

#include "imap/out.h"
#include "mail/mime.h"

static const struct {
	struct str name;
	struct fetch_item item;
} simple[] = {
	{ STR_INIT("FLAGS"), { .kind = FETCH_FLAGS } },
	{ STR_INIT("UID"), { .kind = FETCH_UID } },
	{ STR_INIT("INTERNALDATE"), { .kind = FETCH_INTERNALDATE } },
	{ STR_INIT("RFC822.SIZE"), { .kind = FETCH_SIZE } },
	{ STR_INIT("ENVELOPE"), { .kind = FETCH_ENVELOPE } },
	{ STR_INIT("BODYSTRUCTURE"), { .kind = FETCH_BODYSTRUCTURE } },
	{ STR_INIT("RFC822"), { .kind = FETCH_SECTION } },
	{ STR_INIT("RFC822.HEADER"),
	    { .kind = FETCH_SECTION, .text = TEXT_HEADER, .peek = true } },
	{ STR_INIT("RFC822.TEXT"),
	    { .kind = FETCH_SECTION, .text = TEXT_TEXT } },
};

static const struct {
	struct str name;
	struct str items;
} macros[] = {
	{ STR_INIT("ALL"),
	    STR_INIT("(FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)") },
	{ STR_INIT("FAST"), STR_INIT("(FLAGS INTERNALDATE RFC822.SIZE)") },
	{ STR_INIT("FULL"),
	    STR_INIT("(FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY)") },
};

static bool
has_kind(const struct fetch_plan *plan, enum fetch_kind kind)
{
	for (size_t i = 0; i < plan->n; i++) {
		if (plan->v[i].kind == kind)
			return true;
	}
	return false;
}

static void
add_item(struct fetch_plan *plan, const struct fetch_item *item)
{
	if (item->kind != FETCH_SECTION && has_kind(plan, item->kind))
		return; /* saying it twice says nothing new */
	plan->v[plan->n++] = *item;
	switch (item->kind) {
	case FETCH_FLAGS:
		plan->flags = true;
		break;
	case FETCH_ENVELOPE:
		plan->envelope = true;
		break;
	case FETCH_BODY:
	case FETCH_BODYSTRUCTURE:
		plan->structure = true;
		break;
	case FETCH_SECTION:
		if (item->nparts > 0 || item->text != TEXT_ALL)
			plan->structure = true;
		if (!item->peek)
			plan->seen = true;
		break;
	default:
		break;
	}
}

static bool
parse_fields(struct imap_parse *p, struct fetch_item *it)
{
	struct str *v = arena_calloc(p->a, 8, sizeof(*v));
	size_t n = 0, size = 8;

	if (!imap_parse_sp(p) || !imap_parse_char(p, '('))
		return false;
	do {
		if (n == IMAP_FETCH_FIELDS_MAX)
			return false;
		if (n == size) {
			struct str *w =
			    arena_calloc(p->a, size * 2, sizeof(*w));

			for (size_t i = 0; i < n; i++)
				w[i] = v[i];
			v = w;
			size *= 2;
		}
		if (!imap_parse_astring(p, &v[n++]))
			return false;
	} while (imap_parse_sp(p));
	it->field = v;
	it->nfields = n;
	return imap_parse_char(p, ')');
}

/* section-text, or section-msgtext when there is no part number before it. */
static bool
parse_text(struct imap_parse *p, struct fetch_item *it)
{
	if (imap_parse_word(p, STR("HEADER.FIELDS.NOT"))) {
		it->text = TEXT_FIELDS_NOT;
		return parse_fields(p, it);
	}
	if (imap_parse_word(p, STR("HEADER.FIELDS"))) {
		it->text = TEXT_FIELDS;
		return parse_fields(p, it);
	}
	if (imap_parse_word(p, STR("HEADER"))) {
		it->text = TEXT_HEADER;
		return true;
	}
	if (imap_parse_word(p, STR("TEXT"))) {
		it->text = TEXT_TEXT;
		return true;
	}
	if (it->nparts > 0 && imap_parse_word(p, STR("MIME"))) {
		it->text = TEXT_MIME;
		return true;
	}
	return false;
}

/* Behind "[", up to and with "]". */
static bool
parse_section(struct imap_parse *p, struct fetch_item *it)
{
	uint32_t *part;

	if (imap_parse_char(p, ']'))
		return true;
	if (imap_parse_peek(p) < '0' || imap_parse_peek(p) > '9')
		return parse_text(p, it) && imap_parse_char(p, ']');
	part = arena_calloc(p->a, MAIL_MIME_DEPTH_MAX, sizeof(*part));
	it->part = part;
	do {
		if (imap_parse_peek(p) < '0' || imap_parse_peek(p) > '9')
			return parse_text(p, it) && imap_parse_char(p, ']');
		if (it->nparts == MAIL_MIME_DEPTH_MAX ||
		    !imap_parse_nz(p, &part[it->nparts++]))
			return false;
	} while (imap_parse_char(p, '.'));
	return imap_parse_char(p, ']');
}

static bool
parse_partial(struct imap_parse *p, struct fetch_item *it)
{
	if (!imap_parse_char(p, '<'))
		return true;
	it->partial = true;
	return imap_parse_number(p, &it->off) && imap_parse_char(p, '.') &&
	       imap_parse_nz(p, &it->len) && imap_parse_char(p, '>');
}

/* "BODY[1.HEADER.FIELDS (Date)]<0>" */
static struct str
make_label(struct arena *a, const struct fetch_item *it)
{
	static const char *const texts[] = { "", "HEADER", "HEADER.FIELDS",
		"HEADER.FIELDS.NOT", "TEXT", "MIME" };
	struct imap_out o;
	struct str label;

	imap_out_init(&o);
	imap_out_str(&o, STR("BODY["));
	for (size_t i = 0; i < it->nparts; i++)
		imap_out_fmt(&o, i == 0 ? "%u" : ".%u", it->part[i]);
	if (it->nparts > 0 && it->text != TEXT_ALL)
		imap_out_str(&o, STR("."));
	imap_out_str(&o, str_c(texts[it->text]));
	for (size_t i = 0; i < it->nfields; i++) {
		imap_out_str(&o, i == 0 ? STR(" (") : STR(" "));
		imap_out_astring(&o, it->field[i]);
	}
	imap_out_str(&o, it->nfields > 0 ? STR(")]") : STR("]"));
	if (it->partial)
		imap_out_fmt(&o, "<%u>", it->off);
	label = str_dup(a, buf_str(&o.b));
	imap_out_free(&o);
	return label;
}

static bool
parse_body(struct imap_parse *p, struct fetch_item *it)
{
	it->peek = str_cut_iprefix(&p->in, STR(".PEEK"));
	if (!imap_parse_char(p, '[')) {
		it->kind = FETCH_BODY;
		it->label = STR("BODY");
		return !it->peek;
	}
	it->kind = FETCH_SECTION;
	if (!parse_section(p, it) || !parse_partial(p, it))
		return false;
	it->label = make_label(p->a, it);
	return true;
}

static bool
parse_item(struct imap_parse *p, struct fetch_plan *plan)
{
	struct fetch_item it = { 0 };

	if (plan->n == IMAP_FETCH_ITEMS_MAX)
		return false;
	for (size_t i = 0; i < COUNT(simple); i++) {
		if (!imap_parse_word(p, simple[i].name))
			continue;
		it = simple[i].item;
		it.label = simple[i].name;
		add_item(plan, &it);
		return true;
	}
	if (!str_cut_iprefix(&p->in, STR("BODY")) || !parse_body(p, &it))
		return false;
	add_item(plan, &it);
	return true;
}

static bool
parse_items(struct imap_parse *p, struct fetch_plan *plan)
{
	if (!imap_parse_char(p, '('))
		return parse_item(p, plan);
	do {
		if (!parse_item(p, plan))
			return false;
	} while (imap_parse_sp(p));
	return imap_parse_char(p, ')');
}

/* UID FETCH says the UID whether it was asked for or not (section 6.4.8). */
static void
add_uid(struct fetch_plan *plan)
{
	struct fetch_item uid = { .kind = FETCH_UID, .label = STR("UID") };

	for (size_t i = plan->n++; i > 0; i--)
		plan->v[i] = plan->v[i - 1];
	plan->v[0] = uid;
}

bool
imap_fetch_parse(struct imap_parse *p, bool uid, struct fetch_plan *out)
{
	*out = (struct fetch_plan){ 0 };
	out->v = arena_calloc(p->a, IMAP_FETCH_ITEMS_MAX + 1, sizeof(*out->v));
	for (size_t i = 0; i < COUNT(macros); i++) {
		if (imap_parse_word(p, macros[i].name)) {
			if (!imap_parse_end(p))
				return false;
			p->in = macros[i].items;
			break;
		}
	}
	if (!parse_items(p, out) || !imap_parse_end(p))
		return false;
	if (uid && !has_kind(out, FETCH_UID))
		add_uid(out);
	return true;
}
