/* str, buf, arena, deadline, fd. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/lib/test.h"

#define S STR_INIT

static void
slices_compare_by_bytes(void **state)
{
	(void)state;
	assert_true(str_eq(STR("a\0b"), STR("a\0b")));
	assert_false(str_eq(STR("a\0b"), STR("a\0c")));
	assert_false(str_eq(STR("a"), STR("a\0")));
	assert_true(str_eq(STR_NULL, STR("")));
	assert_true(str_ieq(STR("MiXed@\xc3"), STR("mIxED@\xc3")));
	/* Only ASCII letters have case: '@' + 32 is '`', no letter. */
	assert_false(str_ieq(STR("@["), STR("`{")));
	assert_false(str_ieq(STR("\xc4"), STR("\xe4")));
	assert_true(str_cmp(STR("a"), STR("ab")) < 0);
	assert_true(str_cmp(STR("b"), STR("ab")) > 0);
	assert_true(str_cmp(STR("\xff"), STR("a")) > 0);
	assert_int_equal(str_cmp(STR_NULL, STR_NULL), 0);
	assert_int_equal(str_icmp(STR("ABC"), STR("abc")), 0);
	assert_true(str_icmp(STR("aC"), STR("AB")) > 0);
	assert_true(str_has_prefix(STR("abc"), STR("ab")));
	assert_false(str_has_prefix(STR("a"), STR("ab")));
	assert_true(str_has_iprefix(STR("Content-Type"), STR("CONTENT")));
	assert_true(str_has_isuffix(STR("x@Example.ORG"), STR("example.org")));
	assert_false(str_has_isuffix(STR("org"), STR("example.org")));
	assert_true(str_eq_secret(STR("abc"), STR("abc")));
	assert_false(str_eq_secret(STR("abc"), STR("abd")));
	assert_false(str_eq_secret(STR("abc"), STR("ab")));
	assert_true(str_hash(STR("")) == 0xcbf29ce484222325u);
	assert_true(str_hash(STR("a")) == 0xaf63dc4c8601ec8cu);
}

static void
searching_stays_inside(void **state)
{
	struct str s = STR("a\0bab");

	(void)state;
	assert_int_equal(str_chr(s, 'b'), 2);
	assert_int_equal(str_chr(s, '\0'), 1);
	assert_int_equal(str_chr(s, 'x'), s.n);
	assert_int_equal(str_rchr(s, 'a'), 3);
	assert_int_equal(str_chr(STR_NULL, 'a'), 0);
	assert_int_equal(str_find(s, STR("ab")), 3);
	assert_int_equal(str_find(s, STR("ba\0")), s.n);
	assert_int_equal(str_find(s, STR("")), 0);
	assert_int_equal(str_find(STR_NULL, STR("a")), 0);
	assert_int_equal(str_ifind(STR("xAbC"), STR("aBc")), 1);
	assert_int_equal(str_ifind(STR("ab"), STR("abc")), 2);
	assert_str(str_sub(s, 2, 100), "bab");
	assert_str(str_sub(s, 100, 1), "");
	assert_str(str_from(s, 3), "ab");
	assert_null(str_sub(STR_NULL, 1, 1).p);
	assert_str(str_trim(STR(" \t a b\t ")), "a b");
	assert_str(str_trim(STR(" \t")), "");
}

static void
cutting_takes_words_and_fields(void **state)
{
	struct str s = STR("MAIL   FROM:<x>"), out, list = STR("a,,b,");

	(void)state;
	assert_str(str_word(&s), "MAIL");
	assert_false(str_cut_prefix(&s, STR("from:")));
	assert_true(str_cut_iprefix(&s, STR("from:")));
	assert_str(s, "<x>");
	assert_str(str_word(&s), "<x>");
	assert_str(str_word(&s), "");
	assert_true(str_split(&list, ',', &out));
	assert_str(out, "a");
	assert_true(str_split(&list, ',', &out));
	assert_str(out, "");
	assert_true(str_split(&list, ',', &out));
	assert_str(out, "b");
	assert_true(str_split(&list, ',', &out));
	assert_str(out, "");
	assert_false(str_split(&list, ',', &out));
}

static void
numbers_are_digits_and_bounded(void **state)
{
	static const struct {
		struct str s;
		uint64_t max;
		enum rc rc;
		uint64_t v;
	} rows[] = {
		{ S("0"), 0, RC_OK, 0 },
		{ S("007"), 7, RC_OK, 7 },
		{ S("18446744073709551615"), UINT64_MAX, RC_OK, UINT64_MAX },
		{ S("18446744073709551616"), UINT64_MAX, RC_BAD, 0 },
		{ S("99999999999999999999"), UINT64_MAX, RC_BAD, 0 },
		{ S("000000000000000000001"), 9, RC_BAD, 0 },
		{ S("8"), 7, RC_BAD, 0 },
		{ S(""), 9, RC_BAD, 0 },
		{ S("-1"), 9, RC_BAD, 0 },
		{ S("+1"), 9, RC_BAD, 0 },
		{ S(" 1"), 9, RC_BAD, 0 },
		{ S("1\0"), 99, RC_BAD, 0 },
		{ S("0x1"), 9, RC_BAD, 0 },
		{ S("\xb1"), 9, RC_BAD, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint64_t v = 77;

		assert_rc(str_u64(rows[i].s, rows[i].max, &v), rows[i].rc);
		assert_true(v == (rows[i].rc == RC_OK ? rows[i].v : 77));
	}
}

static void
utf8_is_well_formed_or_not(void **state)
{
	static const struct {
		struct str s;
		bool good;
	} rows[] = {
		{ S(""), true },
		{ S("a\0b"), true },
		{ S("\x7f"), true },
		{ S("\x80"), false },
		{ S("\xc2\x80"), true },
		{ S("\xc1\xbf"), false }, /* overlong */
		{ S("\xc3"), false },
		{ S("\xc3("), false },
		{ S("\xe0\xa0\x80"), true },
		{ S("\xe0\x9f\xbf"), false },
		{ S("\xed\x9f\xbf"), true },
		{ S("\xed\xa0\x80"), false }, /* surrogate */
		{ S("\xef\xbf\xbf"), true },
		{ S("\xe2\x82"), false },
		{ S("\xf0\x90\x80\x80"), true },
		{ S("\xf0\x8f\xbf\xbf"), false },
		{ S("\xf4\x8f\xbf\xbf"), true },
		{ S("\xf4\x90\x80\x80"), false },
		{ S("\xf5\x80\x80\x80"), false },
		{ S("\xf0\x9f\x98"), false },
		{ S("\xff"), false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (str_is_utf8(rows[i].s) != rows[i].good)
			fail_msg("row %zu", i);
	assert_true(str_is_ascii(STR("a\0~")));
	assert_false(str_is_ascii(STR("a\x80")));
}

static void
base64_is_strict_both_ways(void **state)
{
	/* RFC 4648 section 10. */
	static const struct {
		struct str raw, text;
	} rows[] = {
		{ S(""), S("") },
		{ S("f"), S("Zg==") },
		{ S("fo"), S("Zm8=") },
		{ S("foo"), S("Zm9v") },
		{ S("foob"), S("Zm9vYg==") },
		{ S("fooba"), S("Zm9vYmE=") },
		{ S("foobar"), S("Zm9vYmFy") },
		{ S("\0\xff\xfe"), S("AP/+") },
	};
	static const struct str bad[] = { S("Z"), S("Zg"), S("Zg="),
		S("Zg==Zg=="), S("Zh=="), S("Zm9="), S("Zm9v\n"), S("Zm 9"),
		S("===="), S("A==="), S("Zm9v="), S("Zm-_"), S("Zg\0=") };
	AUTO_ARENA a = { 0 };
	struct str out;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_true(str_eq(str_b64(&a, rows[i].raw), rows[i].text));
		assert_rc(str_unb64(&a, rows[i].text, &out), RC_OK);
		assert_true(str_eq(out, rows[i].raw));
	}
	for (size_t i = 0; i < COUNT(bad); i++)
		if (str_unb64(&a, bad[i], &out) != RC_BAD)
			fail_msg("\"%.*s\" was taken", STRF(bad[i]));
}

static void
hex_is_strict_both_ways(void **state)
{
	AUTO_ARENA a = { 0 };
	struct str out;

	(void)state;
	assert_str(str_hex(&a, STR("\0\x9f\xff")), "009fff");
	assert_rc(str_unhex(&a, STR("009fFF"), &out), RC_OK);
	assert_str(out, "\0\x9f\xff");
	assert_rc(str_unhex(&a, STR("0"), &out), RC_BAD);
	assert_rc(str_unhex(&a, STR("0g"), &out), RC_BAD);
	assert_rc(str_unhex(&a, STR("0x"), &out), RC_BAD);
	assert_rc(str_unhex(&a, STR(""), &out), RC_OK);
	assert_int_equal(out.n, 0);
}

static void
copies_end_with_nul_and_refuse_it_inside(void **state)
{
	AUTO_ARENA a = { 0 };
	const char *c = NULL;
	char big[1000];
	struct str s;

	(void)state;
	memset(big, 'x', sizeof(big));
	assert_rc(str_cstr(&a, STR("abc"), &c), RC_OK);
	assert_string_equal(c, "abc");
	assert_rc(str_cstr(&a, STR("a\0c"), &c), RC_BAD);
	assert_rc(str_cstr(&a, STR_NULL, &c), RC_OK);
	assert_string_equal(c, "");
	s = str_fmt(&a, "%.*s!", (int)sizeof(big), big);
	assert_int_equal(s.n, sizeof(big) + 1);
	assert_int_equal(s.p[s.n], '\0');
	assert_str(str_fmt(&a, "%d-%s", 5, "x"), "5-x");
	assert_str(str_cat(&a, STR("a\0"), STR("b")), "a\0b");
	assert_str(str_lower(&a, STR("\xc4Z[\0A")), "\xc4z[\0a");
}

static void
a_buffer_keeps_to_its_cap(void **state)
{
	AUTO_BUF b;

	(void)state;
	buf_init(&b, 10);
	assert_rc(buf_add(&b, STR("12345678")), RC_OK);
	assert_rc(buf_add(&b, STR("abc")), RC_BAD);
	assert_str(buf_str(&b), "12345678");
	assert_rc(buf_fmt(&b, "%d", 12), RC_OK);
	assert_rc(buf_add_char(&b, 'x'), RC_BAD);
	assert_rc(buf_reserve(&b, SIZE_MAX), RC_BAD);
	assert_rc(buf_fmt(&b, "%s", "x"), RC_BAD);
	buf_consume(&b, 3);
	assert_str(buf_str(&b), "4567812");
	buf_consume(&b, 100);
	assert_int_equal(b.n, 0);
	assert_true(b.size <= 10);
	buf_release(&b);
	assert_int_equal(b.cap, 10);
	assert_rc(buf_add(&b, STR("x")), RC_OK);
	buf_clear(&b);
	assert_int_equal(b.n, 0);
}

static void
a_long_format_goes_in_whole_or_not_at_all(void **state)
{
	AUTO_BUF b;
	char big[2000];

	(void)state;
	memset(big, 'y', sizeof(big));
	buf_init(&b, 1500);
	assert_rc(buf_fmt(&b, "%.*s", 1500, big), RC_OK);
	assert_int_equal(b.n, 1500);
	buf_clear(&b);
	assert_rc(buf_fmt(&b, "%.*s", 1501, big), RC_BAD);
	assert_int_equal(b.n, 0);
}

static void
an_arena_gives_aligned_memory_and_forgets_it_all(void **state)
{
	AUTO_ARENA a = { 0 };
	size_t kept;

	(void)state;
	for (size_t i = 0; i < 1000; i++) {
		char *p = arena_alloc(&a, i);

		assert_int_equal((uintptr_t)p % 16, 0);
		memset(p, 0xff, i);
	}
	for (size_t i = 0; i < 64; i++)
		assert_int_equal(((char *)arena_calloc(&a, 8, 8))[i], 0);
	assert_true(a.used > 400000);
	arena_reset(&a);
	kept = a.used;
	assert_true(kept > 0 && kept <= 4096);
	memset(arena_alloc(&a, 100000), 1, 100000);
	arena_reset(&a);
	assert_true(a.used <= kept);
	arena_free(&a);
	assert_int_equal(a.used, 0);
}

static void
deadlines_count_down_to_nothing(void **state)
{
	struct deadline past = { now_ns() - 1 }, soon = deadline_in(1000);
	struct deadline never = { INT64_MAX };

	(void)state;
	assert_true(deadline_over(past));
	assert_int_equal(deadline_left_ms(past), 0);
	assert_false(deadline_over(soon));
	assert_true(
	    deadline_left_ms(soon) > 900 && deadline_left_ms(soon) <= 1000);
	assert_int_equal(deadline_left_ms(never), INT32_MAX);
	assert_true(deadline_min(past, soon).at_ns == past.at_ns);
	assert_true(deadline_min(soon, past).at_ns == past.at_ns);
	assert_true(now_unix() == now_unix_ms() / 1000 ||
		    now_unix() == now_unix_ms() / 1000 - 1);
}

static void
descriptors_are_taken_and_closed(void **state)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC), was = fd;

	(void)state;
	assert_int_equal(take(&fd), was);
	assert_int_equal(fd, -1);
	{
		AUTO_FD mine = was;

		assert_true(fcntl(mine, F_GETFD) >= 0);
	}
	assert_true(fcntl(was, F_GETFD) < 0 && errno == EBADF);
	errno = 5;
	fd_close(&fd);
	assert_int_equal(errno, 5);
}

static void
files_are_read_whole_or_not(void **state)
{
	AUTO_ARENA a = { 0 };
	AUTO_FD fd = memfd_create("t", MFD_CLOEXEC);
	AUTO_FD bad = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct str s;
	char c[4];

	(void)state;
	assert_rc(fd_pwrite_all(fd, STR("hello"), 3), RC_OK);
	assert_rc(fd_read_file(&a, fd, 8, &s), RC_OK);
	assert_str(s, "\0\0\0hello");
	assert_int_equal(s.p[s.n], '\0');
	assert_rc(fd_read_file(&a, fd, 7, &s), RC_BAD);
	assert_rc(fd_pread_all(fd, c, 4, 4), RC_OK);
	assert_memory_equal(c, "ello", 4);
	assert_rc(fd_pread_all(fd, c, 4, 5), RC_NOENT);
	assert_rc(fd_write_all(bad, STR("x")), RC_TEMP);
	assert_rc(fd_write_all(bad, STR("")), RC_OK);
}

static void
only_a_sealed_memfd_passes_for_one(void **state)
{
	AUTO_FD sealed = fd_sealed("t", STR("text"));
	AUTO_FD open_one = memfd_create("t", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	AUTO_FD file = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_true(fd_is_sealed(sealed));
	assert_false(fd_is_sealed(open_one));
	assert_int_equal(
	    fcntl(open_one, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK), 0);
	assert_false(fd_is_sealed(open_one)); /* it may grow */
	assert_false(fd_is_sealed(file));
	assert_false(fd_is_sealed(-1));
	assert_true(pwrite(sealed, "x", 1, 0) < 0);
	assert_true(ftruncate(sealed, 0) < 0);
}

static void
waiting_ends_at_the_deadline(void **state)
{
	int p[2];

	(void)state;
	assert_int_equal(pipe(p), 0);
	assert_rc(fd_wait(p[0], POLLIN, deadline_in(10)), RC_TEMP);
	assert_int_equal(errno, ETIMEDOUT);
	assert_rc(fd_wait(p[1], POLLOUT, deadline_in(10)), RC_OK);
	assert_int_equal(write(p[1], "x", 1), 1);
	assert_rc(fd_wait(p[0], POLLIN, deadline_in(0)), RC_OK);
	close(p[0]);
	close(p[1]);
}

static void
results_have_names(void **state)
{
	(void)state;
	assert_string_equal(rc_name(RC_OK), "ok");
	assert_string_equal(rc_name(RC_TEMP), "temp");
	assert_string_equal(rc_name((enum rc)99), "?");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slices_compare_by_bytes),
		cmocka_unit_test(searching_stays_inside),
		cmocka_unit_test(cutting_takes_words_and_fields),
		cmocka_unit_test(numbers_are_digits_and_bounded),
		cmocka_unit_test(utf8_is_well_formed_or_not),
		cmocka_unit_test(base64_is_strict_both_ways),
		cmocka_unit_test(hex_is_strict_both_ways),
		cmocka_unit_test(copies_end_with_nul_and_refuse_it_inside),
		cmocka_unit_test(a_buffer_keeps_to_its_cap),
		cmocka_unit_test(a_long_format_goes_in_whole_or_not_at_all),
		cmocka_unit_test(
		    an_arena_gives_aligned_memory_and_forgets_it_all),
		cmocka_unit_test(deadlines_count_down_to_nothing),
		cmocka_unit_test(descriptors_are_taken_and_closed),
		cmocka_unit_test(files_are_read_whole_or_not),
		cmocka_unit_test(only_a_sealed_memfd_passes_for_one),
		cmocka_unit_test(waiting_ends_at_the_deadline),
		cmocka_unit_test(results_have_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
