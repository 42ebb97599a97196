/*
 * Every foreign string goes through clean(): what is left cannot end a
 * comment, a line or the field.  Fields are folded at fixed places, which keeps
 * them under 78 columns for ordinary names without counting.
 */
#include "mail/trace.h"

#define FOREIGN_MAX 255

/* What a host name, an address literal or a protocol name is made of. */
static struct str
clean_name(struct str s, char *room)
{
	s = str_sub(s, 0, FOREIGN_MAX);
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		bool ok = ascii_is_alnum(c) || c == '.' || c == '-' ||
			  c == '_' || c == ':' || c == '[' || c == ']';

		room[i] = ok ? c : '?';
	}
	return str_n(room, s.n);
}

/* Printable ASCII that does no harm inside a comment. */
static struct str
clean_comment(struct str s, char *room)
{
	s = str_sub(s, 0, FOREIGN_MAX);
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		bool ok =
		    c >= ' ' && c <= '~' && c != '(' && c != ')' && c != '\\';

		room[i] = ok ? c : '?';
	}
	return str_n(room, s.n);
}

/* RFC 3848; without EHLO there is neither TLS nor AUTH to tell of. */
static const char *
protocol(const struct mail_received *r)
{
	static const char *const names[2][4] = {
		{ "ESMTP", "ESMTPS", "ESMTPA", "ESMTPSA" },
		{ "LMTP", "LMTPS", "LMTPA", "LMTPSA" },
	};

	if (!r->esmtp && !r->lmtp)
		return "SMTP";
	return names[r->lmtp][(r->tls.n > 0) + 2 * r->authenticated];
}

/* An addr-spec between angle brackets. */
static enum rc
add_path(struct buf *out, struct str text)
{
	if (buf_add_char(out, '<') != RC_OK)
		return RC_BAD;
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (buf_add_char(out, c < ' ' || c > '~' ? '?' : c) != RC_OK)
			return RC_BAD;
	}
	return buf_add_char(out, '>');
}

static enum rc
add_from(struct buf *out, const struct mail_received *r)
{
	char helo_room[FOREIGN_MAX], ip_room[FOREIGN_MAX];
	char dns_room[FOREIGN_MAX];
	struct str helo = clean_name(r->helo, helo_room);
	struct str ip = clean_name(r->client_ip, ip_room);
	struct str dns = clean_name(r->client_dns, dns_room);

	if (helo.n == 0)
		helo = STR("unknown");
	/* Through a UNIX socket: on this machine. */
	if (ip.n == 0)
		return buf_fmt(
		    out, "Received: from %.*s (local)\r\n", STRF(helo));
	if (dns.n == 0)
		dns = STR("unknown");
	return buf_fmt(out, "Received: from %.*s (%.*s [%s%.*s])\r\n",
	    STRF(helo), STRF(dns), str_chr(ip, ':') < ip.n ? "IPv6:" : "",
	    STRF(ip));
}

enum rc
mail_trace_received(struct buf *out, const struct mail_received *r)
{
	char by_room[FOREIGN_MAX], tls_room[FOREIGN_MAX], id_room[FOREIGN_MAX];
	struct str by = clean_name(r->by, by_room);
	struct str tls = clean_comment(r->tls, tls_room);
	struct str id = clean_name(r->id, id_room);
	size_t start = out->n;
	AUTO_ARENA a = { 0 };

	if (add_from(out, r) != RC_OK ||
	    buf_fmt(out, "\tby %.*s with %s", STRF(by), protocol(r)) != RC_OK)
		goto full;
	if (tls.n > 0 && buf_fmt(out, " (%.*s)\r\n\t", STRF(tls)) != RC_OK)
		goto full;
	if (buf_fmt(out, "%sid %.*s", tls.n > 0 ? "" : " ", STRF(id)) != RC_OK)
		goto full;
	if (r->rcpt.n > 0 && (buf_add(out, STR("\r\n\tfor ")) != RC_OK ||
				 add_path(out, r->rcpt) != RC_OK))
		goto full;
	if (buf_add(out, STR(";\r\n\t")) != RC_OK ||
	    buf_add(out, mail_date_text(&a, r->when)) != RC_OK ||
	    buf_add(out, STR("\r\n")) != RC_OK)
		goto full;
	return RC_OK;
full:
	out->n = start; /* half a field must not stay */
	return RC_BAD;
}

static enum rc
add_addr_field(
    struct buf *out, struct str name, const struct addr *x, bool brackets)
{
	size_t start = out->n;
	AUTO_ARENA a = { 0 };
	struct str text = mail_addr_text(&a, x);

	if (buf_add(out, name) == RC_OK &&
	    (brackets ? add_path(out, text) : buf_add(out, text)) == RC_OK &&
	    buf_add(out, STR("\r\n")) == RC_OK)
		return RC_OK;
	out->n = start;
	return RC_BAD;
}

enum rc
mail_trace_return_path(struct buf *out, const struct addr *sender)
{
	return add_addr_field(out, STR("Return-Path: "), sender, true);
}

enum rc
mail_trace_delivered_to(struct buf *out, const struct addr *rcpt)
{
	return add_addr_field(out, STR("Delivered-To: "), rcpt, false);
}

enum rc
mail_trace_date(struct buf *out, struct mail_date when)
{
	AUTO_ARENA a = { 0 };

	return buf_fmt(out, "Date: %.*s\r\n", STRF(mail_date_text(&a, when)));
}

enum rc
mail_trace_message_id(struct buf *out, struct str unique, struct str host)
{
	char id_room[FOREIGN_MAX], host_room[FOREIGN_MAX];

	return buf_fmt(out, "Message-ID: <%.*s@%.*s>\r\n",
	    STRF(clean_name(unique, id_room)),
	    STRF(clean_name(host, host_room)));
}
