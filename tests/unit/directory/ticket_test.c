#include "directory/ticket.h"
#include "tests/unit/lib/test.h"

#define S 1000000000ll

static const struct dir_account ada = {
	.id = STR_INIT("00000000-0000-4000-8000-000000000001"),
	.address = STR_INIT("ada@example.test"),
	.login = STR_INIT("ada"),
};

static void
good_once(void **state)
{
	struct dir_tickets *t = dir_tickets_new();
	AUTO_ARENA a = { 0 };
	struct str k = dir_ticket_issue(t, &a, &ada, STR("imap"), 5 * S);
	struct dir_account x;

	(void)state;
	assert_int_equal(k.n, DIR_TICKET_LEN);
	assert_rc(dir_ticket_use(t, &a, k, STR("imap"), 6 * S, &x), RC_OK);
	assert_true(str_eq(x.id, ada.id));
	assert_true(str_eq(x.address, ada.address));
	assert_true(str_eq(x.login, ada.login));
	assert_rc(dir_ticket_use(t, &a, k, STR("imap"), 6 * S, &x), RC_DENY);
	dir_tickets_free(&t);
}

static void
late_foreign_and_made_up_ones_are_refused(void **state)
{
	struct dir_tickets *t = dir_tickets_new();
	AUTO_ARENA a = { 0 };
	struct str late = dir_ticket_issue(t, &a, &ada, STR("imap"), 5 * S);
	struct str other = dir_ticket_issue(t, &a, &ada, STR("imap"), 10 * S);
	struct dir_account x;

	(void)state;
	assert_rc(
	    dir_ticket_use(t, &a, late, STR("imap"), 35 * S, &x), RC_DENY);
	assert_rc(
	    dir_ticket_use(t, &a, other, STR("pop"), 11 * S, &x), RC_DENY);
	/* shown to the wrong service it is used up */
	assert_rc(
	    dir_ticket_use(t, &a, other, STR("imap"), 11 * S, &x), RC_DENY);
	assert_rc(dir_ticket_use(t, &a, STR(""), STR("imap"), 0, &x), RC_DENY);
	assert_rc(dir_ticket_use(t, &a,
		      STR("00000000000000000000000000000000"
			  "00000000000000000000000000000000"),
		      STR("imap"), 0, &x),
	    RC_DENY);
	dir_tickets_free(&t);
}

static void
the_oldest_go_when_there_are_too_many(void **state)
{
	struct dir_tickets *t = dir_tickets_new();
	AUTO_ARENA a = { 0 }, keep = { 0 };
	struct str first = dir_ticket_issue(t, &keep, &ada, STR("imap"), S);
	struct str last = first;
	struct dir_account x;

	(void)state;
	for (unsigned i = 0; i < DIR_TICKETS_MAX; i++) {
		arena_reset(&a);
		last = dir_ticket_issue(t, &a, &ada, STR("imap"), S);
	}
	assert_rc(dir_ticket_use(t, &a, last, STR("imap"), S, &x), RC_OK);
	assert_rc(dir_ticket_use(t, &a, first, STR("imap"), S, &x), RC_DENY);
	dir_tickets_free(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_once),
		cmocka_unit_test(late_foreign_and_made_up_ones_are_refused),
		cmocka_unit_test(the_oldest_go_when_there_are_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
