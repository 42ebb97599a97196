/* A date that is read is written so that it reads the same. */
#include "mail/date.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_n(data, size);
	struct mail_date d, again;
	AUTO_ARENA a = { 0 };
	int64_t day;

	if (mail_date_parse(in, &d) == RC_OK) {
		PROMISE(d.zone > -1440 && d.zone < 1440);
		/* At the ends of the range the zone leads out of it. */
		if (mail_date_parse(mail_date_text(&a, d), &again) == RC_OK &&
		    d.unixtime > -2208900000 && d.unixtime < 253402200000)
			PROMISE(again.unixtime == d.unixtime &&
				again.zone == d.zone);
		PROMISE(mail_date_day(d) >= -25567);
	}
	if (mail_date_imap_parse(in, &d) == RC_OK && d.unixtime > -2208900000 &&
	    d.unixtime < 253402200000) {
		PROMISE(mail_date_imap_parse(
			    mail_date_imap_text(&a, d), &again) == RC_OK);
		PROMISE(again.unixtime == d.unixtime && again.zone == d.zone);
	}
	if (mail_date_day_parse(in, &day) == RC_OK) {
		int y, m, dd;

		mail_civil_from_days(day, &y, &m, &dd);
		PROMISE(mail_days_from_civil(y, m, dd) == day);
	}
	return 0;
}
