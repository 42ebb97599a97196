/*
 * The explanation says who, why and what to do now; a table gives the advice
 * by enhanced status code (RFC 3463), the longest prefix that fits.
 */
#include "mail/date.h"
#include "mail/dsn.h"
#include "mail/header.h"
#include "mail/smtp_syntax.h"
#include "mail/trace.h"

#define FOLD 76u

static const struct advice {
	struct str status;
	const char *text;
} advice[] = {
	{ STR_INIT("5.1.1"), "There is no such address there. Check it for "
			     "typing errors, or ask the person for the right "
			     "one." },
	{ STR_INIT("5.1.10"), "That domain takes no mail at all. Check the "
			      "address for typing errors." },
	{ STR_INIT("5.1.2"), "There is no such domain. Check what stands "
			     "behind the @ for typing errors." },
	{ STR_INIT("5.1"), "The address is not accepted there. Check it for "
			   "typing errors." },
	{ STR_INIT("5.2.2"), "The mailbox is full. Reach the person in "
			     "another way; send it again when there is room." },
	{ STR_INIT("5.2.3"), "The message is too large for that mailbox. Send "
			     "it without large attachments." },
	{ STR_INIT("5.2"), "The mailbox does not take mail now. Reach the "
			   "person in another way." },
	{ STR_INIT("5.3.4"), "The message is too large for that server. Send "
			     "it without large attachments." },
	{ STR_INIT("5.4.6"), "The message goes in circles. Tell your mail "
			     "administrator." },
	{ STR_INIT("5.7"), "That server does not want this message (its words "
			   "above say why). If you think that is wrong, tell "
			   "your mail administrator, with this notice." },
	{ STR_INIT("5"), "That server will not take it. Its words above may "
			 "say why; if they do not help, ask your mail "
			 "administrator, with this notice." },
};

static const struct words {
	const char *action, *subject, *first;
} words[] = {
	[MAIL_DSN_FAILED] = { "failed", "Your message could not be delivered",
	    "Your message could not be delivered to" },
	[MAIL_DSN_DELAYED] = { "delayed", "Your message is late",
	    "Your message could not be delivered yet to" },
	[MAIL_DSN_DELIVERED] = { "delivered", "Your message was delivered",
	    "Your message was put into the mailbox of" },
	[MAIL_DSN_RELAYED] = { "relayed", "Your message was handed on",
	    "Your message was handed to another mail system, which may not "
	    "tell you of what happens then, for" },
	[MAIL_DSN_EXPANDED] = { "expanded", "Your message was handed on",
	    "Your message was sent to the members of" },
};

/* One line of foreign text: only `wide` lets well-formed UTF-8 through. */
static enum rc
put_text(struct buf *out, struct str s, bool wide)
{
	enum rc rc = RC_OK;

	s = str_sub(s, 0, MAIL_DSN_TEXT);
	wide = wide && str_is_utf8(s);
	for (size_t i = 0; i < s.n && rc == RC_OK; i++) {
		unsigned char c = (unsigned char)s.p[i];
		bool ok = c >= ' ' && c != 0x7f && (c < 0x80 || wide);

		rc = buf_add_char(out, ok ? s.p[i] : '?');
	}
	return rc;
}

/* A field of the report, folded behind spaces or where it must be. */
static enum rc
put_field(struct buf *out, const char *name, struct str text)
{
	AUTO_BUF b = { 0 };
	enum rc rc;
	struct str s;

	buf_init(&b, 256 + 2 * MAIL_DSN_TEXT);
	rc = buf_fmt(&b, "%s: ", name);
	if (rc == RC_OK)
		rc = put_text(&b, text, false);
	for (s = buf_str(&b); rc == RC_OK && s.n > FOLD;) {
		size_t n = str_rchr(str_sub(s, 0, FOLD), ' ');

		/* Not in the fold itself, nor behind the name. */
		if (n >= FOLD || n < 20)
			n = FOLD;
		rc = buf_add(out, str_sub(s, 0, n));
		if (rc == RC_OK)
			rc = buf_add(out, STR("\r\n "));
		s = str_from(s, n);
		str_cut_prefix(&s, STR(" "));
	}
	if (rc == RC_OK)
		rc = buf_add(out, s);
	return rc == RC_OK ? buf_add(out, STR("\r\n")) : rc;
}

static enum rc
put_date(struct buf *out, const char *name, int64_t when)
{
	AUTO_ARENA a = { 0 };

	return put_field(
	    out, name, mail_date_text(&a, (struct mail_date){ when, 0 }));
}

/* Text for people, broken at spaces, each line with `indent` before it. */
static enum rc
put_wrapped(struct buf *out, const char *indent, struct str text)
{
	enum rc rc = RC_OK;

	while (text.n > 0 && rc == RC_OK) {
		size_t n = text.n;

		if (n > 66) {
			n = str_rchr(str_sub(text, 0, 66), ' ');
			if (n == 0 || n >= 66)
				n = 66;
			/* Not inside a character. */
			while (n < text.n && n < 72 &&
			       ((unsigned char)text.p[n] & 0xc0) == 0x80)
				n++;
		}
		rc = buf_add(out, str_c(indent));
		if (rc == RC_OK)
			rc = put_text(out, str_sub(text, 0, n), true);
		if (rc == RC_OK)
			rc = buf_add(out, STR("\r\n"));
		text = str_from(text, n);
		str_cut_prefix(&text, STR(" "));
	}
	return rc;
}

static const char *
advice_for(struct str status)
{
	const struct advice *best = &advice[COUNT(advice) - 1];
	size_t n = 0;

	for (size_t i = 0; i < COUNT(advice); i++) {
		struct str rest = status;

		if (str_cut_prefix(&rest, advice[i].status) &&
		    (rest.n == 0 || rest.p[0] == '.') &&
		    advice[i].status.n > n) {
			best = &advice[i];
			n = best->status.n;
		}
	}
	return best->text;
}

static enum rc
explain_why(struct buf *out, const struct mail_dsn_rcpt *r)
{
	AUTO_ARENA a = { 0 };
	struct str reply = str_sub(r->reply, 0, MAIL_DSN_TEXT);
	enum rc rc = RC_OK;

	if (r->from_server && reply.n > 0)
		rc = put_wrapped(out, "    ",
		    str_fmt(&a, "The server %.*s answered:",
			STRF(str_sub(r->host, 0, 300))));
	if (rc == RC_OK && reply.n > 0)
		rc = put_wrapped(
		    out, r->from_server ? "        " : "    ", reply);
	return rc;
}

static enum rc
explain_todo(struct buf *out, const struct mail_dsn_rcpt *r)
{
	AUTO_ARENA a = { 0 };
	struct mail_date until = { r->will_retry, 0 };

	switch (r->action) {
	case MAIL_DSN_FAILED:
		if (!r->expired)
			return put_wrapped(
			    out, "    ", str_c(advice_for(r->status)));
		return put_wrapped(out, "    ",
		    str_fmt(&a,
			"%s. We give up now. Check the address; if it is "
			"right, send the message again later, or reach the "
			"person in another way.",
			r->last_attempt > 0
			    ? "We have tried again and again"
			    : "It could not be delivered in the time allowed"));
	case MAIL_DSN_DELAYED:
		return put_wrapped(out, "    ",
		    str_fmt(&a,
			"You need not do anything: we go on trying until "
			"%.*s. Do not send it again.",
			STRF(mail_date_text(&a, until))));
	default:
		return RC_OK;
	}
}

static enum rc
put_header(struct buf *out, const struct mail_dsn *d)
{
	const struct words *w = &words[d->rcpt[0].action];
	struct mail_field id;
	enum rc rc;

	rc = buf_fmt(out,
	    "From: Mail system at %.*s <MAILER-DAEMON@%.*s>\r\nTo: <",
	    STRF(d->host), STRF(d->host));
	if (rc == RC_OK)
		rc = put_text(out, d->to, false);
	if (rc == RC_OK)
		rc = buf_fmt(out, ">\r\nSubject: %s\r\n",
		    d->is_double ? "A bounce could not be delivered"
				 : w->subject);
	if (rc == RC_OK)
		rc = mail_trace_date(out, (struct mail_date){ d->now, 0 });
	if (rc == RC_OK)
		rc = mail_trace_message_id(out, d->unique, d->host);
	if (rc == RC_OK &&
	    mail_header_find(d->original, STR("Message-ID"), &id) &&
	    str_trim(id.value).n > 2 && id.value.n < 250)
		rc = put_field(out, "In-Reply-To", str_trim(id.value));
	if (rc == RC_OK)
		rc = buf_fmt(out,
		    "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
		    "Content-Type: multipart/report; "
		    "report-type=delivery-status;\r\n boundary=\"gp-%.*s\"\r\n"
		    "\r\nThis is a notice in MIME format.\r\n",
		    STRF(d->unique));
	return rc;
}

static enum rc
explain_double(struct buf *out, const struct mail_dsn *d)
{
	enum rc rc = buf_add(
	    out, STR("A notice of failed delivery could itself not be "
		     "delivered.\r\nIt is returned to you, the postmaster; "
		     "nobody else is told.\r\n\r\nIt was to go to:\r\n"));

	if (rc != RC_OK || d->double_to.n == 0)
		return rc;
	rc = buf_add(out, STR("\r\n"));
	if (rc == RC_OK)
		rc = put_wrapped(out, "  ", d->double_to);
	if (rc == RC_OK)
		rc = put_wrapped(out, "    ",
		    STR("There is no such address here, or it takes no mail."));
	return rc == RC_OK ? buf_add(out,
				 STR("\r\nIt tells of a message that could not "
				     "be delivered to:\r\n"))
			   : rc;
}

static enum rc
put_people(struct buf *out, const struct mail_dsn *d)
{
	enum rc rc = buf_fmt(out,
	    "\r\n--gp-%.*s\r\nContent-Type: text/plain; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: 8bit\r\n\r\n"
	    "This is the mail system at %.*s.\r\n\r\n",
	    STRF(d->unique), STRF(d->host));

	if (rc == RC_OK)
		rc = d->is_double ? explain_double(out, d)
				  : buf_fmt(out, "%s:\r\n",
					words[d->rcpt[0].action].first);
	for (size_t i = 0; i < d->nrcpt && rc == RC_OK; i++) {
		rc = buf_add(out, STR("\r\n"));
		if (rc == RC_OK)
			rc = put_wrapped(out, "  ", d->rcpt[i].address);
		if (rc == RC_OK)
			rc = explain_why(out, &d->rcpt[i]);
		if (rc == RC_OK && !d->is_double)
			rc = explain_todo(out, &d->rcpt[i]);
	}
	if (rc == RC_OK && d->unreadable)
		rc = buf_add(out,
		    STR("\r\nThe message cannot be returned with this notice: "
			"it cannot be read\r\nany more on this server.\r\n"));
	if (rc == RC_OK)
		rc = buf_add(out, STR("\r\nWho can help: "));
	if (rc == RC_OK)
		rc = put_text(out, d->postmaster, false);
	return rc == RC_OK ? buf_add(out, STR("\r\n")) : rc;
}

/* "rfc822;xtext" comes as it was given, but decoded (RFC 3461 section 4.2). */
static enum rc
put_orcpt(struct buf *out, struct str orcpt)
{
	AUTO_ARENA a = { 0 };
	size_t semi = str_chr(orcpt, ';');
	struct str text;

	if (orcpt.n == 0 || semi >= orcpt.n ||
	    mail_xtext_decode(&a, str_from(orcpt, semi + 1), &text) != RC_OK)
		return RC_OK;
	return put_field(out, "Original-Recipient",
	    str_fmt(
		&a, "%.*s;%.*s", STRF(str_sub(orcpt, 0, semi)), STRF(text)));
}

static enum rc
put_rcpt(struct buf *out, const struct mail_dsn_rcpt *r)
{
	AUTO_ARENA a = { 0 };
	struct str host = str_sub(r->host, 0, 300);
	enum rc rc = buf_add(out, STR("\r\n"));

	if (rc == RC_OK)
		rc = put_orcpt(out, r->orcpt);
	if (rc == RC_OK)
		rc = put_field(out, "Final-Recipient",
		    str_fmt(&a, "rfc822;%.*s", STRF(r->address)));
	if (rc == RC_OK)
		rc = buf_fmt(out, "Action: %s\r\n", words[r->action].action);
	if (rc == RC_OK)
		rc = put_field(
		    out, "Status", r->status.n > 0 ? r->status : STR("5.0.0"));
	if (rc == RC_OK && r->from_server && host.n > 0)
		rc = put_field(out, "Remote-MTA",
		    str_fmt(&a, "dns;%.*s",
			STRF(str_sub(host, 0, str_chr(host, ' ')))));
	if (rc == RC_OK && r->reply.n > 0)
		rc = put_field(out, "Diagnostic-Code",
		    str_fmt(&a, "%s;%.*s",
			r->from_server ? "smtp" : "x-gatepost",
			STRF(str_sub(r->reply, 0, MAIL_DSN_TEXT))));
	if (rc == RC_OK && r->last_attempt > 0)
		rc = put_date(out, "Last-Attempt-Date", r->last_attempt);
	if (rc == RC_OK && r->will_retry > 0)
		rc = put_date(out, "Will-Retry-Until", r->will_retry);
	return rc;
}

static enum rc
put_report(struct buf *out, const struct mail_dsn *d)
{
	AUTO_ARENA a = { 0 };
	struct str envid;
	enum rc rc = buf_fmt(out,
	    "\r\n--gp-%.*s\r\nContent-Type: message/delivery-status\r\n\r\n",
	    STRF(d->unique));

	if (rc == RC_OK)
		rc = put_field(out, "Reporting-MTA",
		    str_fmt(&a, "dns;%.*s", STRF(d->host)));
	if (rc == RC_OK && d->envid.n > 0 &&
	    mail_xtext_decode(&a, d->envid, &envid) == RC_OK)
		rc = put_field(out, "Original-Envelope-Id", envid);
	if (rc == RC_OK)
		rc = put_date(out, "Arrival-Date", d->arrived);
	for (size_t i = 0; i < d->nrcpt && rc == RC_OK; i++)
		rc = put_rcpt(out, &d->rcpt[i]);
	return rc;
}

static enum rc
put_original(struct buf *out, const struct mail_dsn *d)
{
	enum rc rc = buf_fmt(out, "\r\n--gp-%.*s\r\nContent-Type: %s\r\n%s\r\n",
	    STRF(d->unique), d->full ? "message/rfc822" : "text/rfc822-headers",
	    str_is_ascii(d->original) ? ""
				      : "Content-Transfer-Encoding: 8bit\r\n");

	if (rc == RC_OK)
		rc = buf_add(out, d->original);
	if (rc == RC_OK && !str_has_isuffix(d->original, STR("\r\n")))
		rc = buf_add(out, STR("\r\n"));
	return rc;
}

enum rc
mail_dsn_write(struct buf *out, const struct mail_dsn *d)
{
	enum rc rc = put_header(out, d);

	if (rc == RC_OK)
		rc = put_people(out, d);
	if (rc == RC_OK)
		rc = put_report(out, d);
	/* RFC 6522 section 3: the third part is optional. */
	if (rc == RC_OK && !d->unreadable)
		rc = put_original(out, d);
	return rc == RC_OK
		   ? buf_fmt(out, "\r\n--gp-%.*s--\r\n", STRF(d->unique))
		   : rc;
}
