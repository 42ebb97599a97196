/*
 * What the check of one message costs: SPF, DKIM and DMARC with answers from
 * memory, as a warm resolver gives them.
 *
 *   policy_bench [messages]    a 40 KiB message with one RSA-2048 signature
 */
#include <stdio.h>
#include <time.h>

#include "policy/pol_check.h"
#include "tests/unit/policy/dkim_rig.h"
#include "tests/unit/policy/spf_zone.h"

#define S STR_INIT

bool
log_on(const struct log *l, enum log_level level)
{
	(void)l, (void)level;
	return false;
}

void
log_write(const struct log *l, enum log_level level, const char *event,
    const struct log_kv *kv, size_t nkv)
{
	(void)l, (void)level, (void)event, (void)kv, (void)nkv;
}

static const struct zone_rr records[] = {
	{ S("x.test"), S("TXT"),
	    S("v=spf1 include:a.test include:b.test mx ip4:192.0.2.1 -all") },
	{ S("a.test"), S("TXT"), S("v=spf1 ip4:198.51.100.0/24 ~all") },
	{ S("b.test"), S("TXT"), S("v=spf1 a mx ?all") },
	{ S("b.test"), S("A"), S("198.51.100.1") },
	{ S("b.test"), S("MX"), S("10 m.test") },
	{ S("x.test"), S("MX"), S("10 m.test") },
	{ S("m.test"), S("A"), S("198.51.100.2") },
	{ S("_dmarc.x.test"), S("TXT"), S("v=DMARC1; p=reject") },
};

static int64_t
cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static struct str
message(struct arena *a, enum dkim_rig_key key)
{
	const struct dkim_rig_sign how = { key, "x.test", "s1", .length = -1 };
	AUTO_BUF b = { 0 };

	buf_init(&b, 64u << 10);
	if (buf_add(&b, STR("From: Ann <a@x.test>\r\nTo: b@y.test\r\n"
			    "Subject: what is it worth\r\n"
			    "Date: Fri, 27 Nov 2026 10:00:00 +0000\r\n"
			    "Message-ID: <1@x.test>\r\nMIME-Version: 1.0\r\n"
			    "Content-Type: text/plain\r\n\r\n")) != RC_OK)
		panic("full");
	while (b.n < 40u << 10)
		if (buf_fmt(&b, "Line %zu of a text that has some words.\r\n",
			b.n) != RC_OK)
			panic("full");
	return str_cat(
	    a, dkim_rig_field(a, buf_str(&b), &how), str_dup(a, buf_str(&b)));
}

static void
run(const char *name, enum dkim_rig_key key, unsigned n)
{
	static struct zone z;
	static const struct log quiet;
	struct pol_dkim *d = pol_dkim_new(&quiet);
	struct pol_env env = { .log = &quiet,
		.dkim = d,
		.ask = zone_ask,
		.ask_arg = &z,
		.hostname = STR("mx.example.org") };
	AUTO_ARENA a = { 0 }, unit = { 0 };
	struct str m = message(&a, key);
	const struct pol_check in = { .client_ip = STR("192.0.2.1"),
		.helo = STR("m.x.test"),
		.from = STR("b@x.test"),
		.inline_data = m,
		.fd = -1,
		.size = m.n };
	struct pol_verdict v = { 0 };
	int64_t t0;

	z = (struct zone){ 0 };
	for (size_t i = 0; i < COUNT(records); i++)
		zone_add(&z, records[i]);
	zone_add(&z, (struct zone_rr){ STR("s1._domainkey.x.test"), STR("TXT"),
			 dkim_rig_txt(&a, key) });
	t0 = cpu_ns();
	for (unsigned i = 0; i < n; i++) {
		arena_reset(&unit);
		if (pol_check_run(&env, &unit, &in, deadline_in(60000), &v) !=
		    RC_OK)
			panic("no verdict");
	}
	printf("%-8s %zu bytes, spf=%.*s dkim=%.*s dmarc=%.*s: %.3f ms of CPU"
	       " a message\n",
	    name, m.n, STRF(v.spf), STRF(v.dkim), STRF(v.dmarc),
	    (double)(cpu_ns() - t0) / n / 1e6);
	pol_dkim_free(&d);
}

int
main(int argc, char **argv)
{
	uint64_t n = 2000;

	if (argc > 1 && (str_u64(str_c(argv[1]), 10000000, &n) != RC_OK || !n))
		panic("usage: policy_bench [messages]");
	run("rsa", RIG_RSA, (unsigned)n);
	run("ed25519", RIG_ED25519, (unsigned)n);
	return 0;
}
