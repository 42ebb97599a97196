/* Allocation and panic: the only place that calls malloc and free. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base.h"

const char *
rc_name(enum rc rc)
{
	static const char *const names[] = { [RC_OK] = "ok",
		[RC_NOENT] = "noent",
		[RC_DENY] = "deny",
		[RC_BAD] = "bad",
		[RC_TEMP] = "temp" };

	return (unsigned)rc < COUNT(names) ? names[rc] : "?";
}

_Noreturn void
panic(const char *fmt, ...)
{
	char line[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	if (n < 0)
		n = 0;
	if ((size_t)n > sizeof(line) - 2)
		n = sizeof(line) - 2;
	line[n] = '\n';
	if (write(STDERR_FILENO, "event=panic text=", 17) < 0 ||
	    write(STDERR_FILENO, line, (size_t)n + 1) < 0)
		abort();
	abort();
}

void *
xmalloc(size_t n)
{
	void *p = malloc(n ? n : 1);

	if (p == NULL)
		panic("out of memory (%zu bytes)", n);
	return p;
}

void *
xcalloc(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size ? size : 1);

	if (p == NULL)
		panic("out of memory (%zu x %zu bytes)", n, size);
	return p;
}

void *
xrealloc(void *p, size_t n)
{
	void *q = realloc(p, n ? n : 1);

	if (q == NULL)
		panic("out of memory (%zu bytes)", n);
	return q;
}

void
xfree(void *p)
{
	free(p);
}
