#include <jansson.h>
#include <time.h>

#include "delivery/dlv.h"
#include "delivery/dlv_retry.h"
#include "tests/unit/delivery/fake.h"
#include "tests/unit/delivery/fake_rem.h"
#include "tests/unit/delivery/fake_store.h"

struct test {
	struct dlv d;
	struct store_client store;
	struct dir_client dir;
	struct rem_client rem;
	struct rpcd_req r;
	_Atomic bool noted; /* a page that was read */
};

static void
begin(struct test *t)
{
	*t = (struct test){ 0 };
	fake_store_init(&t->store);
	pthread_mutex_init(&t->d.conf_lock, NULL);
	t->d.log = &fake_log;
	t->d.conf = &fake_conf;
	t->d.store = &t->store;
	t->d.dir = &t->dir;
	fake_rem_init(&t->rem);
	t->d.remote = &t->rem;
	/* The fake store reads itself. */
	t->d.reader = (struct store_reader *)(void *)&t->store;
	pthread_mutex_init(&t->d.key_lock, NULL);
	t->d.inflight = inflight_open(-1);
	t->d.started_ns = now_ns();
}

static void
end(struct test *t)
{
	assert_true(dlv_queue_stop(t->d.queue, deadline_in(10000)));
	dlv_queue_free(&t->d.queue);
	fake_store_free(&t->store);
	fake_rem_free(&t->rem);
	pthread_mutex_destroy(&t->d.key_lock);
	inflight_close(&t->d.inflight);
	pthread_mutex_destroy(&t->d.conf_lock);
}

/* Until the queue's own thread has got there, 10 s at most. */
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
is_empty(struct test *t)
{
	struct dlv_queue_sum sum;

	dlv_queue_sum(t->d.queue, &sum);
	return sum.loaded && sum.messages == 0;
}

static bool
is_loaded(struct test *t)
{
	struct dlv_queue_sum sum;

	dlv_queue_sum(t->d.queue, &sum);
	return sum.loaded;
}

static bool
one_is_held(struct test *t)
{
	struct dlv_queue_sum sum;

	dlv_queue_sum(t->d.queue, &sum);
	return sum.held == 1 && sum.ready == 0;
}

static void
a_queue_found_at_start_is_delivered(void **state)
{
	struct test t;

	(void)state;
	begin(&t);
	fake_store_add(&t.store, "a1", ANN);
	fake_store_add(&t.store, "b1", BOB);
	fake_store_add(&t.store, "c1", CEE);
	dlv_queue_start(&t.d);
	assert_true(becomes(&t, is_empty));
	assert_int_equal(fake_store_entries(&t.store), 0);
	assert_int_equal(t.store.delivered, 3);
	end(&t);
}

static void
poked_messages_are_looked_at(void **state)
{
	struct test t;

	(void)state;
	begin(&t);
	dlv_queue_start(&t.d);
	assert_true(becomes(&t, is_loaded));
	fake_store_add(&t.store, "a1", DAN);
	dlv_queue_poke(t.d.queue, STR("a1"));
	assert_true(becomes(&t, one_is_held));
	assert_int_equal(fake_store_entries(&t.store), 1);
	end(&t);
}

static void
step_says_when_to_look_again(void **state)
{
	static const struct {
		enum rc store;
		bool down;
		const char *id;
		bool gone, soon, known;
		unsigned delivered;
	} rows[] = {
		{ RC_OK, false, ANN, false, true, true, 1 },
		{ RC_OK, true, ANN, false, true, true, 0 },
		{ RC_TEMP, false, ANN, false, false, false, 0 },
		{ RC_NOENT, false, ANN, true, false, false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		int64_t now = now_unix();
		struct dlv_step step;
		struct test t;

		begin(&t);
		fake_store_add(&t.store, "a1", rows[i].id);
		t.store.answer = rows[i].store;
		t.dir.down = rows[i].down;
		dlv_retry_step(&t.d, STR("a1"), &step);
		assert_int_equal(step.gone, rows[i].gone);
		assert_int_equal(step.known, rows[i].known);
		if (!step.gone)
			assert_int_equal(step.next_at <= now + 5, rows[i].soon);
		assert_int_equal(t.store.delivered, rows[i].delivered);
		end(&t);
	}
}

static void
kept_entries_wait_for_their_time(void **state)
{
	struct dlv_step step;
	struct test t;

	(void)state;
	begin(&t);
	fake_store_add(&t.store, "a1", ANN);
	t.dir.down = true;
	dlv_retry_step(&t.d, STR("a1"), &step);
	dlv_retry_step(&t.d, STR("a1"), &step);
	assert_int_equal(t.store.updates, 1);
	assert_int_equal(step.ready, 1);
	assert_true(step.next_at > now_unix() + 60);
	assert_int_equal(t.store.item[0].entries[0].attempts, 2);
	end(&t);
}

static void
room_is_limited(void **state)
{
	struct test t;

	(void)state;
	begin(&t);
	for (unsigned i = 0; i < 3; i++)
		fake_store_add(
		    &t.store, (const char *[]){ "a1", "b1", "c1" }[i], ANN)
		    ->state = DLV_HELD;
	dlv_queue_start(&t.d);
	assert_true(becomes(&t, is_loaded));
	assert_int_equal(dlv_queue_room(t.d.queue, 4, 1), RC_OK);
	assert_int_equal(dlv_queue_room(t.d.queue, 4, 2), RC_TEMP);
	end(&t);
}

/* One request, whose one field is `key`. */
static enum rc
ask(struct test *t, enum rc (*op)(struct dlv *, struct rpcd_req *),
    const char *key, struct str value)
{
	t->r = (struct rpcd_req){ .dl = deadline_in(60000) };
	ipc_msg_init(&t->r.msg, 1);
	ipc_msg_init(&t->r.out, 1);
	ipc_put_str(&t->r.msg, key, value);
	ipc_in_init(&t->r.in, &t->r.msg);
	return op(&t->d, &t->r);
}

static void
asked(struct test *t)
{
	ipc_msg_free(&t->r.msg);
	ipc_msg_free(&t->r.out);
	arena_free(&t->r.a);
}

static uint64_t
count(struct test *t)
{
	struct ipc_in in;

	ipc_in_init(&in, &t->r.out);
	return ipc_u64_or(&in, "entries", 99);
}

static json_t *
json(struct test *t)
{
	struct ipc_in in;
	struct str text;

	ipc_in_init(&in, &t->r.out);
	text = ipc_str_or(&in, "json", STR(""));
	return json_loadb(text.p, text.n, 0, NULL);
}

static void
queue_is_listed_in_pages(void **state)
{
	static const char *const want[] = { "a1", "b1" };
	struct str after = STR("");
	struct test t;

	(void)state;
	begin(&t);
	fake_store_add(&t.store, "a1", ANN)->reason = STR("odd \xff byte");
	fake_store_add(&t.store, "b1", DAN)->expires_at = 5;
	for (size_t i = 0; i <= COUNT(want); i++) {
		json_t *root, *messages, *first, *entry;

		assert_int_equal(ask(&t, dlv_on_list, "after", after), RC_OK);
		root = json(&t);
		asked(&t);
		assert_non_null(root);
		messages = json_object_get(root, "messages");
		if (i == COUNT(want)) {
			assert_int_equal(json_array_size(messages), 0);
			assert_null(json_object_get(root, "next"));
			json_decref(root);
			break;
		}
		first = json_array_get(messages, 0);
		assert_string_equal(
		    json_string_value(json_object_get(first, "id")), want[i]);
		assert_string_equal(
		    json_string_value(json_object_get(root, "next")), want[i]);
		entry = json_array_get(json_object_get(first, "entries"), 0);
		assert_string_equal(
		    json_string_value(json_object_get(entry, "reason")),
		    i == 0 ? "odd ? byte" : "because");
		assert_int_equal(
		    json_is_true(json_object_get(entry, "expired")), i == 1);
		after = str_c(want[i]);
		json_decref(root);
	}
	end(&t);
}

/* As it is now, and as the first version wrote it. */
static void
a_reason_has_its_code_once(void **state)
{
	static const struct {
		struct str stored;
		const char *shown;
	} rows[] = {
		{ S("mx.example.net: 451 4.2.1 later"),
		    "mx.example.net: 451 4.2.1 later" },
		{ S("mx.example.net: 451 451 4.2.1 later"),
		    "mx.example.net: 451 4.2.1 later" },
		{ S("smtp:[::1]:25: 421 421"), "smtp:[::1]:25: 421" },
		{ S("mx.example.net: 451 4511 later"),
		    "mx.example.net: 451 4511 later" },
		{ S("mx.example.net: no no"), "mx.example.net: no no" },
		{ S("a: "), "a: " },
		{ S(""), "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct test t;
		json_t *root, *entry;

		begin(&t);
		fake_store_add(&t.store, "a1", ANN)->reason = rows[i].stored;
		assert_int_equal(
		    ask(&t, dlv_on_show, "queue_id", STR("a1")), RC_OK);
		root = json(&t);
		entry = json_array_get(json_object_get(root, "entries"), 0);
		assert_string_equal(
		    json_string_value(json_object_get(entry, "reason")),
		    rows[i].shown);
		json_decref(root);
		asked(&t);
		end(&t);
	}
}

static void
one_message_is_shown(void **state)
{
	struct test t;
	json_t *root;

	(void)state;
	begin(&t);
	fake_store_add(&t.store, "a1", ANN);
	assert_int_equal(ask(&t, dlv_on_show, "queue_id", STR("zz")), RC_NOENT);
	asked(&t);
	assert_int_equal(ask(&t, dlv_on_show, "queue_id", STR("a1")), RC_OK);
	root = json(&t);
	assert_string_equal(json_string_value(json_object_get(root, "from")),
	    "joe@example.net");
	json_decref(root);
	asked(&t);
	end(&t);
}

static void
held_mail_goes_out_when_asked_for(void **state)
{
	struct test t;

	(void)state;
	begin(&t);
	fake_store_add(&t.store, "a1", ANN)->state = DLV_HELD;
	fake_store_add(&t.store, "b1", BOB)->state = DLV_POISON;
	dlv_queue_start(&t.d);
	assert_true(becomes(&t, is_loaded));
	assert_int_equal(t.store.delivered, 0);
	assert_int_equal(
	    ask(&t, dlv_on_retry, "queue_id", STR("zz")), RC_NOENT);
	asked(&t);
	assert_int_equal(ask(&t, dlv_on_retry, "queue_id", STR("all")), RC_OK);
	assert_int_equal(count(&t), 2);
	asked(&t);
	assert_true(becomes(&t, is_empty));
	assert_int_equal(t.store.delivered, 2);
	end(&t);
}

static bool
no_try_runs(struct test *t)
{
	struct dlv_queue_sum sum;

	dlv_queue_sum(t->d.queue, &sum);
	return sum.loaded && sum.sending == 0 && t->store.updates > 0;
}

static bool
tried_twice(struct test *t)
{
	return fake_rem_count(&t->rem) == 2;
}

/* The next try of its own would be in a minute. */
static void
a_hop_that_is_down_is_tried_when_asked_for(void **state)
{
	static const struct {
		enum rc (*op[2])(struct dlv *, struct rpcd_req *);
	} rows[] = {
		{ { dlv_on_retry, NULL } },
		{ { dlv_on_hold, dlv_on_release } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct store_queued *q;
		struct test t;

		begin(&t);
		q = fake_store_add(&t.store, "a1", "");
		q->kind = DIR_ELSEWHERE;
		q->rcpt = STR("down@dead.example");
		/* The hop is known as long as somebody wants to go there. */
		*fake_store_add(&t.store, "b1", "") = *q;
		t.store.item[1].entries[0].next_at = now_unix() + 1000;
		dlv_queue_start(&t.d);
		assert_true(becomes(&t, no_try_runs));
		assert_int_equal(fake_rem_count(&t.rem), 1);
		for (size_t k = 0; k < 2 && rows[i].op[k] != NULL; k++) {
			assert_int_equal(
			    ask(&t, rows[i].op[k], "queue_id", STR("a1")),
			    RC_OK);
			asked(&t);
		}
		assert_true(becomes(&t, tried_twice));
		end(&t);
	}
}

static struct test *
test_of(struct store_client *s)
{
	return (
	    struct test *)(void *)((char *)s - offsetof(struct test, store));
}

static struct store_queued *
to_a_hop(struct test *t, const char *id, int64_t next_at)
{
	struct store_queued *q = fake_store_add(&t->store, id, "");

	q->kind = DIR_ELSEWHERE;
	q->rcpt = STR("ok@example.net");
	q->next_at = next_at;
	return q;
}

static bool
one_of_four_is_held(struct test *t)
{
	struct dlv_queue_sum sum;

	dlv_queue_sum(t->d.queue, &sum);
	return sum.held == 1 && sum.ready == 3;
}

/* It asks for the next page. */
static void
noted(struct store_client *s)
{
	test_of(s)->noted = true;
}

static bool
is_noted(struct test *t)
{
	return t->noted;
}

/* An administrator wants a1 tried now, and the queue has seen that. */
static void
asked_for_meanwhile(struct store_client *s)
{
	pthread_mutex_lock(&s->lock);
	s->item[0].entries[0].next_at = 0;
	s->item[0].entries[1].state = DLV_HELD;
	s->listed = noted;
	pthread_mutex_unlock(&s->lock);
	dlv_queue_poke(test_of(s)->d.queue, STR("a1"));
	assert_true(becomes(test_of(s), one_of_four_is_held));
}

static bool
tried_thrice(struct test *t)
{
	return fake_rem_count(&t->rem) == 3;
}

/* The hop has no room for a third try when the page was read. */
static void
what_was_read_earlier_undoes_nothing(void **state)
{
	struct store_queued *q;
	struct test t;

	(void)state;
	begin(&t);
	t.rem.silent = true;
	q = to_a_hop(&t, "a1", now_unix() + 1000);
	q[1] = q[0];
	q[1].id = t.store.item[0].nentries = 2;
	to_a_hop(&t, "b1", 0);
	to_a_hop(&t, "c1", 0);
	dlv_queue_start(&t.d);
	assert_true(becomes(&t, tried_twice));
	assert_true(becomes(&t, is_loaded));
	pthread_mutex_lock(&t.store.lock);
	t.store.listed = asked_for_meanwhile;
	pthread_mutex_unlock(&t.store.lock);
	dlv_queue_reload(t.d.queue);
	assert_true(becomes(&t, is_noted));
	fake_rem_answer(&t.rem, 0, RC_OK);
	assert_true(becomes(&t, tried_thrice));
	fake_rem_answer(&t.rem, 1, RC_OK);
	fake_rem_answer(&t.rem, 2, RC_OK);
	end(&t);
}

static bool
knows_nothing(struct test *t)
{
	struct dlv_queue_sum sum;

	dlv_queue_sum(t->d.queue, &sum);
	return sum.messages == 0;
}

static void
gone_meanwhile(struct store_client *s)
{
	pthread_mutex_lock(&s->lock);
	s->item[0].nentries = 0;
	pthread_mutex_unlock(&s->lock);
	dlv_queue_poke(test_of(s)->d.queue, STR("a1"));
	assert_true(becomes(test_of(s), knows_nothing));
	pthread_mutex_lock(&s->lock);
	fake_store_add(s, "b1", ANN)->state = DLV_HELD;
	pthread_mutex_unlock(&s->lock);
}

static bool
only_one_is_held(struct test *t)
{
	struct dlv_queue_sum sum;

	dlv_queue_sum(t->d.queue, &sum);
	return sum.messages == 1 && sum.held == 1;
}

static void
what_was_read_earlier_does_not_come_back(void **state)
{
	struct test t;

	(void)state;
	begin(&t);
	to_a_hop(&t, "a1", now_unix() + 1000);
	dlv_queue_start(&t.d);
	assert_true(becomes(&t, is_loaded));
	pthread_mutex_lock(&t.store.lock);
	t.store.listed = gone_meanwhile;
	pthread_mutex_unlock(&t.store.lock);
	dlv_queue_reload(t.d.queue);
	assert_true(becomes(&t, only_one_is_held));
	end(&t);
}

/*
 * A backup that was restored much later: what is released is tried, though
 * its time was over, and what was done before is not done again.
 */
static void
restored_mail_is_tried_when_released(void **state)
{
	const struct dlv_entry waits = { .waits = 1 };
	const struct dlv_entry told = { .action = DLV_DELIVERED };
	struct store_queued *q;
	struct dlv_step step;
	struct test t;

	(void)state;
	begin(&t);
	for (unsigned i = 0; i < 2; i++) {
		q = fake_store_add(&t.store, i ? "b1" : "a1", i ? BOB : ANN);
		q->data = dlv_entry_held(
		    &t.store.a, dlv_entry_put(&t.store.a, i ? &told : &waits));
		q->state = DLV_HELD;
		q->expires_at = 5;
		dlv_retry_step(&t.d, str_c(i ? "b1" : "a1"), &step);
		assert_int_equal(step.next_at == INT64_MAX, 1);
	}
	assert_int_equal(t.store.updates, 0);
	dlv_queue_start(&t.d);
	assert_true(becomes(&t, is_loaded));
	assert_int_equal(
	    ask(&t, dlv_on_release, "queue_id", STR("all")), RC_OK);
	assert_int_equal(count(&t), 2);
	asked(&t);
	assert_true(becomes(&t, is_empty));
	assert_int_equal(t.store.delivered, 1);
	CHECK_STR(t.store.last_account, STR(ANN));
	assert_int_equal(t.store.submits, 1); /* Bob's notice */
	assert_true(
	    str_find(t.store.body, STR("Action: delivered")) < t.store.body.n);
	end(&t);
}

static void
deleted_mail_is_gone(void **state)
{
	struct test t;

	(void)state;
	begin(&t);
	fake_store_add(&t.store, "a1", ANN)->state = DLV_HELD;
	fake_store_add(&t.store, "b1", BOB)->state = DLV_HELD;
	dlv_queue_start(&t.d);
	assert_true(becomes(&t, is_loaded));
	assert_int_equal(ask(&t, dlv_on_delete, "queue_id", STR("a1")), RC_OK);
	assert_int_equal(count(&t), 1);
	asked(&t);
	assert_true(becomes(&t, one_is_held));
	assert_int_equal(
	    ask(&t, dlv_on_delete, "queue_id", STR("a1")), RC_NOENT);
	asked(&t);
	assert_int_equal(ask(&t, dlv_on_delete, "queue_id", STR("")), RC_OK);
	assert_int_equal(count(&t), 1);
	asked(&t);
	assert_true(becomes(&t, is_empty));
	assert_int_equal(t.store.delivered, 0);
	end(&t);
}

static void
die_with(struct test *t, int table, const char *id)
{
	struct dlv_work w;

	inflight_close(&t->d.inflight);
	t->d.inflight = inflight_open(table);
	dlv_poison_item(&w, str_c(id));
	assert_int_equal(dlv_poison_begin(&t->d, &w), RC_OK);
	inflight_close(&t->d.inflight);
	t->d.inflight = inflight_open(table);
}

static bool
one_is_poison(struct test *t)
{
	struct dlv_queue_sum sum;

	dlv_queue_sum(t->d.queue, &sum);
	return sum.loaded && sum.poison == 1 && sum.messages == 1;
}

static void
poison_is_set_aside_until_asked_for(void **state)
{
	AUTO_FD table = inflight_make();
	struct test t;

	(void)state;
	assert_true(table >= 0);
	begin(&t);
	fake_store_add(&t.store, "a1", ANN);
	fake_store_add(&t.store, "b1", BOB);
	die_with(&t, table, "a1");
	die_with(&t, table, "a1");
	die_with(&t, table, "b1");
	dlv_queue_start(&t.d);
	assert_true(becomes(&t, one_is_poison));
	assert_int_equal(t.store.delivered, 1);
	CHECK_STR(t.store.last_account, STR(BOB));
	assert_int_equal(t.store.item[0].entries[0].state, DLV_POISON);
	assert_int_equal(t.d.counts.poisoned, 1);
	assert_int_equal(ask(&t, dlv_on_retry, "queue_id", STR("a1")), RC_OK);
	asked(&t);
	assert_true(becomes(&t, is_empty));
	assert_int_equal(t.store.delivered, 2);
	end(&t);
}

/*
 * Also where nothing is left but a notice to be written, or to be given up; and
 * the notice says what it would have said.
 */
static void
poison_that_was_decided_is_told_when_asked_for(void **state)
{
	static const struct {
		enum dlv_state state;
		struct dlv_entry e;
		bool release, notice;
	} rows[] = {
		{ DLV_DONE, { .action = DLV_FAILED }, false, true },
		{ DLV_DONE, { .action = DLV_FAILED }, true, true },
		{ DLV_HELD, { .waits = 1 }, false, false },
		{ DLV_HELD, { .waits = 1 }, true, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		AUTO_FD table = inflight_make();
		struct store_queued *q;
		struct test t;

		assert_true(table >= 0);
		begin(&t);
		q = fake_store_add(&t.store, "a1", ANN);
		q->state = rows[i].state;
		q->expires_at = 5;
		q->data = dlv_entry_put(&t.store.a, &rows[i].e);
		die_with(&t, table, "a1");
		die_with(&t, table, "a1");
		dlv_queue_start(&t.d);
		assert_true(becomes(&t, one_is_poison));
		assert_int_equal(q->state, DLV_POISON);
		assert_int_equal(t.store.updates, 1);
		assert_int_equal(t.d.counts.poisoned, 1);
		assert_int_equal(t.store.submits, 0);
		if (rows[i].release) {
			assert_int_equal(
			    ask(&t, dlv_on_hold, "queue_id", STR("a1")), RC_OK);
			asked(&t);
			assert_int_equal(
			    ask(&t, dlv_on_release, "queue_id", STR("a1")),
			    RC_OK);
		} else {
			assert_int_equal(
			    ask(&t, dlv_on_retry, "queue_id", STR("a1")),
			    RC_OK);
		}
		asked(&t);
		assert_true(becomes(&t, is_empty));
		assert_int_equal(t.store.submits, rows[i].notice);
		assert_int_equal(t.store.delivered, !rows[i].notice);
		if (rows[i].notice && !rows[i].release)
			assert_true(str_find(t.store.body, STR("because")) <
				    t.store.body.n);
		end(&t);
	}
}

static void
hold_it(struct store_client *s)
{
	s->item[0].entries[0].state = DLV_HELD;
}

/* It is not delivered by what was planned before. */
static void
held_at_the_last_moment_is_not_delivered(void **state)
{
	struct dlv_step step;
	struct test t;

	(void)state;
	begin(&t);
	fake_store_add(&t.store, "a1", ANN);
	t.store.before = hold_it;
	dlv_retry_step(&t.d, STR("a1"), &step);
	assert_true(step.again);
	dlv_retry_step(&t.d, STR("a1"), &step);
	assert_int_equal(step.held, 1);
	assert_int_equal(t.store.delivered, 0);
	end(&t);
}

static void
tried_meanwhile(struct store_client *s)
{
	s->item[0].entries[0].attempts = 9;
}

static void
bounced_meanwhile(struct store_client *s)
{
	s->item[0].entries[0].state = DLV_DONE;
	s->item[0].entries[0].next_at = now_unix() + 1000;
}

/* And what came of a try is not undone by an administrator. */
static void
a_change_builds_on_the_last_try(void **state)
{
	static const struct {
		void (*before)(struct store_client *s);
		enum dlv_state after;
		uint32_t attempts;
	} rows[] = {
		{ tried_meanwhile, DLV_HELD, 9 },
		{ bounced_meanwhile, DLV_DONE, 1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct store_queued *q;
		struct test t;

		begin(&t);
		q = fake_store_add(&t.store, "a1", ANN);
		q->next_at = now_unix() + 60;
		dlv_queue_start(&t.d);
		assert_true(becomes(&t, is_loaded));
		t.store.before = rows[i].before;
		assert_int_equal(
		    ask(&t, dlv_on_hold, "queue_id", STR("a1")), RC_OK);
		assert_int_equal(count(&t), 1);
		asked(&t);
		assert_int_equal(q->state, rows[i].after);
		assert_int_equal(q->attempts, rows[i].attempts);
		end(&t);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_queue_found_at_start_is_delivered),
		cmocka_unit_test(poked_messages_are_looked_at),
		cmocka_unit_test(step_says_when_to_look_again),
		cmocka_unit_test(kept_entries_wait_for_their_time),
		cmocka_unit_test(room_is_limited),
		cmocka_unit_test(queue_is_listed_in_pages),
		cmocka_unit_test(a_reason_has_its_code_once),
		cmocka_unit_test(one_message_is_shown),
		cmocka_unit_test(held_mail_goes_out_when_asked_for),
		cmocka_unit_test(a_hop_that_is_down_is_tried_when_asked_for),
		cmocka_unit_test(what_was_read_earlier_undoes_nothing),
		cmocka_unit_test(what_was_read_earlier_does_not_come_back),
		cmocka_unit_test(restored_mail_is_tried_when_released),
		cmocka_unit_test(deleted_mail_is_gone),
		cmocka_unit_test(poison_is_set_aside_until_asked_for),
		cmocka_unit_test(
		    poison_that_was_decided_is_told_when_asked_for),
		cmocka_unit_test(held_at_the_last_moment_is_not_delivered),
		cmocka_unit_test(a_change_builds_on_the_last_try),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
