/*
 * log_line - one line of the log under construction, as text or as JSON.
 *
 * Ownership  Borrows the caller's bytes.
 * Threads    One owner.
 * Limits     The line's `max`; what does not fit is left out whole, a long
 *            value is cut and ends in "...".
 */
#ifndef LIB_LOG_LINE_H
#define LIB_LOG_LINE_H

#include "lib/log.h"

/* Room for what ends a line is kept by whoever sets `max`. */
struct log_line {
	char *p;
	size_t n, max;
	enum log_format format;
};

/* "ts=..." first (or {"ts":"..."), then pairs, each with its separator, then
 * the end. */
void log_line_time(struct log_line *l, int64_t unix_ms);
void log_line_pair(struct log_line *l, const char *key, struct str value);
void log_line_kv(struct log_line *l, const struct log_kv *kv);
/* Pairs as log_with keeps them: text, escaped, a space before each. */
void log_line_context(struct log_line *l, struct str ctx);
/* Two bytes at most. */
void log_line_end(struct log_line *l);
/* RFC 3339, UTC, milliseconds; bare. */
void log_line_date(struct log_line *l, int64_t unix_ms);
void log_line_put(struct log_line *l, struct str s);

#endif
