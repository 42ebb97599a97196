/*
 * gatepost-store killed (kill -9) again and again under senders that repeat
 * what was not answered, as delivery does: everything answered is there, each
 * message once.  The test stands in for the supervisor: it holds the listening
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

struct field {
	struct rig *r;
	char sock[100];
	int conf_fd, rpc_fd, key_fd;
	pid_t pid;
	int control;
	struct store_client *client;
	atomic_bool stop;
};

struct sender {
	struct field *f;
	unsigned number;
	size_t acked, repeated, asked;
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
	    "segment_mb = 16\n"
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
	f->client = store_client_new(&r->log, f->sock, SENDERS);
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
	struct str text = str_fmt(&a, "Subject: %zu\r\n\r\nbody %zu\r\n", i, i);
	struct store_submit in = { .op_id =
				       str_fmt(&a, "kill-%u-%zu", s->number, i),
		.received_at = now_unix(),
		.body = { .inline_data = text, .fd = -1, .size = text.n },
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
			return;
		}
		pause_ms(10);
	}
}

static void *
sender_main(void *arg)
{
	struct sender *s = arg;

	for (size_t i = 1; !s->f->stop; i++)
		send_one(s, i);
	return NULL;
}

/* UID n is message n: none lost, none twice, none out of order. */
static void
check_sender(struct rig *r, const struct sender *s)
{
	struct str account = account_of(&r->a, s->number);
	uint64_t id = rig_id(r, account, "INBOX");
	struct store_row *rows;
	size_t n = rig_rows(r, id, &rows);
	unsigned char key[32];
	char text[200];

	assert_true(n == s->acked || n == s->acked + 1);
	rig_key(r, account, key);
	for (size_t i = 0; i < n; i++) {
		AUTO_VIEW *v = NULL;
		AUTO_STORE_MSG *m = NULL;
		struct str want = str_fmt(
		    &r->a, "Subject: %zu\r\n\r\nbody %zu\r\n", i + 1, i + 1);
		size_t got;

		assert_int_equal(rows[i].uid, i + 1);
		assert_int_equal(store_view_begin(r->reader, &v), RC_OK);
		assert_int_equal(
		    store_msg_open(v, account, key, id, rows[i].uid, &m),
		    RC_OK);
		assert_int_equal(store_msg_read(m, rows[i].prefix_len, text,
				     sizeof(text), &got),
		    RC_OK);
		assert_true(str_eq(str_n(text, got), want));
	}
}

static void
killed_store_loses_and_doubles_nothing(void **state)
{
	struct rig *r = *state;
	struct field f = { .r = r };
	struct sender s[SENDERS];
	pthread_t t[SENDERS];
	unsigned rounds = rig_long() ? 200 : 8;
	size_t total = 0;
	unsigned x = 12345;

	rig_close(r);
	rig_remove_tree(r->dir);
	assert_int_equal(mkdir(r->dir, 0700), 0);
	set_up(&f);
	start_store(&f);
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
	pause_ms(500);
	f.stop = true;
	for (unsigned i = 0; i < SENDERS; i++)
		pthread_join(t[i], NULL);
	stop_store(&f);
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
