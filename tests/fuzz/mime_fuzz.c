/*
 * The structure does not depend on how the message was cut, lies within the
 * message, and survives being stored.
 */
#include "mail/meta.h"
#include "tests/fuzz/fuzz.h"

static void
check_part(const struct mail_part *p, uint64_t size)
{
	struct mail_span h = mail_part_header(p, 0), b = mail_part_body(p, 0);

	PROMISE(h.off + h.len == b.off && b.off + b.len <= size);
	PROMISE(p->body_lines <= b.len / 2);
	PROMISE(p->type.p && p->subtype.p && p->encoding.p);
	PROMISE((p->kind == MAIL_PART_MESSAGE) ==
		(str_ieq(p->type, STR("message")) &&
		    str_ieq(p->subtype, STR("rfc822"))));
	PROMISE(p->kind != MAIL_PART_MESSAGE ||
		(p->child && !p->child->next && p->child->envelope));
	for (const struct mail_part *c = p->child; c; c = c->next) {
		struct mail_span ch = mail_part_header(c, 0);
		struct mail_span cb = mail_part_body(c, 0);

		PROMISE(c->parent == p && ch.off >= b.off);
		PROMISE(cb.off + cb.len <= b.off + b.len);
		if (c->next)
			PROMISE(mail_part_header(c->next, 0).off >=
				cb.off + cb.len);
		check_part(c, size);
	}
}

static void
parse_pieces(
    struct arena *a, struct str in, uint32_t seed, struct mail_meta *out)
{
	struct mail_mime *m = mail_mime_new(a);

	for (size_t i = 0; i < in.n;) {
		size_t n = fuzz_piece(&seed);

		mail_mime_feed(m, str_sub(in, i, n));
		i += n;
	}
	mail_mime_end(m, out);
	mail_mime_free(&m);
}

static void
encode(const struct mail_meta *meta, struct buf *out)
{
	buf_init(out, MAIL_META_MAX);
	PROMISE(mail_meta_encode(meta, out) == RC_OK);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_n(data, size);
	uint32_t seed = fuzz_byte(&in) + 1u;
	struct mail_meta whole, cut, stored;
	AUTO_BUF x = { 0 };
	AUTO_BUF y = { 0 };
	AUTO_BUF z = { 0 };
	AUTO_ARENA a = { 0 };

	mail_mime_parse(&a, in, &whole);
	PROMISE(whole.size == in.n);
	PROMISE(whole.root->header_len + whole.root->body_len == in.n);
	check_part(whole.root, in.n);
	encode(&whole, &x);
	parse_pieces(&a, in, seed, &cut);
	encode(&cut, &y);
	PROMISE(str_eq(buf_str(&x), buf_str(&y)));
	PROMISE(mail_meta_decode(&a, buf_str(&x), &stored) == RC_OK);
	check_part(stored.root, in.n);
	encode(&stored, &z);
	PROMISE(str_eq(buf_str(&x), buf_str(&z)));
	return 0;
}
