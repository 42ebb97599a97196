/*
 * A line is put together on the stack and written with one write(2), which
 * the kernel does not interleave on files opened O_APPEND and on pipes up to
 * PIPE_BUF (4096, which is why LOG_LINE_MAX is what it is).
 *
 * The sink owns a duplicate of the descriptor that it was given.  A reload
 * puts the new file under the same number with dup3(2), atomically, so that
 * writers need no lock.
 *
 * The date is computed here (days to civil date by 400-year eras): the C
 * library's way takes a lock and reads the time zone's file.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/log.h"

#define VALUE_MAX 1024u /* bytes of one escaped value */
#define PROC_MAX  32u

struct log_sink {
	int fd;
	atomic_int max;
	char proc[PROC_MAX];
};

/* A line under construction; always keeps room for the newline. */
struct line {
	char *p;
	size_t n, max;
};

static void
put(struct line *l, struct str s)
{
	size_t n = MIN(s.n, l->max - l->n);

	if (n)
		memcpy(l->p + l->n, s.p, n);
	l->n += n;
}

/* Length of the well-formed UTF-8 sequence at p, 0 if there is none. */
static size_t
utf8_len(struct str s)
{
	unsigned char c = (unsigned char)s.p[0];
	size_t n = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

	if (c < 0xc2 || c > 0xf4 || s.n < n)
		return 0;
	return str_is_utf8(str_sub(s, 0, n)) ? n : 0;
}

/* Bytes at the start of s that may stand as they are, 0 to escape one. */
static size_t
plain_len(struct str s)
{
	unsigned char c = (unsigned char)s.p[0];

	if (c < 0x20 || c == 0x7f || c == '"' || c == '\\')
		return 0;
	if (c < 0x80)
		return 1;
	/* U+0080 to U+009F are control characters to terminals. */
	if (c == 0xc2 && s.n > 1 && (unsigned char)s.p[1] < 0xa0)
		return 0;
	return utf8_len(s);
}

static bool
needs_quotes(struct str s)
{
	if (s.n == 0)
		return true;
	while (s.n > 0) {
		size_t n = plain_len(s);

		if (n == 0 || s.p[0] == ' ')
			return true;
		s = str_from(s, n);
	}
	return false;
}

static void
put_value(struct line *l, struct str s)
{
	size_t end = MIN(l->n + VALUE_MAX, l->max);

	if (!needs_quotes(s) && s.n <= MIN(end - l->n, VALUE_MAX - 8)) {
		put(l, s);
		return;
	}
	if (end - l->n < 8)
		return;
	end -= 4; /* for `..."` */
	put(l, STR("\""));
	while (s.n > 0) {
		static const char hex[] = "0123456789abcdef";
		size_t n = plain_len(s);
		unsigned char c = (unsigned char)s.p[0];
		char esc[4] = { '\\', 'x', hex[c >> 4], hex[c & 15] };
		struct str piece = n ? str_sub(s, 0, n) : str_n(esc, 4);

		if (piece.n > end - l->n) {
			put(l, STR("..."));
			break;
		}
		put(l, piece);
		s = str_from(s, n ? n : 1);
	}
	put(l, STR("\""));
}

static void
put_pair(struct line *l, const char *key, struct str value)
{
	size_t before = l->n;

	put(l, STR(" "));
	put(l, str_c(key));
	put(l, STR("="));
	put_value(l, value);
	/* A key without its value would be a lie: leave both out. */
	if (l->n > before && l->p[l->n - 1] == '=')
		l->n = before;
}

static void
put_kv(struct line *l, const struct log_kv *kv)
{
	char num[64];
	int n = 0;

	switch (kv->kind) {
	case LOG_KV_STR:
		put_pair(l, kv->key, kv->s);
		return;
	case LOG_KV_ERRNO: {
		const char *text = strerrordesc_np((int)kv->u);

		if (text != NULL) {
			put_pair(l, kv->key, str_c(text));
			return;
		}
		n = snprintf(num, sizeof(num), "errno %d", (int)kv->u);
		break;
	}
	case LOG_KV_U64:
		n = snprintf(
		    num, sizeof(num), "%llu", (unsigned long long)kv->u);
		break;
	case LOG_KV_I64:
		n = snprintf(num, sizeof(num), "%lld", (long long)kv->u);
		break;
	}
	put_pair(l, kv->key, str_n(num, (size_t)n));
}

/* RFC 3339, UTC, milliseconds. */
static void
put_time(struct line *l, int64_t ms)
{
	int64_t days = ms / 86400000, z = days + 719468;
	int64_t era = z / 146097, doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;
	int day = (int)(doy - (153 * mp + 2) / 5 + 1);
	int month = (int)(mp < 10 ? mp + 3 : mp - 9);
	int year = (int)(yoe + era * 400 + (month <= 2));
	int rest = (int)(ms % 86400000);
	char text[64];
	int n = snprintf(text, sizeof(text),
	    "ts=%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", year, month, day,
	    rest / 3600000, rest / 60000 % 60, rest / 1000 % 60, rest % 1000);

	put(l, str_n(text, (size_t)n));
}

struct log_sink *
log_sink_new(int fd, const char *proc, enum log_level max)
{
	struct log_sink *s = xcalloc(1, sizeof(*s));

	s->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (s->fd < 0)
		panic("log descriptor %d: errno %d", fd, errno);
	atomic_init(&s->max, (int)max);
	snprintf(s->proc, sizeof(s->proc), "%s", proc);
	return s;
}

void
log_sink_free(struct log_sink **sink)
{
	if (*sink != NULL)
		fd_close(&(*sink)->fd);
	xfree(*sink);
	*sink = NULL;
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

struct log
log_with(const struct log *l, const char *key, struct str value)
{
	struct log out = *l;
	struct line line = { out.ctx, strlen(out.ctx), LOG_CTX_MAX - 1 };

	put_pair(&line, key, value);
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

void
log_write(const struct log *l, enum log_level level, const char *event,
    const struct log_kv *kv, size_t nkv)
{
	static const char *const names[] = { "error", "warn", "info", "debug" };
	char text[LOG_LINE_MAX];
	struct line line = { text, 0, sizeof(text) - 1 };
	int saved = errno;

	if (l->sink == NULL)
		return;
	put_time(&line, now_unix_ms());
	put_pair(&line, "level", str_c(names[level]));
	put_pair(&line, "proc", str_c(l->sink->proc));
	put_pair(&line, "event", str_c(event));
	put(&line, str_c(l->ctx));
	for (size_t i = 0; i < nkv; i++)
		put_kv(&line, &kv[i]);
	text[line.n++] = '\n';
	/* There is nobody to tell that the log is full. */
	while (write(l->sink->fd, text, line.n) < 0 && errno == EINTR)
		;
	errno = saved;
}
