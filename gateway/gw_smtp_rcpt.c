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

#include "gateway/gw_session.h"
#include "mail/route.h"
#include "mail/smtp_syntax.h"

#define LINE_MAX_RCPT 2048u

struct answer {
	int code;
	const char *status, *text;
};

struct line {
	struct str address; /* canonical; empty: answered already */
	struct answer answer;
	bool foreign; /* the directory does not know its domain */
	unsigned notify;
	struct str orcpt;
	struct str arg; /* as it came */
	size_t asked;   /* index into the question */
};

static const struct answer too_many = { 452, "4.5.3", "Too many recipients" };

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

/* An address of a domain that is not ours, from somebody who may send there. */
static struct answer
read_foreign(struct gw_smtp *s, const struct addr *rcpt, struct line *l)
{
	struct mail_route route;

	if (!may_relay(s, rcpt))
		return relay_denied();
	l->address = mail_addr_text(&s->tx.a, rcpt);
	l->foreign = true;
	if (mail_route(&s->unit, s->conf, l->address, STR(""), &route) == RC_OK)
		return (struct answer){ 0, NULL, NULL };
	l->address = STR("");
	return (struct answer){ 550, "5.1.2", "No mail goes to such a domain" };
}

/* <postmaster> without a domain is ours (RFC 5321 section 4.5.1). */
static struct answer
read_line(struct gw_smtp *s, struct str arg, struct line *l)
{
	struct mail_smtp_args args;
	struct mail_to_params params;
	struct str bad, domain;

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
	domain = args.path.addr.domain;
	if (!conf_is_local_domain(s->conf, domain))
		return read_foreign(s, &args.path.addr, l);
	l->address = mail_addr_text(&s->tx.a, &args.path.addr);
	return (struct answer){ 0, NULL, NULL };
}

static void
tx_add(struct gw_smtp *s, const struct line *l, const struct dir_rcpt *r)
{
	struct gw_tx *tx = &s->tx;

	if (tx->nrcpt == tx->rcpt_size) {
		size_t size = MAX(tx->rcpt_size * 2, 8);
		struct gw_rcpt *v = arena_calloc(&tx->a, size, sizeof(*v));

		if (tx->nrcpt)
			memcpy(v, tx->rcpt, tx->nrcpt * sizeof(*v));
		tx->rcpt = v;
		tx->rcpt_size = size;
	}
	tx->rcpt[tx->nrcpt++] = (struct gw_rcpt){
		.address = l->address,
		.kind = r->kind,
		.dir_id = str_dup(&tx->a, r->id),
		.route = str_dup(&tx->a, r->route),
		.notify = l->notify,
		.orcpt = l->orcpt,
	};
}

/* What the directory said becomes an SMTP reply here and nowhere else. */
static struct answer
judge(struct gw_smtp *s, const struct line *l, const struct dir_rcpt *r)
{
	struct str address = l->address;
	struct mail_route route;

	if (r->rc != RC_OK)
		log_info(s->log, "rcpt.refuse", KV("to", address),
		    KV("from", s->tx.from), KVC("rc", rc_name(r->rc)),
		    KV("why", r->why), KV("client", netd_peer_ip(s->c)));
	switch (r->rc) {
	case RC_OK:
		if (r->kind == DIR_ELSEWHERE &&
		    mail_route(&s->unit, s->conf, address, r->route, &route) !=
			RC_OK) {
			log_info(s->log, "rcpt.elsewhere", KV("to", address),
			    KV("route", r->route));
			return (struct answer){ 451, "4.4.4",
				"No route to this recipient's system" };
		}
		if (s->tx.nrcpt >= s->conf->recipients_max)
			return too_many;
		tx_add(s, l, r);
		return (struct answer){ 250, "2.1.5", "Recipient ok" };
	case RC_NOENT:
		return (struct answer){ 550, "5.1.1", "No such user here" };
	case RC_DENY:
		return (struct answer){ 550, "5.7.1",
			"Recipient does not take this mail" };
	case RC_BAD:
		return relay_denied();
	default: /* not knowing is never a reason to refuse for good */
		return (struct answer){ 451, "4.3.0",
			"Cannot look up the recipient now" };
	}
}

static void
ask(struct gw_smtp *s, struct line *lines, size_t n)
{
	struct str *q = arena_calloc(&s->unit, n, sizeof(*q));
	struct dir_rcpt *r = arena_calloc(&s->unit, n, sizeof(*r));
	const struct dir_rcpt elsewhere = { .rc = RC_OK,
		.kind = DIR_ELSEWHERE };
	size_t nq = 0;
	enum rc rc;

	for (size_t i = 0; i < n; i++)
		if (lines[i].address.n && !lines[i].foreign) {
			lines[i].asked = nq;
			q[nq++] = lines[i].address;
		}
	if (s->tx.nrcpt == 0)
		s->tx.asked_ns = now_ns();
	rc = nq == 0 ? RC_OK
		     : dir_rcpts(s->gw->dir, &s->unit, q, nq, s->authenticated,
			   gw_dir_deadline(s), r);
	for (size_t i = 0; i < n; i++) {
		struct line *l = &lines[i];

		if (l->address.n == 0)
			continue;
		if (l->foreign) {
			l->answer = judge(s, l, &elsewhere);
			continue;
		}
		if (rc != RC_OK)
			r[l->asked] = (struct dir_rcpt){ .rc = RC_TEMP,
				.why = STR("no answer from the directory") };
		l->answer = judge(s, l, &r[l->asked]);
	}
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
		lines[n].answer = read_line(s, line, &lines[n]);
		/* Once it is full, the directory is not asked any more. */
		if (lines[n].address.n &&
		    s->tx.nrcpt >= s->conf->recipients_max) {
			lines[n].address = STR("");
			lines[n].answer = too_many;
		}
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
