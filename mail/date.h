/*
 * date - dates of mail and of IMAP, without locale, time zone files or libc.
 *
 * Formats    RFC 5322 sections 3.3 and 4.3 (obsolete zones, two-digit years,
 *            comments), RFC 3501 section 9 (date-time, date).
 * Ownership  Texts live in the arena.
 * Threads    Pure functions; the clock is the caller's.
 * Errors     RC_BAD for what is no date; *out is untouched then.
 * Limits     Years 1900 to 9999.
 */
#ifndef MAIL_DATE_H
#define MAIL_DATE_H

#include "lib/base.h"

struct mail_date {
	int64_t unixtime; /* seconds since 1970-01-01 00:00:00 UTC */
	int zone;         /* minutes east of UTC */
};

/* "Sun, 22 Nov 2026 05:22:52 +0100 (CET)" */
MUST_CHECK enum rc mail_date_parse(struct str s, struct mail_date *out);
struct str mail_date_text(struct arena *a, struct mail_date d);
/* Without quotes: "22-Nov-2026 05:22:52 +0100", the day also " 2". */
MUST_CHECK enum rc mail_date_imap_parse(struct str s, struct mail_date *out);
struct str mail_date_imap_text(struct arena *a, struct mail_date d);
/*
 * Without quotes: "2-Nov-2026", as SEARCH has it.  Days since 1970-01-01;
 * compare with mail_date_day.
 */
MUST_CHECK enum rc mail_date_day_parse(struct str s, int64_t *out);
/* The day that the date shows in its own zone (RFC 3501: zone disregarded). */
int64_t mail_date_day(struct mail_date d);

/* Days since 1970-01-01 of a Gregorian date, and back. */
int64_t mail_days_from_civil(int year, int month, int day);
void mail_civil_from_days(int64_t days, int *year, int *month, int *day);

#endif
