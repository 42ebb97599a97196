/* Rules on header fields: what they say, find and may cost. */
#include "tests/unit/lib/test.h"
#include "policy/pol_headers.h"
#include "policy/pol_rules.h"

static struct pol_headers *
rules(struct arena *a, const char *text)
{
	struct pol_headers *h = NULL;
	struct str why = STR_NULL;

	if (pol_headers_parse(a, str_c(text), &h, &why) != RC_OK)
		fail_msg("%.*s", STRF(why));
	return h;
}

static void
errors_say_line_and_cause(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{ "body X /x/ hold", "line 1: a rule begins" },
		{ "# x\n\nheader", "line 3: that is not the name" },
		{ "header X: /x/ hold", "line 1: that is not the name" },
		{ "header X x hold", "line 1: the regular expression must be" },
		{ "header X /x hold", "does not end" },
		{ "header X /x\\/ hold", "does not end" },
		{ "header X // hold", "is empty" },
		{ "header X /x/g hold", "flags are" },
		{ "header X /(x/ hold",
		    "missing closing parenthesis, at byte" },
		{ "header X /(*UTF)x/ hold", "at byte" },
		{ "header X /x/", "the action is none of" },
		{ "header X /x/ bounce", "the action is none of" },
		{ "header X /x/ reject", "needs a text" },
		{ "header X /x/ reject \xc3\xa4", "printable ASCII" },
		{ "header X /x/ hold it", "takes no text" },
		{ "header X /x/ prepend X", "needs a field" },
		{ "header X /x/ prepend X:", "needs a field" },
		{ "header X /x/ prepend X Y: z", "needs a field" },
		{ "header X /x/ hold\nheader X /[/ hold\n", "line 2: " },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		AUTO_ARENA a = { 0 };
		struct pol_headers *h = NULL;
		struct str why = STR_NULL;

		assert_rc(pol_headers_parse(&a, str_c(rows[i].text), &h, &why),
		    RC_BAD);
		assert_null(h);
		if (str_find(why, str_c(rows[i].why)) == why.n)
			fail_msg("'%s': %.*s", rows[i].text, STRF(why));
	}
}

static void
rules_are_counted(void **state)
{
	AUTO_ARENA a = { 0 };
	AUTO_BUF text;
	struct pol_headers *h = NULL;
	struct str why;

	(void)state;
	buf_init(&text, 1 << 20);
	for (size_t i = 0; i < POL_HEADERS_RULES_MAX; i++)
		assert_rc(buf_add(&text, STR("header X /x/ hold\n")), RC_OK);
	assert_rc(pol_headers_parse(&a, buf_str(&text), &h, &why), RC_OK);
	pol_headers_free(&h);
	assert_null(h);
	assert_rc(buf_add(&text, STR("header X /x/ hold\n")), RC_OK);
	assert_rc(pol_headers_parse(&a, buf_str(&text), &h, &why), RC_BAD);
	assert_str(why, "line 1001: too many rules");
}

static const char message[] = "Received: from a\r\n\tby b\r\n"
			      "Subject: Cheap  =?utf-8?q?pills?=\r\n"
			      "X-Note: one/two\r\n"
			      "X-Note: three\r\n"
			      "no field at all\r\n"
			      "X-Last: end\0of it\r\n"
			      "\r\n"
			      "Subject: not in the header\r\n";

static void
fields_are_found(void **state)
{
	static const struct {
		const char *rule;
		size_t hits;
		const char *name; /* the first hit's action, line and text */
		unsigned line;
		const char *text;
	} rows[] = {
		{ "header Subject /^cheap/i reject No pills", 1, "reject", 1,
		    "No pills" },
		{ "header SUBJECT /^cheap/ reject No", 0, NULL, 0, NULL },
		{ "\n  header subject /c h e a p/ix  defer  Later  ", 1,
		    "defer", 2, "Later" },
		{ "header Subject /not in/ hold", 0, NULL, 0, NULL },
		{ "header Received /^from a\\tby b$/ hold", 1, "hold", 1, "" },
		{ "header X-Note /one\\/two/ junk", 1, "junk", 1, "" },
		{ "header X-Note /./ warn", 2, "warn", 1, "" },
		{ "header X-Note /./ warn seen\nheader X-Note /three/ discard",
		    3, "warn", 1, "seen" },
		{ "header X-Note /./ ignore\nheader X-Note /./ hold", 2,
		    "ignore", 1, "" },
		{ "header X-Last /end\\x00of/ prepend  X-Nul:  yes ", 1,
		    "prepend", 1, "X-Nul: yes" },
		{ "header * /./ warn", 6, "warn", 1, "" },
		{ "header X-None /.*/ hold", 0, NULL, 0, NULL },
		{ "# nothing\r\n", 0, NULL, 0, NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		AUTO_ARENA a = { 0 };
		struct pol_headers *h = rules(&a, rows[i].rule);
		struct pol_headers_result r;

		pol_headers_run(h, &a, str_n(message, sizeof(message) - 1), &r);
		if (r.n != rows[i].hits)
			fail_msg("'%s': %zu hits", rows[i].rule, r.n);
		assert_int_equal(r.gave_up, 0);
		if (r.n > 0) {
			assert_string_equal(
			    pol_headers_action_name(r.hit[0].action),
			    rows[i].name);
			assert_int_equal(r.hit[0].line, rows[i].line);
			assert_true(str_eq(r.hit[0].text, str_c(rows[i].text)));
		}
		pol_headers_free(&h);
	}
}

static void
a_hit_names_its_bytes(void **state)
{
	AUTO_ARENA a = { 0 };
	struct pol_headers *h =
	    rules(&a, "header X-Note /three/ ignore\nheader X-Last /o/ hold");
	struct pol_headers_result r;

	(void)state;
	pol_headers_run(h, &a, str_n(message, sizeof(message) - 1), &r);
	assert_int_equal(r.n, 2);
	assert_true(str_eq(str_n(message + r.hit[0].off, r.hit[0].len),
	    STR("X-Note: three\r\n")));
	assert_true(str_has_prefix(
	    str_n(message + r.hit[1].off, r.hit[1].len), STR("X-Last:")));
	pol_headers_free(&h);
}

static void
what_decides_does_not_get_lost(void **state)
{
	AUTO_ARENA a = { 0 };
	AUTO_BUF text;
	struct pol_headers *h =
	    rules(&a, "header A /./ warn\nheader B /./ reject No");
	struct pol_headers_result r;

	(void)state;
	buf_init(&text, 1 << 20);
	for (size_t i = 0; i < POL_HEADERS_HITS_MAX + 5; i++)
		assert_rc(buf_add(&text, STR("A: x\r\n")), RC_OK);
	assert_rc(buf_add(&text, STR("B: x\r\n")), RC_OK);
	pol_headers_run(h, &a, buf_str(&text), &r);
	assert_int_equal(r.n, POL_HEADERS_HITS_MAX);
	assert_int_equal(r.hit[r.n - 1].action, POL_HEADERS_REJECT);
	pol_headers_free(&h);
}

/* Exponential without limits; a message must not stop the process. */
static void
a_regex_cannot_run_away(void **state)
{
	AUTO_ARENA a = { 0 };
	AUTO_BUF text;
	struct pol_headers *h =
	    rules(&a, "header A /^(a+)+$/ reject No\nheader A /b$/ warn cheap");
	struct pol_headers_result r;

	(void)state;
	buf_init(&text, 1 << 20);
	assert_rc(buf_add(&text, STR("A: ")), RC_OK);
	for (size_t i = 0; i < 500; i++)
		assert_rc(buf_add_char(&text, 'a'), RC_OK);
	assert_rc(buf_add(&text, STR("!b\r\n")), RC_OK);
	pol_headers_run(h, &a, buf_str(&text), &r);
	assert_int_equal(r.gave_up, 1);
	assert_int_equal(r.n, 1);
	assert_int_equal(r.hit[0].action, POL_HEADERS_WARN);
	pol_headers_free(&h);
}

/* The budget is the message's: many fields do not multiply it. */
static void
a_message_has_one_budget(void **state)
{
	AUTO_ARENA a = { 0 };
	AUTO_BUF text;
	struct pol_headers *h = rules(&a, "header A /^(a+)+$/ reject No");
	struct pol_headers_result r;

	(void)state;
	buf_init(&text, 1 << 20);
	for (size_t i = 0; i < 300; i++)
		assert_rc(buf_add(&text,
			      STR("A: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
				  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!"
				  "\r\n")),
		    RC_OK);
	/* Behind them even an easy one is not looked at any more. */
	assert_rc(buf_add(&text, STR("A: a\r\n")), RC_OK);
	pol_headers_run(h, &a, buf_str(&text), &r);
	assert_int_equal(r.gave_up, 301);
	assert_int_equal(r.n, 0);
	assert_true(r.cut_short);
	pol_headers_free(&h);
}

/* Padding does not buy a way past the rules behind it. */
static void
many_cheap_fields_hide_nothing(void **state)
{
	AUTO_ARENA a = { 0 };
	AUTO_BUF text = { 0 }, rule = { 0 };
	struct pol_headers *h;
	struct pol_headers_result r;

	(void)state;
	buf_init(&text, 1 << 20);
	buf_init(&rule, 1 << 20);
	for (unsigned i = 0; i < 200; i++)
		assert_rc(buf_fmt(&rule,
			      "header Subject /buy this number%u now/i "
			      "reject No %u\n",
			      i, i),
		    RC_OK);
	assert_rc(buf_add_char(&rule, '\0'), RC_OK);
	for (size_t i = 0; i < 990; i++)
		assert_rc(buf_add(&text, STR("Subject: hello\r\n")), RC_OK);
	assert_rc(
	    buf_add(&text, STR("Subject: buy this number7 now\r\n")), RC_OK);
	h = rules(&a, buf_str(&rule).p);
	pol_headers_run(h, &a, buf_str(&text), &r);
	assert_int_equal(r.gave_up, 0);
	assert_true(!r.cut_short);
	assert_int_equal(r.n, 1);
	assert_int_equal(r.hit[0].line, 8);
	pol_headers_free(&h);
}

/* Forged results come merged, and a rule hits the same fields one by one. */
static void
cuts_never_overlap(void **state)
{
	struct pol_cut forged[] = { { 10, 30 }, { 60, 5 } };
	struct pol_cut hit[] = { { 10, 12 }, { 22, 18 }, { 70, 4 } };
	const struct pol_hits hits = { .cut = hit, .ncut = COUNT(hit) };
	struct pol_verdict v = { .cut = forged, .ncut = COUNT(forged) };
	AUTO_ARENA a = { 0 };
	struct pol_cut *many;

	(void)state;
	assert_int_equal(pol_rules_cut(&a, &hits, &v), RC_OK);
	assert_int_equal(v.ncut, 3);
	assert_int_equal(v.cut[0].off, 10);
	assert_int_equal(v.cut[0].len, 30);
	assert_int_equal(v.cut[1].off, 60);
	assert_int_equal(v.cut[2].off, 70);
	/* More than fit are said, not left in the message. */
	many = arena_calloc(&a, POL_CUTS_MAX, sizeof(*many));
	for (size_t i = 0; i < POL_CUTS_MAX; i++)
		many[i] = (struct pol_cut){ 1000 + 10 * i, 5 };
	v = (struct pol_verdict){ .cut = many, .ncut = POL_CUTS_MAX };
	assert_int_equal(pol_rules_cut(&a, &hits, &v), RC_BAD);
}

/* Who writes more than we look at is not taken for clean. */
static void
limits_are_said(void **state)
{
	AUTO_ARENA a = { 0 };
	AUTO_BUF b = { 0 };
	struct pol_headers_result r;
	struct pol_headers *h = NULL;
	struct str why;

	(void)state;
	buf_init(&b, 1 << 20);
	assert_int_equal(
	    pol_headers_parse(&a, STR("header X-Trust /./ ignore\n"), &h, &why),
	    RC_OK);
	for (unsigned i = 0; i <= POL_HEADERS_HITS_MAX; i++)
		assert_int_equal(buf_add(&b, STR("X-Trust: y\r\n")), RC_OK);
	pol_headers_run(h, &a, buf_str(&b), &r);
	assert_true(r.cut_short);
	buf_clear(&b);
	for (unsigned i = 0; i <= POL_HEADERS_FIELDS_MAX; i++)
		assert_int_equal(buf_add(&b, STR("A:\r\n")), RC_OK);
	pol_headers_run(h, &a, buf_str(&b), &r);
	assert_true(r.cut_short);
	pol_headers_run(h, &a, STR("X-Trust: y\r\nA: b\r\n"), &r);
	assert_true(!r.cut_short);
	pol_headers_free(&h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errors_say_line_and_cause),
		cmocka_unit_test(rules_are_counted),
		cmocka_unit_test(fields_are_found),
		cmocka_unit_test(a_hit_names_its_bytes),
		cmocka_unit_test(what_decides_does_not_get_lost),
		cmocka_unit_test(a_regex_cannot_run_away),
		cmocka_unit_test(a_message_has_one_budget),
		cmocka_unit_test(many_cheap_fields_hide_nothing),
		cmocka_unit_test(cuts_never_overlap),
		cmocka_unit_test(limits_are_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
