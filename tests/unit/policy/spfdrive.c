/*
 * spfdrive - the SPF check over a zone on stdin, for the suites and oracles.
 *
 * Lines of fields separated by tabs, with %XX for bytes that are in the way:
 *
 *   new                         forget the zone
 *   rr NAME TYPE VALUE          see spf_zone.h
 *   engine own|libspf2
 *   check ID IP HELO FROM       answers with one line:
 *
 *   ID RESULT EXPLANATION MECHANISM PROBLEM LOOKUPS VOIDS
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/policy/spf_zone.h"

#define FIELDS_MAX 6

struct drive {
	struct zone zone;
	struct pol_spf_conf conf;
};

static struct str
unescape(struct arena *a, struct str s)
{
	char *p = arena_alloc(a, s.n + 1);
	size_t n = 0;
	struct str byte;

	for (size_t i = 0; i < s.n; i++) {
		p[n] = s.p[i];
		if (s.p[i] == '%' &&
		    str_unhex(a, str_sub(s, i + 1, 2), &byte) == RC_OK &&
		    byte.n == 1) {
			p[n] = byte.p[0];
			i += 2;
		}
		n++;
	}
	return str_n(p, n);
}

static void
check(struct drive *d, const struct str *f)
{
	AUTO_ARENA a = { 0 };
	struct pol_spf_in in = { .identity = POL_SPF_MAILFROM,
		.client_ip = f[2],
		.helo = f[3],
		.from = f[4],
		.now = 1700000000 };
	struct pol_spf_out out;

	pol_spf_check(&d->conf, &a, &in, deadline_in(60000), &out);
	printf("%.*s\t%s\t%.*s\t%.*s\t%.*s\t%u\t%u\n", STRF(f[1]),
	    pol_spf_name(out.result), STRF(out.explanation),
	    STRF(out.mechanism), STRF(out.problem), out.lookups, out.voids);
	fflush(stdout);
}

/* The zone's records point into `a`, which lives as long as the zone. */
static void
run_line(struct drive *d, struct arena *a, struct str line)
{
	struct str f[FIELDS_MAX] = { STR_NULL }, field;
	size_t n = 0;

	while (n < FIELDS_MAX && str_split(&line, '\t', &field))
		f[n++] = unescape(a, str_dup(a, field));
	if (str_eq(f[0], STR("new"))) {
		d->zone.n = 0;
	} else if (str_eq(f[0], STR("rr"))) {
		zone_add(&d->zone, (struct zone_rr){ f[1], f[2], f[3] });
	} else if (str_eq(f[0], STR("engine"))) {
		d->conf.engine = str_eq(f[1], STR("libspf2")) ? POL_SPF_LIBSPF2
							      : POL_SPF_OWN;
		if (!pol_spf_engine_built(d->conf.engine)) {
			fprintf(stderr, "spfdrive: built without libspf2\n");
			exit(2);
		}
	} else if (str_eq(f[0], STR("check"))) {
		check(d, f);
	}
}

int
main(void)
{
	AUTO_ARENA a = { 0 };
	struct drive d = { .conf = { .ask = zone_ask,
			       .receiver = STR_INIT("mx.example.net") } };
	char *line = NULL;
	size_t size = 0;
	ssize_t n;

	d.conf.arg = &d.zone;
	while ((n = getline(&line, &size, stdin)) > 0) {
		struct str s = str_n(line, (size_t)n);

		if (s.p[s.n - 1] == '\n')
			s.n--;
		run_line(&d, &a, s);
		if (str_eq(s, STR("new")))
			arena_reset(&a);
	}
	free(line);
	return 0;
}
