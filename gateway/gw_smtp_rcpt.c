/*
 * RCPT: all pipelined RCPT lines are one unit and one question to the
 * directory (RFC 2920 lets a client send them without waiting).  What the
 * syntax or our domains decide is decided here; the rest is the directory's.
 *
 * Who may send to other domains: whoever has authenticated on a submission
 * port, clients in relay_networks on port 25, and anybody to a domain that is
 * written as "relay:DOMAIN" in routes.  Nothing that the client says (HELO,
 * MAIL FROM, AUTH=, the form of the address) counts.
 */
#include <string.h>

#include "gateway/gw_size.h"
#include "mail/route.h"
#include "mail/smtp_syntax.h"

#define LINE_MAX_RCPT 2048u
#define SAID_TIMES    4u /* RCPT read for each that can be taken */

struct answer {
	int code;
	const char *status, *text;
};

struct line {
	struct str given; /* canonical */
	struct dir_target *to;
	size_t nto; /* 0: answered already */
	struct answer answer;
	unsigned notify;
	struct str orcpt;
	struct str arg; /* as it came */
};

static const struct answer too_many = { 452, "4.5.3", "Too many recipients" };
static const struct answer too_big = { 552, "5.2.3",
	"Message is larger than the recipient may receive" };

size_t
gw_rcpt_frame(struct str in)
{
	size_t n = 0;

	for (unsigned k = 0; k < GW_RCPT_BATCH; k++) {
		struct str rest = str_from(in, n);
		size_t lf;

		if (!str_has_iprefix(rest, STR("RCPT ")))
			break;
		lf = str_chr(rest, '\n');
		if (lf == rest.n || lf == 0 || lf > LINE_MAX_RCPT ||
		    rest.p[lf - 1] != '\r' ||
		    str_chr(str_sub(rest, 0, lf - 1), '\r') < lf - 1)
			break;
		n += lf + 1;
	}
	return n;
}

static struct answer
relay_denied(void)
{
	return (struct answer){ 550, "5.7.1", "Relaying denied" };
}

static bool
may_relay(const struct gw_smtp *s, const struct addr *rcpt)
{
	/* LMTP hands over for people who are here, whoever speaks it. */
	if (s->lmtp)
		return false;
	return s->submission
		   ? s->authenticated
		   : conf_is_relay_client(s->conf, netd_peer_ip(s->c)) ||
			 mail_route_relays(s->conf, rcpt);
}

/* Everything that is no address of ours must have a way there. */
static bool
has_way(struct gw_smtp *s, const struct line *l)
{
	struct mail_route route;

	for (size_t i = 0; i < l->nto; i++)
		if (l->to[i].foreign &&
		    mail_route(&s->unit, s->conf, l->to[i].address, STR(""),
			&route) != RC_OK)
			return false;
	return true;
}

/*
 * Whom the address stands for.  The client's right to send to it is looked at
 * first, so that no rule makes a relay of us; what a rule then names is the
 * administrator's will.
 */
static struct answer
read_target(struct gw_smtp *s, const struct addr *rcpt, struct line *l)
{
	bool mapped;

	if (!conf_is_local_domain(s->conf, rcpt->domain) &&
	    !gw_rules_captures(s) && !gw_rules_here(s, rcpt->domain) &&
	    !may_relay(s, rcpt))
		return relay_denied();
	l->given = mail_addr_text(&s->tx.a, rcpt);
	if (gw_rules_targets(s, rcpt, &l->to, &l->nto, &mapped) != RC_OK)
		return (struct answer){ 550, "5.1.1", "No such user here" };
	/* A map keeps the local part, which may be a way to relay. */
	for (size_t i = 0; mapped && i < l->nto; i++)
		if (l->to[i].foreign && mail_local_routes(rcpt->local) &&
		    !may_relay(s, rcpt)) {
			l->nto = 0;
			return relay_denied();
		}
	/* RFC 3461 section 5.2.7.1: a notice names what the sender wrote. */
	if (mapped && l->orcpt.n == 0)
		l->orcpt = str_fmt(&s->tx.a, "rfc822;%.*s",
		    STRF(mail_xtext_encode(&s->unit, l->given)));
	if (has_way(s, l))
		return (struct answer){ 0, NULL, NULL };
	l->nto = 0;
	return (struct answer){ 550, "5.1.2", "No mail goes to such a domain" };
}

/* <postmaster> without a domain is ours (RFC 5321 section 4.5.1). */
static struct answer
read_line(struct gw_smtp *s, struct str arg, struct line *l)
{
	struct mail_smtp_args args;
	struct mail_to_params params;
	struct str bad;

	if (mail_smtp_to(&s->unit, arg, &args) != RC_OK)
		return (struct answer){ 501, "5.1.3",
			"Bad recipient address syntax" };
	switch (
	    mail_smtp_to_params(&s->unit, &args, MAIL_EXT_DSN, &params, &bad)) {
	case RC_OK:
		break;
	case RC_DENY:
		return (struct answer){ 555, "5.5.4",
			"Parameter of RCPT not implemented" };
	default:
		return (struct answer){ 501, "5.5.4", "Bad parameter of RCPT" };
	}
	if (args.path.no_domain) {
		if (s->conf->domains.n == 0)
			return (struct answer){ 451, "4.3.5", "No domain" };
		args.path.addr.domain = str_c(s->conf->domains.v[0]);
	}
	l->notify = params.notify;
	if (params.orcpt_type.n > 0)
		l->orcpt =
		    str_fmt(&s->tx.a, "%.*s;%.*s", STRF(params.orcpt_type),
			STRF(mail_xtext_encode(&s->unit, params.orcpt)));
	return read_target(s, &args.path.addr, l);
}

void
gw_rcpt_add(struct gw_smtp *s, const struct gw_rcpt *r)
{
	struct gw_tx *tx = &s->tx;
	struct gw_rcpt *to;

	if (tx->nrcpt == tx->rcpt_size) {
		size_t size = MAX(tx->rcpt_size * 2, 8);
		struct gw_rcpt *v = arena_calloc(&tx->a, size, sizeof(*v));

		if (tx->nrcpt)
			memcpy(v, tx->rcpt, tx->nrcpt * sizeof(*v));
		tx->rcpt = v;
		tx->rcpt_size = size;
	}
	to = &tx->rcpt[tx->nrcpt++];
	*to = *r;
	to->said = tx->taken;
	to->dir_id = str_dup(&tx->a, r->dir_id);
	to->route = str_dup(&tx->a, r->route);
	to->primary = str_dup(&tx->a, r->primary);
}

/* An administrator's mistake, and no fault of the client's. */
static struct answer
no_capture(struct gw_smtp *s, const struct dir_target *t)
{
	log_error(s->log, "capture.mailbox", KV("to", t->address),
	    KVC("error", "is not somebody with a mailbox here"));
	return (struct answer){ 451, "4.3.5",
		"The mailbox for captured mail is not here" };
}

/* One mailbox takes it all, once, and nobody is told anything. */
static struct answer
capture(struct gw_smtp *s, const struct line *l, const struct dir_target *t)
{
	if (t->is.kind != DIR_USER)
		return no_capture(s, t);
	gw_rules_captured(s, l->given);
	if (s->tx.nrcpt == 0)
		gw_rcpt_add(s, &(struct gw_rcpt){ .address = t->address,
				   .kind = t->is.kind,
				   .dir_id = t->is.id,
				   .primary = t->is.address,
				   .notify = REM_NOTIFY_NEVER });
	return (struct answer){ 250, "2.1.5", "Recipient ok (captured)" };
}

static struct answer
accept_target(
    struct gw_smtp *s, const struct line *l, const struct dir_target *t)
{
	const struct gw_rcpt rcpt = {
		.address = t->address,
		.kind = t->is.kind,
		.dir_id = t->is.id,
		.route = t->is.route,
		.primary = t->is.address,
		.notify = l->notify,
		.orcpt = l->orcpt,
	};
	struct mail_route route;

	if (gw_rules_captures(s))
		return capture(s, l, t);
	if (t->is.kind == DIR_ELSEWHERE &&
	    mail_route(&s->unit, s->conf, t->address, t->is.route, &route) !=
		RC_OK) {
		log_info(s->log, "rcpt.elsewhere", KV("to", t->address),
		    KV("route", t->is.route));
		return (struct answer){ 451, "4.4.4",
			"No route to this recipient's system" };
	}
	if (s->tx.nrcpt >= s->conf->recipients_max || !gw_rules_room(s, &rcpt))
		return too_many;
	gw_rcpt_add(s, &rcpt);
	return (struct answer){ 250, "2.1.5", "Recipient ok" };
}

/* What the directory said becomes an SMTP reply here and nowhere else. */
static struct answer
judge(struct gw_smtp *s, const struct line *l, const struct dir_target *t)
{
	if (t->is.rc != RC_OK)
		log_info(s->log, "rcpt.refuse", KV("to", t->address),
		    KV("from", s->tx.from), KVC("rc", rc_name(t->is.rc)),
		    KV("why", t->is.why), KV("client", netd_peer_ip(s->c)));
	if (gw_rules_captures(s) && t->is.rc != RC_OK && t->is.rc != RC_TEMP)
		return no_capture(s, t);
	switch (t->is.rc) {
	case RC_OK:
		return accept_target(s, l, t);
	case RC_NOENT:
		return (struct answer){ 550, "5.1.1", "No such user here" };
	case RC_DENY:
		if (t->too_big)
			return too_big;
		return (struct answer){ 550, "5.7.1",
			"Recipient does not take this mail" };
	case RC_BAD:
		return relay_denied();
	default: /* not knowing is never a reason to refuse for good */
		return (struct answer){ 451, "4.3.0",
			"Cannot look up the recipient now" };
	}
}

/*
 * One answer for all that a RCPT stands for.  What is not known now may be
 * known at the next try, so then none is taken; nor if the message is too large
 * for one, or that one would miss it and nobody know.  A wrong one among right
 * ones is an administrator's mistake that the log has.
 */
static struct answer
judge_all(struct gw_smtp *s, const struct line *l)
{
	size_t before = s->tx.nrcpt;
	struct answer first = { 0, NULL, NULL };

	for (size_t i = 0; i < l->nto; i++) {
		struct answer a = judge(s, l, &l->to[i]);

		if ((a.code < 500 && a.code != 250) || l->to[i].too_big) {
			if (s->tx.nrcpt > before)
				s->tx.copies = NULL; /* counted anew */
			s->tx.nrcpt = before;
			return a;
		}
		if (first.code != 250 && (first.code == 0 || a.code == 250))
			first = a;
	}
	s->tx.taken += first.code == 250;
	return first;
}

static void
ask(struct gw_smtp *s, struct line *lines, size_t n)
{
	struct dir_target **v;
	size_t all = 0, k = 0;

	for (size_t i = 0; i < n; i++)
		all += lines[i].nto;
	if (all == 0)
		return;
	if (s->tx.nrcpt == 0)
		s->tx.asked_ns = now_ns();
	v = arena_calloc(&s->unit, all, sizeof(struct dir_target *));
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < lines[i].nto; j++)
			v[k++] = &lines[i].to[j];
	gw_rules_ask(s, v, all, s->authenticated);
	gw_size_targets(s, v, all);
	for (size_t i = 0; i < n; i++)
		if (lines[i].nto > 0)
			lines[i].answer = judge_all(s, &lines[i]);
}

/* What stands for the recipient, whatever is wrong with it. */
static struct str
named(struct str arg)
{
	size_t open = str_chr(arg, '<');
	struct str path = open < arg.n ? str_from(arg, open + 1) : arg;

	return str_sub(path, 0, str_chr(path, '>'));
}

enum next
gw_on_rcpts(struct gw_smtp *s, struct str unit)
{
	struct line lines[GW_RCPT_BATCH] = { 0 };
	enum next next = NEXT_INPUT;
	struct str line;
	size_t n = 0;

	if (s->submission && !s->authenticated)
		return gw_reply(s, 530, "5.7.0", "Authentication required");
	while (str_split(&unit, '\n', &line) && line.n > 1) {
		line = str_sub(line, 5, line.n - 6); /* "RCPT ", CR */
		lines[n].arg = line;
		/*
		 * Once it is full, nothing is kept and nobody asked; and what
		 * is refused for now counts as no error, so it has a limit of
		 * its own.
		 */
		if (s->tx.nrcpt >= s->conf->recipients_max ||
		    s->tx.said >= (size_t)s->conf->recipients_max * SAID_TIMES)
			lines[n].answer = too_many;
		else
			lines[n].answer = read_line(s, line, &lines[n]);
		s->tx.said++;
		n++;
	}
	ask(s, lines, n);
	if (s->tx.nrcpt)
		s->phase = PH_RCPT;
	for (size_t i = 0; i < n && next == NEXT_INPUT; i++) {
		if (lines[i].answer.code >= 400)
			gw_track_refuse(s, named(lines[i].arg),
			    lines[i].answer.code, lines[i].answer.status,
			    lines[i].answer.text);
		next = gw_reply(s, lines[i].answer.code, lines[i].answer.status,
		    lines[i].answer.text);
	}
	return next;
}
