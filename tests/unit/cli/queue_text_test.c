#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "cli/queue_text.h"

#define NOW 1795323600

static const char item[] =
    "{\"id\":\"cafe\",\"from\":\"\",\"submitter\":\"\","
    "\"received_at\":1795323300,\"size\":4096,\"entries\":["
    "{\"entry\":1,\"rcpt\":\"a\\u001b@b.c\",\"kind\":\"person\","
    "\"dir_id\":\"x\",\"state\":\"held\",\"reason\":\"because\","
    "\"attempts\":1,\"next_at\":null,\"expires_at\":1,\"expired\":true},"
    "{\"entry\":2,\"rcpt\":\"g@b.c\",\"kind\":\"group\",\"dir_id\":\"y\","
    "\"state\":\"ready\",\"reason\":\"no answer\",\"attempts\":3,"
    "\"next_at\":1795323660,\"expires_at\":1795329999,"
    "\"expired\":false}]}";

static void
check(enum rc (*print)(FILE *f, json_t *o), const char *want)
{
	json_t *o = json_loads(item, 0, NULL);
	char *p = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&p, &n);

	assert_non_null(o);
	assert_non_null(f);
	assert_int_equal(print(f, o), RC_OK);
	fclose(f);
	assert_string_equal(p, want);
	free(p);
	json_decref(o);
}

static enum rc
in_list(FILE *f, json_t *o)
{
	return queue_text_item(f, o, NOW);
}

static void
a_list_says_who_why_and_when(void **state)
{
	(void)state;
	check(in_list, "cafe  4.0 KiB  5 min ago  from <>\n"
		       "    a\\x1b@b.c (person): held, expired, 1 try\n"
		       "        because\n"
		       "    g@b.c (group): ready, 3 tries, next try in 60 s\n"
		       "        no answer\n");
}

static void
one_message_is_shown_whole(void **state)
{
	(void)state;
	check(queue_text_show, "id          cafe\n"
			       "from        <>\n"
			       "submitter   \n"
			       "received    2026-11-22 04:55:00Z\n"
			       "size        4.0 KiB\n"
			       "\n"
			       "recipient   a\\x1b@b.c\n"
			       "kind        person\n"
			       "account     x\n"
			       "state       held, expired\n"
			       "reason      because\n"
			       "tries       1\n"
			       "expires     1970-01-01 00:00:01Z\n"
			       "\n"
			       "recipient   g@b.c\n"
			       "kind        group\n"
			       "account     y\n"
			       "state       ready\n"
			       "reason      no answer\n"
			       "tries       3\n"
			       "next try    2026-11-22 05:01:00Z\n"
			       "expires     2026-11-22 06:46:39Z\n");
}

static void
odd_answers_are_noticed(void **state)
{
	static const char *const rows[] = { "[]", "{}", "{\"id\":1}",
		"{\"id\":\"x\",\"entries\":{}}" };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		json_t *o = json_loads(rows[i], 0, NULL);

		assert_non_null(o);
		assert_int_equal(queue_text_item(stderr, o, NOW), RC_BAD);
		assert_int_equal(queue_text_show(stderr, o), RC_BAD);
		json_decref(o);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_says_who_why_and_when),
		cmocka_unit_test(one_message_is_shown_whole),
		cmocka_unit_test(odd_answers_are_noticed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
