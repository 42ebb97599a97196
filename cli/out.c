/* Escaping happens here, at the sink, and nowhere before it. */
#include <time.h>

#include "cli/out.h"

/* The code point at s, its length in *n (1 when it is no UTF-8). */
static bool
decode(struct str s, uint32_t *cp, size_t *n)
{
	unsigned char c = (unsigned char)s.p[0];
	size_t want = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

	*n = 1;
	if (!str_is_utf8(str_sub(s, 0, want)) || s.n < want)
		return false;
	*n = want;
	if (want == 1) {
		*cp = c;
		return true;
	}
	*cp = c & (0x7fu >> want);
	for (size_t i = 1; i < want; i++)
		*cp = *cp << 6 | ((unsigned char)s.p[i] & 0x3f);
	return true;
}

/* Shown as it is: nothing that moves the cursor or reorders text. */
static bool
is_plain(uint32_t cp)
{
	if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || cp == '\\')
		return false;
	if (cp == 0x061c || (cp >= 0x200b && cp <= 0x200f) ||
	    (cp >= 0x2028 && cp <= 0x202e) || (cp >= 0x2060 && cp <= 0x206f) ||
	    cp == 0xfeff)
		return false;
	return cp < 0xe0000; /* tags and private planes */
}

struct str
out_escape(struct arena *a, struct str s)
{
	static const char digits[] = "0123456789abcdef";
	char *p = arena_alloc(a, 4 * s.n + 1), *q = p;

	while (s.n > 0) {
		uint32_t cp = 0;
		size_t n;
		bool plain = decode(s, &cp, &n) && is_plain(cp);

		for (size_t i = 0; i < n; i++) {
			unsigned char c = (unsigned char)s.p[i];

			if (plain) {
				*q++ = (char)c;
				continue;
			}
			*q++ = '\\';
			*q++ = 'x';
			*q++ = digits[c >> 4];
			*q++ = digits[c & 15];
		}
		s = str_from(s, n);
	}
	*q = '\0';
	return str_n(p, (size_t)(q - p));
}

void
out_text(FILE *f, struct str s)
{
	AUTO_ARENA a = { 0 };

	s = out_escape(&a, s);
	fprintf(f, "%.*s", STRF(s));
}

void
out_lines(FILE *f, const char *indent, struct str text)
{
	struct str line;

	while (text.n > 0 && text.p[text.n - 1] == '\n')
		text.n--;
	while (str_split(&text, '\n', &line)) {
		fputs(indent, f);
		out_text(f, line);
		fputc('\n', f);
	}
}

struct str
out_time(struct arena *a, int64_t unix_s)
{
	time_t t = (time_t)unix_s;
	struct tm tm;
	char b[32];
	size_t n;

	if (gmtime_r(&t, &tm) == NULL)
		return STR("?");
	n = strftime(b, sizeof(b), "%Y-%m-%d %H:%M:%SZ", &tm);
	return str_dup(a, str_n(b, n));
}

struct str
out_span(struct arena *a, int64_t seconds)
{
	static const struct {
		int64_t from, unit;
		const char *name;
	} units[] = {
		{ 172800, 86400, "d" },
		{ 7200, 3600, "h" },
		{ 120, 60, "min" },
	};

	for (size_t i = 0; i < COUNT(units); i++) {
		if (seconds >= units[i].from)
			return str_fmt(a, "%lld %s",
			    (long long)(seconds / units[i].unit),
			    units[i].name);
	}
	return str_fmt(a, "%lld s", (long long)MAX(seconds, 0));
}

struct str
out_size(struct arena *a, uint64_t bytes)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB" };
	double v = (double)bytes / 1024;
	size_t i = 0;

	if (bytes < 1024)
		return str_fmt(a, "%llu B", (unsigned long long)bytes);
	for (; v >= 1024 && i + 1 < COUNT(units); i++)
		v /= 1024;
	return str_fmt(a, "%.1f %s", v, units[i]);
}
