/*
 * What a service manager is told (sd_notify(3)): when all processes serve,
 * that a reload or a stop has begun, and now and then that we are alive.
 *
 * The protocol is one datagram to the socket that $NOTIFY_SOCKET names, so it
 * is spoken here and no library is needed.  Without the variable nothing
 * happens.  A manager that does not read never makes us wait; a READY that did
 * not fit into its socket is said again.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "supervisor/sup.h"

#define AGAIN_NS INT64_C(100000000)

/* False: there is no room in its socket now. */
static bool
send_text(struct sup_notify *n, const char *text)
{
	ssize_t sent;

	if (n->fd < 0)
		return true;
	do
		sent = send(
		    n->fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent >= 0 || errno != EAGAIN;
}

/* "@" at the start stands for the NUL of an abstract address. */
static int
connect_to(const char *name)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	size_t n = strlen(name);
	AUTO_FD fd = -1;

	if (n < 2 || n > sizeof(sa.sun_path) ||
	    (name[0] != '/' && name[0] != '@'))
		return -1;
	memcpy(sa.sun_path, name, n);
	if (name[0] == '@')
		sa.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 ||
	    connect(fd, (struct sockaddr *)&sa,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) < 0)
		return -1;
	return take(&fd);
}

/* Half of the time after which the manager gives us up. */
static int64_t
watchdog_ns(void)
{
	const char *usec = getenv("WATCHDOG_USEC");
	const char *pid = getenv("WATCHDOG_PID");
	uint64_t us, who;

	if (usec == NULL ||
	    str_u64(str_c(usec), UINT64_C(3600000000), &us) != RC_OK || us == 0)
		return 0;
	if (pid != NULL && (str_u64(str_c(pid), INT32_MAX, &who) != RC_OK ||
			       who != (uint64_t)getpid()))
		return 0;
	return (int64_t)us * 1000 / 2;
}

void
sup_notify_open(struct sup *s)
{
	const char *name = getenv("NOTIFY_SOCKET");

	s->notify.fd = name != NULL ? connect_to(name) : -1;
	if (name != NULL && s->notify.fd < 0)
		log_warn(&s->log, "notify", KVC("socket", name), KVE(errno));
	s->notify.every_ns = s->notify.fd >= 0 ? watchdog_ns() : 0;
	/* It is ours, and no process of ours shall speak for us. */
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

void
sup_notify_close(struct sup *s)
{
	fd_close(&s->notify.fd);
}

static void
say_ready(struct sup_notify *n)
{
	n->owed = !send_text(n, "READY=1");
}

void
sup_notify_tick(struct sup *s)
{
	struct sup_notify *n = &s->notify;
	int64_t now = now_ns();
	size_t up = 0;
	char text[64];

	if (n->fd < 0)
		return;
	if (n->every_ns > 0 && now >= n->next_ns) {
		send_text(n, "WATCHDOG=1");
		n->next_ns = now + n->every_ns;
	}
	for (size_t i = 0; i < s->nchildren; i++)
		up += sup_child_up(&s->children[i]);
	if (s->stopping)
		return;
	if (n->owed)
		say_ready(n);
	if (up == n->up)
		return;
	snprintf(text, sizeof(text), "STATUS=%zu of %zu processes serve", up,
	    s->nchildren);
	if (send_text(n, text))
		n->up = up;
	if (up == s->nchildren && !n->ready) {
		n->ready = true;
		say_ready(n);
	}
}

int64_t
sup_notify_due(const struct sup *s)
{
	const struct sup_notify *n = &s->notify;
	int64_t due = n->every_ns > 0 ? n->next_ns : INT64_MAX;

	return n->owed ? MIN(due, now_ns() + AGAIN_NS) : due;
}

/*
 * Before the first READY there is nothing that could be reloaded, and of one
 * that stops nobody wants to know.
 */
static bool
may_reload(const struct sup *s)
{
	return s->notify.ready && !s->stopping;
}

void
sup_notify_reloading(struct sup *s)
{
	char text[96];
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%lld",
	    (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
	if (!may_reload(s))
		return;
	s->notify.owed = false; /* it comes at the end of this one */
	send_text(&s->notify, text);
}

void
sup_notify_reloaded(struct sup *s)
{
	if (may_reload(s))
		say_ready(&s->notify);
}

void
sup_notify_stop(struct sup *s)
{
	send_text(&s->notify, "STOPPING=1\nSTATUS=stopping");
}
