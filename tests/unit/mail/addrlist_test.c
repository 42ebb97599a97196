#include "tests/unit/mail/test.h"
#include "mail/addrlist.h"

static void
add(struct buf *b, struct str s)
{
	if (s.p == NULL) {
		assert_int_equal(buf_add(b, STR("NIL")), RC_OK);
		return;
	}
	assert_int_equal(buf_add_char(b, '"'), RC_OK);
	assert_int_equal(buf_add(b, s), RC_OK);
	assert_int_equal(buf_add_char(b, '"'), RC_OK);
}

/* As ENVELOPE shows it. */
static struct str
show(struct arena *a, const struct mail_addrlist *l)
{
	AUTO_BUF b = { 0 };

	buf_init(&b, 1u << 20);
	for (size_t i = 0; i < l->n; i++) {
		const struct mail_entry *e = &l->v[i];
		const struct str f[] = { e->name, e->adl, e->mailbox, e->host };

		for (size_t k = 0; k < 4; k++) {
			assert_int_equal(
			    buf_add_char(&b, k ? ' ' : '('), RC_OK);
			add(&b, f[k]);
		}
		assert_int_equal(buf_add_char(&b, ')'), RC_OK);
	}
	return str_dup(a, buf_str(&b));
}

static void
tolerant_rules(void **state)
{
	static const struct {
		struct str in, want;
	} rows[] = {
		{ S(""), S("") },
		{ S(" , ,"), S("") },
		{ S("a@b.c"), S("(NIL NIL \"a\" \"b.c\")") },
		{ S("Anna Maria <a@b>"),
		    S("(\"Anna Maria\" NIL \"a\" \"b\")") },
		{ S("\"Doe, J.\" <a@b>, c@d"),
		    S("(\"Doe, J.\" NIL \"a\" \"b\")(NIL NIL \"c\" \"d\")") },
		{ S("John Q.\r\n\tPublic <a@b>"),
		    S("(\"John Q. Public\" NIL \"a\" \"b\")") },
		{ S("a@b (Anna)"), S("(\"Anna\" NIL \"a\" \"b\")") },
		{ S("<a@b> (A (b\\) c))"),
		    S("(\"A (b) c)\" NIL \"a\" \"b\")") },
		{ S("(x) a (y) . b (z) @ (q) c . d (Anna)"),
		    S("(\"Anna\" NIL \"a.b\" \"c.d\")") },
		{ S("\"a b\"@c"), S("(NIL NIL \"a b\" \"c\")") },
		{ S("\"q\\\"\\\\\" <\"l\\\"m\"@c>"),
		    S("(\"q\"\\\" NIL \"l\"m\" \"c\")") },
		{ S("<@x,@y:a@b>"), S("(NIL \"@x,@y\" \"a\" \"b\")") },
		{ S("X < @x , @y : a@b >"),
		    S("(\"X\" \"@x,@y\" \"a\" \"b\")") },
		{ S("a@[1.2.3.4]"), S("(NIL NIL \"a\" \"[1.2.3.4]\")") },
		{ S("Team: a@b, C <c@d>; e@f"),
		    S("(NIL NIL \"Team\" NIL)(NIL NIL \"a\" \"b\")"
		      "(\"C\" NIL \"c\" \"d\")(NIL NIL NIL NIL)"
		      "(NIL NIL \"e\" \"f\")") },
		{ S("undisclosed-recipients:;"),
		    S("(NIL NIL \"undisclosed-recipients\" NIL)"
		      "(NIL NIL NIL NIL)") },
		{ S("A B:c@d"), S("(NIL NIL \"A B\" NIL)(NIL NIL \"c\" \"d\")"
				  "(NIL NIL NIL NIL)") },
		{ S("a: b: c@d;"), S("(NIL NIL \"a\" NIL)(NIL NIL \"c\" \"d\")"
				     "(NIL NIL NIL NIL)") },
		{ S("a@b; c@d"),
		    S("(NIL NIL \"a\" \"b\")(NIL NIL \"c\" \"d\")") },
		{ S("=?utf-8?q?M=C3=BC?= <a@b>"),
		    S("(\"=?utf-8?q?M=C3=BC?=\" NIL \"a\" \"b\")") },
		{ S("[list] x <a@b>"), S("(\"[list] x\" NIL \"a\" \"b\")") },
		{ S("a@b <c@d>"), S("(\"a@b\" NIL \"c\" \"d\")") },
		{ S("anna"), S("(NIL NIL \"anna\" \"\")") },
		{ S("<anna>"), S("(NIL NIL \"anna\" \"\")") },
		{ S("<>"), S("(NIL NIL \"\" \"\")") },
		{ S("@b"), S("(NIL NIL \"\" \"b\")") },
		{ S("a@"), S("(NIL NIL \"a\" \"\")") },
		{ S("\"\" <a@b>"), S("(NIL NIL \"a\" \"b\")") },
		{ S("X <a@b"), S("(\"X\" NIL \"a\" \"b\")") },
		{ S("X <a@b, c@d"),
		    S("(\"X\" NIL \"a\" \"b\")(NIL NIL \"c\" \"d\")") },
		{ S("> a@b"), S("(NIL NIL \"a\" \"b\")") },
		{ S("a@b c@d, e@f"),
		    S("(NIL NIL \"a\" \"b\")(NIL NIL \"e\" \"f\")") },
		{ S("\"open <a@b>"), S("(NIL NIL \"open <a@b>\" \"\")") },
		{ S("Undisclosed recipients"),
		    S("(\"Undisclosed recipients\" NIL \"\" \"\")") },
		{ S("Anna M a . b @c"), S("(\"Anna M\" NIL \"a.b\" \"c\")") },
		{ S("\"a b\" c@d (x)"), S("(\"a b\" NIL \"c\" \"d\")") },
		{ S("(open a@b"), S("") },
		{ S("a(c\\"), S("(\"c\\\" NIL \"a\" \"\")") },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		AUTO_ARENA a = { 0 };
		struct mail_addrlist l;
		struct str got;

		mail_addrlist_parse(&a, rows[i].in, &l);
		got = show(&a, &l);
		if (!str_eq(got, rows[i].want))
			fail_msg("%.*s:\n%.*s\nwanted\n%.*s", STRF(rows[i].in),
			    STRF(got), STRF(rows[i].want));
	}
}

static void
lists_are_bounded(void **state)
{
	AUTO_ARENA a = { 0 };
	AUTO_BUF b = { 0 };
	struct mail_addrlist l;

	(void)state;
	buf_init(&b, 1u << 20);
	for (int i = 0; i < 10000; i++)
		assert_int_equal(buf_add(&b, STR("a@b,")), RC_OK);
	mail_addrlist_parse(&a, buf_str(&b), &l);
	assert_int_equal(l.n, MAIL_ADDRLIST_MAX);
	assert_true(l.truncated);
	buf_clear(&b);
	for (int i = 0; i < 100000; i++)
		assert_int_equal(buf_add_char(&b, i & 1 ? '(' : 'a'), RC_OK);
	mail_addrlist_parse(&a, buf_str(&b), &l);
	assert_int_equal(l.n, 1);
}

static void
strict_rules(void **state)
{
	static const struct {
		struct str in;
		enum rc rc;
		struct str want; /* joined with a blank */
	} rows[] = {
		{ S(" a@b"), RC_OK, S("a@b") },
		{ S(" Anna <a@B.c>"), RC_OK, S("a@b.c") },
		{ S("<a@b>"), RC_OK, S("a@b") },
		{ S("\"Doe, J. <x@y>\" <a@b>\r\n , c@d (Cee Dee) "), RC_OK,
		    S("a@b c@d") },
		{ S("J. Q. Public <a@b>"), RC_OK, S("a@b") },
		{ S("M\xc3\xbcller <a@b>"), RC_OK, S("a@b") },
		{ S("=?utf-8?q?x?= <a@b>"), RC_OK, S("a@b") },
		{ S("\"a b\"@c"), RC_OK, S("\"a b\"@c") },
		{ S("\"a>b\" <\"c>d\"@e>"), RC_OK, S("\"c>d\"@e") },
		{ S(""), RC_BAD },
		{ S(" "), RC_BAD },
		{ S("a"), RC_BAD },
		{ S("a@b,"), RC_BAD },
		{ S(",a@b"), RC_BAD },
		{ S("a@b c@d"), RC_BAD },
		{ S("a@b <c@d>"), RC_BAD },
		{ S("<a@b> <c@d>"), RC_BAD },
		{ S("<a@b>c@d"), RC_BAD },
		{ S("<>"), RC_BAD },
		{ S("<postmaster>"), RC_BAD },
		{ S("<@x:a@b>"), RC_BAD },
		{ S("< a@b>"), RC_BAD },
		{ S("g: a@b;"), RC_BAD },
		{ S("a@b; c@d"), RC_BAD },
		{ S("a (x) @b"), RC_BAD },
		{ S("(x) a@b"), RC_BAD },
		{ S("a@b (c@d)"), RC_BAD },
		{ S("a@b (<c>)"), RC_BAD },
		{ S("a@b ((c))"), RC_BAD },
		{ S("a@b (c"), RC_BAD },
		{ S("\"x\\y\" <a@b>"), RC_BAD },
		{ S("\"x <a@b>"), RC_BAD },
		{ S("x\r\ny <a@b>"), RC_BAD },
		{ S("x\0 <a@b>"), RC_BAD },
		{ S("\xff <a@b>"), RC_BAD },
		{ S("a@b\0"), RC_BAD },
		{ S("[x] <a@b>"), RC_BAD },
		{ S("x@y.z, <a@b"), RC_BAD },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		AUTO_ARENA a = { 0 };
		struct addr *v;
		size_t n;
		struct str got = STR("");
		enum rc rc = mail_senders_parse(&a, rows[i].in, &v, &n);

		if (rc != rows[i].rc)
			fail_msg("%.*s: %s", STRF(rows[i].in), rc_name(rc));
		if (rc != RC_OK)
			continue;
		for (size_t k = 0; k < n; k++)
			got = str_cat(&a, str_cat(&a, got, str_c(k ? " " : "")),
			    mail_addr_text(&a, &v[k]));
		CHECK_STR(got, rows[i].want);
	}
}

static void
the_from_of_a_header(void **state)
{
	static const struct {
		struct str in;
		enum rc rc;
	} rows[] = {
		{ S("To: x@y\r\nfrom: a@b\r\n\r\nFrom: c@d\r\n"), RC_OK },
		{ S("From : a@b\r\n\r\n"), RC_OK },
		{ S("To: x@y\r\n\r\nFrom: c@d\r\n"), RC_NOENT },
		{ S("From: a@b\r\nFrom: a@b\r\n"), RC_BAD },
		{ S("From: a@b\r\nFROM : c@d\r\n"), RC_BAD },
		{ S("From: a@b\r\nFrom x: c@d\r\n"), RC_BAD },
		{ S(" From: c@d\r\nFrom: a@b\r\n"), RC_BAD },
		{ S("From: a@b\r\n\0From: c@d\r\n"), RC_BAD },
		{ S("From: a@b\r\nX: y\nFrom: c@d\r\n"), RC_BAD },
		{ S("From: a@b\r\nX: y\rFrom: c@d\r\n"), RC_BAD },
		{ S("From a@b Mon\r\nFrom: a@b\r\n"), RC_BAD },
		{ S("From:\r\n\r\n"), RC_BAD },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		AUTO_ARENA a = { 0 };
		struct addr *v;
		size_t n;
		enum rc rc = mail_senders_of(&a, rows[i].in, &v, &n);

		if (rc != rows[i].rc)
			fail_msg("row %zu: %s", i, rc_name(rc));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tolerant_rules),
		cmocka_unit_test(lists_are_bounded),
		cmocka_unit_test(strict_rules),
		cmocka_unit_test(the_from_of_a_header),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
