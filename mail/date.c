/*
 * Calendar arithmetic after Howard Hinnant's "chrono-compatible low-level date
 * algorithms": the year begins in March, so that the leap day is the last one
 * and an era of 400 years has a fixed length.  Everything else is a small
 * tokenizer over RFC 5322 text, as tolerant as old mail needs.
 */
#include <string.h>

#include "mail/date.h"

#define DAY      86400
#define UNIX_MIN (-2208988800LL) /* 1900-01-01 */
#define UNIX_MAX 253402300799LL  /* 9999-12-31 23:59:59 */

static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
static const char wdays[] = "ThuFriSatSunMonTueWed"; /* 1970-01-01: Thu */

int64_t
mail_days_from_civil(int year, int month, int day)
{
	int64_t y = month <= 2 ? (int64_t)year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t yoe = y - era * 400;
	int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;

	return era * 146097 + doe - 719468;
}

void
mail_civil_from_days(int64_t days, int *year, int *month, int *day)
{
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;

	*day = (int)(doy - (153 * mp + 2) / 5 + 1);
	*month = (int)(mp < 10 ? mp + 3 : mp - 9);
	*year = (int)(yoe + era * 400 + (*month <= 2));
}

struct fields {
	int year, month, day, hour, min, sec, zone;
};

static bool
day_ok(int year, int month, int day)
{
	static const unsigned char len[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30,
		31, 30, 31 };
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return month >= 1 && month <= 12 && day >= 1 && day <= len[month - 1] &&
	       (month != 2 || day < 29 || leap);
}

/* Checks every field; a leap second (60) counts as the next second. */
static enum rc
to_date(const struct fields *f, struct mail_date *out)
{
	int64_t t;

	if (f->year < 1900 || f->year > 9999 ||
	    !day_ok(f->year, f->month, f->day) || f->hour > 23 || f->min > 59 ||
	    f->sec > 60)
		return RC_BAD;
	t = mail_days_from_civil(f->year, f->month, f->day) * DAY +
	    f->hour * 3600 + f->min * 60 + f->sec - f->zone * 60;
	if (t < UNIX_MIN || t > UNIX_MAX)
		return RC_BAD;
	*out = (struct mail_date){ t, f->zone };
	return RC_OK;
}

/* 1 to 12 by the first three letters, or 0. */
static int
month_of(struct str s)
{
	for (int i = 0; i < 12 && s.n >= 3; i++)
		if (str_ieq(str_sub(s, 0, 3), str_n(months + 3 * i, 3)))
			return i + 1;
	return 0;
}

/* RFC 5322 CFWS: white space, folds and nested comments. */
static void
skip_cfws(struct str *s)
{
	int depth = 0;
	size_t i = 0;

	for (; i < s->n; i++) {
		char c = s->p[i];

		if (c == '(')
			depth++;
		else if (depth > 0 && c == ')')
			depth--;
		else if (depth > 0 && c == '\\')
			i++;
		else if (depth == 0 && c != ' ' && c != '\t' && c != '\r' &&
			 c != '\n')
			break;
	}
	*s = str_from(*s, i);
}

/* At most `max` digits; *out_len says how many there were. */
static bool
cut_digits(struct str *s, size_t max, int *out, size_t *out_len)
{
	size_t n = 0;
	int v = 0;

	while (n < s->n && ascii_is_digit(s->p[n])) {
		if (n == max)
			return false;
		v = v * 10 + (s->p[n++] - '0');
	}
	*s = str_from(*s, n);
	*out = v;
	*out_len = n;
	return n > 0;
}

static bool
cut_number(struct str *s, size_t max, int *out)
{
	size_t len;

	skip_cfws(s);
	return cut_digits(s, max, out, &len);
}

static struct str
cut_alpha(struct str *s)
{
	struct str word;
	size_t n = 0;

	skip_cfws(s);
	while (n < s->n && ascii_is_alpha(s->p[n]))
		n++;
	word = str_sub(*s, 0, n);
	*s = str_from(*s, n);
	return word;
}

/* RFC 5322 section 4.3: two digits mean 1950 to 2049, three add 1900. */
static bool
cut_year(struct str *s, int *out)
{
	size_t len;

	skip_cfws(s);
	if (!cut_digits(s, 4, out, &len) || len == 1)
		return false;
	if (len == 2)
		*out += *out < 50 ? 2000 : 1900;
	else if (len == 3)
		*out += 1900;
	return true;
}

/* hh ":" mm [":" ss] */
static bool
cut_time(struct str *s, struct fields *f)
{
	f->sec = 0;
	if (!cut_number(s, 2, &f->hour))
		return false;
	skip_cfws(s);
	if (!str_cut_prefix(s, STR(":")) || !cut_number(s, 2, &f->min))
		return false;
	skip_cfws(s);
	return !str_cut_prefix(s, STR(":")) || cut_number(s, 2, &f->sec);
}

/* "+hhmm"; minutes east. */
static bool
cut_offset(struct str *s, int *out)
{
	bool west = s->n > 0 && s->p[0] == '-';
	size_t len;
	int v;

	if (s->n == 0 || (!west && s->p[0] != '+'))
		return false;
	*s = str_from(*s, 1);
	if (!cut_digits(s, 4, &v, &len) || len != 4 || v % 100 > 59 ||
	    v / 100 > 23)
		return false;
	*out = v / 100 * 60 + v % 100;
	if (west)
		*out = -*out;
	return true;
}

/*
 * RFC 5322 section 4.3.  A zone that says nothing known (military letters,
 * local names, rubbish, none) counts as -0000, which is UTC.
 */
static int
cut_zone(struct str *s)
{
	static const struct {
		struct str name;
		int zone;
	} zones[] = {
		{ STR_INIT("EST"), -5 * 60 },
		{ STR_INIT("EDT"), -4 * 60 },
		{ STR_INIT("CST"), -6 * 60 },
		{ STR_INIT("CDT"), -5 * 60 },
		{ STR_INIT("MST"), -7 * 60 },
		{ STR_INIT("MDT"), -6 * 60 },
		{ STR_INIT("PST"), -8 * 60 },
		{ STR_INIT("PDT"), -7 * 60 },
		{ STR_INIT("CET"), 60 },
		{ STR_INIT("CEST"), 120 },
	};
	struct str word;
	int zone;

	skip_cfws(s);
	if (cut_offset(s, &zone))
		return zone;
	word = cut_alpha(s);
	for (size_t i = 0; i < COUNT(zones); i++)
		if (str_ieq(word, zones[i].name))
			return zones[i].zone;
	return 0;
}

enum rc
mail_date_parse(struct str s, struct mail_date *out)
{
	struct fields f = { 0 };
	struct str word = cut_alpha(&s);
	bool comma;

	skip_cfws(&s);
	comma = word.n > 0 && str_cut_prefix(&s, STR(","));
	/* A day of the week, in whatever language, says nothing new. */
	if (comma || (word.n > 0 && month_of(word) == 0))
		word = cut_alpha(&s);
	if (word.n > 0) { /* asctime: "Nov 22 05:22:52 2026" */
		f.month = month_of(word);
		if (!cut_number(&s, 2, &f.day) || !cut_time(&s, &f) ||
		    !cut_year(&s, &f.year))
			return RC_BAD;
	} else {
		if (!cut_number(&s, 2, &f.day))
			return RC_BAD;
		str_cut_prefix(&s, STR("-"));
		f.month = month_of(cut_alpha(&s));
		str_cut_prefix(&s, STR("-"));
		if (!cut_year(&s, &f.year) || !cut_time(&s, &f))
			return RC_BAD;
	}
	f.zone = cut_zone(&s);
	return to_date(&f, out);
}

/* Clamps what a damaged record may say; gives local seconds. */
static int64_t
split(struct mail_date d, struct fields *f)
{
	int zone = d.zone > -1440 && d.zone < 1440 ? d.zone : 0;
	int64_t t = MAX(UNIX_MIN, MIN(UNIX_MAX, d.unixtime)) + zone * 60;
	int64_t days, sec;

	t = MAX(UNIX_MIN, MIN(UNIX_MAX, t));
	days = (t >= 0 ? t : t - (DAY - 1)) / DAY;
	sec = t - days * DAY;
	mail_civil_from_days(days, &f->year, &f->month, &f->day);
	f->hour = (int)(sec / 3600);
	f->min = (int)(sec / 60 % 60);
	f->sec = (int)(sec % 60);
	f->zone = zone;
	return days;
}

struct str
mail_date_text(struct arena *a, struct mail_date d)
{
	struct fields f;
	int64_t days = split(d, &f);
	int east = f.zone < 0 ? -f.zone : f.zone;

	return str_fmt(a, "%.3s, %d %.3s %04d %02d:%02d:%02d %c%02d%02d",
	    wdays + 3 * ((days % 7 + 7) % 7), f.day, months + 3 * (f.month - 1),
	    f.year, f.hour, f.min, f.sec, f.zone < 0 ? '-' : '+', east / 60,
	    east % 60);
}

struct str
mail_date_imap_text(struct arena *a, struct mail_date d)
{
	struct fields f;
	int east;

	split(d, &f);
	east = f.zone < 0 ? -f.zone : f.zone;
	return str_fmt(a, "%2d-%.3s-%04d %02d:%02d:%02d %c%02d%02d", f.day,
	    months + 3 * (f.month - 1), f.year, f.hour, f.min, f.sec,
	    f.zone < 0 ? '-' : '+', east / 60, east % 60);
}

/* Exactly `n` digits. */
static bool
cut_exact(struct str *s, size_t n, int *out)
{
	size_t len;

	return cut_digits(s, n, out, &len) && len == n;
}

/* "-Mon-yyyy" */
static bool
cut_imap_month_year(struct str *s, struct fields *f)
{
	if (!str_cut_prefix(s, STR("-")))
		return false;
	f->month = month_of(str_sub(*s, 0, 3));
	*s = str_from(*s, 3);
	return f->month > 0 && str_cut_prefix(s, STR("-")) &&
	       cut_exact(s, 4, &f->year);
}

enum rc
mail_date_imap_parse(struct str s, struct mail_date *out)
{
	struct fields f = { 0 };
	size_t day = str_cut_prefix(&s, STR(" ")) ? 1 : 2;

	if (!cut_exact(&s, day, &f.day) || !cut_imap_month_year(&s, &f) ||
	    !str_cut_prefix(&s, STR(" ")) || !cut_exact(&s, 2, &f.hour) ||
	    !str_cut_prefix(&s, STR(":")) || !cut_exact(&s, 2, &f.min) ||
	    !str_cut_prefix(&s, STR(":")) || !cut_exact(&s, 2, &f.sec) ||
	    !str_cut_prefix(&s, STR(" ")) || !cut_offset(&s, &f.zone) ||
	    s.n > 0)
		return RC_BAD;
	return to_date(&f, out);
}

enum rc
mail_date_day_parse(struct str s, int64_t *out)
{
	struct fields f = { 0 };
	size_t len;

	if (!cut_digits(&s, 2, &f.day, &len) || !cut_imap_month_year(&s, &f) ||
	    s.n > 0 || !day_ok(f.year, f.month, f.day))
		return RC_BAD;
	*out = mail_days_from_civil(f.year, f.month, f.day);
	return RC_OK;
}

int64_t
mail_date_day(struct mail_date d)
{
	struct fields f;

	return split(d, &f);
}
