/* A hop comes from settings and the directory; it is checked here all the
 * same, because it decides whom we connect to. */
#include "delivery/rem_hop.h"
#include "mail/addr.h"

#define SMTP_PORT 25u

enum rc
rem_host_port(
    struct arena *a, struct str text, struct str *out_host, uint16_t *out_port)
{
	size_t colon = str_rchr(text, ':');
	struct str host = str_sub(text, 0, colon);
	struct rem_ip ip;
	uint64_t port;

	if (colon == text.n || host.n == 0 ||
	    str_u64(str_from(text, colon + 1), 65535, &port) != RC_OK ||
	    port == 0)
		return RC_BAD;
	if (host.p[0] == '[') {
		if (host.n < 3 || host.p[host.n - 1] != ']')
			return RC_BAD;
		host = str_sub(host, 1, host.n - 2);
		if (rem_ip_parse(host, &ip) != RC_OK)
			return RC_BAD;
	} else if (str_chr(host, ':') < host.n) {
		return RC_BAD;
	}
	*out_host = str_lower(a, host);
	*out_port = (uint16_t)port;
	return RC_OK;
}

static enum rc
parse_domain(struct arena *a, struct str text, struct rem_hop *h)
{
	struct str inner;

	h->kind = REM_HOP_MX;
	h->port = SMTP_PORT;
	h->host = str_lower(a, text);
	if (text.n == 0 || text.p[0] != '[')
		return mail_domain_ok(text) ? RC_OK : RC_BAD;
	if (!mail_literal_ok(text))
		return RC_BAD;
	inner = str_sub(h->host, 1, text.n - 2);
	str_cut_iprefix(&inner, STR("ipv6:"));
	h->host = inner;
	h->literal = true;
	return rem_ip_parse(inner, &h->ip);
}

static enum rc
parse_path(struct str text, struct rem_hop *h)
{
	h->kind = REM_HOP_PATH;
	h->host = text;
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] <= ' ' || text.p[i] > '~')
			return RC_BAD;
	return text.n > 1 && text.n <= REM_PATH_MAX ? RC_OK : RC_BAD;
}

static enum rc
parse_host(struct arena *a, struct str text, struct rem_hop *h)
{
	if (rem_host_port(a, text, &h->host, &h->port) != RC_OK)
		return RC_BAD;
	h->literal = rem_ip_parse(h->host, &h->ip) == RC_OK;
	return h->literal || mail_domain_ok(h->host) ? RC_OK : RC_BAD;
}

enum rc
rem_hop_parse(struct arena *a, struct str text, struct rem_hop *out)
{
	struct rem_hop h = { 0 };
	struct str left = text;
	enum rc rc = RC_BAD;

	if (text.n > REM_HOP_MAX)
		return RC_BAD;
	h.text = str_lower(a, text);
	if (str_cut_prefix(&left, STR("mx:"))) {
		rc = parse_domain(a, left, &h);
	} else if (str_cut_prefix(&left, STR("smtp:"))) {
		h.kind = REM_HOP_SMTP;
		rc = parse_host(a, left, &h);
	} else if (str_cut_prefix(&left, STR("lmtp:"))) {
		h.kind = REM_HOP_LMTP;
		if (left.n > 0 && left.p[0] == '/')
			rc = parse_path(left, &h);
		else
			rc = parse_host(a, left, &h);
	}
	if (h.kind == REM_HOP_PATH)
		h.text = str_dup(a, text);
	if (rc == RC_OK)
		*out = h;
	return rc;
}
