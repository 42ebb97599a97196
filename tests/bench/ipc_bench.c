/*
 * What a question between two processes costs: ipc_bench [call|start] [CALLS]
 * [THREADS or WINDOW] [BYTES].  A server process and this one; prints wall
 * time and CPU of both per call.  Under `strace -c -f` it counts system calls.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/rpcd.h"

struct bench {
	struct ipc_client *c;
	struct str body;
	uint64_t calls;
	pthread_mutex_t lock;
	pthread_cond_t room;
	unsigned out, window;
	atomic_uint failed;
};

static enum rpcd_next
handle(void *ctx, struct rpcd_req *r, enum rc *rc)
{
	struct str s;

	(void)ctx;
	*rc = ipc_get_str(&r->in, "body", &s);
	ipc_put_u64(&r->out, "n", s.n);
	return RPCD_REPLY;
}

static void
serve(int listen_fd)
{
	struct log log = { 0 };
	const struct rpcd_conf conf = { .name = "bench",
		.listen_fd = listen_fd,
		.workers = 8,
		.max_conns = 64,
		.handle = handle };
	struct rpcd *d = rpcd_start(&log, &conf);
	sigset_t set;
	int sig;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigwait(&set, &sig);
	rpcd_stop(&d, deadline_in(1000));
	exit(0);
}

static void
fill(struct bench *b, struct ipc_msg *m)
{
	ipc_msg_init(m, 1);
	ipc_put_str(m, "body", b->body);
}

static void *
caller(void *arg)
{
	struct bench *b = arg;

	for (uint64_t i = 0; i < b->calls; i++) {
		AUTO_MSG req, reply;

		fill(b, &req);
		if (ipc_call(b->c, &req, deadline_in(5000), &reply) != RC_OK)
			atomic_fetch_add(&b->failed, 1);
	}
	return NULL;
}

static void
done(void *arg, enum rc rc, struct ipc_msg *reply)
{
	struct bench *b = arg;

	(void)reply;
	if (rc != RC_OK)
		atomic_fetch_add(&b->failed, 1);
	pthread_mutex_lock(&b->lock);
	b->out--;
	pthread_cond_signal(&b->room);
	pthread_mutex_unlock(&b->lock);
}

static void
wait_for_room(struct bench *b, unsigned most)
{
	pthread_mutex_lock(&b->lock);
	while (b->out > most)
		pthread_cond_wait(&b->room, &b->lock);
	b->out++;
	pthread_mutex_unlock(&b->lock);
}

static void
starter(struct bench *b)
{
	for (uint64_t i = 0; i < b->calls; i++) {
		AUTO_MSG req;

		fill(b, &req);
		wait_for_room(b, b->window - 1);
		ipc_start(b->c, &req, deadline_in(5000), done, b);
	}
	wait_for_room(b, 0);
}

static double
cpu_us(int who)
{
	struct rusage ru;

	getrusage(who, &ru);
	return (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1e6 +
	       (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec);
}

static int
listen_at(char *path, size_t size)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(path, size, "/tmp/gp-bench-%ld", (long)getpid());
	memcpy(sa.sun_path, path, strlen(path) + 1);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
	    listen(fd, 64) < 0)
		panic("cannot listen at %s", path);
	return fd;
}

static uint64_t
number(int argc, char **argv, int i, uint64_t other)
{
	uint64_t n;

	return argc > i && str_u64(str_c(argv[i]), 1u << 30, &n) == RC_OK
		   ? n
		   : other;
}

int
main(int argc, char **argv)
{
	bool start = argc > 1 && strcmp(argv[1], "start") == 0;
	uint64_t calls = number(argc, argv, 2, 100000);
	unsigned width = (unsigned)number(argc, argv, 3, start ? 20 : 1);
	size_t bytes = (size_t)number(argc, argv, 4, 200);
	struct bench b = { .window = width };
	struct log log = { 0 };
	pthread_t t[64];
	sigset_t set;
	char path[64];
	int listen_fd = listen_at(path, sizeof(path));
	int64_t t0, ns;
	double cpu;
	pid_t pid;

	width = MIN(width, (unsigned)COUNT(t));
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	pid = fork();
	if (pid == 0)
		serve(listen_fd);
	pthread_mutex_init(&b.lock, NULL);
	pthread_cond_init(&b.room, NULL);
	b.c = ipc_client_new(&log, "bench", path, 64);
	b.body = str_n(xcalloc(1, bytes), bytes);
	b.calls = start ? calls : calls / width;
	calls = start ? calls : b.calls * width;
	t0 = now_ns();
	if (start) {
		starter(&b);
	} else {
		for (unsigned i = 0; i < width; i++)
			if (pthread_create(&t[i], NULL, caller, &b) != 0)
				panic("no thread");
		for (unsigned i = 0; i < width; i++)
			pthread_join(t[i], NULL);
	}
	ns = now_ns() - t0;
	ipc_client_free(&b.c);
	kill(pid, SIGUSR1);
	waitpid(pid, NULL, 0);
	unlink(path);
	xfree((void *)(uintptr_t)b.body.p);
	cpu = cpu_us(RUSAGE_SELF) + cpu_us(RUSAGE_CHILDREN);
	printf("%s x%u, %zu bytes: %.2f us wall, %.2f us CPU of both, per "
	       "call; %u failed\n",
	    start ? "start" : "call", width, bytes,
	    (double)ns / 1e3 / (double)calls, cpu / (double)calls, b.failed);
	return b.failed > 0;
}
