#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "delivery/dlv.h"
#include "delivery/dlv_fresh.h"
#include "delivery/dlv_scan.h"
#include "delivery/dlv_wire.h"
#include "mail/addr.h"
#include "mail/meta.h"
#include "tests/unit/delivery/fake.h"
#include "tests/unit/delivery/fake_store.h"

#define TRACE "Received: from a by b; Sun, 22 Nov 2026 05:00:00 +0000\r\n"
#define BODY  "Subject: hello\r\n\r\nHow are you?\r\n"

struct test {
	struct dlv d;
	struct store_client store;
	struct dir_client dir;
	struct dir_rcpt team[2];
	struct dlv_rcpt to[4];
	struct dlv_submit in;
	struct rpcd_req r;
	bool replied;
	enum rc rc; /* of the reply */
};

/* Stand-ins for the queue and for rpcd; the request leads to its test. */
static struct test *
test_of(struct dlv_queue *q)
{
	return (struct test *)(void *)q;
}

static unsigned pokes, doubts;

void
dlv_queue_poke(struct dlv_queue *q, struct str message_id)
{
	(void)q;
	CHECK_STR(message_id, STR("cafe"));
	pokes++;
}

static struct dlv_fresh *fresh;

void
dlv_queue_fresh(struct dlv_queue *q, struct dlv_fresh *f)
{
	(void)q;
	assert_null(fresh);
	fresh = f;
}

void
dlv_queue_reload(struct dlv_queue *q)
{
	(void)q;
	fail();
}

void
dlv_queue_doubt(struct dlv_queue *q)
{
	(void)q;
	doubts++;
}

uint64_t
dlv_queue_mark(struct dlv_queue *q)
{
	(void)q;
	return 0;
}

void
dlv_queue_revive(struct dlv_queue *q, struct str hop, uint64_t since)
{
	(void)q;
	(void)since;
	fail_msg("revived %.*s", STRF(hop));
}

enum rc
dlv_queue_room(struct dlv_queue *q, uint64_t max, size_t n)
{
	assert_ptr_equal(test_of(q)->d.queue, q);
	return n <= max ? RC_OK : RC_TEMP;
}

void
rpcd_reply(struct rpcd_req *r, enum rc rc)
{
	struct test *t = r->worker;

	assert_false(t->replied);
	t->replied = true;
	t->rc = rc;
}

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
	t->d.inflight = inflight_open(-1);
	t->d.started_ns = now_ns();
	t->d.queue = (struct dlv_queue *)(void *)t;
	t->dir.team = t->team;
	t->to[0] =
	    (struct dlv_rcpt){ STR("ann@example.org"), DIR_USER, STR(ANN) };
	t->in = (struct dlv_submit){
		.id = STR("0123456789abcdef"),
		.from = STR("joe@example.net"),
		.submitter = STR(""),
		.sid = STR("ab12"),
		.client_ip = STR("192.0.2.1"),
		.to = t->to,
		.nto = 1,
		.trace = STR(TRACE),
		.edits = STR(""),
		.inline_data = STR(BODY),
		.fd = -1,
		.size = sizeof(BODY) - 1,
		.received_at = 1000000,
	};
	pokes = doubts = 0;
}

static enum rpcd_next
submit(struct test *t, enum rc *rc)
{
	struct rpcd_req *r = &t->r;

	*r = (struct rpcd_req){
		.op = DLV_OP_SUBMIT, .dl = deadline_in(60000), .worker = t
	};
	ipc_msg_init(&r->msg, DLV_OP_SUBMIT);
	ipc_msg_init(&r->out, DLV_OP_SUBMIT);
	dlv_put_submit(&r->msg, &t->in);
	ipc_in_init(&r->in, &r->msg);
	return dlv_handle(&t->d, r, rc);
}

static void
end(struct test *t)
{
	ipc_msg_free(&t->r.msg);
	ipc_msg_free(&t->r.out);
	arena_free(&t->r.a);
	fake_store_free(&t->store);
	inflight_close(&t->d.inflight);
	pthread_mutex_destroy(&t->d.conf_lock);
}

static void
reply_follows_the_store(void **state)
{
	static const struct {
		enum rc store, reply;
	} rows[] = {
		{ RC_OK, RC_OK },
		{ RC_TEMP, RC_TEMP },
		{ RC_DENY, RC_TEMP },
		{ RC_BAD, RC_TEMP },
		{ RC_NOENT, RC_TEMP },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct dlv_submitted out;
		struct mail_meta meta;
		struct ipc_in in;
		struct test t;
		enum rc rc;

		begin(&t);
		t.in.edits = STR("Date: Sun, 22 Nov 2026 05:00:00 +0000\r\n");
		assert_int_equal(submit(&t, &rc), RPCD_LATER);
		assert_false(t.replied);
		CHECK_STR(t.store.op_id, t.in.id);
		CHECK_STR(t.store.body, STR(BODY));
		CHECK_STR(t.store.edits, t.in.edits);
		CHECK_STR(t.store.prefix,
		    STR("Return-Path: <joe@example.net>\r\n"
			"Delivered-To: ann@example.org\r\n" TRACE));
		assert_int_equal(
		    mail_meta_decode(&t.r.a, t.store.meta, &meta), RC_OK);
		assert_int_equal(meta.size, t.in.edits.n + t.in.size);
		CHECK_STR(meta.root->envelope->subject, STR("hello"));
		fake_store_commit(&t.store, rows[i].store);
		assert_true(t.replied);
		assert_int_equal(t.rc, rows[i].reply);
		if (t.rc == RC_OK) {
			ipc_in_init(&in, &t.r.out);
			assert_int_equal(dlv_get_submitted(&in, &out), RC_OK);
			CHECK_STR(out.queue_id, STR("cafe"));
			assert_int_equal(out.delivered, 1);
			assert_int_equal(out.queued, 0);
		}
		assert_int_equal(pokes + doubts, 0);
		end(&t);
	}
}

static void
group_is_queued_while_the_directory_is_down(void **state)
{
	static const enum rc rows[] = { RC_OK, RC_TEMP };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct test t;
		enum rc rc;

		begin(&t);
		t.dir.down = true;
		t.to[1] = (struct dlv_rcpt){ STR("team@example.org"), DIR_GROUP,
			STR(TEAM) };
		t.in.nto = 2;
		assert_int_equal(submit(&t, &rc), RPCD_LATER);
		assert_int_equal(t.store.nto, 1);
		assert_int_equal(t.store.nqueue, 1);
		fake_store_commit(&t.store, rows[i]);
		assert_int_equal(t.rc, rows[i]);
		assert_int_equal(pokes, rows[i] == RC_OK);
		assert_int_equal(doubts, rows[i] != RC_OK);
		end(&t);
	}
}

static void
nobody_is_asked_for_people(void **state)
{
	struct test t;
	enum rc rc;

	(void)state;
	begin(&t);
	t.dir.down = true;
	assert_int_equal(submit(&t, &rc), RPCD_LATER);
	assert_int_equal(t.dir.asked + t.dir.expanded, 0);
	fake_store_commit(&t.store, RC_OK);
	assert_int_equal(t.rc, RC_OK);
	end(&t);
}

/* What the directory said at RCPT is older than its cache would be. */
static void
people_asked_about_long_ago_are_asked_again(void **state)
{
	static const struct {
		uint64_t asked_ms;
		bool down;
		unsigned asked;
		size_t to, queue;
	} rows[] = {
		{ 1000, true, 0, 1, 0 },
		{ 1001, false, 1, 1, 0 },
		{ 1001, true, 1, 0, 1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct test t;
		enum rc rc;

		begin(&t);
		t.dir.down = rows[i].down;
		t.in.asked_ms = rows[i].asked_ms;
		assert_int_equal(submit(&t, &rc), RPCD_LATER);
		assert_int_equal(t.dir.asked, rows[i].asked);
		assert_int_equal(t.store.nto, rows[i].to);
		assert_int_equal(t.store.nqueue, rows[i].queue);
		fake_store_commit(&t.store, RC_OK);
		assert_int_equal(t.rc, RC_OK);
		end(&t);
	}
}

enum fault {
	NO_FAULT,
	SHORT_ID,
	NOBODY,
	TOO_MANY,
	LONG_FROM,
	BAD_FROM,
	BAD_KIND,
	BAD_RCPT,
	WRONG_SIZE,
	TOO_LARGE,
	EDITS_BODY,
	TRACE_CUT,
	NO_BODY_LINE,
	LOOP,
};

static void
damage(struct test *t, enum fault fault)
{
	static struct dlv_rcpt many[100 + DLV_COPIES_MAX + 1];
	static char big[MAIL_ADDR_TEXT_MAX + 1];

	switch (fault) {
	case SHORT_ID:
		t->in.id = STR("short");
		break;
	case NOBODY:
		t->in.nto = 0;
		break;
	case TOO_MANY:
		for (size_t i = 0; i < COUNT(many); i++)
			many[i] = t->to[0];
		t->in.to = many;
		t->in.nto = COUNT(many);
		break;
	case LONG_FROM:
		memset(big, 'a', sizeof(big));
		t->in.from = str_n(big, sizeof(big));
		break;
	case BAD_FROM:
		t->in.from = STR("a@b\r\nBcc: c");
		break;
	case BAD_KIND:
		t->to[0].kind = 9;
		break;
	case BAD_RCPT:
		t->to[0].dir_id = STR("ann");
		break;
	case WRONG_SIZE:
		t->in.size++;
		break;
	case TOO_LARGE:
		t->in.size = fake_conf.message_size_max + 1;
		break;
	case EDITS_BODY:
		t->in.edits = STR("A: b\r\n\r\nbody\r\n");
		break;
	case TRACE_CUT:
		t->in.trace = STR("Received: x");
		break;
	case NO_BODY_LINE:
		t->in.edits = STR("no field\r\n");
		break;
	case LOOP:
		t->in.inline_data =
		    STR("Delivered-To: ann@example.org\r\n\r\n");
		t->in.size = t->in.inline_data.n;
		break;
	case NO_FAULT:
		break;
	}
}

static void
what_no_gateway_sends_is_refused(void **state)
{
	static const struct {
		enum fault fault;
		enum rc rc;
	} rows[] = {
		{ SHORT_ID, RC_BAD },
		{ NOBODY, RC_BAD },
		{ TOO_MANY, RC_BAD },
		{ LONG_FROM, RC_BAD },
		{ BAD_FROM, RC_BAD },
		{ BAD_KIND, RC_BAD },
		{ BAD_RCPT, RC_BAD },
		{ WRONG_SIZE, RC_BAD },
		{ TOO_LARGE, RC_BAD },
		{ EDITS_BODY, RC_BAD },
		{ TRACE_CUT, RC_BAD },
		{ NO_BODY_LINE, RC_BAD },
		{ LOOP, RC_DENY },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct test t;
		enum rc rc;

		begin(&t);
		damage(&t, rows[i].fault);
		assert_int_equal(submit(&t, &rc), RPCD_REPLY);
		assert_int_equal(rc, rows[i].rc);
		assert_int_equal(t.store.submits, 0);
		assert_false(t.replied);
		end(&t);
	}
}

static int
file_of(size_t size, size_t hops)
{
	int fd = memfd_create("body", MFD_CLOEXEC);
	const struct str line = STR("Received: by somewhere\r\n");
	size_t at = 0;

	assert_true(fd >= 0);
	for (size_t i = 0; i < hops; i++, at += line.n)
		assert_int_equal(fd_pwrite_all(fd, line, at), RC_OK);
	assert_int_equal(fd_pwrite_all(fd, STR("\r\n"), at), RC_OK);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	return fd;
}

static void
bodies_in_files_are_read(void **state)
{
	static const struct {
		size_t size, said, hops;
		enum rc rc;
	} rows[] = {
		{ 100000, 100000, 1, RC_OK },
		{ 700001, 700001, 4, RC_OK },
		{ 262144, 262144, 1, RC_OK },
		{ 100000, 100001, 1, RC_BAD },
		{ 100000, 99999, 1, RC_BAD },
		{ 100000, 100000, 5, RC_DENY },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		AUTO_FD fd = file_of(rows[i].size, rows[i].hops);
		struct mail_meta meta;
		struct test t;
		enum rc rc;

		begin(&t);
		t.in.inline_data = STR("");
		t.in.fd = fd;
		t.in.size = rows[i].said;
		assert_int_equal(submit(&t, &rc),
		    rows[i].rc == RC_OK ? RPCD_LATER : RPCD_REPLY);
		assert_int_equal(rc, rows[i].rc);
		if (rc == RC_OK) {
			assert_true(t.store.has_fd);
			assert_int_equal(
			    mail_meta_decode(&t.r.a, t.store.meta, &meta),
			    RC_OK);
			assert_int_equal(meta.size, rows[i].size);
			fake_store_commit(&t.store, RC_OK);
		}
		end(&t);
	}
}

static void
too_many_deliveries_are_a_loop(void **state)
{
	static const struct {
		size_t n;
		enum rc rc;
	} rows[] = {
		{ DLV_SCAN_DELIVERED, RC_OK },
		{ DLV_SCAN_DELIVERED + 1, RC_DENY },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		AUTO_BUF b = { 0 };
		struct test t;
		enum rc rc;

		begin(&t);
		buf_init(&b, 16384);
		for (size_t k = 0; k < rows[i].n; k++)
			assert_int_equal(
			    buf_add(&b, STR("Delivered-To: x@y.z\r\n")), RC_OK);
		t.in.inline_data = buf_str(&b);
		t.in.size = b.n;
		assert_int_equal(submit(&t, &rc),
		    rows[i].rc == RC_OK ? RPCD_LATER : RPCD_REPLY);
		assert_int_equal(rc, rows[i].rc);
		if (rc == RC_OK)
			fake_store_commit(&t.store, RC_OK);
		end(&t);
	}
}

static void
a_pipe_is_no_body(void **state)
{
	struct test t;
	int fd[2];
	enum rc rc;

	(void)state;
	begin(&t);
	assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
	t.in.inline_data = STR("");
	t.in.fd = fd[0];
	t.in.size = 0;
	assert_int_equal(submit(&t, &rc), RPCD_REPLY);
	assert_int_equal(rc, RC_BAD);
	close(fd[0]);
	close(fd[1]);
	end(&t);
}

/* What a life leaves behind that dies while it works on this message. */
static void
die_with(struct test *t, int table)
{
	struct dlv_work w;

	inflight_close(&t->d.inflight);
	t->d.inflight = inflight_open(table);
	dlv_poison_submit(&w, &t->in);
	assert_int_equal(dlv_poison_begin(&t->d, &w), RC_OK);
	inflight_close(&t->d.inflight);
	t->d.inflight = inflight_open(table);
}

static void
nobody_tries_a_third_time(void **state)
{
	AUTO_FD table = inflight_make();
	struct test t;
	enum rc rc;

	(void)state;
	assert_true(table >= 0);
	begin(&t);
	die_with(&t, table);
	die_with(&t, table);
	/* The sender's next attempt has another id and the same content. */
	t.in.id = STR("another sixteen!");
	assert_int_equal(submit(&t, &rc), RPCD_REPLY);
	assert_int_equal(rc, RC_TEMP);
	assert_int_equal(t.store.submits, 0);
	assert_int_equal(t.d.counts.poisoned, 1);
	end(&t);
}

static void
another_message_is_not_poison(void **state)
{
	AUTO_FD table = inflight_make();
	struct test t;
	enum rc rc;

	(void)state;
	assert_true(table >= 0);
	begin(&t);
	die_with(&t, table);
	die_with(&t, table);
	t.in.inline_data = STR("Subject: other\r\n\r\n");
	t.in.size = t.in.inline_data.n;
	assert_int_equal(submit(&t, &rc), RPCD_LATER);
	fake_store_commit(&t.store, RC_OK);
	end(&t);
}

static void
poison_is_forgiven_after_a_quiet_hour(void **state)
{
	AUTO_FD table = inflight_make();
	struct test t;
	enum rc rc;

	(void)state;
	assert_true(table >= 0);
	begin(&t);
	die_with(&t, table);
	die_with(&t, table);
	t.d.started_ns -= (int64_t)DLV_POISON_REST_S * 1000000000;
	assert_int_equal(submit(&t, &rc), RPCD_REPLY);
	assert_int_equal(rc, RC_TEMP);
	ipc_msg_free(&t.r.msg);
	ipc_msg_free(&t.r.out);
	arena_free(&t.r.a);
	assert_int_equal(submit(&t, &rc), RPCD_LATER);
	fake_store_commit(&t.store, RC_OK);
	end(&t);
}

/* Being someone else than root and than ourselves. */
static void
gateways_may_not_touch_the_queue(void **state)
{
	static const uint16_t ops[] = { DLV_OP_QUEUE_LIST, DLV_OP_QUEUE_SHOW,
		DLV_OP_QUEUE_RETRY, DLV_OP_QUEUE_DELETE };

	(void)state;
	for (size_t i = 0; i < COUNT(ops); i++) {
		struct test t;
		enum rc rc = RC_OK;

		begin(&t);
		t.r =
		    (struct rpcd_req){ .op = ops[i], .uid = geteuid() + 12345 };
		assert_int_equal(dlv_handle(&t.d, &t.r, &rc), RPCD_REPLY);
		assert_int_equal(rc, RC_DENY);
		end(&t);
	}
}

/* It goes out from the bytes at hand, if there is something to send now. */
static void
what_leaves_is_kept_for_its_first_try(void **state)
{
	static const struct {
		bool foreign, has_fd;
		uint64_t first, used;
		bool kept;
	} rows[] = {
		{ true, false, 7, 0, true },
		{ true, true, 7, 0, true },
		{ true, false, 0, 0, false }, /* an earlier commit's */
		{ true, false, 7, DLV_FRESH_BYTES, false },
		{ false, false, 7, 0, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		AUTO_FD fd = -1;
		char text[sizeof(BODY) - 1];
		struct test t;
		enum rc rc;

		begin(&t);
		t.store.first_entry = rows[i].first;
		t.d.fresh_bytes = rows[i].used;
		t.dir.down = !rows[i].foreign;
		t.to[0].address = STR("joe@example.net");
		t.to[0].kind = DIR_ELSEWHERE;
		t.to[0].dir_id = STR("");
		if (!rows[i].foreign) {
			t.to[0] = (struct dlv_rcpt){ STR("team@example.org"),
				DIR_GROUP, STR(TEAM) };
		}
		if (rows[i].has_fd) {
			fd = fd_sealed("body", STR(BODY));
			t.in.fd = fd;
			t.in.inline_data = STR("");
		}
		assert_int_equal(submit(&t, &rc), RPCD_LATER);
		assert_int_equal(t.store.nqueue, 1);
		fake_store_commit(&t.store, RC_OK);
		assert_int_equal(pokes, !rows[i].kept);
		assert_int_equal(fresh != NULL, rows[i].kept);
		if (fresh != NULL) {
			CHECK_STR(fresh->item.message_id, STR("cafe"));
			assert_int_equal(fresh->item.entries[0].id, 7);
			CHECK_STR(fresh->item.entries[0].rcpt,
			    STR("joe@example.net"));
			if (rows[i].has_fd) {
				assert_int_equal(fd_pread_all(fresh->body.fd,
						     text, sizeof(text), 0),
				    RC_OK);
				CHECK_STR(str_n(text, sizeof(text)), STR(BODY));
			} else {
				CHECK_STR(fresh->body.inline_data, STR(BODY));
			}
		}
		dlv_fresh_unref(&fresh);
		assert_int_equal(t.d.fresh, 0);
		assert_int_equal(t.d.fresh_bytes, rows[i].used);
		end(&t);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reply_follows_the_store),
		cmocka_unit_test(group_is_queued_while_the_directory_is_down),
		cmocka_unit_test(nobody_is_asked_for_people),
		cmocka_unit_test(people_asked_about_long_ago_are_asked_again),
		cmocka_unit_test(what_no_gateway_sends_is_refused),
		cmocka_unit_test(bodies_in_files_are_read),
		cmocka_unit_test(too_many_deliveries_are_a_loop),
		cmocka_unit_test(a_pipe_is_no_body),
		cmocka_unit_test(nobody_tries_a_third_time),
		cmocka_unit_test(another_message_is_not_poison),
		cmocka_unit_test(poison_is_forgiven_after_a_quiet_hour),
		cmocka_unit_test(gateways_may_not_touch_the_queue),
		cmocka_unit_test(what_leaves_is_kept_for_its_first_try),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
