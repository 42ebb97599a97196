/* What senders are told, from entries that are decided. */
#include <time.h>

#include "delivery/dlv.h"
#include "delivery/dlv_retry.h"
#include "tests/unit/delivery/fake.h"
#include "tests/unit/delivery/fake_rem.h"
#include "tests/unit/delivery/fake_store.h"

struct test {
	struct dlv d;
	struct conf conf;
	struct store_client store;
	struct dir_client dir;
	struct rem_client rem;
};

static void
begin(struct test *t)
{
	*t = (struct test){ .conf = fake_conf };
	fake_store_init(&t->store);
	fake_rem_init(&t->rem);
	pthread_mutex_init(&t->d.conf_lock, NULL);
	pthread_mutex_init(&t->d.key_lock, NULL);
	t->d.log = &fake_log;
	t->d.conf = &t->conf;
	t->d.store = &t->store;
	t->d.dir = &t->dir;
	t->d.remote = &t->rem;
	t->d.reader = (struct store_reader *)(void *)&t->store;
	t->d.inflight = inflight_open(-1);
	t->d.started_ns = now_ns();
	t->d.spool_dir = "/tmp";
}

static void
end(struct test *t)
{
	assert_true(dlv_queue_stop(t->d.queue, deadline_in(10000)));
	dlv_queue_free(&t->d.queue);
	mail_rules_unref(&t->d.rules);
	fake_store_free(&t->store);
	fake_rem_free(&t->rem);
	inflight_close(&t->d.inflight);
	pthread_mutex_destroy(&t->d.conf_lock);
	pthread_mutex_destroy(&t->d.key_lock);
}

static void
rules(struct test *t, const char *text)
{
	AUTO_ARENA a = { 0 };
	struct str why;

	assert_int_equal(
	    mail_rules_parse(&a, "rules", str_c(text), &t->d.rules, &why),
	    RC_OK);
}

/* A message whose fate is known since `age` seconds. */
static struct store_queued *
decided(struct test *t, const char *from, const char *to,
    const struct dlv_entry *e, int64_t age)
{
	struct store_queued *q = fake_store_add(&t->store, "a1", "");

	t->store.item[0].from = str_c(from);
	q->rcpt = str_c(to);
	q->kind = DIR_ELSEWHERE;
	q->state = DLV_DONE;
	q->next_at = now_unix() - age;
	q->expires_at = now_unix() + 1000;
	q->data = dlv_entry_put(&t->store.a, e);
	return q;
}

static bool
becomes(struct test *t, bool (*is)(struct test *))
{
	struct deadline dl = deadline_in(10000);
	const struct timespec ms = { 0, 1000000 };

	while (!is(t) && !deadline_over(dl))
		nanosleep(&ms, NULL);
	return is(t);
}

static bool
nothing_left(struct test *t)
{
	struct dlv_queue_sum sum;

	dlv_queue_sum(t->d.queue, &sum);
	return sum.loaded && sum.messages == 0 &&
	       fake_store_entries(&t->store) == 0;
}

static bool
updated(struct test *t)
{
	return t->store.updates > 0;
}

static bool
says(const struct test *t, const char *what)
{
	return str_find(t->store.body, str_c(what)) < t->store.body.n;
}

static const struct dlv_entry refused = { .action = DLV_FAILED,
	.status = S("5.1.1"),
	.reply = S("550 5.1.1 No such user"),
	.code = 550,
	.host = S("mx.example.net"),
	.from_server = 1 };

/* As mail to the sender would: one line says where it goes. */
static void
a_notice_goes_where_mail_to_the_sender_goes(void **state)
{
	static const char map[] = "recipient info@example.org bob@example.org "
				  "joe@far.test\n"
				  "recipient old@example.org new@far.test\n"
				  "catch-all @example.org bob@example.org\n";
	static const struct {
		const char *rules, *from;
		enum dlv_action action;
		const char *account, *elsewhere, *to;
	} rows[] = {
		{ "", "ann@example.org", DLV_FAILED, ANN, "",
		    "ann@example.org" },
		{ "", "bob+list-7@example.org", DLV_FAILED, BOB, "",
		    "bob+list-7@example.org" },
		{ "", "bob+list-7@example.org", DLV_RELAYED, BOB, "",
		    "bob+list-7@example.org" },
		{ map, "info@example.org", DLV_FAILED, BOB, "joe@far.test",
		    "info@example.org" },
		{ map, "info+x@example.org", DLV_FAILED, BOB, "joe@far.test",
		    "info+x@example.org" },
		{ map, "old@example.org", DLV_RELAYED, "", "new@far.test",
		    "old@example.org" },
		{ map, "nobody@example.org", DLV_FAILED, BOB, "",
		    "nobody@example.org" },
		{ "", "nobody@example.org", DLV_FAILED, ANN, "",
		    "postmaster@example.org" },
		{ "recipient postmaster@example.org bob@example.org\n", "",
		    DLV_FAILED, BOB, "", "postmaster@example.org" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct dlv_entry e = refused;
		AUTO_ARENA a = { 0 };
		struct test t;

		begin(&t);
		rules(&t, rows[i].rules);
		e.action = rows[i].action;
		decided(&t, rows[i].from, "jim@example.net", &e, 0);
		dlv_queue_start(&t.d);
		assert_true(becomes(&t, nothing_left));
		assert_int_equal(t.store.submits, 1);
		assert_int_equal(t.store.nto, rows[i].account[0] != '\0');
		CHECK_STR(t.store.first_to, str_c(rows[i].account));
		assert_int_equal(t.store.nqueue, rows[i].elsewhere[0] != '\0');
		CHECK_STR(t.store.first_queued, str_c(rows[i].elsewhere));
		assert_true(
		    says(&t, str_fmt(&a, "\r\nTo: <%s>\r\n", rows[i].to).p));
		end(&t);
	}
}

/* The sender who is not there; not the recipient, who is named below. */
static void
the_postmaster_reads_who_was_to_be_told(void **state)
{
	struct test t;

	(void)state;
	begin(&t);
	decided(&t, "nobody@example.org", "jim@example.net", &refused, 0);
	dlv_queue_start(&t.d);
	assert_true(becomes(&t, nothing_left));
	assert_true(
	    says(&t, "It was to go to:\r\n\r\n  nobody@example.org\r\n"));
	assert_true(says(&t, "delivered to:\r\n\r\n  jim@example.net\r\n"));
	end(&t);
}

/* The postmaster's own mail fails, where the map sends it. */
static void
what_failed_for_the_postmaster_is_held(void **state)
{
	struct test t;

	(void)state;
	begin(&t);
	rules(&t, "recipient postmaster@example.org chief@far.test\n");
	decided(&t, "", "chief@far.test", &refused, 0);
	dlv_queue_start(&t.d);
	assert_true(becomes(&t, updated));
	assert_int_equal(t.store.submits, 0);
	assert_int_equal(t.store.item[0].entries[0].state, DLV_HELD);
	end(&t);
}

/* Nothing is decided without the directory. */
static void
without_the_directory_it_waits(void **state)
{
	struct dlv_step step;
	struct test t;

	(void)state;
	begin(&t);
	t.dir.down = true;
	decided(&t, "bob+7@example.org", "jim@example.net", &refused, 0);
	dlv_retry_step(&t.d, STR("a1"), &step);
	assert_int_equal(t.store.submits, 0);
	assert_int_equal(fake_store_entries(&t.store), 1);
	t.dir.down = false;
	dlv_queue_start(&t.d);
	assert_true(becomes(&t, nothing_left));
	CHECK_STR(t.store.first_to, STR(BOB));
	end(&t);
}

/* RFC 3464 section 2.3.6: the reply as the server gave it. */
static void
a_reply_is_shown_as_it_came(void **state)
{
	struct test t;

	(void)state;
	begin(&t);
	decided(&t, "ann@example.org", "jim@example.net", &refused, 0);
	dlv_queue_start(&t.d);
	assert_true(becomes(&t, nothing_left));
	assert_true(
	    says(&t, "\r\nDiagnostic-Code: smtp;550 5.1.1 No such user\r\n"));
	assert_true(
	    says(&t, "answered:\r\n        550 5.1.1 No such user\r\n"));
	end(&t);
}

/* Damaged on disk: it goes without, but not before it has waited. */
static void
what_cannot_be_read_is_told_of(void **state)
{
	static const struct {
		enum dlv_action action;
		int64_t age;
		bool damaged, sent;
	} rows[] = {
		{ DLV_FAILED, 0, false, true },
		{ DLV_FAILED, 0, true, false },
		{ DLV_FAILED, 3500, true, false },
		{ DLV_FAILED, 3600, true, true },
		{ DLV_RELAYED, 3600, true, true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct dlv_entry e = refused;
		struct dlv_step step;
		struct test t;

		begin(&t);
		e.action = rows[i].action;
		t.store.damaged = rows[i].damaged;
		decided(
		    &t, "ann@example.org", "jim@example.net", &e, rows[i].age);
		dlv_retry_step(&t.d, STR("a1"), &step);
		assert_int_equal(t.store.submits, rows[i].sent);
		assert_int_equal(fake_store_entries(&t.store), !rows[i].sent);
		if (rows[i].sent) {
			assert_int_equal(says(&t, "cannot be read\r\nany more"),
			    rows[i].damaged);
			assert_int_equal(
			    says(&t, "Subject: hello"), !rows[i].damaged);
			assert_true(says(&t, "jim@example.net"));
		}
		end(&t);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_notice_goes_where_mail_to_the_sender_goes),
		cmocka_unit_test(the_postmaster_reads_who_was_to_be_told),
		cmocka_unit_test(what_failed_for_the_postmaster_is_held),
		cmocka_unit_test(without_the_directory_it_waits),
		cmocka_unit_test(a_reply_is_shown_as_it_came),
		cmocka_unit_test(what_cannot_be_read_is_told_of),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
