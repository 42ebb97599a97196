/*
 * How fast a server must take a message, with limits that end a test soon: the
 * real ones are the same code with a minute's grace.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "delivery/rem.h"

#define BIG   (64u << 20) /* more than sockets hold */
#define SMALL (8u << 20)

/* Takes one message. */
struct server {
	pthread_t thread;
	int fd;
	unsigned port;
	int think_ms;  /* before 354 */
	bool slowly;   /* reads a little at a time */
	bool got_data; /* to the dot */
};

static void
pause_ms(int ms)
{
	const struct timespec t = { ms / 1000, ms % 1000 * 1000000L };

	nanosleep(&t, NULL);
}

static void
say(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

/* True: it came to the dot. */
static bool
take_body(const struct server *s, int fd)
{
	static char chunk[65536];
	char end[5] = "";
	ssize_t n;

	while ((n = read(fd, chunk, s->slowly ? 8192 : sizeof(chunk))) > 0) {
		if (s->slowly)
			pause_ms(5);
		for (ssize_t i = n > 5 ? n - 5 : 0; i < n; i++) {
			memmove(end, end + 1, 4);
			end[4] = chunk[i];
		}
		if (memcmp(end, "\r\n.\r\n", 5) == 0)
			return true;
	}
	return false;
}

static void *
serve(void *arg)
{
	struct server *s = arg;
	AUTO_FD fd = accept(s->fd, NULL, NULL);
	char line[512];

	say(fd, "220 slow.test ESMTP\r\n");
	for (;;) {
		ssize_t n = read(fd, line, sizeof(line));

		if (n <= 0)
			return NULL;
		if (n < 4 || memcmp(line, "DATA", 4) != 0) {
			say(fd, "250 ok\r\n");
			continue;
		}
		pause_ms(s->think_ms);
		say(fd, "354 go on\r\n");
		s->got_data = take_body(s, fd);
		if (s->got_data)
			say(fd, "250 taken\r\n");
	}
}

static void
begin(struct server *s)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	socklen_t n = sizeof(in);

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s->fd, (struct sockaddr *)&in, n), 0);
	assert_int_equal(listen(s->fd, 1), 0);
	assert_int_equal(getsockname(s->fd, (struct sockaddr *)&in, &n), 0);
	s->port = ntohs(in.sin_port);
	assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

struct outcome {
	pthread_mutex_t lock;
	pthread_cond_t is_there;
	bool there;
	enum rc rc;
	char status[16], reply[128];
};

static void
answered(void *arg, enum rc rc, const struct rem_outcome *out)
{
	struct outcome *o = arg;

	pthread_mutex_lock(&o->lock);
	o->rc = rc == RC_OK ? out->to[0].rc : rc;
	if (rc == RC_OK) {
		snprintf(o->status, sizeof(o->status), "%.*s",
		    STRF(out->to[0].status));
		snprintf(
		    o->reply, sizeof(o->reply), "%.*s", STRF(out->to[0].reply));
	}
	o->there = true;
	pthread_cond_signal(&o->is_there);
	pthread_mutex_unlock(&o->lock);
}

static void
send_to(const struct server *s, const struct rem_limits *limits, size_t size,
    struct outcome *o)
{
	const struct rem_rcpt to = { .address = STR("b@y.test") };
	struct rem_conf *conf = xcalloc(1, sizeof(*conf));
	struct log log = { 0 };
	AUTO_ARENA a = { 0 };
	AUTO_FD fd = memfd_create("body", MFD_CLOEXEC);
	struct rem_message m = {
		.id = STR("id"),
		.qid = STR("q"),
		.hop = str_fmt(&a, "smtp:127.0.0.1:%u", s->port),
		.from = STR("a@x.test"),
		.to = &to,
		.nto = 1,
		.fd = fd,
		.size = size,
	};
	struct rem *r;

	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	*o = (struct outcome){ .lock = PTHREAD_MUTEX_INITIALIZER,
		.is_there = PTHREAD_COND_INITIALIZER };
	conf->refs = 1;
	conf->helo = STR("me.test");
	conf->max_conns = 10;
	conf->limits = *limits;
	r = rem_start(&log, conf, NULL);
	assert_non_null(r);
	rem_submit(r, &m, deadline_in(60000), answered, o);
	pthread_mutex_lock(&o->lock);
	while (!o->there)
		pthread_cond_wait(&o->is_there, &o->lock);
	pthread_mutex_unlock(&o->lock);
	assert_true(rem_stop(r, deadline_in(1000)));
	rem_free(&r);
}

static void
end(struct server *s)
{
	pthread_join(s->thread, NULL);
	close(s->fd);
}

static void
who_takes_it_slowly_is_left(void **state)
{
	struct rem_limits limits = rem_limits;
	struct server s = { .slowly = true };
	struct outcome o;

	(void)state;
	limits.rate_grace = 200;
	limits.min_rate = 1 << 30;
	begin(&s);
	send_to(&s, &limits, BIG, &o);
	end(&s);
	assert_int_equal(o.rc, RC_TEMP);
	assert_string_equal(o.status, "4.4.2");
	assert_non_null(strstr(o.reply, "too slowly"));
	assert_false(s.got_data);
}

/* Tarpits and greylists take their time, and then are as fast as others. */
static void
who_thinks_first_is_not(void **state)
{
	struct rem_limits limits = rem_limits;
	struct server s = { .think_ms = 3000 };
	struct outcome o;

	(void)state;
	limits.rate_grace = 2500;
	limits.min_rate = 1 << 30;
	begin(&s);
	send_to(&s, &limits, SMALL, &o);
	end(&s);
	assert_int_equal(o.rc, RC_OK);
	assert_true(s.got_data);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_takes_it_slowly_is_left),
		cmocka_unit_test(who_thinks_first_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
