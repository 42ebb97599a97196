/*
 * A line is put together on the stack and written with one write(2), which
 * the kernel does not interleave on files opened O_APPEND and on pipes up to
 * PIPE_BUF (4096, which is why LOG_LINE_MAX is what it is).
 *
 * The sink owns a duplicate of the descriptor that it was given.  A reload
 * puts the new file under the same number with dup3(2), atomically, so that
 * writers need no lock.
 *
 * A syslog daemon gets each line as an RFC 5424 datagram, facility mail.  A
 * full or absent daemon never holds us up: the line is counted, and the number
 * is told when the next one goes through.  A restarted daemon has a new socket
 * behind the old name, so the descriptor is connected again, at most once a
 * second.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/log_line.h"

#define PROC_MAX    32u
#define SYSLOG_MAX  (LOG_LINE_MAX + 256u)
#define SYSLOG_MAIL 2u
#define MSGID_MAX   32u /* RFC 5424 section 6.2.7 */
#define RECONNECT   INT64_C(1000000000)

struct log_syslog {
	pthread_mutex_t lock; /* nothing under it waits */
	int fd;               /* -1: none */
	struct sockaddr_un to;
	int64_t connect_at; /* not before */
	uint64_t dropped;
};

struct log_sink {
	int fd;
	atomic_int max, format;
	_Atomic bool has_syslog;
	struct log_syslog syslog;
	pid_t pid;
	char proc[PROC_MAX];
};

static const char *const level_names[] = { "error", "warn", "info", "debug" };

struct log_sink *
log_sink_new(int fd, const char *proc, enum log_level max)
{
	struct log_sink *s = xcalloc(1, sizeof(*s));

	s->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (s->fd < 0)
		panic("log descriptor %d: errno %d", fd, errno);
	atomic_init(&s->max, (int)max);
	atomic_init(&s->format, LOG_TEXT);
	pthread_mutex_init(&s->syslog.lock, NULL);
	s->syslog.fd = -1;
	s->pid = getpid();
	snprintf(s->proc, sizeof(s->proc), "%s", proc);
	return s;
}

void
log_sink_free(struct log_sink **sink)
{
	struct log_sink *s = *sink;

	*sink = NULL;
	if (s == NULL)
		return;
	fd_close(&s->fd);
	fd_close(&s->syslog.fd);
	pthread_mutex_destroy(&s->syslog.lock);
	xfree(s);
}

void
log_sink_set(struct log_sink *sink, int fd, enum log_level max)
{
	int n;

	do {
		n = dup3(fd, sink->fd, O_CLOEXEC);
	} while (n < 0 && (errno == EINTR || errno == EBUSY));
	if (n < 0)
		panic("log descriptor %d: errno %d", fd, errno);
	atomic_store_explicit(&sink->max, (int)max, memory_order_relaxed);
}

void
log_sink_format(struct log_sink *sink, enum log_format format)
{
	atomic_store_explicit(&sink->format, (int)format, memory_order_relaxed);
}

void
log_sink_syslog(struct log_sink *sink, int fd, const char *path)
{
	struct log_syslog *y = &sink->syslog;
	int copy = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1;

	pthread_mutex_lock(&y->lock);
	fd_close(&y->fd);
	y->to = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(y->to.sun_path, sizeof(y->to.sun_path), "%s", path);
	y->fd = copy;
	y->connect_at = 0;
	atomic_store(&sink->has_syslog, copy >= 0);
	pthread_mutex_unlock(&y->lock);
}

struct log
log_with(const struct log *l, const char *key, struct str value)
{
	struct log out = *l;
	struct log_line line = { out.ctx, strlen(out.ctx), LOG_CTX_MAX - 1,
		LOG_TEXT };

	log_line_pair(&line, key, value);
	out.ctx[line.n] = '\0';
	return out;
}

bool
log_on(const struct log *l, enum log_level level)
{
	return l->sink != NULL &&
	       (int)level <=
		   atomic_load_explicit(&l->sink->max, memory_order_relaxed);
}

/* RFC 5424 section 6.2: the header, with a space behind it. */
static struct str
syslog_header(const struct log_sink *s, enum log_level level, const char *event,
    int64_t ms, char *out, size_t size)
{
	static const unsigned severities[] = { 3, 4, 6, 7 };
	struct log_line l = { out, 0, size, LOG_TEXT };
	char text[160];
	int n;

	n = snprintf(
	    text, sizeof(text), "<%u>1 ", SYSLOG_MAIL * 8 + severities[level]);
	log_line_put(&l, str_n(text, (size_t)n));
	log_line_date(&l, ms);
	n = snprintf(text, sizeof(text), " - %s%s %ld %.*s - ",
	    strncmp(s->proc, "gatepost", 8) == 0 ? "" : "gatepost-", s->proc,
	    (long)s->pid, (int)MSGID_MAX, event);
	log_line_put(&l, str_n(text, (size_t)n));
	return str_n(l.p, l.n);
}

/* Under the lock. */
static bool
syslog_try(struct log_syslog *y, struct str head, struct str line)
{
	struct iovec v[] = {
		{ (void *)(uintptr_t)head.p, head.n },
		{ (void *)(uintptr_t)line.p, line.n },
	};
	struct msghdr m = { .msg_iov = v, .msg_iovlen = COUNT(v) };

	return sendmsg(y->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

/* Under the lock: the daemon went away, or was not there yet. */
static bool
syslog_connect(struct log_syslog *y)
{
	if (errno == EAGAIN || errno == EINTR || errno == EMSGSIZE ||
	    now_ns() < y->connect_at)
		return false;
	y->connect_at = now_ns() + RECONNECT;
	return connect(y->fd, (const struct sockaddr *)&y->to, sizeof(y->to)) ==
	       0;
}

static void
syslog_send(struct log_sink *s, enum log_level level, const char *event,
    int64_t ms, struct str line)
{
	struct log_syslog *y = &s->syslog;
	char head[256], lost[64];
	struct str h = syslog_header(s, level, event, ms, head, sizeof(head));
	bool sent;

	pthread_mutex_lock(&y->lock);
	sent = y->fd >= 0 && (syslog_try(y, h, line) ||
				 (syslog_connect(y) && syslog_try(y, h, line)));
	if (!sent)
		y->dropped++;
	if (sent && y->dropped > 0) {
		int n =
		    snprintf(lost, sizeof(lost), "event=log.dropped lines=%llu",
			(unsigned long long)y->dropped);

		h = syslog_header(
		    s, LOG_WARN, "log.dropped", ms, head, sizeof(head));
		if (syslog_try(y, h, str_n(lost, (size_t)n)))
			y->dropped = 0;
	}
	pthread_mutex_unlock(&y->lock);
}

void
log_write(const struct log *l, enum log_level level, const char *event,
    const struct log_kv *kv, size_t nkv)
{
	char text[LOG_LINE_MAX];
	struct log_sink *s = l->sink;
	struct log_line line = { text, 0, sizeof(text) - 2, LOG_TEXT };
	int64_t ms = now_unix_ms();
	int saved = errno;

	if (s == NULL)
		return;
	line.format = (enum log_format)atomic_load_explicit(
	    &s->format, memory_order_relaxed);
	log_line_time(&line, ms);
	log_line_pair(&line, "level", str_c(level_names[level]));
	log_line_pair(&line, "proc", str_c(s->proc));
	log_line_pair(&line, "event", str_c(event));
	log_line_context(&line, str_c(l->ctx));
	for (size_t i = 0; i < nkv; i++)
		log_line_kv(&line, &kv[i]);
	log_line_end(&line);
	/* There is nobody to tell that the log is full. */
	while (write(s->fd, text, line.n) < 0 && errno == EINTR)
		;
	if (atomic_load_explicit(&s->has_syslog, memory_order_relaxed))
		syslog_send(s, level, event, ms, str_n(text, line.n - 1));
	errno = saved;
}
