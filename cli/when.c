/* Numbers by hand: strptime knows locales and is content with half a date. */
#include <time.h>

#include "cli/when.h"

/* Exactly so many digits off *s. */
static bool
digits(struct str *s, size_t n, int *out)
{
	uint64_t v;

	if (str_u64(str_sub(*s, 0, n), 9999, &v) != RC_OK || s->n < n)
		return false;
	*s = str_from(*s, n);
	*out = (int)v;
	return true;
}

static bool
sign(struct str *s, char c)
{
	if (s->n == 0 || s->p[0] != c)
		return false;
	*s = str_from(*s, 1);
	return true;
}

static enum rc
parse_date(struct str s, int64_t *out)
{
	struct tm tm = { .tm_isdst = -1 };
	int day;
	time_t t;

	if (!digits(&s, 4, &tm.tm_year) || !sign(&s, '-') ||
	    !digits(&s, 2, &tm.tm_mon) || !sign(&s, '-') ||
	    !digits(&s, 2, &tm.tm_mday))
		return RC_BAD;
	if (s.n > 0 && ((!sign(&s, ' ') && !sign(&s, 'T')) ||
			   !digits(&s, 2, &tm.tm_hour) || !sign(&s, ':') ||
			   !digits(&s, 2, &tm.tm_min)))
		return RC_BAD;
	if (s.n > 0 && (!sign(&s, ':') || !digits(&s, 2, &tm.tm_sec)))
		return RC_BAD;
	if (s.n > 0 || tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_hour > 24 ||
	    tm.tm_min > 59 || tm.tm_sec > 60)
		return RC_BAD;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	day = tm.tm_mday;
	t = mktime(&tm);
	/* The 31st of a month that has 30 days is no date. */
	if (t == (time_t)-1 || (tm.tm_mday != day && tm.tm_hour != 0))
		return RC_BAD;
	*out = t;
	return RC_OK;
}

static enum rc
parse_span(struct str s, int64_t now, int64_t *out)
{
	static const struct {
		char name;
		int64_t s;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 },
		{ 'w', 604800 } };
	uint64_t v;

	if (s.n < 2 || str_u64(str_sub(s, 0, s.n - 1), 1000000, &v) != RC_OK)
		return RC_BAD;
	for (size_t i = 0; i < COUNT(units); i++) {
		if (s.p[s.n - 1] != units[i].name)
			continue;
		*out = now - (int64_t)v * units[i].s;
		return RC_OK;
	}
	return RC_BAD;
}

enum rc
when_parse(struct str text, int64_t now, int64_t *out)
{
	if (str_eq(text, STR("now")))
		*out = now;
	else if (str_eq(text, STR("today")))
		*out = when_midnight(now, 0);
	else if (str_eq(text, STR("yesterday")))
		*out = when_midnight(now, -1);
	else if (parse_span(text, now, out) != RC_OK)
		return parse_date(text, out);
	return RC_OK;
}

int64_t
when_midnight(int64_t t, int n)
{
	time_t at = (time_t)t;
	struct tm tm;

	if (localtime_r(&at, &tm) == NULL)
		return t;
	tm.tm_mday += n;
	tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
	tm.tm_isdst = -1;
	return mktime(&tm);
}

static struct tm
parts(int64_t unix_s, bool utc)
{
	time_t t = (time_t)unix_s;
	struct tm tm = { 0 };

	if ((utc ? gmtime_r(&t, &tm) : localtime_r(&t, &tm)) == NULL)
		return (struct tm){ .tm_mday = 1 };
	return tm;
}

static int64_t
floor_s(int64_t ms)
{
	return ms >= 0 ? ms / 1000 : (ms - 999) / 1000;
}

struct str
when_text(struct arena *a, int64_t unix_ms)
{
	int64_t s = floor_s(unix_ms);
	struct tm t = parts(s, false);

	return str_fmt(a, "%04d-%02d-%02d %02d:%02d:%02d.%03d",
	    t.tm_year + 1900, t.tm_mon + 1, t.tm_mday, t.tm_hour, t.tm_min,
	    t.tm_sec, (int)(unix_ms - s * 1000));
}

struct str
when_minute(struct arena *a, int64_t unix_s)
{
	struct tm t = parts(unix_s, false);

	return str_fmt(a, "%04d-%02d-%02d %02d:%02d", t.tm_year + 1900,
	    t.tm_mon + 1, t.tm_mday, t.tm_hour, t.tm_min);
}

struct str
when_json(struct arena *a, int64_t unix_ms)
{
	int64_t s = floor_s(unix_ms);
	struct tm t = parts(s, true);

	return str_fmt(a, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
	    t.tm_year + 1900, t.tm_mon + 1, t.tm_mday, t.tm_hour, t.tm_min,
	    t.tm_sec, (int)(unix_ms - s * 1000));
}
