#include "tests/unit/policy/spf_rig.h"

/* Common to all rows; what a row adds comes first. */
static const char common[] = "mx.ok.example A 192.0.2.1\n"
			     "mx.ok.example AAAA 2001:db8::1\n"
			     "two.example A 192.0.2.2\n"
			     "two.example AAAA 2001:db8::2\n"
			     "pass.example TXT v=spf1 +all\n"
			     "fail.example TXT v=spf1 -all\n"
			     "soft.example TXT v=spf1 ~all\n"
			     "neutral.example TXT v=spf1 ?all\n"
			     "broken.example TXT v=spf1 nonsense -all\n"
			     "slow.example TIMEOUT\n"
			     "loop.example TXT v=spf1 include:loop.example\n"
			     "plain.example TXT no policy at all\n";

static void
zone_text(struct zone *z, struct str text)
{
	struct str line;

	while (str_split(&text, '\n', &line)) {
		struct zone_rr rr = { .name = str_word(&line) };

		rr.type = str_word(&line);
		rr.value = line;
		if (rr.name.n > 0)
			zone_add(z, rr);
	}
}

void
world_init(struct world *w, const char *zone, const char *policy)
{
	*w = (struct world){ .conf = { .ask = zone_ask,
				 .receiver = STR_INIT("mx.here.example") },
		.in = { .identity = POL_SPF_MAILFROM,
		    .client_ip = STR_INIT(V4),
		    .helo = STR_INIT("client.d.example"),
		    .from = STR_INIT("ann@d.example"),
		    .now = 1234567890 } };
	w->conf.arg = &w->zone;
	if (policy != NULL)
		zone_add(&w->zone, (struct zone_rr){ STR("d.example"),
				       STR("TXT"), str_c(policy) });
	zone_text(&w->zone, str_c(zone));
	zone_text(&w->zone, str_c(common));
}

void
world_check(struct world *w)
{
	pol_spf_check(&w->conf, &w->a, &w->in, deadline_in(60000), &w->out);
}

void
world_free(struct world *w)
{
	arena_free(&w->a);
}

bool
is(struct str got, const char *want)
{
	return str_eq(got, str_c(want));
}

void
run_rows(const struct row *rows, size_t n)
{
	int bad = 0;

	for (size_t i = 0; i < n; i++) {
		const struct row *r = &rows[i];
		struct world w;

		world_init(&w, r->zone, r->policy);
		w.in.client_ip = str_c(r->ip);
		world_check(&w);
		if (w.out.result != r->result ||
		    (r->mechanism != NULL &&
			!is(w.out.mechanism, r->mechanism))) {
			print_error("%s: %s by '%.*s' (%.*s), not %s\n",
			    r->rule, pol_spf_name(w.out.result),
			    STRF(w.out.mechanism), STRF(w.out.problem),
			    pol_spf_name(r->result));
			bad++;
		}
		world_free(&w);
	}
	assert_int_equal(bad, 0);
}
