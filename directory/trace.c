/* Control bytes of directory values must not reach a terminal. */
#include <stdarg.h>
#include <stdio.h>

#include "directory/trace.h"

#define LINE_MAX_BYTES 4096

void
dir_trace_init(struct dir_trace *t)
{
	buf_init(&t->b, DIR_TRACE_MAX);
	t->full = false;
}

void
dir_trace_free(struct dir_trace *t)
{
	buf_free(&t->b);
}

void
dir_trace_add(struct dir_trace *t, const char *fmt, ...)
{
	char line[LINE_MAX_BYTES];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n < 0)
		panic("bad format \"%s\"", fmt);
	n = MIN(n, LINE_MAX_BYTES - 1);
	for (int i = 0; i < n; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = '?';
	line[n] = '\n';
	if (!t->full && buf_add(&t->b, str_n(line, (size_t)n + 1)) != RC_OK)
		t->full = true;
}
