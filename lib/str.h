/*
 * str - a borrowed slice of bytes; mail holds NULs, so everything has a
 * length and nothing looks for a terminator.
 *
 * Ownership  A slice borrows; whoever makes one says whose bytes they are.
 * Threads    Pure functions.
 */
#ifndef LIB_STR_H
#define LIB_STR_H

#include "lib/rc.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

struct str {
	const char *p;
	size_t n;
};

#define STR_INIT(lit)                                                          \
	{                                                                      \
		(lit), sizeof(lit) - 1                                         \
	}
#define STR(lit) ((struct str){ (lit), sizeof(lit) - 1 })
#define STR_NULL ((struct str){ NULL, 0 })
/* For "%.*s". */
#define STRF(s) (int)(s).n, ((s).p ? (s).p : "")

struct str str_c(const char *cstr); /* NULL gives the empty slice */
struct str str_n(const void *p, size_t n);
bool str_eq(struct str a, struct str b);
bool str_ieq(struct str a, struct str b); /* ASCII case only */
int str_cmp(struct str a, struct str b);
int str_icmp(struct str a, struct str b);
bool str_has_prefix(struct str s, struct str prefix);
bool str_has_iprefix(struct str s, struct str prefix);
bool str_has_isuffix(struct str s, struct str suffix);
/* If *s begins with prefix, cut it off and say true. */
bool str_cut_prefix(struct str *s, struct str prefix);
bool str_cut_iprefix(struct str *s, struct str prefix);
/* Offset of the first c, or s.n if there is none. */
size_t str_chr(struct str s, char c);
size_t str_rchr(struct str s, char c); /* last c, or s.n */
/* Offset of the first `needle`, or s.n; the i form ignores ASCII case. */
size_t str_find(struct str s, struct str needle);
size_t str_ifind(struct str s, struct str needle);
/* From offset `from` (clamped), at most n bytes (clamped). */
struct str str_sub(struct str s, size_t from, size_t n);
struct str str_from(struct str s, size_t from);
/* Without spaces and tabs at both ends. */
struct str str_trim(struct str s);
/*
 * Cut the first word (up to a space) off *s; the spaces behind it go too.
 */
struct str str_word(struct str *s);
/*
 * Cut up to the first `sep` off *s into *out (without the separator); false
 * when *s is already finished (p is NULL).  "a,,b" gives "a", "", "b".
 */
bool str_split(struct str *s, char sep, struct str *out);
/* Decimal digits only, no sign, at most max; else RC_BAD. */
enum rc str_u64(struct str s, uint64_t max, uint64_t *out)
    __attribute__((warn_unused_result));
struct str str_dup(struct arena *a, struct str s);
/* Lower case of the ASCII letters, copied. */
struct str str_lower(struct arena *a, struct str s);
/* printf into an arena; the result has a NUL behind it. */
struct str str_fmt(struct arena *a, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
struct str str_cat(struct arena *a, struct str x, struct str y);
/* NUL-terminated copy for library borders; RC_BAD on an embedded NUL. */
enum rc str_cstr(struct arena *a, struct str s, const char **out)
    __attribute__((warn_unused_result));
/* FNV-1a. */
uint64_t str_hash(struct str s);
/* Compares in time that depends on the lengths only. */
bool str_eq_secret(struct str a, struct str b);
/* True when every byte is well-formed UTF-8 (RFC 3629). */
bool str_is_utf8(struct str s);
bool str_is_ascii(struct str s);

/* Hexadecimal, lower case, into an arena; and back (RC_BAD). */
struct str str_hex(struct arena *a, struct str s);
enum rc str_unhex(struct arena *a, struct str s, struct str *out)
    __attribute__((warn_unused_result));
/* RFC 4648 section 4, with padding; decoding is strict (RC_BAD). */
struct str str_b64(struct arena *a, struct str s);
enum rc str_unb64(struct arena *a, struct str s, struct str *out)
    __attribute__((warn_unused_result));

/* ASCII classes that know no locale. */
static inline char
ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}
static inline char
ascii_upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
}
static inline bool
ascii_is_alpha(char c)
{
	return ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z';
}
static inline bool
ascii_is_digit(char c)
{
	return c >= '0' && c <= '9';
}
static inline bool
ascii_is_alnum(char c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c);
}

#endif
