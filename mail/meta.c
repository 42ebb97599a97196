/*
 * The blob is the parse tree in pre-order.  Numbers are LEB128 with at most ten
 * bytes; an optional string is 0 for absent, else its length + 1 and its bytes;
 * signed numbers are zigzag.
 *
 *	blob     version=1 flags size lines nparts [date zone] envelope part
 *	flags    1 NUL  2 8-bit  4 limited  8 the date is valid
 *	envelope 11 strings in the order of struct mail_envelope
 *	part     kind off header_len body_len body_lines
 *	         type subtype id description encoding md5 disposition location
 *	         params dparams languages [inner date + envelope] nchild part*
 *
 * `off` is the header's distance from the parent's body.  An inner message (the
 * child of a message/rfc822 part) carries its envelope.  The decoder trusts
 * nothing: every count is checked against the bytes that are left before it
 * allocates, offsets must lie inside the parent, depth is bounded, and the
 * whole blob must be used up.
 */
#include <string.h>

#include "mail/meta.h"

#define FLAG_NUL     1u
#define FLAG_8BIT    2u
#define FLAG_LIMITED 4u
#define FLAG_DATE    8u

#define DEPTH_MAX (MAIL_MIME_DEPTH_MAX + 2)
#define PARTS_MAX (MAIL_MIME_PARTS_MAX + 2)

/* All optional strings of the envelope, in the order of the format. */
static const size_t envelope_members[] = {
	offsetof(struct mail_envelope, date),
	offsetof(struct mail_envelope, subject),
	offsetof(struct mail_envelope, from),
	offsetof(struct mail_envelope, sender),
	offsetof(struct mail_envelope, reply_to),
	offsetof(struct mail_envelope, to),
	offsetof(struct mail_envelope, cc),
	offsetof(struct mail_envelope, bcc),
	offsetof(struct mail_envelope, in_reply_to),
	offsetof(struct mail_envelope, message_id),
	offsetof(struct mail_envelope, references),
};

static const size_t part_members[] = {
	offsetof(struct mail_part, type),
	offsetof(struct mail_part, subtype),
	offsetof(struct mail_part, id),
	offsetof(struct mail_part, description),
	offsetof(struct mail_part, encoding),
	offsetof(struct mail_part, md5),
	offsetof(struct mail_part, disposition),
	offsetof(struct mail_part, location),
};

/*
 * Writing.  A full buffer is remembered and the rest of the calls do nothing,
 * so that the format can be read off the code.
 */
struct writer {
	struct buf *out;
	enum rc rc;
};

static void
put_bytes(struct writer *w, struct str s)
{
	if (w->rc == RC_OK)
		w->rc = buf_add(w->out, s);
}

static void
put_num(struct writer *w, uint64_t v)
{
	char room[10];
	size_t n = 0;

	for (; v >= 0x80; v >>= 7)
		room[n++] = (char)(v | 0x80);
	room[n++] = (char)v;
	put_bytes(w, str_n(room, n));
}

static void
put_signed(struct writer *w, int64_t v)
{
	put_num(w, ((uint64_t)v << 1) ^ (v < 0 ? UINT64_MAX : 0));
}

static void
put_str(struct writer *w, struct str s)
{
	put_num(w, s.p == NULL ? 0 : (uint64_t)s.n + 1);
	if (s.p != NULL)
		put_bytes(w, s);
}

static void
put_members(struct writer *w, const void *base, const size_t *at, size_t n)
{
	for (size_t i = 0; i < n; i++)
		put_str(w, *(const struct str *)((const char *)base + at[i]));
}

static void
put_params(struct writer *w, const struct mail_param *v, size_t n)
{
	put_num(w, n);
	for (size_t i = 0; i < n; i++) {
		put_str(w, v[i].name);
		put_str(w, v[i].value);
	}
}

static void
put_envelope(struct writer *w, const struct mail_envelope *env)
{
	if (env->date_valid) {
		put_signed(w, env->when.unixtime);
		put_signed(w, env->when.zone);
	}
	put_members(w, env, envelope_members, COUNT(envelope_members));
}

static void
put_part(struct writer *w, const struct mail_part *p)
{
	const struct mail_part *up = p->parent;
	uint64_t base = up ? up->header_off + up->header_len : 0;
	size_t nchild = 0;

	put_num(w, p->kind);
	put_num(w, p->header_off - base);
	put_num(w, p->header_len);
	put_num(w, p->body_len);
	put_num(w, p->body_lines);
	put_members(w, p, part_members, COUNT(part_members));
	put_params(w, p->param, p->nparam);
	put_params(w, p->dparam, p->ndparam);
	put_num(w, p->nlanguage);
	for (size_t i = 0; i < p->nlanguage; i++)
		put_str(w, p->language[i]);
	if (up != NULL && up->kind == MAIL_PART_MESSAGE) {
		put_num(w, p->envelope->date_valid);
		put_envelope(w, p->envelope);
	}
	for (const struct mail_part *c = p->child; c != NULL; c = c->next)
		nchild++;
	put_num(w, nchild);
}

/* The next part in pre-order. */
static const struct mail_part *
after(const struct mail_part *p)
{
	if (p->child != NULL)
		return p->child;
	while (p != NULL && p->next == NULL)
		p = p->parent;
	return p ? p->next : NULL;
}

enum rc
mail_meta_encode(const struct mail_meta *meta, struct buf *out)
{
	const struct mail_envelope *env = meta->root->envelope;
	struct writer w = { out, RC_OK };
	size_t start = out->n;

	put_num(&w, MAIL_META_VERSION);
	put_num(&w, (meta->has_nul ? FLAG_NUL : 0) |
			(meta->has_8bit ? FLAG_8BIT : 0) |
			(meta->limited ? FLAG_LIMITED : 0) |
			(env->date_valid ? FLAG_DATE : 0));
	put_num(&w, meta->size);
	put_num(&w, meta->lines);
	put_num(&w, meta->nparts);
	put_envelope(&w, env);
	for (const struct mail_part *p = meta->root; p && w.rc == RC_OK;
	     p = after(p))
		put_part(&w, p);
	if (w.rc == RC_OK && out->n - start > MAIL_META_MAX)
		w.rc = RC_BAD;
	if (w.rc != RC_OK)
		out->n = start;
	return w.rc;
}

/*
 * Reading.  Here too the first fault is remembered; every number is 0 and every
 * string absent from then on.
 */
struct reader {
	struct arena *a;
	struct str s;
	bool bad;
	size_t nparts; /* how many were read */
};

static uint64_t
get_num(struct reader *r)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 64 && r->s.n > 0; shift += 7) {
		unsigned char c = (unsigned char)r->s.p[0];

		r->s.p++;
		r->s.n--;
		if (shift == 63 && c > 1)
			break;
		v |= (uint64_t)(c & 0x7f) << shift;
		if (c < 0x80)
			return r->bad ? 0 : v;
	}
	r->bad = true;
	return 0;
}

static int64_t
get_signed(struct reader *r)
{
	uint64_t v = get_num(r);

	return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

/* A number that counts things of at least one byte each, at most `max`. */
static size_t
get_count(struct reader *r, size_t max)
{
	uint64_t v = get_num(r);

	if (v > max || v > r->s.n) {
		r->bad = true;
		return 0;
	}
	return (size_t)v;
}

static struct str
get_str(struct reader *r)
{
	uint64_t v = get_num(r);
	struct str s;

	if (v == 0)
		return STR_NULL;
	if (--v > r->s.n) {
		r->bad = true;
		return STR_NULL;
	}
	s = str_sub(r->s, 0, (size_t)v);
	r->s = str_from(r->s, (size_t)v);
	return s;
}

static void
get_members(struct reader *r, void *base, const size_t *at, size_t n)
{
	for (size_t i = 0; i < n; i++)
		*(struct str *)((char *)base + at[i]) = get_str(r);
}

static const struct mail_param *
get_params(struct reader *r, size_t *out_n)
{
	size_t n = get_count(r, MAIL_MIME_PARAMS_MAX);
	struct mail_param *v = NULL;

	if (n > 0)
		v = arena_alloc(r->a, n * sizeof(*v));
	for (size_t i = 0; i < n; i++) {
		v[i].name = get_str(r);
		v[i].value = get_str(r);
		r->bad |= v[i].name.p == NULL || v[i].value.p == NULL;
	}
	*out_n = n;
	return v;
}

static const struct str *
get_languages(struct reader *r, size_t *out_n)
{
	size_t n = get_count(r, MAIL_MIME_PARAMS_MAX);
	struct str *v = NULL;

	if (n > 0)
		v = arena_alloc(r->a, n * sizeof(*v));
	for (size_t i = 0; i < n; i++) {
		v[i] = get_str(r);
		r->bad |= v[i].p == NULL;
	}
	*out_n = n;
	return v;
}

static struct mail_envelope *
get_envelope(struct reader *r, bool date_valid)
{
	struct mail_envelope *env = arena_calloc(r->a, 1, sizeof(*env));
	int64_t zone;

	if (date_valid) {
		env->date_valid = true;
		env->when.unixtime = get_signed(r);
		zone = get_signed(r);
		r->bad |= zone <= -1440 || zone >= 1440;
		env->when.zone = (int)zone;
	}
	get_members(r, env, envelope_members, COUNT(envelope_members));
	return env;
}

/* Positions must lie within the parent's body, or the message for the root. */
static void
get_place(struct reader *r, const struct mail_part *up, uint64_t size,
    struct mail_part *p)
{
	uint64_t base = up ? up->header_off + up->header_len : 0;
	uint64_t room = up ? up->body_len : size;
	uint64_t off = get_num(r);

	p->header_len = get_num(r);
	p->body_len = get_num(r);
	p->body_lines = get_num(r);
	if (off > room || p->header_len > room - off ||
	    p->body_len > room - off - p->header_len ||
	    p->body_lines > p->body_len / 2)
		r->bad = true;
	else
		p->header_off = base + off;
}

/* One part without its children; *out_nchild says how many follow. */
static struct mail_part *
get_part(
    struct reader *r, struct mail_part *up, uint64_t size, size_t *out_nchild)
{
	struct mail_part *p = arena_calloc(r->a, 1, sizeof(*p));
	size_t nchild;

	p->parent = up;
	p->kind = (enum mail_part_kind)get_count(r, MAIL_PART_MESSAGE);
	get_place(r, up, size, p);
	get_members(r, p, part_members, COUNT(part_members));
	r->bad |=
	    p->type.p == NULL || p->subtype.p == NULL || p->encoding.p == NULL;
	p->param = get_params(r, &p->nparam);
	p->dparam = get_params(r, &p->ndparam);
	p->language = get_languages(r, &p->nlanguage);
	if (up != NULL && up->kind == MAIL_PART_MESSAGE)
		p->envelope = get_envelope(r, get_count(r, 1) == 1);
	nchild = get_count(r, PARTS_MAX);
	r->bad |= p->kind == MAIL_PART_MESSAGE
		      ? nchild != 1
		      : p->kind != MAIL_PART_MULTIPART && nchild != 0;
	r->bad |= ++r->nparts > PARTS_MAX;
	*out_nchild = r->bad ? 0 : nchild;
	return p;
}

static struct mail_part *
get_tree(struct reader *r, uint64_t size)
{
	struct {
		struct mail_part **end; /* where the next child goes */
		size_t left;            /* children still to come */
		struct mail_part *part;
	} up[DEPTH_MAX];
	size_t depth = 0, nchild;
	struct mail_part *root = get_part(r, NULL, size, &nchild), *p = root;

	for (;;) {
		if (nchild > 0) {
			if (depth == COUNT(up)) {
				r->bad = true;
				return root;
			}
			up[depth].end = &p->child;
			up[depth].left = nchild;
			up[depth++].part = p;
		}
		while (depth > 0 && up[depth - 1].left == 0)
			depth--;
		if (depth == 0 || r->bad)
			return root;
		p = get_part(r, up[depth - 1].part, size, &nchild);
		*up[depth - 1].end = p;
		up[depth - 1].end = &p->next;
		up[depth - 1].left--;
	}
}

/* Everything in front of the tree; *out_env is the root's envelope. */
static enum rc
get_head(
    struct reader *r, struct mail_meta *out, struct mail_envelope **out_env)
{
	uint64_t flags;

	if (r->s.n > MAIL_META_MAX)
		return RC_BAD;
	if (get_num(r) != MAIL_META_VERSION)
		return r->bad ? RC_BAD : RC_NOENT;
	flags = get_num(r);
	*out = (struct mail_meta){ .size = get_num(r) };
	out->lines = get_num(r);
	out->nparts = (uint32_t)get_count(r, PARTS_MAX);
	out->has_nul = flags & FLAG_NUL;
	out->has_8bit = flags & FLAG_8BIT;
	out->limited = flags & FLAG_LIMITED;
	*out_env = get_envelope(r, flags & FLAG_DATE);
	return r->bad || flags > 15 ? RC_BAD : RC_OK;
}

enum rc
mail_meta_decode(struct arena *a, struct str blob, struct mail_meta *out)
{
	struct reader r = { a, str_dup(a, str_sub(blob, 0, MAIL_META_MAX + 1)),
		false, 0 };
	struct mail_envelope *env;
	struct mail_meta got;
	enum rc rc = get_head(&r, &got, &env);

	if (rc != RC_OK)
		return rc;
	got.root = get_tree(&r, got.size);
	got.root->envelope = env;
	if (r.bad || r.s.n > 0 || r.nparts != got.nparts)
		return RC_BAD;
	*out = got;
	return RC_OK;
}

enum rc
mail_meta_decode_head(struct arena *a, struct str blob, struct mail_meta *out)
{
	struct reader r = { a, blob, false, 0 };
	struct mail_envelope *env;
	struct mail_meta got;
	enum rc rc = get_head(&r, &got, &env);

	if (rc != RC_OK)
		return rc;
	for (size_t i = 0; i < COUNT(envelope_members); i++) {
		struct str *s =
		    (struct str *)((char *)env + envelope_members[i]);

		if (s->p != NULL)
			*s = str_dup(a, *s);
	}
	got.root = arena_calloc(a, 1, sizeof(*got.root));
	got.root->envelope = env;
	*out = got;
	return RC_OK;
}
