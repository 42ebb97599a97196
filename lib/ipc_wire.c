/*
 * Frames on sockets.
 *
 * How descriptors find their frame: the kernel hands out the descriptors of
 * one sendmsg with the first bytes of it that are read, and ends the read
 * with that piece.  A frame is begun by one sendmsg that carries all of its
 * descriptors.  So the descriptors of a read belong to the frame that began
 * last in it; if none began in it, the peer breaks the rules.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/ipc_impl.h"

union control {
	struct cmsghdr align;
	char space[CMSG_SPACE(IPC_FDS_MAX * sizeof(int))];
};

long
ipc_send_some(int fd, const struct ipc_msg *m, size_t off, int flags)
{
	union control control;
	struct iovec iov = { m->b.p + off, m->b.n - off };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (off == 0 && m->nfds > 0) {
		size_t len = m->nfds * sizeof(int);
		struct cmsghdr *c;

		memset(&control, 0, sizeof(control));
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(len);
		c = CMSG_FIRSTHDR(&msg);
		assert(c != NULL);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(len);
		memcpy(CMSG_DATA(c), m->fds, len);
	}
	do {
		n = sendmsg(fd, &msg, flags | MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n;
}

long
ipc_send_iov(int fd, struct iovec *iov, size_t niov, int flags)
{
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = niov };
	ssize_t n;

	do {
		n = sendmsg(fd, &msg, flags | MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n;
}

enum rc
ipc_send_frame(int fd, const struct ipc_msg *m, struct deadline dl, bool slices)
{
	size_t off = 0;

	while (off < m->b.n) {
		long n = ipc_send_some(fd, m, off, slices ? 0 : MSG_DONTWAIT);

		if (n >= 0) {
			off += (size_t)n;
			continue;
		}
		if (errno != EAGAIN)
			return off == 0 &&
				       (errno == EPIPE || errno == ECONNRESET)
				   ? RC_NOENT
				   : RC_TEMP;
		if (!slices && fd_wait(fd, POLLOUT, dl) != RC_OK)
			return RC_TEMP;
		if (deadline_over(dl)) {
			errno = ETIMEDOUT;
			return RC_TEMP;
		}
	}
	return RC_OK;
}

enum rc
ipc_send(int fd, struct ipc_msg *m, struct deadline dl)
{
	enum rc rc = ipc_seal(m);

	if (rc != RC_OK)
		return rc;
	return ipc_send_frame(fd, m, dl, false) == RC_OK ? RC_OK : RC_TEMP;
}

int
ipc_connect(const char *path)
{
	struct timeval slice = { 0, IPC_SLICE_MS * 1000 };
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct str name = str_c(path);
	AUTO_FD fd = -1;
	int n;

	if (name.n >= sizeof(sa.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(sa.sun_path, name.p, name.n + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &slice, sizeof(slice)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &slice, sizeof(slice)))
		return -1;
	do {
		n = connect(fd, (struct sockaddr *)&sa, sizeof(sa));
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -1 : take(&fd);
}

/* recvmsg that also takes descriptors; they are appended to fds. */
static ssize_t
receive(int fd, void *p, size_t n, int flags, int *fds, unsigned *nfds)
{
	union control control;
	struct iovec iov = { p, n };
	struct msghdr msg = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	ssize_t got;

	do {
		got = recvmsg(fd, &msg, flags | MSG_CMSG_CLOEXEC);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return got;
	*nfds = 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c != NULL;
	     c = CMSG_NXTHDR(&msg, c)) {
		size_t len = c->cmsg_len - CMSG_LEN(0);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		assert(len <= (IPC_FDS_MAX - *nfds) * sizeof(int));
		memcpy(fds + *nfds, CMSG_DATA(c), len);
		*nfds += (unsigned)(len / sizeof(int));
	}
	if (msg.msg_flags & MSG_CTRUNC) {
		while (*nfds > 0)
			fd_close(&fds[--*nfds]);
		errno = EPROTO;
		return -1;
	}
	return got;
}

/* Read exactly n bytes behind m->b.n; descriptors only with the first. */
static enum rc
receive_exactly(int fd, struct ipc_msg *m, size_t n, struct deadline dl)
{
	while (n > 0) {
		int fds[IPC_FDS_MAX];
		unsigned nfds = 0;
		ssize_t got =
		    receive(fd, m->b.p + m->b.n, n, MSG_DONTWAIT, fds, &nfds);

		if (got < 0 && errno == EAGAIN) {
			if (fd_wait(fd, POLLIN, dl) != RC_OK)
				return RC_TEMP;
			continue;
		}
		if (got < 0)
			return errno == EPROTO                      ? RC_BAD
			       : errno == ECONNRESET && m->b.n == 0 ? RC_NOENT
								    : RC_TEMP;
		if (nfds > 0 && m->b.n > 0) {
			while (nfds > 0)
				fd_close(&fds[--nfds]);
			return RC_BAD;
		}
		if (nfds > 0) {
			memcpy(m->fds, fds, nfds * sizeof(int));
			m->nfds = nfds;
		}
		if (got == 0)
			return m->b.n == 0 ? RC_NOENT : RC_TEMP;
		m->b.n += (size_t)got;
		n -= (size_t)got;
	}
	return RC_OK;
}

enum rc
ipc_recv(int fd, struct ipc_msg *m, struct deadline dl)
{
	size_t len;
	enum rc rc;

	ipc_msg_init(m, 0);
	if (buf_reserve(&m->b, 512) != RC_OK)
		return RC_BAD;
	rc = receive_exactly(fd, m, IPC_HEADER, dl);
	if (rc != RC_OK)
		return rc;
	len = ipc_le32(m->b.p);
	if (len < IPC_HEADER - 4 || len > IPC_FRAME_MAX ||
	    buf_reserve(&m->b, len + 4 - IPC_HEADER) != RC_OK)
		return RC_BAD;
	rc = receive_exactly(fd, m, len + 4 - IPC_HEADER, dl);
	return rc == RC_OK ? ipc_open(m) : rc;
}

void
ipc_reader_init(struct ipc_reader *r, size_t chunk)
{
	r->off = r->fds_at = 0;
	r->nfds = 0;
	r->chunk = chunk;
	buf_init(&r->b, IPC_FRAME_MAX + 4 + chunk);
}

void
ipc_reader_free(struct ipc_reader *r)
{
	while (r->nfds > 0)
		fd_close(&r->fds[--r->nfds]);
	buf_free(&r->b);
}

bool
ipc_reader_partial(const struct ipc_reader *r)
{
	return r->b.n > r->off;
}

/* Bytes of the frame that begins at `at`, 0 if that is not known yet. */
static size_t
frame_size(const struct ipc_reader *r, size_t at)
{
	return r->b.n - at >= 4 ? (size_t)ipc_le32(r->b.p + at) + 4 : 0;
}

bool
ipc_reader_ready(const struct ipc_reader *r)
{
	size_t n = frame_size(r, r->off);

	return n > 0 && (n < IPC_HEADER || n > IPC_FRAME_MAX + 4 ||
			    n <= r->b.n - r->off);
}

/* Where the frame begins that began last in the buffer. */
static size_t
last_begin(const struct ipc_reader *r)
{
	size_t at = r->off, n;

	while ((n = frame_size(r, at)) > 0 && n < r->b.n - at)
		at += n;
	return at;
}

enum rc
ipc_reader_fill(struct ipc_reader *r, int fd, int flags, bool *more)
{
	size_t room = r->chunk, old, whole;
	int fds[IPC_FDS_MAX];
	unsigned nfds = 0;
	ssize_t got;

	if (r->off > 0) {
		buf_consume(&r->b, r->off);
		r->fds_at = 0; /* of the frame that is left, if any */
		r->off = 0;
	}
	old = r->b.n;
	whole = frame_size(r, 0);
	if (whole > old)
		room = MAX(room, whole - old);
	if (buf_reserve(&r->b, room) != RC_OK)
		return RC_BAD;
	got = receive(fd, r->b.p + old, room, flags, fds, &nfds);
	if (got < 0)
		return errno == EPROTO       ? RC_BAD
		       : errno == ECONNRESET ? RC_NOENT
					     : RC_TEMP;
	if (got == 0 && nfds == 0)
		return RC_NOENT;
	r->b.n += (size_t)got;
	*more = nfds > 0 || (size_t)got == room;
	if (nfds > 0) {
		size_t at = last_begin(r);

		if (at < old || r->nfds > 0) {
			while (nfds > 0)
				fd_close(&fds[--nfds]);
			return RC_BAD;
		}
		memcpy(r->fds, fds, nfds * sizeof(int));
		r->nfds = nfds;
		r->fds_at = at;
	}
	return RC_OK;
}

enum rc
ipc_reader_next(struct ipc_reader *r, struct ipc_msg *m)
{
	size_t n = frame_size(r, r->off);

	if (n == 0)
		return RC_NOENT;
	if (n < IPC_HEADER || n > IPC_FRAME_MAX + 4)
		return RC_BAD;
	if (n > r->b.n - r->off)
		return RC_NOENT;
	if (r->nfds > 0 && r->fds_at == r->off) {
		memcpy(m->fds, r->fds, r->nfds * sizeof(int));
		m->nfds = r->nfds;
		r->nfds = 0;
	}
	if (r->off == 0 && n == r->b.n) {
		/* The usual case: the buffer changes hands. */
		struct buf b = m->b;

		m->b = r->b;
		r->b = b;
		m->b.cap = IPC_FRAME_MAX + 4;
		r->b.cap = IPC_FRAME_MAX + 4 + r->chunk;
		buf_clear(&r->b);
	} else {
		buf_clear(&m->b);
		if (buf_add(&m->b, str_n(r->b.p + r->off, n)) != RC_OK)
			return RC_BAD;
		r->off += n;
	}
	return ipc_open(m);
}
