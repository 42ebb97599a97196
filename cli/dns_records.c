/*
 * The table of what to publish.  Services that clients look for by name: RFC
 * 6186 and 8314; one that is not offered says so with the target ".", or is
 * not there at all.
 */
#include <arpa/inet.h>

#include "cli/dns_records.h"

static const struct service {
	const char *name;
	size_t offset; /* of its listeners in struct conf */
	bool say_no;   /* "." when it is not offered */
} services[] = {
	{ "_submissions._tcp", offsetof(struct conf, listen_submissions),
	    false },
	{ "_submission._tcp", offsetof(struct conf, listen_submission), false },
	{ "_imaps._tcp", offsetof(struct conf, listen_imaps), false },
	{ "_imap._tcp", offsetof(struct conf, listen_imap), true },
	{ "_pop3s._tcp", offsetof(struct conf, listen_pop3s), true },
	{ "_pop3._tcp", offsetof(struct conf, listen_pop3), true },
};

const char *
dns_type_name(enum dns_type type)
{
	switch (type) {
	case DNS_A:
		return "A";
	case DNS_NS:
		return "NS";
	case DNS_CNAME:
		return "CNAME";
	case DNS_SOA:
		return "SOA";
	case DNS_PTR:
		return "PTR";
	case DNS_MX:
		return "MX";
	case DNS_TXT:
		return "TXT";
	case DNS_AAAA:
		return "AAAA";
	case DNS_SRV:
		return "SRV";
	case DNS_TLSA:
		return "TLSA";
	}
	return "?";
}

struct str
dns_quote(struct arena *a, struct str text)
{
	struct str out = STR_NULL;

	do {
		struct str part = str_sub(text, 0, 255);
		AUTO_BUF b;

		buf_init(&b, 2048);
		for (size_t i = 0; i < part.n; i++) {
			unsigned char c = (unsigned char)part.p[i];
			enum rc rc;

			if (c < ' ' || c > '~')
				rc = buf_fmt(&b, "\\%03u", c);
			else if (c == '"' || c == '\\')
				rc = buf_fmt(&b, "\\%c", c);
			else
				rc = buf_add_char(&b, (char)c);
			assert(rc == RC_OK); /* four bytes for each of 255 */
		}
		out = str_fmt(a, "%.*s%s\"%.*s\"", STRF(out),
		    out.n > 0 ? " " : "", STRF(buf_str(&b)));
		text = str_from(text, part.n);
	} while (text.n > 0);
	return out;
}

static struct str
address_text(struct arena *a, enum dns_type type, const unsigned char *addr)
{
	char text[INET6_ADDRSTRLEN] = "";

	inet_ntop(type == DNS_A ? AF_INET : AF_INET6, addr, text, sizeof(text));
	return str_dup(a, str_c(text));
}

static struct str
record_text(struct arena *a, enum dns_type type, const struct dns_record *r)
{
	switch (type) {
	case DNS_A:
	case DNS_AAAA:
		return address_text(a, type, r->addr);
	case DNS_TXT:
		return dns_quote(a, r->text);
	case DNS_MX:
		return str_fmt(a, "%u %.*s.", r->preference, STRF(r->name));
	case DNS_SRV:
		return str_fmt(a, "%u %u %u %.*s.", r->preference, r->weight,
		    r->port, STRF(r->name));
	case DNS_NS:
	case DNS_CNAME:
	case DNS_PTR:
		return str_fmt(a, "%.*s.", STRF(r->name));
	default:
		return str_hex(a, r->data);
	}
}

struct str
dns_answer_text(struct arena *a, enum dns_type type, const struct dns_answer *x)
{
	struct str out = STR_NULL;

	for (size_t i = 0; i < x->n; i++)
		out = str_fmt(a, "%.*s%s%.*s", STRF(out), i > 0 ? ", " : "",
		    STRF(record_text(a, type, &x->v[i])));
	return out;
}

bool
dns_items_add(struct dns_items *x, const struct dns_item *item)
{
	if (x->n == DNS_ITEMS_MAX)
		return false;
	x->v[x->n++] = *item;
	return true;
}

bool
dns_items_add_txt(struct arena *a, struct dns_items *x, enum dns_kind kind,
    struct str name, struct str text)
{
	return dns_items_add(x, &(struct dns_item){ .kind = kind,
				    .type = DNS_TXT,
				    .name = name,
				    .text = text,
				    .want = dns_quote(a, text) });
}

/* The port of the first listener that has one; 0: it is not offered. */
static uint16_t
port_of(const struct conf *c, const struct service *s)
{
	const struct conf_list *list =
	    (const void *)((const char *)c + s->offset);
	struct conf_listen l;

	for (size_t i = 0; i < list->n; i++)
		if (conf_listen_parse(str_c(list->v[i]), &l) == RC_OK &&
		    l.port > 0)
			return l.port;
	return 0;
}

static void
add_service(struct arena *a, const struct conf *c, struct str domain,
    const struct service *s, struct dns_items *x)
{
	uint16_t port = port_of(c, s);
	struct dns_item i = { .kind = DNS_IS_SRV,
		.type = DNS_SRV,
		.name = str_fmt(a, "%s.%.*s", s->name, STRF(domain)) };

	if (port > 0) {
		i.host = str_c(c->hostname);
		i.port = port;
		i.want = str_fmt(a, "0 1 %u %s.", port, c->hostname);
	} else if (s->say_no) {
		i.want = STR("0 0 0 .");
	}
	(void)dns_items_add(x, &i);
}

void
dns_items_make(struct arena *a, const struct conf *c, struct str domain,
    struct dns_items *out)
{
	out->n = 0;
	(void)dns_items_add(
	    out, &(struct dns_item){ .kind = DNS_IS_MX,
		     .type = DNS_MX,
		     .name = domain,
		     .host = str_c(c->hostname),
		     .want = str_fmt(a, "10 %s.", c->hostname) });
	(void)dns_items_add_txt(
	    a, out, DNS_IS_SPF, domain, STR("v=spf1 mx -all"));
	(void)dns_items_add_txt(a, out, DNS_IS_DMARC,
	    str_fmt(a, "_dmarc.%.*s", STRF(domain)),
	    str_fmt(a, "v=DMARC1; p=quarantine; rua=mailto:%s", c->postmaster));
	(void)dns_items_add_txt(a, out, DNS_IS_TLSRPT,
	    str_fmt(a, "_smtp._tls.%.*s", STRF(domain)),
	    str_fmt(a, "v=TLSRPTv1; rua=mailto:%s", c->postmaster));
	for (size_t i = 0; i < COUNT(services); i++)
		add_service(a, c, domain, &services[i], out);
}
