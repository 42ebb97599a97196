/*
 * when - times as people write and read them, in local time.
 *
 * Threads    The process reads its time zone once (tzset).
 * Errors     RC_BAD: not a time.
 */
#ifndef CLI_WHEN_H
#define CLI_WHEN_H

#include "lib/base.h"

/*
 * "2026-11-27", with " 20:51", "T20:51" or seconds behind it; "now", "today",
 * "yesterday"; "90s", "30m", "12h", "7d", "2w": so long before `now`.  Unix
 * seconds.
 */
MUST_CHECK enum rc when_parse(struct str text, int64_t now, int64_t *out);
/* The midnight that begins the day of t, or of the n-th day behind it. */
int64_t when_midnight(int64_t t, int n);
/* "2026-11-27 20:51:39.123". */
struct str when_text(struct arena *a, int64_t unix_ms);
/* "2026-11-27 20:51". */
struct str when_minute(struct arena *a, int64_t unix_s);
/* "2026-11-27T20:51:39.123Z", for programs. */
struct str when_json(struct arena *a, int64_t unix_ms);

#endif
