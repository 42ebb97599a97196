/* Decoders give the same however the input is cut; text comes out as UTF-8. */
#include "mail/search.h"
#include "tests/fuzz/fuzz.h"

static const struct str charsets[] = { STR_INIT("utf-8"),
	STR_INIT("iso-8859-1"), STR_INIT("windows-1252"),
	STR_INIT("iso-2022-jp"), STR_INIT("gb2312"), STR_INIT("shift_jis"),
	STR_INIT("koi8-r"), STR_INIT("utf-16"), STR_INIT("big5"),
	STR_INIT("euc-kr") };

static void
run_cte(enum mail_cte cte, struct str in, uint32_t seed, struct buf *out)
{
	struct mail_b64 b64 = { 0, 0 };
	struct mail_qp qp = { 0 };
	enum rc rc = RC_OK;

	buf_init(out, in.n * 2 + 8192);
	while (in.n > 0 && rc == RC_OK) {
		struct str piece =
		    str_sub(in, 0, seed ? fuzz_piece(&seed) : in.n);

		in = str_from(in, piece.n);
		rc = cte == MAIL_CTE_B64 ? mail_b64_feed(&b64, piece, out)
					 : mail_qp_feed(&qp, piece, out);
	}
	PROMISE(rc == RC_OK);
	if (cte == MAIL_CTE_QP)
		PROMISE(mail_qp_end(&qp, out) == RC_OK);
}

static void
run_charset(struct str name, struct str in, uint32_t seed, struct buf *out)
{
	struct mail_charset *c;

	buf_init(out, in.n * 64 + 8192);
	if (mail_charset_new(name, &c) != RC_OK)
		return;
	while (in.n > 0) {
		struct str piece =
		    str_sub(in, 0, seed ? fuzz_piece(&seed) : in.n);

		in = str_from(in, piece.n);
		PROMISE(mail_charset_feed(c, piece, out) == RC_OK);
	}
	PROMISE(mail_charset_end(c, out) == RC_OK);
	mail_charset_free(&c);
	PROMISE(str_is_utf8(buf_str(out)));
}

static bool
run_search(const struct mail_needle *nd, enum mail_cte cte, struct str charset,
    struct str in, uint32_t seed)
{
	struct mail_search *s = mail_search_new(nd, cte, charset);
	bool found;

	while (in.n > 0) {
		struct str piece =
		    str_sub(in, 0, seed ? fuzz_piece(&seed) : in.n);

		in = str_from(in, piece.n);
		mail_search_feed(s, piece);
	}
	found = mail_search_end(s);
	mail_search_free(&s);
	return found;
}

static void
check_search(
    struct str charset, struct str in, enum mail_cte cte, uint32_t seed)
{
	struct mail_needle nd;
	AUTO_ARENA a = { 0 };
	struct str word = str_sub(in, 0, 1 + seed % 7);

	if (mail_needle_init(&a, word, &nd) != RC_OK)
		return;
	PROMISE(mail_needle_in(&nd, word));
	PROMISE(run_search(&nd, cte, charset, in, 0) ==
		run_search(&nd, cte, charset, in, seed));
}

static void
same(struct buf *x, struct buf *y)
{
	PROMISE(str_eq(buf_str(x), buf_str(y)));
	buf_free(x);
	buf_free(y);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_n(data, size);
	struct str charset = charsets[fuzz_byte(&in) % COUNT(charsets)];
	uint32_t seed = fuzz_byte(&in) + 1u;
	struct buf x, y;

	run_cte(MAIL_CTE_B64, in, 0, &x);
	run_cte(MAIL_CTE_B64, in, seed, &y);
	same(&x, &y);
	run_cte(MAIL_CTE_QP, in, 0, &x);
	run_cte(MAIL_CTE_QP, in, seed, &y);
	same(&x, &y);
	run_charset(charset, in, 0, &x);
	run_charset(charset, in, seed, &y);
	same(&x, &y);
	run_charset(STR("utf-7"), in, seed, &x); /* see charset.c */
	buf_free(&x);
	buf_init(&x, in.n * 64 + 8192);
	PROMISE(mail_words_decode(in, &x) == RC_OK);
	PROMISE(str_is_utf8(buf_str(&x)));
	buf_free(&x);
	for (int cte = MAIL_CTE_IDENTITY; cte <= MAIL_CTE_QP; cte++)
		check_search(charset, in, (enum mail_cte)cte, seed);
	return 0;
}
