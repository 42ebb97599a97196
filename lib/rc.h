/*
 * rc - the result type, attributes, allocation: what even base's own parts
 * need.  Everybody else includes lib/base.h.
 */
#ifndef LIB_RC_H
#define LIB_RC_H

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUST_CHECK             __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define CLEANUP(fn)            __attribute__((cleanup(fn)))
#define COUNT(array)           (sizeof(array) / sizeof((array)[0]))
#define MIN(a, b)              ((a) < (b) ? (a) : (b))
#define MAX(a, b)              ((a) > (b) ? (a) : (b))

/*
 * The result of everything that can fail.  RC_TEMP never becomes a permanent
 * answer to a client.
 */
enum rc {
	RC_OK = 0,
	RC_NOENT, /* a definite no from a healthy source */
	RC_DENY,  /* it exists and may not */
	RC_BAD,   /* the input is malformed */
	RC_TEMP,  /* could not find out */
};

/* Name for logs: "ok", "noent", "deny", "bad", "temp". */
const char *rc_name(enum rc rc);

/* An impossible state or no memory: say it on stderr and abort. */
_Noreturn void panic(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* Allocation that cannot fail (panics); xfree(NULL) is a no-op. */
void *xmalloc(size_t n) __attribute__((malloc, alloc_size(1)));
void *xcalloc(size_t n, size_t size) __attribute__((malloc));
void *xrealloc(void *p, size_t n);
void xfree(void *p);

#endif
