/*
 * What comes here was chosen by whoever runs a domain, so nothing is believed:
 * every length is compared with what is left, and a record whose RDATA is not
 * used up exactly is not one.  libunbound has expanded compressed names (RFC
 * 3597 section 4 forbids them in unknown types), so that a pointer is an error.
 */
#include <string.h>

#include "lib/dns_wire.h"

static bool
plain(unsigned char c)
{
	return ascii_is_alnum((char)c) || c == '-' || c == '_';
}

/* The byte behind a backslash: a digit makes it \DDD. */
static enum rc
read_escape(struct str *text, unsigned char *out)
{
	uint64_t v;

	if (text->n == 0)
		return RC_BAD;
	if (!ascii_is_digit(text->p[0])) {
		*out = (unsigned char)text->p[0];
		*text = str_from(*text, 1);
		return RC_OK;
	}
	if (text->n < 3 || str_u64(str_sub(*text, 0, 3), 255, &v) != RC_OK)
		return RC_BAD;
	*out = (unsigned char)v;
	*text = str_from(*text, 3);
	return RC_OK;
}

/* The label in front of the next dot, in lower case. */
static enum rc
read_label(struct str *text, struct dns_name *out)
{
	size_t at = out->n++, n = 0;

	while (text->n > 0 && text->p[0] != '.') {
		unsigned char c = (unsigned char)text->p[0];

		*text = str_from(*text, 1);
		if (c == '\\' && read_escape(text, &c) != RC_OK)
			return RC_BAD;
		/* The root needs a byte, too. */
		if (++n > DNS_LABEL_MAX || out->n + 1 >= DNS_WIRE_MAX)
			return RC_BAD;
		out->v[out->n++] = (unsigned char)ascii_lower((char)c);
	}
	if (n == 0)
		return RC_BAD;
	out->v[at] = (unsigned char)n;
	return RC_OK;
}

enum rc
dns_name_read(struct str text, struct dns_name *out)
{
	out->n = 0;
	if (text.n > DNS_PLAIN_MAX)
		return RC_BAD;
	do {
		if (out->n + 2 >= DNS_WIRE_MAX ||
		    read_label(&text, out) != RC_OK)
			return RC_BAD;
		if (text.n > 0)
			text = str_from(text, 1);
	} while (text.n > 0);
	out->v[out->n++] = 0;
	return RC_OK;
}

/* The length of the name at the head of `wire`; 0: it is none. */
static size_t
name_length(struct str wire)
{
	size_t at = 0;

	while (at < wire.n && at < DNS_WIRE_MAX) {
		unsigned char n = (unsigned char)wire.p[at];

		if (n > DNS_LABEL_MAX)
			return 0;
		at += 1u + n;
		if (n == 0)
			return at <= DNS_WIRE_MAX ? at : 0;
	}
	return 0;
}

static size_t
put_byte(char *out, unsigned char c, bool all)
{
	if (plain(c) || (!all && c > ' ' && c < 127 && c != '.' && c != '\\')) {
		out[0] = ascii_lower((char)c);
		return 1;
	}
	if (!all && (c == '.' || c == '\\')) {
		out[0] = '\\';
		out[1] = (char)c;
		return 2;
	}
	out[0] = '\\';
	out[1] = (char)('0' + c / 100);
	out[2] = (char)('0' + c / 10 % 10);
	out[3] = (char)('0' + c % 10);
	return 4;
}

/* `wire` is a whole name.  `all`: escape all that is not plain. */
static size_t
put_name(struct str wire, bool all, char out[DNS_PLAIN_MAX])
{
	size_t n = 0;

	for (size_t at = 0; wire.p[at] != 0;) {
		size_t label = (unsigned char)wire.p[at++];

		if (n > 0)
			out[n++] = '.';
		for (; label > 0; label--)
			n +=
			    put_byte(out + n, (unsigned char)wire.p[at++], all);
	}
	out[n] = '\0';
	return n;
}

enum rc
dns_name_cut(struct arena *a, struct str *wire, struct str *out)
{
	size_t n = name_length(*wire);
	char text[DNS_PLAIN_MAX];

	if (n == 0)
		return RC_BAD;
	*out = str_dup(a, str_n(text, put_name(*wire, false, text)));
	*wire = str_from(*wire, n);
	return RC_OK;
}

void
dns_name_plain(const struct dns_name *name, char out[DNS_PLAIN_MAX])
{
	put_name(str_n(name->v, name->n), true, out);
}

static uint16_t
cut_u16(struct str *in)
{
	uint16_t v =
	    (uint16_t)((unsigned char)in->p[0] << 8 | (unsigned char)in->p[1]);

	*in = str_from(*in, 2);
	return v;
}

/* How many bytes are in front of the name, for the types that have one. */
static bool
name_offset(enum dns_type type, size_t *out)
{
	switch (type) {
	case DNS_NS:
	case DNS_CNAME:
	case DNS_PTR:
		*out = 0;
		return true;
	case DNS_MX:
		*out = 2;
		return true;
	case DNS_SRV:
		*out = 6;
		return true;
	default:
		return false;
	}
}

/* The bytes of the strings of a TXT record; RC_BAD: a length lies. */
static enum rc
txt_length(struct str rdata, size_t *out)
{
	*out = 0;
	if (rdata.n == 0)
		return RC_BAD;
	while (rdata.n > 0) {
		size_t n = (unsigned char)rdata.p[0];

		if (rdata.n < 1 + n)
			return RC_BAD;
		*out += n;
		rdata = str_from(rdata, 1 + n);
	}
	return RC_OK;
}

enum rc
dns_rdata_check(enum dns_type type, struct str rdata)
{
	size_t n;

	if (type == DNS_A)
		return rdata.n == 4 ? RC_OK : RC_BAD;
	if (type == DNS_AAAA)
		return rdata.n == 16 ? RC_OK : RC_BAD;
	if (type == DNS_TXT)
		return txt_length(rdata, &n);
	if (name_offset(type, &n))
		return rdata.n > n &&
			       name_length(str_from(rdata, n)) == rdata.n - n
			   ? RC_OK
			   : RC_BAD;
	return RC_OK;
}

static struct str
join_txt(struct arena *a, struct str rdata, size_t n)
{
	char *p = arena_alloc(a, n > 0 ? n : 1), *end = p;

	while (rdata.n > 0) {
		size_t len = (unsigned char)rdata.p[0];

		memcpy(end, rdata.p + 1, len);
		end += len;
		rdata = str_from(rdata, 1 + len);
	}
	return str_n(p, n);
}

enum rc
dns_rdata_read(struct arena *a, enum dns_type type, struct str rdata,
    struct dns_record *out)
{
	size_t n = 0;

	*out = (struct dns_record){ .data = rdata };
	if (dns_rdata_check(type, rdata) != RC_OK)
		return RC_BAD;
	if (type == DNS_A || type == DNS_AAAA) {
		memcpy(out->addr, rdata.p, rdata.n);
		return RC_OK;
	}
	if (type == DNS_TXT) {
		if (txt_length(rdata, &n) == RC_OK)
			out->text = join_txt(a, rdata, n);
		return RC_OK;
	}
	if (!name_offset(type, &n))
		return RC_OK;
	if (n >= 2)
		out->preference = cut_u16(&rdata);
	if (n >= 6) {
		out->weight = cut_u16(&rdata);
		out->port = cut_u16(&rdata);
	}
	return dns_name_cut(a, &rdata, &out->name);
}
