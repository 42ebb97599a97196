/*
 * The decoder, whole and in pieces, against a plain one written from
 * RFC 5321 section 4.5.2 that looks at the whole input at once.
 */
#include "mail/dot.h"
#include "tests/fuzz/fuzz.h"

struct result {
	struct buf out;
	size_t used;
	bool done, bare;
};

static void
add(struct buf *b, struct str s)
{
	PROMISE(buf_add(b, s) == RC_OK);
}

static bool
crlf_at(struct str in, size_t i)
{
	return i + 1 < in.n && in.p[i] == '\r' && in.p[i + 1] == '\n';
}

/* Only called when the input has its end, or neither '.' nor CR at its end. */
static void
plain(struct str in, struct result *r)
{
	bool start = true;

	while (r->used < in.n) {
		size_t i = r->used;

		if (start && in.p[i] == '.') {
			if (crlf_at(in, i + 1)) {
				r->used = i + 3;
				r->done = true;
				return;
			}
			r->used++;
			start = false;
		} else if (crlf_at(in, i)) {
			add(&r->out, STR("\r\n"));
			r->used += 2;
			start = true;
		} else {
			r->bare |= in.p[i] == '\r' || in.p[i] == '\n';
			add(&r->out, str_sub(in, i, 1));
			r->used++;
			start = false;
		}
	}
}

static void
pieces(struct str in, uint32_t seed, struct result *r)
{
	struct mail_dot d;

	mail_dot_init(&d);
	while (r->used < in.n && !d.done) {
		size_t n = seed ? fuzz_piece(&seed) : in.n;
		struct str piece = str_sub(in, r->used, n), out;
		size_t had = piece.n;

		while (mail_dot_next(&d, &piece, &out)) {
			PROMISE(out.n > 0);
			add(&r->out, out);
		}
		PROMISE(piece.n == 0 || d.done);
		r->used += had - piece.n;
	}
	r->done = d.done;
	r->bare = d.crlf.bare;
}

static void
same(const struct result *x, const struct result *y)
{
	PROMISE(x->done == y->done && x->used == y->used);
	PROMISE(x->bare == y->bare);
	PROMISE(str_eq(buf_str(&x->out), buf_str(&y->out)));
}

static void
check_crlf(struct str in, uint32_t seed)
{
	struct mail_crlf c;
	bool bare = false;

	mail_crlf_init(&c);
	for (size_t i = 0; i < in.n;) {
		size_t n = fuzz_piece(&seed);

		mail_crlf_feed(&c, str_sub(in, i, n));
		i += n;
	}
	for (size_t i = 0; i < in.n; i++) {
		if (in.p[i] == '\n')
			bare |= i == 0 || in.p[i - 1] != '\r';
		if (in.p[i] == '\r')
			bare |= i + 1 < in.n && in.p[i + 1] != '\n';
	}
	PROMISE(c.bare == bare);
	PROMISE(mail_crlf_ok(&c) ==
		(!bare && (in.n == 0 || (in.n > 1 && crlf_at(in, in.n - 2)))));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_n(data, size);
	struct result want = { 0 }, whole = { 0 }, cut = { 0 };
	uint32_t seed = fuzz_byte(&in) + 1u;

	buf_init(&want.out, size + 1);
	buf_init(&whole.out, size + 1);
	buf_init(&cut.out, size + 1);
	plain(in, &want);
	pieces(in, 0, &whole);
	pieces(in, seed, &cut);
	same(&whole, &cut);
	/* At the end of the input the decoder still waits, plain() does not. */
	if (want.done ||
	    (in.n > 0 && in.p[in.n - 1] != '\r' && in.p[in.n - 1] != '.'))
		same(&want, &whole);
	check_crlf(in, seed);
	buf_free(&want.out);
	buf_free(&whole.out);
	buf_free(&cut.out);
	return 0;
}
