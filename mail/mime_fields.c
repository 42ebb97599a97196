/*
 * RFC 2045 section 5.1 as mail really is: comments anywhere, missing quotes,
 * values with blanks, parameters without a value.  The rule is to keep what a
 * person would read and to go on at the next ';'.
 */
#include <string.h>

#include "mail/header.h"
#include "mail/mime_fields.h"

/* What a parameter costs beside its bytes. */
#define PARAM_COST 16

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* White space and nested comments. */
static void
skip_cfws(struct str *s)
{
	int depth = 0;
	size_t i = 0;

	for (; i < s->n; i++) {
		char c = s->p[i];

		if (c == '(')
			depth++;
		else if (depth > 0 && c == ')')
			depth--;
		else if (depth > 0 && c == '\\')
			i++;
		else if (depth == 0 && !is_space(c))
			break;
	}
	*s = str_from(*s, i);
}

/* A token (RFC 2045), 8-bit bytes let through; may be empty. */
static struct str
cut_token(struct str *s)
{
	struct str token;
	size_t n = 0;

	while (n < s->n && (unsigned char)s->p[n] > ' ' && s->p[n] != 0x7f &&
	       memchr("()<>@,;:\\\"/[]?=", s->p[n], 15) == NULL)
		n++;
	token = str_sub(*s, 0, n);
	*s = str_from(*s, n);
	return token;
}

/* A copy within the budget; what does not fit is cut off. */
static struct str
keep(struct mime_budget *bg, struct str s)
{
	size_t most = MIN(bg->left, MAIL_MIME_FIELD_MAX);

	if (s.n > most) {
		bg->limited = true;
		s.n = most;
	}
	bg->left -= s.n;
	if (s.n == 0)
		return STR("");
	return str_dup(bg->a, s);
}

/* Costs its raw length, because folds take room until they are gone. */
static struct str
keep_unfolded(struct mime_budget *bg, struct str value)
{
	size_t most = MIN(bg->left, MAIL_MIME_FIELD_MAX);

	if (value.n > most) {
		bg->limited = true;
		value.n = most;
	}
	if (str_find(value, STR("\r\n")) == value.n)
		return keep(bg, str_trim(value));
	bg->left -= value.n;
	return mail_header_unfold(bg->a, value);
}

/* The content of a quoted string, s behind the opening quote. */
static struct str
cut_quoted(struct mime_budget *bg, struct str *s)
{
	bool plain = true;
	struct str raw;
	size_t i = 0, n = 0;
	char *room;

	for (; i < s->n && s->p[i] != '"'; i++) {
		if (s->p[i] == '\\' && i + 1 < s->n)
			i++;
		else if (s->p[i] != '\\' && s->p[i] != '\r')
			continue;
		plain = false;
	}
	raw = keep(bg, str_sub(*s, 0, i));
	*s = str_from(*s, i + 1);
	if (plain || raw.n == 0)
		return raw;
	room = arena_alloc(bg->a, raw.n);
	for (i = 0; i < raw.n; i++) {
		if (raw.p[i] == '\r' && i + 1 < raw.n && raw.p[i + 1] == '\n') {
			i++; /* a fold */
			continue;
		}
		if (raw.p[i] == '\\' && i + 1 < raw.n)
			i++;
		room[n++] = raw.p[i];
	}
	return str_n(room, n);
}

/*
 * A value without quotes: up to ';', a comment, a line end; blanks inside
 * belong to it, because mailers forget the quotes around file names.
 */
static struct str
cut_bare(struct mime_budget *bg, struct str *s)
{
	struct str v;
	size_t n = 0;

	while (n < s->n && s->p[n] != ';' && s->p[n] != '\r' &&
	       s->p[n] != '\n' &&
	       !(s->p[n] == '(' && n > 0 && is_space(s->p[n - 1])))
		n++;
	v = str_trim(str_sub(*s, 0, n));
	*s = str_from(*s, n);
	return keep(bg, v);
}

/* Everything behind the first ';' of a Content-Type or -Disposition. */
static void
read_params(struct mime_budget *bg, struct str s, struct mail_param **out,
    size_t *out_n)
{
	struct mail_param v[MAIL_MIME_PARAMS_MAX];
	size_t n = 0;

	for (;;) {
		struct str name;

		s = str_from(s, str_chr(s, ';') + 1);
		skip_cfws(&s);
		if (s.n == 0)
			break;
		name = cut_token(&s);
		skip_cfws(&s);
		if (name.n == 0 || !str_cut_prefix(&s, STR("=")))
			continue;
		if (n == COUNT(v) || bg->left < PARAM_COST) {
			bg->limited = true;
			break;
		}
		skip_cfws(&s);
		bg->left -= PARAM_COST;
		v[n].name = keep(bg, name);
		v[n].value = str_cut_prefix(&s, STR("\"")) ? cut_quoted(bg, &s)
							   : cut_bare(bg, &s);
		n++;
	}
	*out_n = n;
	*out = NULL;
	if (n > 0) {
		*out = arena_alloc(bg->a, n * sizeof(v[0]));
		memcpy(*out, v, n * sizeof(v[0]));
	}
}

void
mime_fields_default(struct mail_part *part, bool digest)
{
	static const struct mail_param ascii[] = { { STR_INIT("charset"),
	    STR_INIT("us-ascii") } };

	part->encoding = STR("7bit");
	if (digest) { /* RFC 2046 section 5.1.5 */
		part->kind = MAIL_PART_MESSAGE;
		part->type = STR("message");
		part->subtype = STR("rfc822");
		return;
	}
	part->kind = MAIL_PART_TEXT;
	part->type = STR("text");
	part->subtype = STR("plain");
	part->param = ascii;
	part->nparam = COUNT(ascii);
}

static enum mail_part_kind
kind_of(const struct mail_part *part)
{
	if (str_ieq(part->type, STR("multipart")))
		return MAIL_PART_MULTIPART;
	if (str_ieq(part->type, STR("text")))
		return MAIL_PART_TEXT;
	if (str_ieq(part->type, STR("message")) &&
	    str_ieq(part->subtype, STR("rfc822")))
		return MAIL_PART_MESSAGE;
	return MAIL_PART_LEAF;
}

static void
on_type(struct mime_budget *bg, struct str v, struct mail_part *part)
{
	struct mail_param *param;
	struct str type, subtype;

	skip_cfws(&v);
	type = cut_token(&v);
	skip_cfws(&v);
	if (type.n == 0 || !str_cut_prefix(&v, STR("/")))
		return; /* RFC 2045 section 5.2: the default */
	skip_cfws(&v);
	subtype = cut_token(&v);
	if (subtype.n == 0)
		return;
	part->type = keep(bg, type);
	part->subtype = keep(bg, subtype);
	part->kind = kind_of(part);
	read_params(bg, v, &param, &part->nparam);
	part->param = param;
}

static void
on_disposition(struct mime_budget *bg, struct str v, struct mail_part *part)
{
	struct mail_param *param;
	struct str token;

	skip_cfws(&v);
	token = cut_token(&v);
	if (token.n == 0)
		return;
	part->disposition = keep(bg, token);
	read_params(bg, v, &param, &part->ndparam);
	part->dparam = param;
}

static void
on_encoding(struct mime_budget *bg, struct str v, struct mail_part *part)
{
	struct str token;

	skip_cfws(&v);
	token = cut_token(&v);
	if (token.n > 0)
		part->encoding = keep(bg, token);
}

static void
on_id(struct mime_budget *bg, struct str v, struct mail_part *part)
{
	part->id = keep_unfolded(bg, v);
}

static void
on_description(struct mime_budget *bg, struct str v, struct mail_part *part)
{
	part->description = keep_unfolded(bg, v);
}

static void
on_md5(struct mime_budget *bg, struct str v, struct mail_part *part)
{
	part->md5 = keep_unfolded(bg, v);
}

static void
on_location(struct mime_budget *bg, struct str v, struct mail_part *part)
{
	part->location = keep_unfolded(bg, v);
}

/* RFC 3282: tags between commas. */
static void
on_language(struct mime_budget *bg, struct str v, struct mail_part *part)
{
	struct str tags[MAIL_MIME_PARAMS_MAX];
	struct str *all;
	size_t n = 0;

	while (v.n > 0 && n < COUNT(tags) && bg->left >= PARAM_COST) {
		struct str tag;

		skip_cfws(&v);
		tag = cut_token(&v);
		if (tag.n > 0) {
			bg->left -= PARAM_COST;
			tags[n++] = keep(bg, tag);
		}
		v = str_from(v, str_chr(v, ',') + 1);
	}
	if (n == 0)
		return;
	all = arena_alloc(bg->a, n * sizeof(tags[0]));
	memcpy(all, tags, n * sizeof(tags[0]));
	part->language = all;
	part->nlanguage = n;
}

static const struct content_field {
	struct str name; /* behind "Content-" */
	void (*read)(struct mime_budget *, struct str, struct mail_part *);
} content_fields[] = {
	{ STR_INIT("Type"), on_type },
	{ STR_INIT("Transfer-Encoding"), on_encoding },
	{ STR_INIT("Disposition"), on_disposition },
	{ STR_INIT("ID"), on_id },
	{ STR_INIT("Description"), on_description },
	{ STR_INIT("MD5"), on_md5 },
	{ STR_INIT("Language"), on_language },
	{ STR_INIT("Location"), on_location },
};

#define ENV(member) offsetof(struct mail_envelope, member)

static const struct envelope_field {
	struct str name;
	size_t offset;
	bool join; /* an address field: all of them count */
} envelope_fields[] = {
	{ STR_INIT("Date"), ENV(date), false },
	{ STR_INIT("Subject"), ENV(subject), false },
	{ STR_INIT("From"), ENV(from), true },
	{ STR_INIT("Sender"), ENV(sender), true },
	{ STR_INIT("Reply-To"), ENV(reply_to), true },
	{ STR_INIT("To"), ENV(to), true },
	{ STR_INIT("Cc"), ENV(cc), true },
	{ STR_INIT("Bcc"), ENV(bcc), true },
	{ STR_INIT("In-Reply-To"), ENV(in_reply_to), false },
	{ STR_INIT("Message-ID"), ENV(message_id), false },
	{ STR_INIT("References"), ENV(references), false },
};

/* Append ", value" to *at; the copy counts in the budget like new bytes. */
static void
join(struct mime_budget *bg, struct str *at, struct str value)
{
	size_t cost = at->n + 2 + value.n;

	if (cost > MIN(bg->left, MAIL_MIME_FIELD_MAX)) {
		bg->limited = true;
		return;
	}
	bg->left -= cost;
	*at = str_cat(bg->a, str_cat(bg->a, *at, STR(", ")),
	    mail_header_unfold(bg->a, value));
}

static void
read_envelope_field(struct mime_budget *bg, const struct mail_field *f,
    struct mail_envelope *env)
{
	for (size_t i = 0; i < COUNT(envelope_fields); i++) {
		const struct envelope_field *row = &envelope_fields[i];
		struct str *at = (struct str *)((char *)env + row->offset);

		if (!str_ieq(f->name, row->name))
			continue;
		if (at->p == NULL)
			*at = keep_unfolded(bg, f->value);
		else if (row->join)
			join(bg, at, f->value);
		return;
	}
}

void
mime_fields_read(struct mime_budget *bg, struct str block, bool digest,
    struct mail_part *part)
{
	bool seen[COUNT(content_fields)] = { false };
	struct mail_header_iter it = { block };
	struct mail_envelope *env = part->envelope;
	struct mail_field f;

	mime_fields_default(part, digest);
	while (mail_header_next(&it, &f)) {
		struct str name = f.name;

		if (!str_cut_iprefix(&name, STR("Content-"))) {
			if (env != NULL)
				read_envelope_field(bg, &f, env);
			continue;
		}
		for (size_t i = 0; i < COUNT(content_fields); i++) {
			if (seen[i] || !str_ieq(name, content_fields[i].name))
				continue;
			seen[i] = true;
			content_fields[i].read(bg, f.value, part);
			break;
		}
	}
	if (env != NULL && env->date.p != NULL)
		env->date_valid =
		    mail_date_parse(env->date, &env->when) == RC_OK;
}
