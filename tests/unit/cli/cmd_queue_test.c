#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "delivery/dlv_client.h"

/* Stands in for delivery: two pages of one message, as the test says. */
struct dlv_client {
	int unused;
};

struct fake {
	struct dlv_client client;
	enum rc answer;
	const char *page; /* instead of the two pages */
	unsigned asked;
	char id[32]; /* asked for */
};

static struct fake fake;

static const char first[] =
    "{\"messages\":[{\"id\":\"a1\",\"from\":\"\",\"entries\":[]}],"
    "\"next\":\"a1\"}";
static const char second[] =
    "{\"messages\":[{\"id\":\"b1\",\"from\":\"x@y\",\"entries\":[]}],"
    "\"next\":\"b1\"}";

struct dlv_client *
dlv_client_new(const struct log *log, const char *path, unsigned max_conns)
{
	(void)log;
	assert_string_equal(path, "/run/gp/delivery.sock");
	assert_int_equal(max_conns, 1);
	return &fake.client;
}

void
dlv_client_free(struct dlv_client **d)
{
	assert_ptr_equal(*d, &fake.client);
	*d = NULL;
}

enum rc
dlv_queue_list_after(struct dlv_client *d, struct arena *a, struct str after,
    struct deadline dl, struct str *out_json)
{
	(void)d;
	(void)a;
	(void)dl;
	fake.asked++;
	if (fake.page != NULL)
		*out_json = str_c(fake.page);
	else if (after.n == 0)
		*out_json = str_c(first);
	else if (str_eq(after, STR("a1")))
		*out_json = str_c(second);
	else
		*out_json = STR("{\"messages\":[]}");
	return fake.answer;
}

static void
asked_for(struct str id)
{
	assert_true(id.n < sizeof(fake.id));
	memcpy(fake.id, id.p, id.n);
	fake.asked++;
}

enum rc
dlv_queue_show(struct dlv_client *d, struct arena *a, struct str queue_id,
    struct deadline dl, struct str *out_json)
{
	(void)d;
	(void)a;
	(void)dl;
	asked_for(queue_id);
	*out_json = str_c(fake.page);
	return fake.answer;
}

enum rc
dlv_queue_retry(struct dlv_client *d, struct str queue_id, struct deadline dl,
    uint64_t *out_entries)
{
	(void)d;
	(void)dl;
	asked_for(queue_id);
	*out_entries = 3;
	return fake.answer;
}

enum rc
dlv_queue_delete(struct dlv_client *d, struct str queue_id, struct deadline dl,
    uint64_t *out_entries)
{
	(void)d;
	(void)dl;
	asked_for(queue_id);
	*out_entries = 1;
	return fake.answer;
}

enum rc
dlv_queue_hold(struct dlv_client *d, struct str queue_id, struct deadline dl,
    uint64_t *out_entries)
{
	(void)d;
	(void)dl;
	asked_for(queue_id);
	*out_entries = 2;
	return fake.answer;
}

enum rc
dlv_queue_release(struct dlv_client *d, struct str queue_id, struct deadline dl,
    uint64_t *out_entries)
{
	(void)d;
	(void)dl;
	asked_for(queue_id);
	*out_entries = 2;
	return fake.answer;
}

/* Runs it with up to three words; *out is what it has printed. */
static enum cli_exit
run(bool json, const char *words[3], char **out)
{
	static const struct conf conf = { .run_dir = "/run/gp" };
	const char *argv[3];
	char *err = NULL;
	size_t n = 0, en = 0;
	struct cli c = { .conf = &conf, .json = json, .argv = argv };
	enum cli_exit status;

	c.out = open_memstream(out, &n);
	c.err = open_memstream(&err, &en);
	for (; c.argc < 3 && words[c.argc] != NULL; c.argc++)
		argv[c.argc] = words[c.argc];
	status = cmd_queue(&c);
	fclose(c.out);
	fclose(c.err);
	assert_int_equal(status != CLI_GOOD, en > 0);
	free(err);
	arena_free(&c.a);
	return status;
}

static void
usage_is_checked_before_anybody_is_asked(void **state)
{
	static const char *const rows[][3] = {
		{ "frob" },
		{ "list", "x" },
		{ "show" },
		{ "show", "" },
		{ "show", "a", "b" },
		{ "retry" },
		{ "delete" },
		{ "delete", "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *words[3] = { rows[i][0], rows[i][1], rows[i][2] };
		char *out = NULL;

		fake = (struct fake){ 0 };
		assert_int_equal(run(false, words, &out), CLI_USAGE);
		assert_int_equal(fake.asked, 0);
		free(out);
	}
}

static void
all_pages_are_one_list(void **state)
{
	const char *words[3] = { "list" };
	json_t *root;
	char *out = NULL;

	(void)state;
	fake = (struct fake){ 0 };
	assert_int_equal(run(false, words, &out), CLI_GOOD);
	assert_int_equal(fake.asked, 3);
	assert_non_null(strstr(out, "a1  "));
	assert_non_null(strstr(out, "from <>\nb1  "));
	free(out);
	assert_int_equal(run(true, words, &out), CLI_GOOD);
	root = json_loads(out, 0, NULL);
	assert_int_equal(json_array_size(root), 2);
	json_decref(root);
	free(out);
	fake.page = "{\"messages\":[]}";
	assert_int_equal(run(false, words, &out), CLI_GOOD);
	assert_string_equal(out, "The queue is empty.\n");
	free(out);
	assert_int_equal(run(true, words, &out), CLI_GOOD);
	assert_string_equal(out, "[]\n");
	free(out);
}

static void
results_become_exit_codes(void **state)
{
	static const struct {
		enum rc answer;
		enum cli_exit status;
	} rows[] = {
		{ RC_OK, CLI_GOOD },
		{ RC_NOENT, CLI_WRONG },
		{ RC_DENY, CLI_WRONG },
		{ RC_BAD, CLI_WRONG },
		{ RC_TEMP, CLI_NO_ANSWER },
	};
	static const char *const verbs[] = { "list", "show", "retry", "hold",
		"release", "delete" };

	(void)state;
	for (size_t i = 0; i < COUNT(rows) * COUNT(verbs); i++) {
		const char *verb = verbs[i % COUNT(verbs)];
		const char *words[3] = { verb };
		char *out = NULL;

		if (strcmp(verb, "list") != 0)
			words[1] = "c0ffee";
		fake = (struct fake){ .answer = rows[i / COUNT(verbs)].answer };
		if (strcmp(verb, "show") == 0)
			fake.page = "{\"id\":\"c0ffee\",\"entries\":[]}";
		assert_int_equal(
		    run(false, words, &out), rows[i / COUNT(verbs)].status);
		if (words[1] != NULL)
			assert_string_equal(fake.id, "c0ffee");
		free(out);
	}
}

static void
odd_answers_are_wrong(void **state)
{
	static const char *const rows[] = { "", "[]", "{\"messages\":7}",
		"{\"messages\":[7]}", "{\"id\":7}" };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *list[3] = { "list" }, *show[3] = { "show", "x" };
		char *out = NULL;

		fake = (struct fake){ .page = rows[i] };
		assert_int_equal(run(false, list, &out), CLI_WRONG);
		free(out);
		assert_int_equal(run(false, show, &out), CLI_WRONG);
		free(out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(usage_is_checked_before_anybody_is_asked),
		cmocka_unit_test(all_pages_are_one_list),
		cmocka_unit_test(results_become_exit_codes),
		cmocka_unit_test(odd_answers_are_wrong),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
