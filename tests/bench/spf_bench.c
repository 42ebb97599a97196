/*
 * spf_bench - what a check costs apart from the DNS: a zone of a dozen records
 * in memory.  Prints microseconds of CPU a check.
 */
#include <stdio.h>
#include <time.h>

#include "tests/unit/policy/spf_zone.h"

#define ROUNDS 20000

static const struct zone_rr records[] = {
	{ STR_INIT("short.example"), STR_INIT("TXT"),
	    STR_INIT("v=spf1 ip4:192.0.2.0/24 -all") },
	{ STR_INIT("usual.example"), STR_INIT("TXT"),
	    STR_INIT("v=spf1 mx a:www.usual.example include:_spf.mail.example "
		     "include:other.example -all") },
	{ STR_INIT("usual.example"), STR_INIT("TXT"),
	    STR_INIT("site-verification=0123456789abcdef") },
	{ STR_INIT("usual.example"), STR_INIT("MX"),
	    STR_INIT("10 www.usual.example") },
	{ STR_INIT("www.usual.example"), STR_INIT("A"),
	    STR_INIT("198.51.100.1") },
	{ STR_INIT("_spf.mail.example"), STR_INIT("TXT"),
	    STR_INIT("v=spf1 include:_n1.mail.example "
		     "include:_n2.mail.example ~all") },
	{ STR_INIT("_n1.mail.example"), STR_INIT("TXT"),
	    STR_INIT("v=spf1 ip4:198.51.100.0/28 ip4:203.0.113.0/24 "
		     "ip4:10.0.0.0/8 ip6:2001:db8:1::/48 ~all") },
	{ STR_INIT("_n2.mail.example"), STR_INIT("TXT"),
	    STR_INIT("v=spf1 ip4:172.16.0.0/12 ip6:2001:db8:2::/48 ~all") },
	{ STR_INIT("other.example"), STR_INIT("TXT"),
	    STR_INIT("v=spf1 exists:%{ir}.%{l1r-}.%{v}.other.example ?all") },
};

static const struct {
	const char *what;
	struct str from;
} rows[] = {
	{ "ip4 matches", STR_INIT("ann@short.example") },
	{ "mx, a, four includes, exists, fail", STR_INIT("ann@usual.example") },
	{ "no record", STR_INIT("ann@none.example") },
};

static double
cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

int
main(void)
{
	AUTO_ARENA a = { 0 };
	struct zone zone = { .n = 0 };
	struct pol_spf_conf conf = { .ask = zone_ask, .arg = &zone };

	for (size_t i = 0; i < COUNT(records); i++)
		zone_add(&zone, records[i]);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct pol_spf_in in = { .identity = POL_SPF_MAILFROM,
			.client_ip = STR_INIT("192.0.2.1"),
			.helo = STR_INIT("mx.usual.example"),
			.from = rows[i].from };
		struct pol_spf_out out;
		double from = cpu_us(), took;
		unsigned asked = zone.questions;

		for (int k = 0; k < ROUNDS; k++) {
			pol_spf_check(&conf, &a, &in, deadline_in(20000), &out);
			arena_reset(&a);
		}
		took = (cpu_us() - from) / ROUNDS;
		printf("%-36s %6.2f us, %u questions\n", rows[i].what, took,
		    (zone.questions - asked) / ROUNDS);
	}
	return 0;
}
