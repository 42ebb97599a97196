/*
 * log - one line per fact: `ts=... level=info proc=mx event=rcpt.deny k=v`.
 *
 * Values are escaped by the logger: a value with a space, quote, backslash,
 * control byte or non-UTF-8 byte is written in double quotes with \xHH.  A
 * line is one write(2) of at most LOG_LINE_MAX bytes; longer values are cut.
 *
 * As JSON the same is one object a line: {"ts":"...","level":"info", ...}.
 * Numbers are numbers; a byte that is no UTF-8 becomes the text \xHH.
 *
 * Ownership  A struct log borrows its sink and copies its context.
 * Threads    Any thread; a line is never torn.
 */
#ifndef LIB_LOG_H
#define LIB_LOG_H

#include "lib/base.h"

#define LOG_LINE_MAX 4096u
#define LOG_CTX_MAX  96u

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_TEXT, LOG_JSON };

struct log_sink; /* descriptor, level and process name */

struct log {
	struct log_sink *sink;
	char ctx[LOG_CTX_MAX]; /* "" or " sid=ab12", already escaped */
};

struct log_kv {
	const char *key;
	enum { LOG_KV_STR, LOG_KV_U64, LOG_KV_I64, LOG_KV_ERRNO } kind;
	struct str s;
	uint64_t u;
};

#define KV(k, v)  ((struct log_kv){ (k), LOG_KV_STR, (v), 0 })
#define KVC(k, v) ((struct log_kv){ (k), LOG_KV_STR, str_c(v), 0 })
#define KVU(k, v) ((struct log_kv){ (k), LOG_KV_U64, { 0 }, (uint64_t)(v) })
#define KVI(k, v)                                                              \
	((struct log_kv){ (k), LOG_KV_I64, { 0 }, (uint64_t)(int64_t)(v) })
/* errno as text, e.g. KVE(errno) gives error="No space left on device". */
#define KVE(e) ((struct log_kv){ "error", LOG_KV_ERRNO, { 0 }, (uint64_t)(e) })

/* fd is borrowed (stderr or a file opened O_APPEND). */
struct log_sink *log_sink_new(int fd, const char *proc, enum log_level max);
void log_sink_free(struct log_sink **sink);
/* Reload: change descriptor and level; safe while others log. */
void log_sink_set(struct log_sink *sink, int fd, enum log_level max);

/* Reload: text or JSON; safe while others log. */
void log_sink_format(struct log_sink *sink, enum log_format format);
/*
 * Send lines to a syslog daemon too (RFC 5424 datagrams, facility mail): fd is
 * a socket, connected to `path` or not yet, borrowed; -1: no more.  A line that
 * it does not take at once is dropped and counted.
 */
void log_sink_syslog(struct log_sink *sink, int fd, const char *path);

/* A log with one more context pair, e.g. log_with(l, "sid", sid). */
struct log log_with(const struct log *l, const char *key, struct str value);
bool log_on(const struct log *l, enum log_level level);
void log_write(const struct log *l, enum log_level level, const char *event,
    const struct log_kv *kv, size_t nkv);

#define LOG_AT(l, level, event, ...)                                           \
	do {                                                                   \
		if (log_on((l), (level))) {                                    \
			const struct log_kv kv_[] = { __VA_ARGS__ };           \
			log_write((l), (level), (event), kv_, COUNT(kv_));     \
		}                                                              \
	} while (0)
/* Every line carries at least one pair. */
#define log_error(l, event, ...) LOG_AT(l, LOG_ERROR, event, __VA_ARGS__)
#define log_warn(l, event, ...)  LOG_AT(l, LOG_WARN, event, __VA_ARGS__)
#define log_info(l, event, ...)  LOG_AT(l, LOG_INFO, event, __VA_ARGS__)
#define log_debug(l, event, ...) LOG_AT(l, LOG_DEBUG, event, __VA_ARGS__)

#endif
