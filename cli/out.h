/*
 * out - text for people's terminals.
 *
 * What comes from mail or the directory may hold escape sequences: everything
 * that is not a printable character is shown as \xHH.
 *
 * Threads    Pure but for the stream.
 */
#ifndef CLI_OUT_H
#define CLI_OUT_H

#include <stdio.h>

#include "lib/base.h"

/*
 * Control characters (C0, DEL, C1), direction overrides, backslashes and bytes
 * that are no UTF-8 are escaped.  Tabs and newlines are control characters too.
 */
void out_text(FILE *f, struct str s);
/* The same in an arena. */
struct str out_escape(struct arena *a, struct str s);
/* Each line of a text, indented; "\n" separates them. */
void out_lines(FILE *f, const char *indent, struct str text);
/* "2026-11-22 05:00:00Z". */
struct str out_time(struct arena *a, int64_t unix_s);
/* "3 s", "5 min", "7 h", "12 d". */
struct str out_span(struct arena *a, int64_t seconds);
/* "812 B", "4.0 KiB", "1.2 MiB". */
struct str out_size(struct arena *a, uint64_t bytes);

#endif
