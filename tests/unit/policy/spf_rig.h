/* What the tests of SPF share: a sender, a policy and a zone around them. */
#ifndef TESTS_UNIT_POLICY_SPF_RIG_H
#define TESTS_UNIT_POLICY_SPF_RIG_H

#include "tests/unit/lib/test.h"
#include "policy/pol_spf_impl.h"
#include "tests/unit/policy/spf_zone.h"

#define A63  "a23456789012345678901234567890123456789012345678901234567890123"
#define PTR4 "1.2.0.192.in-addr.arpa PTR "

struct row {
	const char *rule;
	const char *zone; /* "NAME TYPE VALUE" lines; "" alone: the policy of
			     d.example is `policy` */
	const char *policy;
	const char *ip;
	enum pol_spf_result result;
	const char *mechanism; /* NULL: not asked about */
};

#define V4 "192.0.2.1"
#define V6 "2001:db8::1"
#define R(rule, policy, ip, result, mechanism)                                 \
	{                                                                      \
		rule, "", policy, ip, POL_SPF_##result, mechanism              \
	}
#define Z(rule, zone, policy, ip, result, mechanism)                           \
	{                                                                      \
		rule, zone, policy, ip, POL_SPF_##result, mechanism            \
	}

struct world {
	struct zone zone;
	struct pol_spf_conf conf;
	struct pol_spf_in in;
	struct pol_spf_out out;
	struct arena a;
};

void world_init(struct world *w, const char *zone, const char *policy);
void world_check(struct world *w);
void world_free(struct world *w);
bool is(struct str got, const char *want);
void run_rows(const struct row *rows, size_t n);

#endif
