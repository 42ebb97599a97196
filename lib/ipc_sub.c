/*
 * Subscriptions: one thread and one connection each.
 *
 * "You may have missed something" is said once the service has acknowledged
 * the subscription: whatever changes from then on is pushed.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/ipc_impl.h"

#define ACK_WAIT   5000 /* ms for the answer to the subscription */
#define PAUSE_MIN  50   /* ms between two attempts */
#define PAUSE_MAX  1000
#define READ_CHUNK 4096u

struct ipc_sub {
	struct ipc_client *c;
	void (*fill)(void *arg, struct ipc_msg *req);
	void (*push)(void *arg, struct ipc_msg *m);
	void *arg;
	pthread_t thread;
	int stop_fd; /* eventfd, readable: end */
};

/* Waits until there is input on fd (-1: none is wanted); false: the end. */
static bool
wait_input(struct ipc_sub *s, int fd, int ms)
{
	struct pollfd p[2] = { { .fd = s->stop_fd, .events = POLLIN },
		{ .fd = fd, .events = POLLIN } };
	int n;

	do {
		n = poll(p, 2, ms);
	} while (n < 0 && errno == EINTR);
	return p[0].revents == 0 && (fd < 0 || n > 0);
}

static enum rc
ask(struct ipc_sub *s, int fd)
{
	AUTO_MSG req;

	ipc_msg_init(&req, 0);
	s->fill(s->arg, &req);
	req.id = 1;
	req.extra = ACK_WAIT;
	return ipc_send(fd, &req, deadline_in(ACK_WAIT));
}

/* RC_OK while the connection is good. */
static enum rc
deliver(struct ipc_sub *s, struct ipc_reader *r, bool *acked)
{
	for (;;) {
		AUTO_MSG m;
		enum rc rc;

		ipc_msg_init(&m, 0);
		rc = ipc_reader_next(r, &m);
		if (rc != RC_OK)
			return rc == RC_NOENT ? RC_OK : RC_BAD;
		if (m.id == 0 && *acked) {
			s->push(s->arg, &m);
		} else if (m.id == 1 && !*acked) {
			if (m.extra != RC_OK)
				return RC_TEMP;
			*acked = true;
			s->push(s->arg, NULL);
		} else if (m.id != 0) {
			return RC_BAD;
		} /* a push before the acknowledgement says nothing new */
	}
}

/* Returns whether the subscription was ever acknowledged. */
static bool
follow(struct ipc_sub *s, int fd)
{
	struct ipc_reader r;
	bool acked = false, more;
	enum rc rc = ask(s, fd);

	ipc_reader_init(&r, READ_CHUNK);
	while (rc == RC_OK && wait_input(s, fd, acked ? -1 : ACK_WAIT)) {
		rc = ipc_reader_fill(&r, fd, MSG_DONTWAIT, &more);
		if (rc == RC_OK)
			rc = deliver(s, &r, &acked);
		else if (rc == RC_TEMP && errno == EAGAIN)
			rc = RC_OK;
	}
	ipc_reader_free(&r);
	return acked;
}

static void *
sub_main(void *arg)
{
	struct ipc_sub *s = arg;
	int pause = PAUSE_MIN;

	do {
		AUTO_FD fd = ipc_client_connect(s->c, deadline_in(PAUSE_MAX));

		if (fd >= 0 && follow(s, fd))
			pause = PAUSE_MIN;
		else
			pause = MIN(pause * 2, PAUSE_MAX);
	} while (wait_input(s, -1, pause));
	return NULL;
}

struct ipc_sub *
ipc_subscribe(struct ipc_client *c,
    void (*fill)(void *arg, struct ipc_msg *req),
    void (*push)(void *arg, struct ipc_msg *m), void *arg)
{
	struct ipc_sub *s = xcalloc(1, sizeof(*s));

	*s = (struct ipc_sub){ .c = c, .fill = fill, .push = push, .arg = arg };
	s->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->stop_fd < 0 ||
	    pthread_create(&s->thread, NULL, sub_main, s) != 0)
		panic("cannot subscribe: errno %d", errno);
	return s;
}

void
ipc_sub_free(struct ipc_sub **sp)
{
	struct ipc_sub *s = *sp;
	uint64_t one = 1;

	if (s == NULL)
		return;
	*sp = NULL;
	if (write(s->stop_fd, &one, sizeof(one)) != sizeof(one))
		panic("eventfd: errno %d", errno);
	pthread_join(s->thread, NULL);
	fd_close(&s->stop_fd);
	xfree(s);
}
