/*
 * gatepost-store killed (kill -9) again and again under senders that repeat
 * what was not answered, as delivery does, and expunge most of it again, while
 * compaction runs all the time: everything answered is there, each message
 * once.  The test stands in for the supervisor: it holds the listening
 * socket, the configuration and the master key.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/proc.h"
#include "tests/unit/store/rig.h"

#define SENDERS 8
#define PADDING 60000u
#define KEPT    3u /* of so many messages one is */

struct field {
	struct rig *r;
	char sock[100];
	int conf_fd, rpc_fd, key_fd;
	pid_t pid;
	int control;
	struct store_client *client;
	struct store_reader *reader;
	struct str padding; /* does not compress much */
	size_t compactions;
	atomic_bool stop;
};

struct sender {
	struct field *f;
	unsigned number;
	uint64_t inbox;
	size_t expunged, acked, repeated, asked;
};

static void
pause_ms(unsigned ms)
{
	struct timespec ts = { ms / 1000, (long)(ms % 1000) * 1000000 };

	nanosleep(&ts, NULL);
}

static void
start_store(struct field *f)
{
	struct deadline dl = deadline_in(10000);
	AUTO_MSG m = { 0 }, ready = { 0 };
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	f->pid = fork();
	assert_true(f->pid >= 0);
	if (f->pid == 0) {
		int control = fcntl(pair[1], F_DUPFD, 10);

		dup2(control, PROC_CONTROL_FD);
		close_range(PROC_CONTROL_FD + 1, ~0u, 0);
		execl("./gatepost-store", "gatepost-store", "store",
		    (char *)NULL);
		_exit(127);
	}
	close(pair[1]);
	f->control = pair[0];
	ipc_msg_init(&m, PROC_START);
	ipc_put_str(&m, "name", STR("store"));
	ipc_put_u64(&m, "instance", 0);
	ipc_put_fd(&m, "conf", f->conf_fd);
	ipc_put_fd(&m, "log", 2);
	ipc_put_fd(&m, "rpc", f->rpc_fd);
	ipc_put_fd(&m, "master_key", f->key_fd);
	assert_int_equal(ipc_send(f->control, &m, dl), RC_OK);
	assert_int_equal(ipc_recv(f->control, &ready, dl), RC_OK);
	assert_int_equal(ready.op, PROC_READY);
}

static void
kill_store(struct field *f)
{
	int status;

	assert_int_equal(kill(f->pid, SIGKILL), 0);
	assert_int_equal(waitpid(f->pid, &status, 0), f->pid);
	assert_true(WIFSIGNALED(status));
	fd_close(&f->control);
}

static void
stop_store(struct field *f)
{
	AUTO_MSG m = { 0 };
	int status;

	ipc_msg_init(&m, PROC_STOP);
	assert_int_equal(ipc_send(f->control, &m, deadline_in(5000)), RC_OK);
	assert_int_equal(waitpid(f->pid, &status, 0), f->pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	fd_close(&f->control);
}

static void
set_up(struct field *f)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct rig *r = f->r;
	struct str text = str_fmt(&r->a,
	    "hostname = \"mx.example.org\"\n"
	    "domains = {\"example.org\"}\n"
	    "directory = \"ldif\"\n"
	    "ldif_file = \"%s/none.ldif\"\n"
	    "data_dir = \"%s\"\n"
	    "run_dir = \"%s\"\n"
	    "log_level = \"error\"\n"
	    "segment_mb = 4\n"
	    "free_space_mb = 64\n",
	    r->dir, r->dir, r->dir);

	(void)snprintf(f->sock, sizeof(f->sock), "%s/store.sock", r->dir);
	memcpy(sa.sun_path, f->sock, strlen(f->sock) + 1);
	f->rpc_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(
	    bind(f->rpc_fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(f->rpc_fd, 64), 0);
	f->conf_fd = fd_sealed("conf", text);
	f->key_fd =
	    fd_sealed("key", str_n(r->conf.master, sizeof(r->conf.master)));
	assert_true(f->conf_fd >= 0 && f->key_fd >= 0);
	f->client = store_client_new(&r->log, f->sock, SENDERS + 1);
	f->padding = rig_message(r, 1, PADDING).body;
}

static struct str
account_of(struct arena *a, unsigned number)
{
	return str_fmt(a, "6a1f0e1c-0000-4000-8000-%012u", number);
}

/* One message, asked for until it is answered. */
static void
send_one(struct sender *s, size_t i)
{
	AUTO_ARENA a = { 0 };
	struct store_delivery to = { .account = account_of(&a, s->number),
		.mailbox = STR("INBOX"),
		.prefix = STR("Return-Path: <>\r\n") };
	struct str text =
	    str_cat(&a, str_fmt(&a, "Subject: %zu\r\n\r\nbody %zu\r\n", i, i),
		s->f->padding);
	struct store_submit in = { .op_id =
				       str_fmt(&a, "kill-%u-%zu", s->number, i),
		.received_at = now_unix(),
		.body = { .fd = fd_sealed("body", text), .size = text.n },
		.to = &to,
		.nto = 1 };
	struct store_submitted out;

	while (!s->f->stop) {
		enum rc rc;

		s->asked++;
		rc = store_submit(
		    s->f->client, &a, &in, deadline_in(3000), &out);
		assert(rc == RC_OK || rc == RC_TEMP);
		if (rc == RC_OK) {
			s->acked = i;
			s->repeated += out.repeated;
			break;
		}
		pause_ms(10);
	}
	fd_close(&in.body.fd);
}

/* RC_TEMP: the store does not run just now. */
static enum rc
find_inbox(struct sender *s, struct arena *a, struct str account)
{
	AUTO_VIEW *v = NULL;
	struct store_attach at;
	struct store_mailbox m;
	enum rc rc =
	    store_attach(s->f->client, account, deadline_in(3000), &at);

	if (rc == RC_OK)
		rc = store_view_begin(s->f->reader, &v);
	if (rc == RC_OK)
		rc =
		    store_mailbox_find(v, a, account, at.key, STR("INBOX"), &m);
	if (rc == RC_OK)
		s->inbox = m.id;
	return rc;
}

/* Message i goes again, asked for until that is answered. */
static void
expunge_one(struct sender *s, size_t i)
{
	AUTO_ARENA a = { 0 };
	struct uid_range one = { (uint32_t)i, (uint32_t)i };
	struct store_flags x = { .account = account_of(&a, s->number),
		.uids = { &one, 1 },
		.op = STORE_FLAGS_ADD,
		.flags = STORE_DELETED,
		.unchanged_since = UINT64_MAX };
	struct store_flagged out;
	uint64_t modseq;
	enum rc rc = RC_TEMP;

	while (!s->f->stop && rc != RC_OK) {
		rc = s->inbox == 0 ? find_inbox(s, &a, x.account) : RC_OK;
		x.mailbox = s->inbox;
		if (rc == RC_OK)
			rc = store_flags(
			    s->f->client, &a, &x, deadline_in(3000), &out);
		if (rc == RC_OK)
			rc = store_expunge(s->f->client, x.account, s->inbox,
			    x.uids, deadline_in(3000), &modseq);
		assert(rc == RC_OK || rc == RC_TEMP);
		if (rc != RC_OK)
			pause_ms(10);
	}
	if (rc == RC_OK)
		s->expunged = i;
}

static void *
compact_main(void *arg)
{
	struct field *f = arg;

	while (!f->stop) {
		if (store_compact(f->client, deadline_in(3000)) == RC_OK)
			f->compactions++;
		pause_ms(20);
	}
	return NULL;
}

static void *
sender_main(void *arg)
{
	struct sender *s = arg;

	for (size_t i = 1; !s->f->stop; i++) {
		send_one(s, i);
		if (i % KEPT != 0 && s->acked == i)
			expunge_one(s, i);
	}
	return NULL;
}

/*
 * UID n is message n: none lost, none twice, none out of order.  Of the last
 * ones, whose answer did not come any more, each may be there or gone.
 */
static void
check_sender(struct rig *r, const struct sender *s)
{
	struct str account = account_of(&r->a, s->number);
	uint64_t id = rig_id(r, account, "INBOX");
	struct store_row *rows;
	size_t n = rig_rows(r, id, &rows), next = 1;
	unsigned char key[32];
	char text[PADDING + 200];

	rig_key(r, account, key);
	for (size_t i = 0; i < n; i++) {
		AUTO_VIEW *v = NULL;
		AUTO_STORE_MSG *m = NULL;
		size_t uid = rows[i].uid;
		struct str want = str_cat(&r->a,
		    str_fmt(
			&r->a, "Subject: %zu\r\n\r\nbody %zu\r\n", uid, uid),
		    s->f->padding);
		size_t got;

		for (; next < uid; next++)
			assert_true(
			    next % KEPT != 0 && next <= s->expunged + 1);
		assert_true(uid % KEPT == 0 || uid > s->expunged);
		assert_true(uid <= s->acked + 1);
		next = uid + 1;
		assert_int_equal(store_view_begin(r->reader, &v), RC_OK);
		assert_int_equal(
		    store_msg_open(v, account, key, id, rows[i].uid, &m),
		    RC_OK);
		assert_int_equal(store_msg_read(m, rows[i].prefix_len, text,
				     sizeof(text), &got),
		    RC_OK);
		assert_true(str_eq(str_n(text, got), want));
	}
	for (; next <= s->acked; next++)
		assert_true(next % KEPT != 0);
}

static void
killed_store_loses_and_doubles_nothing(void **state)
{
	struct rig *r = *state;
	struct field f = { .r = r };
	struct sender s[SENDERS];
	pthread_t t[SENDERS], compactor;
	unsigned rounds = rig_long() ? 200 : 8;
	size_t total = 0;
	unsigned x = 12345;
	const char *checkpoint = str_fmt(&r->a, "%s/log/checkpoint", r->dir).p;

	rig_close(r);
	rig_remove_tree(r->dir);
	assert_int_equal(mkdir(r->dir, 0700), 0);
	set_up(&f);
	start_store(&f);
	assert_int_equal(store_reader_open(&r->log, r->dir, &f.reader), RC_OK);
	assert_int_equal(pthread_create(&compactor, NULL, compact_main, &f), 0);
	for (unsigned i = 0; i < SENDERS; i++) {
		s[i] = (struct sender){ .f = &f, .number = i };
		assert_int_equal(
		    pthread_create(&t[i], NULL, sender_main, &s[i]), 0);
	}
	for (unsigned i = 0; i < rounds; i++) {
		x = x * 1103515245u + 12345;
		pause_ms(50 + x / 65536 % 200);
		kill_store(&f);
		start_store(&f);
	}
	/* On a busy machine it takes a while until there is something to give
	 * back. */
	for (unsigned i = 0; i < 3000 && access(checkpoint, F_OK) < 0; i++)
		pause_ms(20);
	pause_ms(500);
	f.stop = true;
	for (unsigned i = 0; i < SENDERS; i++)
		pthread_join(t[i], NULL);
	pthread_join(compactor, NULL);
	stop_store(&f);
	store_reader_close(&f.reader);
	store_client_free(&f.client);
	fd_close(&f.conf_fd);
	fd_close(&f.key_fd);
	fd_close(&f.rpc_fd);
	rig_open(r);
	for (unsigned i = 0; i < SENDERS; i++) {
		check_sender(r, &s[i]);
		assert_true(s[i].acked > 0);
		total += s[i].acked;
	}
	assert_true(total > SENDERS * 4);
	assert_true(f.compactions > 0);
	assert_int_equal(access(checkpoint, F_OK), 0);
	rig_rebuild(r);
	for (unsigned i = 0; i < SENDERS; i++)
		check_sender(r, &s[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    killed_store_loses_and_doubles_nothing, rig_setup,
		    rig_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
