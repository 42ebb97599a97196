/* Answers as lib/resolver.h promises them. */
#include <arpa/inet.h>
#include <string.h>

#include "tests/unit/policy/spf_zone.h"

#define CHAIN_MAX 8

void
zone_add(struct zone *z, struct zone_rr rr)
{
	if (z->n < ZONE_MAX)
		z->v[z->n++] = rr;
}

static const char *
type_name(enum dns_type type)
{
	switch (type) {
	case DNS_A:
		return "A";
	case DNS_AAAA:
		return "AAAA";
	case DNS_MX:
		return "MX";
	case DNS_PTR:
		return "PTR";
	default:
		return "TXT";
	}
}

static struct str
host(struct arena *a, struct str s)
{
	if (s.n > 0 && s.p[s.n - 1] == '.')
		s.n--;
	return str_lower(a, s);
}

static bool
fill(struct arena *a, enum dns_type type, struct str value,
    struct dns_record *out)
{
	struct str word;
	const char *text;
	uint64_t preference;

	*out = (struct dns_record){ .data = value };
	switch (type) {
	case DNS_A:
	case DNS_AAAA:
		return str_cstr(a, value, &text) == RC_OK &&
		       inet_pton(type == DNS_A ? AF_INET : AF_INET6, text,
			   out->addr) == 1;
	case DNS_MX:
		word = str_word(&value);
		if (str_u64(word, 65535, &preference) != RC_OK)
			return false;
		out->preference = (uint16_t)preference;
		out->name = host(a, value);
		return true;
	case DNS_PTR:
		out->name = host(a, value);
		return true;
	default:
		out->text = value;
		return true;
	}
}

static void
sort_by_preference(struct dns_answer *answer)
{
	for (size_t i = 1; i < answer->n; i++)
		for (size_t k = i; k > 0 && answer->v[k].preference <
						answer->v[k - 1].preference;
		     k--) {
			struct dns_record r = answer->v[k];

			answer->v[k] = answer->v[k - 1];
			answer->v[k - 1] = r;
		}
}

static void
answer_one(const struct zone *z, struct arena *a, struct str name,
    enum dns_type type, struct dns_answer *out)
{
	struct str next = host(a, name);

	*out = (struct dns_answer){ .rc = RC_NOENT, .nxdomain = true };
	out->v = arena_calloc(a, DNS_RECORDS_MAX, sizeof(*out->v));
	for (int hops = 0; next.p != NULL; hops++) {
		struct str at = next;
		bool timeout = false;

		next = STR_NULL;
		if (hops == CHAIN_MAX) {
			out->rc = RC_TEMP;
			return;
		}
		for (size_t i = 0; i < z->n; i++) {
			const struct zone_rr *rr = &z->v[i];

			if (!str_ieq(host(a, rr->name), at))
				continue;
			out->nxdomain = false;
			if (str_eq(rr->type, STR("TIMEOUT")))
				timeout = true;
			else if (str_eq(rr->type, STR("CNAME")))
				next = host(a, rr->value);
			else if (str_eq(rr->type, str_c(type_name(type))) &&
				 out->n < DNS_RECORDS_MAX &&
				 fill(a, type, rr->value, &out->v[out->n]))
				out->n++;
		}
		if (out->n > 0) {
			out->rc = RC_OK;
			break;
		}
		if (timeout) {
			out->rc = RC_TEMP;
			return;
		}
	}
	if (type == DNS_MX)
		sort_by_preference(out);
}

void
zone_ask(void *arg, struct arena *a, const struct dns_question *q, size_t n,
    struct deadline dl, struct dns_answer *out)
{
	struct zone *z = arg;

	if (deadline_over(dl)) {
		for (size_t i = 0; i < n; i++)
			out[i] = (struct dns_answer){ .rc = RC_TEMP };
		return;
	}
	z->batches++;
	for (size_t i = 0; i < n; i++) {
		z->questions++;
		answer_one(z, a, q[i].name, q[i].type, &out[i]);
	}
}
