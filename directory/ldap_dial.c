#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "directory/ldap_dial.h"

#define DIAL_ADDRESSES 8u
/*
 * libldap reads and writes blocking sockets; with these a server that stops
 * in the middle of an answer costs this much beyond a deadline at most.
 */
#define IO_MS 250

struct address {
	struct sockaddr_storage sa;
	socklen_t len;
};

struct dir_dial {
	pthread_mutex_t lock;
	struct arena a;
	struct dir_url url;
	struct address known[DIAL_ADDRESSES];
	size_t nknown;
};

struct dir_dial *
dir_dial_new(const struct dir_url *u)
{
	struct dir_dial *d = xcalloc(1, sizeof(*d));

	pthread_mutex_init(&d->lock, NULL);
	d->url = *u;
	d->url.host = str_dup(&d->a, u->host);
	/* libldap wants [::1], getaddrinfo ::1 */
	if (u->host.n > 2 && u->host.p[0] == '[' &&
	    u->host.p[u->host.n - 1] == ']')
		d->url.host =
		    str_dup(&d->a, str_sub(u->host, 1, u->host.n - 2));
	return d;
}

void
dir_dial_free(struct dir_dial **dp)
{
	struct dir_dial *d = *dp;

	*dp = NULL;
	if (d == NULL)
		return;
	pthread_mutex_destroy(&d->lock);
	arena_free(&d->a);
	xfree(d);
}

bool
dir_dial_loopback(const struct dir_dial *d)
{
	struct str h = d->url.host;

	return d->url.scheme == DIR_URL_LDAPI ||
	       str_has_prefix(h, STR("127.")) || str_eq(h, STR("::1")) ||
	       str_ieq(h, STR("localhost"));
}

/* Fresh addresses, or those that were good last time. */
static size_t
resolve(struct dir_dial *d, struct address out[DIAL_ADDRESSES], struct str *why)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICSERV };
	struct addrinfo *list = NULL, *ai;
	AUTO_ARENA a = { 0 };
	size_t n = 0;
	int rc;

	rc = getaddrinfo(
	    d->url.host.p, str_fmt(&a, "%u", d->url.port).p, &hints, &list);
	for (ai = rc == 0 ? list : NULL; ai != NULL && n < DIAL_ADDRESSES;
	     ai = ai->ai_next) {
		memcpy(&out[n].sa, ai->ai_addr, ai->ai_addrlen);
		out[n++].len = ai->ai_addrlen;
	}
	if (rc == 0)
		freeaddrinfo(list);
	pthread_mutex_lock(&d->lock);
	if (n == 0) {
		memcpy(out, d->known, sizeof(d->known));
		n = d->nknown;
	} else {
		memcpy(d->known, out, n * sizeof(*out));
		d->nknown = n;
	}
	pthread_mutex_unlock(&d->lock);
	if (n == 0)
		*why = str_c(gai_strerror(rc));
	return n;
}

static void
tune(int fd)
{
	const struct timeval io = { 0, IO_MS * 1000 };
	const int on = 1, idle = 60, interval = 10, probes = 3;
	const unsigned user_ms = 10000;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &io, sizeof(io));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &io, sizeof(io));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
	setsockopt(
	    fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_ms, sizeof(user_ms));
}

static int
connect_one(const struct address *to, struct deadline dl, int *error)
{
	AUTO_FD fd = socket(
	    to->sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(*error);
	int flags;

	*error = errno;
	if (fd < 0)
		return -1;
	if (connect(fd, (const struct sockaddr *)&to->sa, to->len) != 0) {
		*error = errno;
		if (errno != EINPROGRESS)
			return -1;
		*error = ETIMEDOUT;
		if (fd_wait(fd, POLLOUT, dl) != RC_OK)
			return -1;
		if (getsockopt(fd, SOL_SOCKET, SO_ERROR, error, &len) != 0 ||
		    *error != 0)
			return -1;
	}
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) != 0)
		return -1;
	tune(fd);
	return take(&fd);
}

static size_t
local_address(const struct dir_dial *d, struct address *out, struct str *why)
{
	struct sockaddr_un *un = (struct sockaddr_un *)(void *)&out->sa;

	*un = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (d->url.host.n >= sizeof(un->sun_path)) {
		*why = STR("the path of the socket is too long");
		return 0;
	}
	memcpy(un->sun_path, d->url.host.p, d->url.host.n);
	out->len = sizeof(*un);
	return 1;
}

int
dir_dial_connect(
    struct dir_dial *d, struct arena *a, struct deadline dl, struct str *why)
{
	struct address to[DIAL_ADDRESSES];
	size_t n = d->url.scheme == DIR_URL_LDAPI ? local_address(d, to, why)
						  : resolve(d, to, why);
	char text[128];
	int error = 0;

	for (size_t i = 0; i < n; i++) {
		/* The first of several may be a host that drops packets. */
		int64_t ms = deadline_left_ms(dl) / (int64_t)(n - i);
		int fd = connect_one(&to[i], deadline_in(ms), &error);

		if (fd >= 0)
			return fd;
	}
	if (n)
		*why = str_fmt(
		    a, "connect: %s", strerror_r(error, text, sizeof(text)));
	return -1;
}
