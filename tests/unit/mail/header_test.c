#include "tests/unit/mail/test.h"
#include "mail/header.h"

static const struct str block = S("From x@y Mon Jan  1\r\n"
				  "Received: one\r\n"
				  "received : two\r\n\t folded\r\n"
				  "no colon here\r\n"
				  "bad name: x\r\n"
				  "Subject:\r\n"
				  " a\r\n \r\n b \r\n"
				  "Delivered-To:\r\n <Anna@Example.org>\r\n"
				  "bare: a\nFrom: hidden\rb\r\n"
				  "\r\nFrom: body@x\r\n");

static void
fields_are_walked(void **state)
{
	static const struct {
		struct str name, value;
	} want[] = {
		{ S(""), S("From x@y Mon Jan  1") },
		{ S("Received"), S(" one") },
		{ S("received"), S(" two\r\n\t folded") },
		{ S(""), S("no colon here") },
		{ S(""), S("bad name: x") },
		{ S("Subject"), S("\r\n a\r\n \r\n b ") },
		{ S("Delivered-To"), S("\r\n <Anna@Example.org>") },
		{ S("bare"), S(" a\nFrom: hidden\rb") },
	};
	struct mail_header_iter it = { block };
	struct mail_field f;
	size_t sum = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(want); i++) {
		assert_true(mail_header_next(&it, &f));
		CHECK_STR(f.name, want[i].name);
		CHECK_STR(f.value, want[i].value);
		assert_ptr_equal(f.whole.p, block.p + sum);
		sum += f.whole.n;
	}
	assert_false(mail_header_next(&it, &f));
	assert_int_equal(mail_header_len(block), sum + 2);
}

static void
lookups(void **state)
{
	AUTO_ARENA a = { 0 };
	struct mail_field f;
	struct mail_hops hops = mail_header_hops(block);

	(void)state;
	assert_int_equal(hops.received, 2);
	assert_int_equal(hops.delivered_to, 1);
	assert_int_equal(mail_header_count(block, STR("RECEIVED")), 2);
	assert_int_equal(mail_header_count(block, STR("")), 0);
	assert_false(mail_header_find(block, STR("From"), &f));
	assert_true(mail_header_find(block, STR("subject"), &f));
	CHECK_STR(mail_header_unfold(&a, f.value), STR("a  b"));
	assert_true(mail_header_delivered_to(block, STR("anna@example.org")));
	assert_false(mail_header_delivered_to(block, STR("nna@example.org")));
}

static void
edges(void **state)
{
	AUTO_ARENA a = { 0 };
	struct mail_header_iter it = { STR(" a: b\r\nc: d") };
	struct mail_field f;

	(void)state;
	assert_true(mail_header_next(&it, &f));
	assert_int_equal(f.name.n, 0);
	assert_true(mail_header_next(&it, &f));
	CHECK_STR(f.value, STR(" d"));
	assert_false(mail_header_next(&it, &f));
	it.rest = STR("x:\r\n");
	assert_true(mail_header_next(&it, &f));
	assert_int_equal(f.value.n, 0);
	it.rest = STR(":x\r\n");
	assert_true(mail_header_next(&it, &f));
	assert_int_equal(f.name.n, 0);
	it.rest = STR_NULL;
	assert_false(mail_header_next(&it, &f));
	assert_int_equal(mail_header_len(STR_NULL), 0);
	assert_int_equal(mail_header_len(STR("\r\nx")), 2);
	assert_int_equal(mail_header_len(STR("a: b\r\n\r")), 7);
	assert_int_equal(mail_header_len(STR("a\n\nb\r\n\r\n")), 8);
	CHECK_STR(mail_header_unfold(&a, STR(" \r\n ")), STR(""));
	CHECK_STR(mail_header_unfold(&a, STR("a\rb\nc")), STR("a\rb\nc"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_are_walked),
		cmocka_unit_test(lookups),
		cmocka_unit_test(edges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
