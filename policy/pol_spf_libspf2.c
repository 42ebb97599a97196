/*
 * libspf2 behind our interface, for sites that want it (spf_engine).
 *
 * Known about 1.2.10 as Debian has it, and dealt with here:
 *
 * - It gets 58 of the 203 cases of the openspf suite wrong, some to the
 *   harmful side: no limit over includes, none for void lookups.  Each check
 *   therefore may ask QUESTIONS_MAX times, then every answer is a temporary
 *   error.
 * - It lets 127.0.0.0/8 and ::1 pass without asking.  No client is special
 *   here, so those go to our own engine.
 * - Its explanations are garbled.  They are never used.
 * - "invalid" is no result of RFC 7208; the error code tells what it means.
 * - SPF_error() aborts the process whatever handler is set.  That is why it
 *   may only live in the policy process, which is started again and whose
 *   absence delays no mail.  The other handlers print; they are silenced once,
 *   before the first use, because the library keeps them in globals.
 */
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <sys/types.h>

#include <spf2/spf.h>
/* from its <sys/param.h> */
#undef MIN
#undef MAX

#include "policy/pol_spf_impl.h"

#define QUESTIONS_MAX 60u

struct hook {
	const struct pol_spf_conf *conf;
	struct arena *a;
	struct deadline dl;
	unsigned questions;
};

static pthread_once_t silenced = PTHREAD_ONCE_INIT;

static void
silence(void)
{
	SPF_warning_handler = NULL;
	SPF_info_handler = NULL;
	SPF_debug_handler = NULL;
}

static const struct {
	ns_type theirs;
	enum dns_type ours;
} types[] = {
	{ ns_t_a, DNS_A },
	{ ns_t_aaaa, DNS_AAAA },
	{ ns_t_mx, DNS_MX },
	{ ns_t_ptr, DNS_PTR },
	{ ns_t_txt, DNS_TXT },
};

/* The bytes of a record as the library keeps them; a string has a NUL. */
static struct str
value_of(struct arena *a, enum dns_type type, const struct dns_record *r)
{
	struct str text;
	char *p;

	switch (type) {
	case DNS_A:
		return str_n(r->addr, 4);
	case DNS_AAAA:
		return str_n(r->addr, 16);
	case DNS_TXT:
		text = r->text;
		break;
	default:
		text = r->name;
		break;
	}
	p = arena_calloc(a, text.n + 1, 1);
	/* A NUL would cut the record short; this one is no SPF either way. */
	for (size_t i = 0; i < text.n; i++)
		p[i] = text.p[i] == '\0' ? '\x01' : text.p[i];
	return str_n(p, text.n + 1);
}

static void
fill(struct hook *h, SPF_dns_rr_t *rr, enum dns_type type,
    const struct dns_answer *answer)
{
	int n = 0;

	for (size_t i = 0; i < answer->n; i++) {
		struct str value = value_of(h->a, type, &answer->v[i]);

		if (SPF_dns_rr_buf_realloc(rr, n, MAX(value.n, 16)) !=
		    SPF_E_SUCCESS)
			panic("out of memory");
		memcpy(rr->rr[n], value.p, value.n);
		n++;
	}
	rr->num_rr = n;
}

static SPF_dns_rr_t *
lookup(SPF_dns_server_t *server, const char *domain, ns_type type, int cache)
{
	struct hook *h = server->hook;
	struct dns_question q = { .name = str_c(domain) };
	struct dns_answer answer = { .rc = RC_NOENT };
	SPF_dns_stat_t stat = NO_DATA;
	SPF_dns_rr_t *rr;

	(void)cache;
	for (size_t i = 0; i < COUNT(types); i++)
		if (types[i].theirs == type)
			q.type = types[i].ours;
	if (q.name.n > 0 && q.name.p[q.name.n - 1] == '.')
		q.name.n--;
	if (q.type != 0 && pol_spf_name_ok(q.name)) {
		answer.rc = RC_TEMP;
		if (++h->questions <= QUESTIONS_MAX)
			h->conf->ask(h->conf->arg, h->a, &q, 1, h->dl, &answer);
		stat = answer.rc == RC_OK     ? NETDB_SUCCESS
		       : answer.rc == RC_TEMP ? TRY_AGAIN
		       : answer.nxdomain      ? HOST_NOT_FOUND
					      : NO_DATA;
	}
	rr = SPF_dns_rr_new_init(server, domain, type, 0, stat);
	if (rr == NULL)
		panic("out of memory");
	if (answer.rc == RC_OK)
		fill(h, rr, q.type, &answer);
	return rr;
}

static enum pol_spf_result
invalid_means(SPF_errcode_t err)
{
	switch (err) {
	case SPF_E_DNS_ERROR:
		return POL_SPF_TEMPERROR;
	case SPF_E_NOT_SPF:
	case SPF_E_BAD_HOST_IP:
	case SPF_E_BAD_HOST_TLD:
		return POL_SPF_NONE;
	default:
		return POL_SPF_PERMERROR;
	}
}

static void
take_result(SPF_response_t *r, struct pol_spf_out *out)
{
	SPF_errcode_t err = SPF_response_errcode(r);

	/* Often zero although there are errors. */
	if (err == SPF_E_SUCCESS && SPF_response_messages(r) > 0)
		err = SPF_error_code(SPF_response_message(r, 0));
	switch (SPF_response_result(r)) {
	case SPF_RESULT_NEUTRAL:
		out->result = POL_SPF_NEUTRAL;
		break;
	case SPF_RESULT_PASS:
		out->result = POL_SPF_PASS;
		break;
	case SPF_RESULT_FAIL:
		out->result = POL_SPF_FAIL;
		break;
	case SPF_RESULT_SOFTFAIL:
		out->result = POL_SPF_SOFTFAIL;
		break;
	case SPF_RESULT_NONE:
		out->result = POL_SPF_NONE;
		break;
	case SPF_RESULT_TEMPERROR:
		out->result = POL_SPF_TEMPERROR;
		break;
	case SPF_RESULT_PERMERROR:
		out->result = POL_SPF_PERMERROR;
		break;
	default:
		out->result = invalid_means(err);
		break;
	}
	/* With the other results they are only warnings. */
	if (err != SPF_E_SUCCESS &&
	    (out->result == POL_SPF_NONE || out->result == POL_SPF_TEMPERROR ||
		out->result == POL_SPF_PERMERROR))
		out->problem = str_c(SPF_strerror(err));
}

static bool
on_loopback(const struct pol_spf_client *client)
{
	static const unsigned char one[16] = { [15] = 1 };

	return client->v6 ? memcmp(client->ip, one, sizeof(one)) == 0
			  : client->ip[0] == 127;
}

static bool
set_request(SPF_request_t *req, struct arena *a, const struct pol_spf_in *in,
    const struct pol_spf_out *out, const struct pol_spf_client *client)
{
	const char *helo, *sender;
	struct in6_addr six;
	struct in_addr four;

	if (str_cstr(a, in->helo, &helo) != RC_OK ||
	    str_cstr(a, out->sender, &sender) != RC_OK)
		return false;
	memcpy(&six, client->ip, sizeof(six));
	memcpy(&four, client->ip, sizeof(four));
	if ((client->v6 ? SPF_request_set_ipv6(req, six)
			: SPF_request_set_ipv4(req, four)) != SPF_E_SUCCESS)
		return false;
	/* It fills the sender too, so it comes first. */
	SPF_request_set_helo_dom(req, helo);
	SPF_request_set_env_from(req, sender);
	return true;
}

void
pol_spf_libspf2(const struct pol_spf_conf *conf, struct arena *a,
    const struct pol_spf_in *in, const struct pol_spf_subject *who,
    const struct pol_spf_client *client, struct deadline dl,
    struct pol_spf_out *out)
{
	struct hook hook = { .conf = conf, .a = a, .dl = dl };
	SPF_dns_server_t dns = {
		.lookup = lookup, .name = "gatepost", .hook = &hook
	};
	SPF_response_t *response = NULL;
	SPF_server_t *server;
	SPF_request_t *request;

	if (on_loopback(client)) {
		pol_spf_own(conf, a, in, who, client, dl, out);
		return;
	}
	pthread_once(&silenced, silence);
	server = SPF_server_new_dns(&dns, 0);
	request = server != NULL ? SPF_request_new(server) : NULL;
	if (request == NULL)
		panic("out of memory");
	out->result = POL_SPF_PERMERROR;
	out->problem = STR("not an identity that libspf2 can check");
	if (set_request(request, a, in, out, client)) {
		out->problem = STR_NULL;
		/* What it returns is in the response too. */
		(void)SPF_request_query_mailfrom(request, &response);
		if (response != NULL)
			take_result(response, out);
	}
	if (response != NULL)
		SPF_response_free(response);
	SPF_request_free(request);
	SPF_server_free(server);
}
