/*
 * dns_ask - what the resolver says, for the system tests.
 *
 *   dns_ask SERVER ANCHOR MODE
 *
 * ANCHOR may be "-"; MODE is "open" or "sandbox" (as a daemon that may make
 * connections).  Each line of standard input is one round: "MS NAME TYPE NAME
 * TYPE ..." are asked at the same time with MS milliseconds; for each, one
 * line: rc, flags (n: nxdomain, s: secure, b: bogus, c: cut), records.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "lib/resolver.h"
#include "lib/sandbox.h"

#define ROUND_MAX 64u

static const struct {
	struct str name;
	enum dns_type type;
} types[] = {
	{ STR_INIT("A"), DNS_A },
	{ STR_INIT("AAAA"), DNS_AAAA },
	{ STR_INIT("CNAME"), DNS_CNAME },
	{ STR_INIT("MX"), DNS_MX },
	{ STR_INIT("NS"), DNS_NS },
	{ STR_INIT("PTR"), DNS_PTR },
	{ STR_INIT("SRV"), DNS_SRV },
	{ STR_INIT("TLSA"), DNS_TLSA },
	{ STR_INIT("TXT"), DNS_TXT },
};

static enum dns_type
type_of(struct str word)
{
	for (size_t i = 0; i < COUNT(types); i++)
		if (str_eq(types[i].name, word))
			return types[i].type;
	panic("no such type: %.*s", STRF(word));
}

static void
print_record(enum dns_type type, const struct dns_record *r)
{
	char ip[INET6_ADDRSTRLEN];

	if (type == DNS_A || type == DNS_AAAA) {
		inet_ntop(type == DNS_A ? AF_INET : AF_INET6, r->addr, ip,
		    sizeof(ip));
		printf(" %s", ip);
	} else if (type == DNS_TXT) {
		printf(" \"%.*s\"", STRF(r->text));
	} else if (type == DNS_MX) {
		printf(" %u:%.*s", r->preference, STRF(r->name));
	} else if (type == DNS_SRV) {
		printf(" %u:%u:%u:%.*s", r->preference, r->weight, r->port,
		    STRF(r->name));
	} else if (type == DNS_TLSA) {
		AUTO_ARENA a = { 0 };

		printf(" %.*s", STRF(str_hex(&a, r->data)));
	} else {
		printf(" %.*s", STRF(r->name));
	}
}

static void
print_answer(enum dns_type type, const struct dns_answer *x)
{
	printf("%s %s%s%s%s-", rc_name(x->rc), x->nxdomain ? "n" : "",
	    x->secure ? "s" : "", x->bogus ? "b" : "", x->cut ? "c" : "");
	for (size_t i = 0; i < x->n; i++)
		print_record(type, &x->v[i]);
	printf("\n");
}

static void
run_round(struct resolver *r, struct str line)
{
	struct dns_question q[ROUND_MAX];
	struct dns_answer out[ROUND_MAX];
	AUTO_ARENA a = { 0 };
	uint64_t ms = 0;
	size_t n = 0;

	if (str_u64(str_word(&line), 600000, &ms) != RC_OK)
		panic("milliseconds first");
	for (; line.n > 0 && n < ROUND_MAX; n++) {
		q[n].name = str_word(&line);
		q[n].type = type_of(str_word(&line));
	}
	resolver_ask_all(r, &a, q, n, deadline_in((int64_t)ms), out);
	for (size_t i = 0; i < n; i++)
		print_answer(q[i].type, &out[i]);
	fflush(stdout);
}

int
main(int argc, char **argv)
{
	struct log_sink *sink = log_sink_new(2, "dns_ask", LOG_DEBUG);
	const struct log log = { .sink = sink };
	const struct sandbox rules = { .inet = true };
	char line[65536];

	if (argc != 4)
		return 2;
	const char *servers[] = { argv[1] };
	struct resolver *r = resolver_new(
	    &log, &(struct resolver_conf){ .servers = servers,
		      .nservers = 1,
		      .trust_anchor = strcmp(argv[2], "-") == 0 ? "" : argv[2],
		      .cache_max = 1000 });

	if (r == NULL)
		return 1;
	if (strcmp(argv[3], "sandbox") == 0 &&
	    sandbox_enter(&log, SANDBOX_ON, &rules) != RC_OK)
		return 1;
	while (fgets(line, sizeof(line), stdin) != NULL)
		run_round(
		    r, str_trim(str_sub(str_c(line), 0, strcspn(line, "\n"))));
	resolver_free(&r);
	log_sink_free(&sink);
	return 0;
}
