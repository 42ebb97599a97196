/*
 * The dialogue of RFC 5321: a table row per command says in which phases it
 * is legal; the engine checks that, so handlers never do.  Lines end in CRLF
 * and in nothing else: a line with a bare CR or LF is refused and the session
 * ended, because whoever sends one may see line ends where we do not.
 */
#include "gateway/gw_size.h"

#include "mail/smtp_syntax.h"

#define TARPIT_FREE  3u
#define TARPIT_TIMES 10u

static enum next on_ehlo(struct gw_smtp *, struct str);
static enum next on_helo(struct gw_smtp *, struct str);
static enum next on_mail(struct gw_smtp *, struct str);
static enum next on_rcpt(struct gw_smtp *, struct str);
static enum next on_rset(struct gw_smtp *, struct str);
static enum next on_noop(struct gw_smtp *, struct str);
static enum next on_vrfy(struct gw_smtp *, struct str);
static enum next on_help(struct gw_smtp *, struct str);
static enum next on_quit(struct gw_smtp *, struct str);
static enum next on_starttls(struct gw_smtp *, struct str);
static enum next on_not_here(struct gw_smtp *, struct str);
static enum next on_stranger(struct gw_smtp *, struct str);

enum {
	F_CLEAR = 1, /* allowed on submission where nobody may log in yet */
	F_ALONE = 2, /* takes no argument */
	F_QUICK = 4, /* asks nobody: the reactor may run it */
	F_MX = 8,    /* the same, on the mx only */
	F_LMTP = 16, /* LMTP only */
	F_SMTP = 32, /* not in LMTP */
};

static const struct verb {
	struct str name;
	unsigned phases;
	unsigned flags;
	enum next (*run)(struct gw_smtp *, struct str arg);
} verbs[] = {
	{ STR_INIT("EHLO"), PH_ANY, F_CLEAR | F_MX | F_SMTP, on_ehlo },
	{ STR_INIT("HELO"), PH_ANY, F_CLEAR | F_QUICK | F_SMTP, on_helo },
	{ STR_INIT("LHLO"), PH_ANY, F_LMTP, on_ehlo },
	{ STR_INIT("MAIL"), PH_READY, F_MX, on_mail },
	{ STR_INIT("RCPT"), PH_MAIL | PH_RCPT, 0, on_rcpt },
	{ STR_INIT("DATA"), PH_RCPT, F_ALONE | F_QUICK, gw_on_data },
	{ STR_INIT("BDAT"), PH_ANY, 0, gw_on_bdat },
	{ STR_INIT("RSET"), PH_ANY, F_CLEAR | F_ALONE | F_QUICK, on_rset },
	{ STR_INIT("NOOP"), PH_ANY, F_CLEAR | F_QUICK, on_noop },
	{ STR_INIT("VRFY"), PH_ANY, F_QUICK, on_vrfy },
	{ STR_INIT("HELP"), PH_ANY, F_CLEAR | F_QUICK, on_help },
	{ STR_INIT("QUIT"), PH_ANY, F_CLEAR | F_ALONE | F_QUICK, on_quit },
	{ STR_INIT("STARTTLS"), PH_ANY, F_CLEAR | F_ALONE | F_QUICK | F_SMTP,
	    on_starttls },
	{ STR_INIT("AUTH"), PH_ANY, F_CLEAR, gw_on_auth },
	/* RFC 5321 section 4.2.4: known, and not for us. */
	{ STR_INIT("EXPN"), PH_ANY, F_QUICK, on_not_here },
	{ STR_INIT("TURN"), PH_ANY, F_QUICK, on_not_here },
	{ STR_INIT("ETRN"), PH_ANY, F_QUICK, on_not_here },
	{ STR_INIT("SEND"), PH_ANY, F_QUICK, on_not_here },
	{ STR_INIT("SOML"), PH_ANY, F_QUICK, on_not_here },
	{ STR_INIT("SAML"), PH_ANY, F_QUICK, on_not_here },
	/* A browser was made to speak to us: say no more to it. */
	{ STR_INIT("GET"), PH_ANY, F_CLEAR, on_stranger },
	{ STR_INIT("POST"), PH_ANY, F_CLEAR, on_stranger },
	{ STR_INIT("CONNECT"), PH_ANY, F_CLEAR, on_stranger },
};

static struct str
reply_line(struct arena *a, int code, const char *status, const char *text)
{
	return status ? str_fmt(a, "%d %s %s\r\n", code, status, text)
		      : str_fmt(a, "%d %s\r\n", code, text);
}

/* RFC 2033 section 4.2: after the dot, one for each recipient. */
static bool
say(struct gw_smtp *s, struct str line)
{
	struct gw_finals *f = &s->finals;
	bool ok = true;

	if (f->own == NULL) {
		for (unsigned i = 0; ok && i < MAX(f->n, 1u); i++)
			ok = netd_write(s->c, line) == RC_OK;
	} else {
		for (unsigned i = 0; ok && i < f->n; i++)
			ok = netd_write(s->c,
				 f->own[i].n > 0 ? f->own[i] : line) == RC_OK;
		arena_reset(&f->a);
	}
	f->n = 0;
	f->own = NULL;
	return ok;
}

void
gw_final_add(struct gw_smtp *s, const struct gw_rcpt *r, int code,
    const char *status, const char *text)
{
	struct gw_finals *f = &s->finals;

	assert(r->said < f->n);
	if (f->own == NULL)
		f->own = arena_calloc(&f->a, f->n, sizeof(*f->own));
	f->own[r->said] = reply_line(&f->a, code, status, text);
	gw_track_refuse(s, r->address, code, status, text);
}

bool
gw_final_set(const struct gw_smtp *s, const struct gw_rcpt *r)
{
	return s->finals.own != NULL && s->finals.own[r->said].n > 0;
}

/*
 * A server that passes on what others gave it has their errors, not its own,
 * and all its mail on few connections.
 */
static bool
errs_freely(const struct gw_smtp *s)
{
	return gw_sender_is_front(s) ||
	       gw_guard_exempt(s->conf, netd_peer_ip(s->c));
}

enum next
gw_reply(struct gw_smtp *s, int code, const char *status, const char *text)
{
	struct str line = reply_line(&s->unit, code, status, text);

	if (!say(s, line))
		return NEXT_ABORT;
	if (code == 421 || code == 221)
		return NEXT_CLOSE;
	/* A 4xx is our trouble and no fault of the client's. */
	if (code >= 500 && ++s->errors >= s->conf->smtp_errors_max &&
	    !errs_freely(s)) {
		log_info(s->log, "smtp.errors", KVU("errors", s->errors),
		    KV("client", netd_peer_ip(s->c)));
		line = str_fmt(&s->unit, "421 4.7.0 %s Too many errors\r\n",
		    s->conf->hostname);
		return netd_write(s->c, line) == RC_OK ? NEXT_CLOSE
						       : NEXT_ABORT;
	}
	return NEXT_INPUT;
}

struct deadline
gw_dir_deadline(const struct gw_smtp *s)
{
	return deadline_in(s->conf->directory_timeout_ms);
}

struct str
gw_limited(const struct gw_smtp *s)
{
	if (s->local)
		return s->account.login;
	return s->authenticated ? s->account.id : STR("");
}

void
gw_tx_reset(struct gw_smtp *s)
{
	struct gw_tx *tx = &s->tx;

	gw_body_reset(&tx->body);
	arena_reset(&tx->a);
	tx->from = tx->envid = STR("");
	tx->ret = REM_RET_NONE;
	tx->rcpt = NULL;
	tx->nrcpt = tx->rcpt_size = 0;
	tx->said = 0;
	tx->taken = 0;
	tx->captured = NULL;
	tx->ncaptured = 0;
	tx->copies = NULL;
	tx->declared = 0;
	tx->bdat_refused = tx->too_big = tx->failed = false;
	if (s->phase != PH_START)
		s->phase = PH_READY;
}

static bool
announce(struct gw_smtp *s, struct buf *b)
{
	struct str mechs = gw_auth_mechs(s);
	enum rc rc;

	rc = buf_fmt(b,
	    "250-%s\r\n250-PIPELINING\r\n250-SIZE %llu\r\n250-8BITMIME\r\n"
	    "250-CHUNKING\r\n250-DSN\r\n",
	    s->conf->hostname, (unsigned long long)gw_size_announced(s));
	if (rc == RC_OK && !s->lmtp && !s->local && netd_has_tls(s->c) &&
	    !netd_is_tls(s->c))
		rc = buf_add(b, STR("250-STARTTLS\r\n"));
	if (rc == RC_OK && mechs.n)
		rc = buf_fmt(b, "250-AUTH %.*s\r\n", STRF(mechs));
	if (rc == RC_OK)
		rc = buf_add(b, STR("250 ENHANCEDSTATUSCODES\r\n"));
	return rc == RC_OK;
}

static enum next
greet(struct gw_smtp *s, struct str arg, bool esmtp)
{
	AUTO_BUF b = { 0 };

	arg = str_trim(arg);
	if (!mail_helo_ok(arg))
		return gw_reply(s, 501, "5.5.4",
		    "A domain or an address literal is needed");
	arena_reset(&s->a);
	s->helo = str_dup(&s->a, arg);
	s->esmtp = esmtp;
	gw_tx_reset(s);
	s->phase = PH_READY;
	buf_init(&b, 4096);
	if (!esmtp) {
		if (buf_fmt(&b, "250 %s\r\n", s->conf->hostname) != RC_OK)
			return NEXT_ABORT;
	} else if (!announce(s, &b)) {
		return NEXT_ABORT;
	}
	return netd_write(s->c, buf_str(&b)) == RC_OK ? NEXT_INPUT : NEXT_ABORT;
}

static enum next
on_ehlo(struct gw_smtp *s, struct str arg)
{
	return greet(s, arg, true);
}

static enum next
on_helo(struct gw_smtp *s, struct str arg)
{
	return greet(s, arg, false);
}

/* MAIL: parse, check SIZE (RFC 1870 section 6.1) and the sender's right. */
static enum next
on_mail(struct gw_smtp *s, struct str arg)
{
	struct mail_smtp_args args;
	struct mail_from_params params;
	struct str bad, from;
	unsigned ext = MAIL_EXT_SIZE | MAIL_EXT_8BITMIME | MAIL_EXT_DSN;
	enum next next;

	if (s->submission && !s->authenticated)
		return gw_reply(s, 530, "5.7.0", "Authentication required");
	gw_tx_reset(s); /* what a refused MAIL left behind */
	if (mail_smtp_from(&s->tx.a, arg, &args) != RC_OK ||
	    args.path.no_domain)
		return gw_reply(s, 501, "5.1.7", "Bad sender address syntax");
	if (s->submission)
		ext |= MAIL_EXT_AUTH;
	switch (mail_smtp_from_params(&s->unit, &args, ext, &params, &bad)) {
	case RC_OK:
		break;
	case RC_DENY:
		return gw_reply(
		    s, 555, "5.5.4", "Parameter of MAIL not implemented");
	default:
		return gw_reply(s, 501, "5.5.4", "Bad parameter of MAIL");
	}
	if (!s->lmtp && !gw_guard_mail(s->gw, s->conf, s->c, gw_limited(s),
			    GW_LIMIT_MESSAGES, 1))
		return gw_no(
		    s, 451, "4.7.1", "Too many messages, try again later");
	from = args.path.null_path ? STR("")
				   : mail_addr_text(&s->tx.a, &args.path.addr);
	s->tx.from = from;
	s->tx.size_max = gw_rules_size_max(s, &args.path.addr);
	if (params.has_size && params.size > s->tx.size_max)
		return gw_no(s, 552, "5.3.4", "Message size exceeds limit");
	if (s->submission && !gw_sender_from_ok(s, from, &next))
		return next;
	s->tx.declared = params.has_size ? params.size : 0;
	if (!gw_size_mail_ok(s, s->tx.declared, &next))
		return next;
	gw_rules_sender(s, &args.path.addr, &from);
	s->tx.from_addr = args.path.addr;
	s->tx.from = from;
	s->tx.ret = (enum rem_ret)params.ret;
	s->tx.envid = params.envid.n > 0
			  ? mail_xtext_encode(&s->tx.a, params.envid)
			  : STR("");
	s->phase = PH_MAIL;
	return gw_reply(s, 250, "2.1.0", "Sender ok");
}

/* Only a RCPT that stands alone comes here in the wrong phase or form. */
static enum next
on_rcpt(struct gw_smtp *s, struct str arg)
{
	(void)arg;
	return gw_reply(s, 501, "5.5.4", "Bad recipient");
}

static enum next
on_rset(struct gw_smtp *s, struct str arg)
{
	(void)arg;
	gw_tx_reset(s);
	return gw_reply(s, 250, "2.0.0", "Ok");
}

static enum next
on_noop(struct gw_smtp *s, struct str arg)
{
	(void)arg;
	return gw_reply(s, 250, "2.0.0", "Ok");
}

/* RFC 5321 section 3.5.3: we do not say who is here. */
static enum next
on_vrfy(struct gw_smtp *s, struct str arg)
{
	if (str_trim(arg).n == 0)
		return gw_reply(s, 501, "5.5.4", "VRFY wants an address");
	return gw_reply(s, 252, "2.5.2",
	    "Cannot verify, but will take mail and try to deliver it");
}

static enum next
on_help(struct gw_smtp *s, struct str arg)
{
	(void)arg;
	return gw_reply(s, 214, "2.0.0",
	    "EHLO HELO MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT "
	    "STARTTLS; see RFC 5321");
}

static enum next
on_quit(struct gw_smtp *s, struct str arg)
{
	(void)arg;
	return gw_reply(s, 221, "2.0.0", "Bye");
}

static enum next
on_starttls(struct gw_smtp *s, struct str arg)
{
	enum next next;

	(void)arg;
	if (netd_is_tls(s->c))
		return gw_reply(s, 503, "5.5.1", "TLS is active already");
	if (!netd_has_tls(s->c) || s->local)
		return gw_reply(s, 454, "4.7.0", "TLS is not available");
	if (s->phase & PH_TX)
		return gw_reply(s, 503, "5.5.1", "Not within a transaction");
	next = gw_reply(s, 220, "2.0.0", "Ready to start TLS");
	return next == NEXT_INPUT ? NEXT_TLS : next;
}

static enum next
on_not_here(struct gw_smtp *s, struct str arg)
{
	(void)arg;
	return gw_reply(s, 502, "5.5.1", "Command not implemented");
}

static enum next
on_stranger(struct gw_smtp *s, struct str arg)
{
	(void)arg;
	log_info(s->log, "smtp.stranger", KV("client", netd_peer_ip(s->c)));
	return gw_reply(s, 421, "4.7.0", "This is not a web server");
}

/* RFC 3207 section 4.2: nothing said in clear is remembered. */
static void
forget(struct gw_smtp *s)
{
	gw_tx_reset(s);
	gw_auth_reset(s);
	if (!s->local) { /* whom the kernel has named */
		gw_guard_leave(s->gw, &s->seat);
		s->account = (struct dir_account){ 0 };
		arena_reset(&s->login);
		s->authenticated = false;
		netd_set_class(s->c, false);
	}
	arena_reset(&s->a);
	s->helo = STR("");
	s->esmtp = false;
	s->phase = PH_START;
}

static bool
phase_ok(const struct gw_smtp *s, const struct verb *v)
{
	return (v->phases & s->phase) != 0;
}

static enum next
out_of_order(struct gw_smtp *s, const struct verb *v)
{
	if (s->phase == PH_START)
		return gw_reply(s, 503, "5.5.1",
		    s->lmtp ? "Say LHLO first" : "Say EHLO first");
	/* RFC 2033 section 4.2 leaves LMTP no choice of code here. */
	if (v->run == gw_on_data && s->phase == PH_MAIL)
		return gw_reply(
		    s, s->lmtp ? 503 : 554, "5.5.1", "No valid recipients");
	if (v->run == on_mail)
		return gw_reply(s, 503, "5.5.1", "Nested MAIL command");
	return gw_reply(s, 503, "5.5.1", "Bad sequence of commands");
}

static const struct verb *
find_verb(struct str word)
{
	for (size_t i = 0; i < COUNT(verbs); i++)
		if (str_ieq(word, verbs[i].name))
			return &verbs[i];
	return NULL;
}

/* One command line without its CRLF. */
static enum next
command(struct gw_smtp *s, struct str line)
{
	const struct verb *v = find_verb(str_word(&line));

	if (v == NULL || (v->flags & (s->lmtp ? F_SMTP : F_LMTP)))
		return gw_reply(s, 500, "5.5.2", "Command not recognised");
	if (s->submission && !s->local && !gw_login_secure(&s->auth) &&
	    netd_has_tls(s->c) && !(v->flags & F_CLEAR))
		return gw_reply(
		    s, 530, "5.7.0", "Must issue a STARTTLS command first");
	if (!phase_ok(s, v))
		return out_of_order(s, v);
	if ((v->flags & F_ALONE) && str_trim(line).n)
		return gw_reply(
		    s, 501, "5.5.4", "This command takes no argument");
	return v->run(s, line);
}

/* Cut one line off the unit; false when it does not end in a lone CRLF. */
static bool
clean_line(struct str unit, struct str *out)
{
	if (unit.n < 2 || unit.p[unit.n - 2] != '\r' ||
	    unit.p[unit.n - 1] != '\n')
		return false;
	*out = str_sub(unit, 0, unit.n - 2);
	return str_chr(*out, '\r') == out->n && str_chr(*out, '\n') == out->n;
}

static enum next
line_unit(struct gw_smtp *s, struct str unit)
{
	bool ends = unit.p[unit.n - 1] == '\n';
	struct str line;

	if (s->skipping || !ends) { /* longer than GW_LINE_MAX */
		s->skipping = !ends;
		if (s->skipping)
			return NEXT_INPUT;
		gw_auth_reset(s);
		return gw_reply(s, 500, "5.5.2", "Line too long");
	}
	if ((s->phase & (PH_MAIL | PH_RCPT)) && gw_rcpt_frame(unit))
		return gw_on_rcpts(s, unit);
	if (!clean_line(unit, &line)) {
		log_info(s->log, "smtp.bare_line_end",
		    KV("client", netd_peer_ip(s->c)));
		gw_reply(s, 500, "5.5.2", "Lines end in CRLF and nothing else");
		return NEXT_CLOSE;
	}
	if (s->phase == PH_AUTH)
		return gw_auth_line(s, line);
	if (str_chr(line, '\0') < line.n)
		return gw_reply(s, 500, "5.5.2", "NUL in command");
	return command(s, line);
}

static enum next
data_unit(struct gw_smtp *s, struct str in)
{
	switch (s->phase) {
	case PH_DATA:
		return gw_data_chunk(s, in);
	case PH_BDAT:
		return gw_bdat_chunk(s, in);
	default:
		return line_unit(s, in);
	}
}

/* Whoever speaks LMTP is believed much: not just anybody. */
static bool
may_speak_lmtp(const struct gw_smtp *s)
{
	struct net_addr ip;

	/* On a UNIX socket netd has looked at lmtp_users. */
	return netd_peer_ip(s->c).n == 0 ||
	       conf_is_relay_client(s->conf, netd_peer_ip(s->c)) ||
	       conf_is_front(s->conf, netd_peer_ip(s->c)) ||
	       (net_addr_parse(netd_peer_ip(s->c), &ip) == RC_OK &&
		   net_is_loopback(&ip));
}

static enum next
open_reply(struct gw_smtp *s)
{
	if (s->lmtp && !may_speak_lmtp(s)) {
		log_warn(
		    s->log, "lmtp.stranger", KV("client", netd_peer_ip(s->c)));
		return gw_reply(s, 421, "4.7.1", "LMTP is not for you");
	}
	return netd_write(s->c,
		   str_fmt(&s->unit, "220 %s %s Gatepost\r\n",
		       s->conf->hostname, s->lmtp ? "LMTP" : "ESMTP")) == RC_OK
		   ? NEXT_INPUT
		   : NEXT_ABORT;
}

/*
 * Whoever guesses addresses learns ever more slowly: no thread waits, and
 * nothing of the client is read meanwhile.
 */
static enum next
tarpit(struct gw_smtp *s)
{
	unsigned times;

	if (s->errors <= TARPIT_FREE || errs_freely(s))
		return NEXT_INPUT;
	times = MIN(s->errors - TARPIT_FREE, TARPIT_TIMES);
	netd_wake_in(s->c, (int)(s->conf->tarpit_ms * times));
	return NEXT_WAIT; /* the wake finds no commit and goes on */
}

static enum next
unit(void *session, struct netd_conn *c, const struct netd_unit *u)
{
	struct gw_smtp *s = session;
	enum next next = NEXT_INPUT;
	unsigned errors = s->errors;

	(void)c;
	switch (u->kind) {
	case UNIT_OPEN:
		next = open_reply(s);
		break;
	case UNIT_DATA:
		next = data_unit(s, u->data);
		break;
	case UNIT_WAKE:
		next =
		    s->phase == PH_TARPIT ? gw_auth_wake(s) : gw_commit_wake(s);
		break;
	case UNIT_TLS:
		forget(s);
		break;
	case UNIT_DRAINED:
		break;
	case UNIT_TIMEOUT:
		next = gw_reply(s, 421, "4.4.2", "Timeout, closing");
		break;
	case UNIT_TOO_LONG:
		next = gw_reply(s, 421, "4.3.0", "Too much input, closing");
		break;
	case UNIT_STOP:
		next = gw_reply(s, 421, "4.3.2", "Service shutting down");
		break;
	}
	/* Any piece of a body is a unit, so the whole is what has a rate. */
	netd_expect_rate(s->c, s->phase == PH_DATA || s->phase == PH_BDAT);
	arena_reset(&s->unit);
	if (next == NEXT_INPUT && s->errors > errors)
		next = tarpit(s);
	return next;
}

/*
 * What asks nobody and touches no disk needs no worker; a message's last
 * chunk is handed to delivery, which may make us wait.
 */
static bool
quick(void *session, const struct netd_unit *u)
{
	struct gw_smtp *s = session;
	struct str line = u->data;
	const struct verb *v;

	switch (u->kind) {
	case UNIT_DATA:
		break;
	case UNIT_WAKE:
		return s->phase == PH_TARPIT || gw_commit_answered(s);
	default:
		return true;
	}
	if (s->phase == PH_DATA || s->phase == PH_BDAT)
		return gw_data_quick(s, u->data.n);
	if (s->phase == PH_AUTH || s->skipping || line.n < 2)
		return false;
	line = str_sub(line, 0, line.n - 2);
	v = find_verb(str_word(&line));
	return v == NULL || (v->flags & F_QUICK) ||
	       ((v->flags & F_MX) && !s->submission);
}

static size_t
frame(void *session, struct str in)
{
	struct gw_smtp *s = session;
	size_t n, lf, max;

	if (s->phase == PH_DATA)
		return gw_data_frame(s, in);
	if (s->phase == PH_BDAT)
		return (size_t)MIN(in.n, MIN(s->tx.bdat_left, 64u << 10));
	if (s->phase & (PH_MAIL | PH_RCPT)) {
		n = gw_rcpt_frame(in);
		if (n > 0)
			return n;
	}
	max = s->phase == PH_AUTH || str_has_iprefix(in, STR("AUTH "))
		  ? GW_AUTH_LINE_MAX
		  : GW_LINE_MAX;
	lf = str_chr(in, '\n');
	if (lf < in.n && lf < max)
		return lf + 1;
	return in.n >= max ? max : 0;
}

/* On our own socket the kernel has said who it is: that is the login. */
static void
know_user(struct gw_smtp *s)
{
	s->local = s->authenticated = true;
	s->uid = netd_peer_uid(s->c);
	s->user = gw_site_user(s->site, s->uid);
	s->account.login =
	    s->user.n > 0 ? str_fmt(&s->login, "local:%.*s", STRF(s->user))
			  : str_fmt(&s->login, "local:%u", (unsigned)s->uid);
}

static void *
session_open(void *ctx, struct netd_conn *c)
{
	struct gw *gw = ctx;
	struct gw_smtp *s = xcalloc(1, sizeof(*s));

	s->gw = gw;
	s->conf = gw_conf(gw);
	s->c = c;
	s->log = netd_log(c);
	s->auth = (struct gw_login){ .gw = gw,
		.conf = s->conf,
		.c = c,
		.log = s->log,
		.unit = &s->unit,
		.seat = &s->seat,
		.service = "smtp",
		.has_login = true };
	s->lmtp = netd_tag(c) == GW_LMTP;
	s->submission = netd_tag(c) != GW_MX && !s->lmtp;
	s->site = gw_site(gw);
	if (netd_tag(c) == GW_LOCAL)
		know_user(s);
	s->phase = PH_START;
	s->opened_ms = now_unix_ms();
	gw_body_init(&s->tx.body, gw, s->conf->memory_body_max);
	netd_set_timeout(c, (int)s->conf->smtp_timeout_s * 1000);
	return s;
}

static void
session_close(void *session)
{
	struct gw_smtp *s = session;

	gw_guard_leave(s->gw, &s->seat);
	gw_pending_drop(s);
	gw_verdict_drop(s);
	gw_auth_reset(s);
	gw_body_reset(&s->tx.body);
	buf_free(&s->tx.body.head);
	arena_free(&s->tx.a);
	arena_free(&s->a);
	arena_free(&s->login);
	arena_free(&s->finals.a);
	arena_free(&s->unit);
	conf_unref(&s->conf);
	gw_site_unref(&s->site);
	xfree(s);
}

const struct netd_ops gw_smtp_ops = {
	.open = session_open,
	.frame = frame,
	.unit = unit,
	.quick = quick,
	.close = session_close,
};
