/*
 * Submission: a person sends as themself.  MAIL FROM and every mailbox in
 * From must be theirs by the directory (the null return path is theirs when
 * From is); what RFC 6409 section 8 lets us add, Date and Message-ID, is
 * added when it is missing.
 *
 * What is not for those who read it is taken out: to whom blind copies go (RFC
 * 5322 section 3.6.3), and Return-Path, which only the last server writes (RFC
 * 5321 section 4.4).
 *
 * Machines in relay_networks (printers, programs, other servers of ours) have
 * nobody to answer for them but the administrator who named their network.
 * Their mail gets and loses the same fields, and what is odd about it is let
 * pass.
 */
#include "gateway/gw_rules.h"
#include "mail/addrlist.h"
#include "mail/header.h"
#include "mail/trace.h"

#define HEADER_MAX  (256u << 10) /* of a submitted message */
#define SENDERS_MAX 100u

/* One question for all; false and a reply unless all are RC_OK. */
static bool
ask(struct gw_smtp *s, const struct str *addresses, size_t n, int code,
    const char *text, enum next *out)
{
	enum rc *verdict = arena_calloc(&s->unit, n, sizeof(*verdict));

	if (s->local) {
		for (size_t i = 0; i < n; i++)
			verdict[i] = gw_rules_local_sender(s, addresses[i]);
	} else if (dir_may_send(s->gw->dir, s->account.id, addresses, n,
		       gw_dir_deadline(s), verdict) != RC_OK) {
		*out = gw_no(s, 451, "4.3.0", "Cannot look up the sender now");
		return false;
	}
	for (size_t i = 0; i < n; i++) {
		if (verdict[i] == RC_OK)
			continue;
		log_info(s->log, "sender.refuse", KV("as", addresses[i]),
		    KV("account", s->account.login),
		    KVC("rc", rc_name(verdict[i])));
		if (verdict[i] != RC_TEMP)
			gw_track_refuse(s, STR(""), code, "5.7.1", text);
		*out = verdict[i] == RC_TEMP
			   ? gw_no(s, 451, "4.3.0",
				 "Cannot look up the sender now")
			   : gw_no(s, code, "5.7.1", text);
		return false;
	}
	return true;
}

bool
gw_sender_from_ok(struct gw_smtp *s, struct str from, enum next *out)
{
	if (from.n == 0)
		return true;
	return ask(
	    s, &from, 1, 553, "The sender address is not yours to use", out);
}

static bool
is_private(struct str name)
{
	return str_ieq(name, STR("Bcc")) || str_ieq(name, STR("Resent-Bcc")) ||
	       str_ieq(name, STR("Return-Path"));
}

/* Where such fields are; out may be NULL, to count them. */
static size_t
find_private(struct str header, struct mail_range *out)
{
	struct mail_header_iter it = { header };
	struct mail_field f;
	size_t n = 0;

	while (mail_header_next(&it, &f)) {
		if (!is_private(f.name))
			continue;
		if (out != NULL)
			out[n] = (struct mail_range){
				(uint64_t)(f.whole.p - header.p), f.whole.n
			};
		n++;
	}
	return n;
}

/* The header as it is without them; RC_BAD: as gw_body_header. */
static enum rc
take_header(struct gw_smtp *s, struct str *out)
{
	struct gw_body *body = &s->tx.body;
	enum rc rc = gw_body_header(body, &s->unit, HEADER_MAX, out);
	struct mail_range *v;
	size_t n;

	if (rc != RC_OK && (rc != RC_BAD || s->submission))
		return rc;
	n = find_private(*out, NULL);
	if (n == 0)
		return rc;
	v = arena_calloc(&s->unit, n, sizeof(*v));
	find_private(*out, v);
	if (gw_body_cut(body, v, n) != RC_OK)
		return RC_TEMP;
	return rc == RC_OK ? gw_body_header(body, &s->unit, HEADER_MAX, out)
			   : RC_BAD;
}

static enum rc
add_missing(struct gw_smtp *s, struct str header)
{
	struct gw_tx *tx = &s->tx;
	struct mail_date now = { tx->received_at, 0 };
	struct mail_field f;
	AUTO_BUF b = { 0 };
	enum rc rc = RC_OK;

	buf_init(&b, 2048);
	if (!mail_header_find(header, STR("Date"), &f))
		rc = mail_trace_date(&b, now);
	if (rc == RC_OK && !mail_header_find(header, STR("Message-ID"), &f))
		rc = mail_trace_message_id(&b,
		    str_hex(&s->unit, str_n(tx->id, sizeof(tx->id))),
		    str_c(s->conf->hostname));
	if (rc == RC_OK)
		tx->edits = str_dup(&tx->a, buf_str(&b));
	return rc;
}

static bool
too_large(struct gw_smtp *s, enum next *out)
{
	*out = gw_no(s, 552, "5.3.4", "Message header too large");
	return false;
}

/*
 * The canonical maps, after the right to the old addresses was looked at and
 * before the message is signed: by the author that it has then.
 */
static bool
apply_maps(struct gw_smtp *s, struct str header, enum next *out)
{
	struct mail_patches p;
	struct addr *from;
	size_t n;
	enum rc rc;

	gw_rules_header(s, header, &p);
	if (p.n == 0)
		return true;
	if (mail_patched_len(header, &p) > HEADER_MAX)
		return s->submission ? too_large(s, out) : true;
	rc = gw_body_patch(&s->tx.body, p.v, p.n);
	if (rc == RC_OK)
		rc = gw_body_header(&s->tx.body, &s->unit, HEADER_MAX, &header);
	if (rc != RC_OK) {
		*out = gw_no(s, 451, "4.3.0", "Cannot rewrite the header now");
		return false;
	}
	if (mail_senders_of(&s->unit, header, &from, &n) == RC_OK)
		s->tx.author = str_dup(&s->tx.a, from[0].domain);
	return true;
}

bool
gw_sender_header_ok(struct gw_smtp *s, enum next *out)
{
	struct str header, *texts;
	struct addr *from;
	size_t n;

	switch (take_header(s, &header)) {
	case RC_OK:
		break;
	case RC_BAD:
		return too_large(s, out);
	default:
		*out = gw_no(s, 451, "4.3.0", "Cannot read the message");
		return false;
	}
	switch (mail_senders_of(&s->unit, header, &from, &n)) {
	case RC_OK:
		break;
	case RC_NOENT:
		*out = gw_no(s, 550, "5.6.0", "The message has no From");
		return false;
	default:
		*out = gw_no(s, 550, "5.6.0",
		    "The From field is not one clear list of addresses");
		return false;
	}
	if (n > SENDERS_MAX) {
		*out = gw_no(s, 550, "5.6.0", "Too many addresses in From");
		return false;
	}
	texts = arena_calloc(&s->unit, n, sizeof(*texts));
	for (size_t i = 0; i < n; i++)
		texts[i] = mail_addr_text(&s->unit, &from[i]);
	if (!ask(s, texts, n, 550, "An address in From is not yours to use",
		out))
		return false;
	s->tx.author = str_dup(&s->tx.a, from[0].domain);
	if (add_missing(s, header) != RC_OK) {
		*out = gw_no(s, 451, "4.3.0", "Cannot complete the header");
		return false;
	}
	return apply_maps(s, header, out);
}

bool
gw_sender_is_relay(const struct gw_smtp *s)
{
	return !s->submission && !s->lmtp &&
	       conf_is_relay_client(s->conf, netd_peer_ip(s->c));
}

bool
gw_sender_is_front(const struct gw_smtp *s)
{
	return !s->submission &&
	       (s->lmtp || conf_is_front(s->conf, netd_peer_ip(s->c)));
}

bool
gw_sender_complete(struct gw_smtp *s, enum next *out)
{
	struct str header;
	struct addr *from;
	size_t n;
	enum rc rc = take_header(s, &header);

	if (rc == RC_BAD) /* too large to be looked through */
		return true;
	if (rc == RC_OK)
		rc = add_missing(s, header);
	if (rc != RC_OK) {
		*out = gw_reply(s, 451, "4.3.0", "Cannot complete the header");
		return false;
	}
	if (mail_senders_of(&s->unit, header, &from, &n) == RC_OK)
		s->tx.author = str_dup(&s->tx.a, from[0].domain);
	return apply_maps(s, header, out);
}
