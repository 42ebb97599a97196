/*
 * A message as a whole: what is asked at once, which domains count as the
 * author's, what the settings make of it.  And the wire.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "policy/pol_author.h"
#include "policy/pol_check.h"
#include "policy/pol_wire.h"
#include "tests/unit/policy/dkim_rig.h"
#include "tests/unit/policy/spf_zone.h"

#define S STR_INIT

/* log: silent */
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

static const struct log quiet;

static void
whose_domain_counts(void **state)
{
	static const struct {
		const char *rule;
		struct str header;
		const char *domains; /* "?": odd, "+": too many */
	} rows[] = {
		{ "one address", S("From: a@X.test\r\n\r\n"), "x.test " },
		{ "two, one domain", S("From: a@x.test, b@x.test\r\n\r\n"),
		    "x.test " },
		{ "two domains", S("From: a@x.test, b@y.test\r\n\r\n"),
		    "x.test y.test " },
		{ "two fields", S("From: a@x.test\r\nFrom: b@y.test\r\n\r\n"),
		    "? x.test y.test " },
		{ "no From", S("To: a@x.test\r\n\r\n"), "? " },
		{ "a literal", S("From: a@[192.0.2.1]\r\n\r\n"), "" },
		{ "odd syntax: what a tolerant reader sees",
		    S("From: <a@x.test> <b@y.test>\r\n\r\n"), "? x.test " },
		{ "a group", S("From: g: a@x.test;\r\n\r\n"), "? x.test " },
		{ "comments", S("From: a(c)@(d)x.test\r\n\r\n"), "? x.test " },
		{ "a name in the display name",
		    S("From: \"ceo@bank.test\" <a@x.test>\r\n\r\n"),
		    "x.test " },
		{ "an international name",
		    S("From: a@b\303\274cher.test\r\n\r\n"),
		    "? xn--bcher-kva.test " },
		{ "one that no DNS has, and a reader sees",
		    S("From: <a@vic\342\200\214tim.test>, <b@x.test>\r\n\r\n"),
		    "? ! x.test " },
		{ "five of them",
		    S("From: a@1.test, a@2.test, a@3.test, a@4.test, "
		      "a@5.test\r\n\r\n"),
		    "+ 1.test 2.test 3.test 4.test " },
		{ "a line that looks like From",
		    S("From: a@x.test\r\n\001From: b@y.test\r\n\r\n"),
		    "? x.test " },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct pol_authors who;
		AUTO_ARENA a = { 0 };
		struct str got;

		pol_authors(&a, rows[i].header, &who);
		got = str_fmt(&a, "%s%s%s", who.odd ? "? " : "",
		    who.too_many ? "+ " : "", who.lost ? "! " : "");
		for (size_t k = 0; k < who.n; k++)
			got = str_fmt(
			    &a, "%.*s%.*s ", STRF(got), STRF(who.domain[k]));
		if (!str_eq(got, str_c(rows[i].domains)))
			fail_msg("%s: %.*s", rows[i].rule, STRF(got));
	}
}

static const struct zone_rr records[] = {
	{ S("x.test"), S("TXT"), S("v=spf1 ip4:192.0.2.1 -all") },
	{ S("_dmarc.x.test"), S("TXT"), S("v=DMARC1; p=reject") },
	{ S("q.test"), S("TXT"), S("v=spf1 -all") },
	{ S("_dmarc.q.test"), S("TXT"), S("v=DMARC1; p=quarantine") },
	{ S("ok.test"), S("TXT"), S("v=spf1 ip4:192.0.2.1 -all") },
	{ S("_dmarc.ok.test"), S("TXT"), S("v=DMARC1; p=reject") },
	{ S("deep.test"), S("TXT"), S("v=spf1 include:in.test -all") },
	{ S("in.test"), S("TXT"), S("v=spf1 ip4:192.0.2.99 -all") },
	{ S("_dmarc.deep.test"), S("TXT"), S("v=DMARC1; p=reject") },
	{ S("_dmarc.mild.test"), S("TXT"), S("v=DMARC1; p=none") },
	{ S("s._domainkey.lame.x.test"), S("TIMEOUT"), S("") },
	{ S("lame.x.test"), S("TIMEOUT"), S("") },
	{ S("s._domainkey.lame.q.test"), S("TIMEOUT"), S("") },
	{ S("s._domainkey.lame.mild.test"), S("TIMEOUT"), S("") },
	{ S("s._domainkey.down.test"), S("TIMEOUT"), S("") },
	{ S("down.test"), S("TIMEOUT"), S("") },
	{ S("_dmarc.down.test"), S("TIMEOUT"), S("") },
};

#define RUN_MS 1000 /* for the DNS */

struct checked {
	enum rc rc;
	struct pol_verdict v;
	struct zone z;
	int slow_ms; /* the longest wait for a slow key */
};

/* The zone, and servers below slow.* that never answer. */
static void
slow_ask(void *arg, struct arena *a, const struct dns_question *q, size_t n,
    struct deadline dl, struct dns_answer *out)
{
	struct checked *c = arg;
	bool slow = false;

	zone_ask(&c->z, a, q, n, dl, out);
	for (size_t i = 0; i < n; i++)
		if (str_find(q[i].name, STR("slow.")) < q[i].name.n) {
			out[i] = (struct dns_answer){ .rc = RC_TEMP };
			slow = true;
		}
	if (slow)
		c->slow_ms = MAX(c->slow_ms, deadline_left_ms(dl));
	while (slow && !deadline_over(dl))
		usleep(1000);
}

static void
run(struct arena *a, struct str message, struct str from, bool spf_reject,
    bool dmarc_reject, struct checked *out)
{
	struct pol_dkim *d = pol_dkim_new(&quiet);
	struct pol_env env = { .log = &quiet,
		.dkim = d,
		.ask = slow_ask,
		.ask_arg = out,
		.hostname = STR("mx.example.org"),
		.spf_reject = spf_reject,
		.dmarc_reject = dmarc_reject };
	const struct pol_check in = { .client_ip = STR("192.0.2.1"),
		.helo = STR("helo.test"),
		.from = from,
		.inline_data = message,
		.fd = -1,
		.size = message.n };

	*out = (struct checked){ 0 };
	for (size_t i = 0; i < COUNT(records); i++)
		zone_add(&out->z, records[i]);
	zone_add(&out->z, (struct zone_rr){ STR("s1._domainkey.x.test"),
			      STR("TXT"), dkim_rig_txt(a, RIG_RSA) });
	out->rc = pol_check_run(&env, a, &in, deadline_in(RUN_MS), &out->v);
	pol_dkim_free(&d);
}

#define BODY(from) "From: " from "\r\nSubject: x\r\n\r\nhello\r\n"

#define SIGNED(d)                                                              \
	"DKIM-Signature: v=1; a=rsa-sha256; d=" d                              \
	"; s=s; h=from; bh=AAAA; b=AAAA\r\n"

enum { MARK = 0, SPF = 1, DMARC = 2 }; /* settings */

static void
what_becomes_of_it(void **state)
{
	static const struct {
		const char *rule;
		struct str message, from;
		int settings;
		enum pol_action action;
		const char *status, *said; /* in the field, or NULL */
	} rows[] = {
		{ "passes", S(BODY("a@x.test")), S("b@x.test"), SPF | DMARC,
		    POL_ACCEPT, "", "dmarc=pass (p=reject dis=none)" },
		{ "p=reject", S(BODY("a@x.test")), S("b@no.test"), MARK,
		    POL_JUNK, "", "dmarc=fail (p=reject dis=junk)" },
		{ "p=reject refused", S(BODY("a@x.test")), S("b@no.test"),
		    DMARC, POL_REJECT, "5.7.1", NULL },
		{ "p=quarantine is never refused", S(BODY("a@q.test")),
		    S("b@no.test"), DMARC, POL_JUNK, "",
		    "dmarc=fail (p=quarantine dis=junk)" },
		{ "spf fail is marked", S(BODY("a@no.test")), S("b@q.test"),
		    MARK, POL_ACCEPT, "", "spf=fail" },
		{ "spf fail refused", S(BODY("a@no.test")), S("b@q.test"), SPF,
		    POL_REJECT, "5.7.23", NULL },
		{ "no records at all", S(BODY("a@no.test")), S("b@no.test"),
		    SPF | DMARC, POL_ACCEPT, "", "dmarc=none" },
		{ "the null path is HELO", S(BODY("a@x.test")), S(""), MARK,
		    POL_JUNK, "", "spf=none" },
		{ "several authors are never refused",
		    S(BODY("a@ok.test, b@x.test")), S("b@ok.test"), DMARC,
		    POL_JUNK, "", "dmarc=none (several domains in From)" },
		{ "several authors, all fine", S(BODY("a@no.test, b@ok.test")),
		    S("b@ok.test"), DMARC, POL_ACCEPT, "",
		    "dmarc=none (several domains in From)" },
		{ "two From fields", S("From: a@ok.test\r\n" BODY("a@x.test")),
		    S("b@ok.test"), DMARC, POL_JUNK, "", "dmarc=none" },
		{ "an author that no DNS has, beside one that is fine",
		    S(BODY("<a@vic\342\200\214tim.test>, <b@ok.test>")),
		    S("b@ok.test"), DMARC, POL_JUNK, "", "dmarc=none" },
		{ "the only author is one that no DNS has",
		    S(BODY("ceo@x.test\342\200\216")), S("b@ok.test"), MARK,
		    POL_JUNK, "", "dmarc=permerror" },
		{ "or that has a control character", S(BODY("ceo@x.test\001")),
		    S("b@ok.test"), MARK, POL_JUNK, "", "dmarc=permerror" },
		{ "or an odd end", S(BODY("ceo@x.test!")), S("b@ok.test"), MARK,
		    POL_JUNK, "", "dmarc=" },
		{ "a domain of hosts nobody asks for is none of them",
		    S(BODY("root@[192.0.2.1]")), S("b@ok.test"), MARK,
		    POL_ACCEPT, "", "spf=pass" },
		{ "nor are unusual names", S(BODY("root@my_host.no.test")),
		    S("b@ok.test"), MARK, POL_ACCEPT, "", "spf=pass" },
		{ "nor local parts alone", S(BODY("root")), S("b@ok.test"),
		    MARK, POL_ACCEPT, "", "spf=pass" },
		{ "odd syntax and one author: refused all the same",
		    S(BODY("a@x.test,")), S("b@no.test"), DMARC, POL_REJECT,
		    "5.7.1", NULL },
		{ "and so is a byte that is not ASCII",
		    S(BODY("Bj\366rn <a@x.test>")), S("b@no.test"), DMARC,
		    POL_REJECT, "5.7.1", NULL },
		{ "and two fields of one domain",
		    S("From: a@x.test\r\n" BODY("b@x.test")), S("b@no.test"),
		    DMARC, POL_REJECT, "5.7.1", NULL },
		{ "too many authors",
		    S(BODY("a@1.test, a@2.test, a@3.test, a@4.test, a@5.test")),
		    S("b@no.test"), DMARC, POL_JUNK, "", "dmarc=none" },
		{ "no From", S("To: x@y.test\r\n\r\nhello\r\n"), S("b@no.test"),
		    DMARC, POL_ACCEPT, "",
		    "dmarc=permerror (From cannot be read)" },
		{ "nobody knows whether it is a failure: it comes again",
		    S(SIGNED("lame.x.test") BODY("a@x.test")), S("b@ok.test"),
		    MARK, POL_DEFER, "4.7.1", NULL },
		{ "under p=quarantine too, and whatever SPF says",
		    S(SIGNED("lame.q.test") BODY("a@q.test")), S("b@q.test"),
		    SPF | DMARC, POL_DEFER, "4.7.1", NULL },
		{ "one that SPF could not find out", S(BODY("a@x.test")),
		    S("b@lame.x.test"), MARK, POL_DEFER, "4.7.1", NULL },
		{ "one of several authors, beside one that wants nothing",
		    S(SIGNED("lame.x.test") BODY("b@mild.test, a@x.test")),
		    S("b@ok.test"), MARK, POL_DEFER, "4.7.1", NULL },
		{ "and beside one whose record is not known",
		    S(SIGNED("lame.x.test") BODY("b@down.test, a@x.test")),
		    S("b@ok.test"), MARK, POL_DEFER, "4.7.1", NULL },
		{ "it has passed by SPF",
		    S(SIGNED("lame.x.test") BODY("a@x.test")), S("b@x.test"),
		    DMARC, POL_ACCEPT, "", "dmarc=pass" },
		{ "p=none wants nothing",
		    S(SIGNED("lame.mild.test") BODY("a@mild.test")),
		    S("b@ok.test"), DMARC, POL_ACCEPT, "", "dmarc=temperror" },
		{ "somebody else's key does not matter",
		    S(SIGNED("down.test") BODY("a@x.test")), S("b@ok.test"),
		    DMARC, POL_REJECT, "5.7.1", NULL },
		{ "temporary errors of the author move nothing",
		    S(BODY("a@down.test")), S("b@down.test"), SPF | DMARC,
		    POL_ACCEPT, "", "dmarc=temperror" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		AUTO_ARENA a = { 0 };
		struct checked c;

		run(&a, rows[i].message, rows[i].from, rows[i].settings & SPF,
		    rows[i].settings & DMARC, &c);
		assert_int_equal(c.rc, RC_OK);
		if (c.v.action != rows[i].action ||
		    !str_eq(c.v.status, str_c(rows[i].status)))
			fail_msg("%s: action %d status %.*s", rows[i].rule,
			    c.v.action, STRF(c.v.status));
		if (rows[i].said != NULL &&
		    str_find(c.v.edits, str_c(rows[i].said)) == c.v.edits.n)
			fail_msg("%s: %.*s", rows[i].rule, STRF(c.v.edits));
	}
}

static void
a_signature_counts(void **state)
{
	const struct dkim_rig_sign how = { RIG_RSA, "x.test", "s1",
		.length = -1 };
	AUTO_ARENA a = { 0 };
	struct str m = STR(BODY("a@sub.x.test"));
	struct checked c;

	(void)state;
	m = str_cat(&a, dkim_rig_field(&a, m, &how), m);
	run(&a, m, STR("b@q.test"), true, true, &c);
	/* SPF fails, but the owner says it is theirs. */
	assert_int_equal(c.v.action, POL_ACCEPT);
	assert_true(str_eq(c.v.spf, STR("fail")));
	assert_true(str_eq(c.v.dkim, STR("pass")));
	assert_true(str_eq(c.v.dmarc, STR("pass")));
	/* One batch for all: the key, SPF, the walk of sub.x.test; then
	 * nothing more is needed. */
	assert_int_equal(c.z.batches, 1);
	assert_int_equal(c.z.questions, 1 + 1 + 3);
}

/* Who forges a name may not choose that nobody has time to ask for it. */
static void
slow_keys_take_no_time_from_others(void **state)
{
	static const struct {
		const char *d;
		bool all; /* it may use up what is left */
	} rows[] = { { "slow.test", false }, { "slow.deep.test", true } };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		AUTO_ARENA a = { 0 };
		struct checked c;

		run(&a,
		    str_fmt(&a, SIGNED("%s") BODY("a@deep.test"), rows[i].d),
		    STR("b@deep.test"), false, true, &c);
		assert_true(str_eq(c.v.spf, STR("fail")));
		assert_true(str_eq(c.v.dkim, STR("temperror")));
		if (!rows[i].all)
			assert_true(c.slow_ms <= RUN_MS / 3);
		assert_true(str_eq(
		    c.v.dmarc, rows[i].all ? STR("temperror") : STR("fail")));
		assert_int_equal(
		    c.v.action, rows[i].all ? POL_DEFER : POL_REJECT);
	}
}

static void
forged_results_are_cut(void **state)
{
	AUTO_ARENA a = { 0 };
	struct str m = STR(
	    "Authentication-Results: mx.example.org; x\r\n" BODY("a@no.test"));
	struct checked c;
	AUTO_BUF many = { 0 };

	(void)state;
	run(&a, m, STR("b@no.test"), false, false, &c);
	assert_int_equal(c.v.ncut, 1);
	assert_int_equal(c.v.cut[0].off, 0);
	assert_int_equal(c.v.cut[0].len, 43);
	buf_init(&many, 1u << 20);
	for (unsigned i = 0; i <= POL_CUTS_MAX; i++)
		assert_int_equal(
		    buf_add(&many,
			STR("A: b\r\n"
			    "Authentication-Results: mx.example.org; x\r\n")),
		    RC_OK);
	run(&a, buf_str(&many), STR("b@no.test"), false, false, &c);
	assert_int_equal(c.v.action, POL_REJECT);
}

static void
a_header_without_end_is_junk(void **state)
{
	const struct dkim_rig_sign how = { RIG_RSA, "x.test", "s1",
		.length = -1 };
	AUTO_ARENA a = { 0 };
	AUTO_BUF b = { 0 };
	struct checked c;

	(void)state;
	buf_init(&b, 4u << 20);
	assert_int_equal(buf_add(&b, STR("From: a@ok.test\r\n")), RC_OK);
	while (b.n <= POL_HEADER_MAX)
		assert_int_equal(buf_fmt(&b, "X-%zu: y\r\n", b.n), RC_OK);
	assert_int_equal(buf_add(&b, STR("\r\nbody\r\n")), RC_OK);
	run(&a,
	    str_cat(&a, dkim_rig_field(&a, STR(BODY("a@x.test")), &how),
		buf_str(&b)),
	    STR("b@ok.test"), false, false, &c);
	assert_int_equal(c.rc, RC_OK);
	assert_int_equal(c.v.action, POL_JUNK);
	assert_true(str_find(c.v.edits, STR("dkim=permerror")) < c.v.edits.n);
}

static void
bodies_are_what_was_said(void **state)
{
	AUTO_FD open_memfd = memfd_create("x", MFD_ALLOW_SEALING);
	AUTO_FD sealed = fd_sealed("x", STR("From: a@x.test\r\n\r\n"));
	AUTO_FD null = -1;
	int p[2];
	struct {
		struct pol_body b;
		enum rc rc;
	} rows[] = {
		{ { STR("abc"), -1, 3 }, RC_OK },
		{ { STR("abc"), -1, 4 }, RC_BAD },
		{ { STR(""), sealed, 18 }, RC_OK },
		{ { STR(""), sealed, 17 }, RC_BAD },
		{ { STR(""), open_memfd, 0 }, RC_BAD },
		{ { STR(""), -1, 0 }, RC_OK },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (pol_body_check(&quiet, &rows[i].b) != rows[i].rc)
			fail_msg("row %zu", i);
	assert_int_equal(pipe(p), 0);
	null = p[0];
	assert_int_equal(
	    pol_body_check(&quiet, &(struct pol_body){ STR(""), null, 0 }),
	    RC_BAD);
	close(p[1]);
}

/* What the gateway gets for a verdict. */
static enum rc
through(struct arena *a, const struct pol_verdict *v, uint64_t size,
    struct pol_verdict *out)
{
	AUTO_MSG m = { 0 };
	struct ipc_in in;
	enum rc rc;

	ipc_msg_init(&m, POL_OP_CHECK);
	pol_put_verdict(&m, v);
	ipc_in_init(&in, &m);
	rc = pol_get_verdict(&in, a, size, out);
	if (rc == RC_OK)
		out->edits = str_dup(a, out->edits);
	return rc;
}

static void
verdicts_are_checked(void **state)
{
	struct pol_cut one[] = { { 5, 10 } }, past[] = { { 95, 6 } };
	struct pol_cut order[] = { { 10, 5 }, { 5, 5 } };
	struct pol_cut huge[] = { { 1, UINT64_MAX } };
	const struct {
		const char *rule;
		struct pol_verdict v;
		enum rc rc;
	} rows[] = {
		{ "accept", { .action = POL_ACCEPT, .edits = S("A: b\r\n") },
		    RC_OK },
		{ "no such action", { .action = 7 }, RC_BAD },
		{ "none", { .action = 0 }, RC_BAD },
		{ "a cut", { .action = POL_JUNK, .cut = one, .ncut = 1 },
		    RC_OK },
		{ "past the end",
		    { .action = POL_JUNK, .cut = past, .ncut = 1 }, RC_BAD },
		{ "out of order",
		    { .action = POL_JUNK, .cut = order, .ncut = 2 }, RC_BAD },
		{ "wraps", { .action = POL_JUNK, .cut = huge, .ncut = 1 },
		    RC_BAD },
		{ "edits that end the header",
		    { .action = POL_ACCEPT, .edits = S("A: b\r\n\r\n") },
		    RC_BAD },
		{ "edits without a line end",
		    { .action = POL_ACCEPT, .edits = S("A: b") }, RC_BAD },
		{ "edits that are no field",
		    { .action = POL_ACCEPT, .edits = S("hello\r\n") }, RC_BAD },
		{ "reject",
		    { .action = POL_REJECT,
			.status = S("5.7.1"),
			.text = S("No") },
		    RC_OK },
		{ "reject with 4",
		    { .action = POL_REJECT, .status = S("4.7.1") }, RC_BAD },
		{ "reject without", { .action = POL_REJECT }, RC_BAD },
		{ "defer with 5", { .action = POL_DEFER, .status = S("5.7.1") },
		    RC_BAD },
		{ "a reply of two lines",
		    { .action = POL_REJECT,
			.status = S("5.7.1"),
			.text = S("No\r\n250 Yes") },
		    RC_BAD },
		{ "a status of two lines",
		    { .action = POL_REJECT, .status = S("5.7.1\r\n") },
		    RC_BAD },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct pol_verdict out;
		AUTO_ARENA a = { 0 };

		if (through(&a, &rows[i].v, 100, &out) != rows[i].rc)
			fail_msg("%s", rows[i].rule);
		if (rows[i].rc == RC_OK)
			assert_true(str_eq(out.edits, rows[i].v.edits));
	}
}

static void
checks_arrive_whole(void **state)
{
	struct str rcpt[] = { STR("a@x.test"), STR("b@x.test") };
	const struct pol_check in = { .sid = STR("s1"),
		.client_ip = STR("192.0.2.1"),
		.helo = STR("h.test"),
		.from = STR("f@x.test"),
		.rcpt = rcpt,
		.nrcpt = 2,
		.inline_data = STR("abc"),
		.fd = -1,
		.size = 3,
		.received_at = 1234 };
	struct pol_check out;
	AUTO_ARENA a = { 0 };
	AUTO_MSG m = { 0 };
	struct ipc_in r;

	(void)state;
	ipc_msg_init(&m, POL_OP_CHECK);
	pol_put_check(&m, &in);
	ipc_in_init(&r, &m);
	assert_int_equal(pol_get_check(&r, &a, &out), RC_OK);
	assert_true(str_eq(out.from, in.from));
	assert_int_equal(out.nrcpt, 2);
	assert_true(str_eq(out.rcpt[1], rcpt[1]));
	assert_true(str_eq(out.inline_data, in.inline_data));
	assert_int_equal(out.received_at, 1234);
	assert_int_equal(out.fd, -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whose_domain_counts),
		cmocka_unit_test(what_becomes_of_it),
		cmocka_unit_test(a_signature_counts),
		cmocka_unit_test(slow_keys_take_no_time_from_others),
		cmocka_unit_test(forged_results_are_cut),
		cmocka_unit_test(a_header_without_end_is_junk),
		cmocka_unit_test(bodies_are_what_was_said),
		cmocka_unit_test(verdicts_are_checked),
		cmocka_unit_test(checks_arrive_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
