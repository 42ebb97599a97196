/*
 * The header is written anew field by field, each as it was unless it has to
 * change.  A list of addresses is rewritten as a whole when one of them lacks
 * its domain, from what the tolerant parser read: what cron writes, "From: root
 * (Cron Daemon)", becomes "Cron Daemon <root@host>".
 */
#include <string.h>

#include "mail/addrlist.h"
#include "mail/header.h"
#include "sendmail/sm_letter.h"

/*
 * Fields with addresses, and those that go: does -t take recipients from it, is
 * it of a resent message?
 */
static const struct known {
	struct str name;
	bool to, resent, drop;
} fields[] = {
	{ STR_INIT("From"), false, false, false },
	{ STR_INIT("Sender"), false, false, false },
	{ STR_INIT("Reply-To"), false, false, false },
	{ STR_INIT("To"), true, false, false },
	{ STR_INIT("Cc"), true, false, false },
	{ STR_INIT("Bcc"), true, false, true },
	{ STR_INIT("Resent-From"), false, true, false },
	{ STR_INIT("Resent-Sender"), false, true, false },
	{ STR_INIT("Resent-To"), true, true, false },
	{ STR_INIT("Resent-Cc"), true, true, false },
	{ STR_INIT("Resent-Bcc"), true, true, true },
	{ STR_INIT("Return-Path"), false, false, true },
	{ STR_INIT("Content-Length"), false, false, true },
};

enum rc
sm_lines(struct str in, bool dot_ends, struct buf *out)
{
	enum rc rc = RC_OK;

	while (in.n > 0 && rc == RC_OK) {
		size_t n = 0;
		struct str line;

		while (n < in.n && in.p[n] != '\n' && in.p[n] != '\r')
			n++;
		line = str_sub(in, 0, n);
		if (dot_ends && str_eq(line, STR(".")))
			return RC_OK;
		/* Each CR of "CR CR LF" but the last would be a line too. */
		while (n + 1 < in.n && in.p[n] == '\r' && in.p[n + 1] == '\r')
			n++;
		if (n + 1 < in.n && in.p[n] == '\r' && in.p[n + 1] == '\n')
			n++;
		in = str_from(in, n + 1);
		rc = buf_add(out, line);
		if (rc == RC_OK)
			rc = buf_add(out, STR("\r\n"));
	}
	return rc;
}

static const struct known *
known_field(struct str name)
{
	for (size_t i = 0; i < COUNT(fields); i++)
		if (str_ieq(fields[i].name, name))
			return &fields[i];
	return NULL;
}

/* Up to the colon: printable, no space but in front of the colon. */
static bool
is_field(struct str line)
{
	size_t n = 0;

	while (n < line.n && line.p[n] > ' ' && line.p[n] < 127 &&
	       line.p[n] != ':')
		n++;
	if (n == 0)
		return false;
	while (n < line.n && (line.p[n] == ' ' || line.p[n] == '\t'))
		n++;
	return n < line.n && line.p[n] == ':';
}

/* The header, each line with its CRLF, and what follows the empty line. */
static void
divide(struct str text, struct str *header, struct str *body)
{
	size_t n = 0;

	if (str_has_prefix(text, STR("From ")))
		text = str_from(text, str_chr(text, '\n') + 1);
	*body = STR("");
	*header = text;
	while (n < text.n) {
		struct str rest = str_from(text, n);
		struct str line = str_sub(rest, 0, str_chr(rest, '\n') + 1);
		bool fold = n > 0 && (line.p[0] == ' ' || line.p[0] == '\t');

		if (str_eq(line, STR("\r\n"))) {
			*body = str_from(rest, line.n);
			break;
		}
		if (!fold && !is_field(line)) {
			*body = rest;
			break;
		}
		n += line.n;
	}
	*header = str_sub(text, 0, n);
}

static bool
lacks_domain(const struct mail_addrlist *list)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->v[i].kind == MAIL_MAILBOX && list->v[i].host.n == 0)
			return true;
	return false;
}

/* What stands for an entry, or the empty slice: no such address can be. */
static struct str
address_of(struct arena *a, const struct mail_entry *e, struct str host)
{
	struct addr x = { e->mailbox, e->host.n > 0 ? e->host : host }, again;
	struct str text;

	if (x.local.n == 0 || x.local.n > MAIL_LOCAL_MAX)
		return STR("");
	x.domain = str_lower(a, x.domain);
	text = mail_addr_text(a, &x);
	return mail_addr_parse(a, text, &again) == RC_OK
		   ? mail_addr_text(a, &again)
		   : STR("");
}

/* A phrase: bare, quoted, or encoded (RFC 2047). */
static enum rc
put_name(struct buf *b, struct arena *a, struct str name)
{
	bool bare = true, ascii = true;
	enum rc rc;

	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];

		ascii = ascii && c >= ' ' && c <= '~';
		bare = bare && (ascii_is_alnum(c) ||
				   strchr(" !#$%&'*+-/=?^_`{|}~", c) != NULL);
	}
	if (!ascii && str_is_utf8(name) && name.n <= 45)
		return buf_fmt(b, "=?utf-8?B?%.*s?= ", STRF(str_b64(a, name)));
	if (bare && ascii)
		return buf_fmt(b, "%.*s ", STRF(name));
	rc = buf_add_char(b, '"');
	for (size_t i = 0; i < name.n && rc == RC_OK; i++) {
		char c = name.p[i];

		if (c == '"' || c == '\\')
			rc = buf_add_char(b, '\\');
		if (rc == RC_OK)
			rc = buf_add_char(
			    b, (unsigned char)c < ' ' || c == 127 ? ' ' : c);
	}
	return rc == RC_OK ? buf_add(b, STR("\" ")) : rc;
}

static enum rc
put_entry(
    struct buf *b, struct arena *a, const struct mail_entry *e, struct str host)
{
	struct str address = address_of(a, e, host);
	enum rc rc = RC_OK;

	if (e->name.n > 0)
		rc = put_name(b, a, e->name);
	if (rc != RC_OK)
		return rc;
	return e->name.n > 0 ? buf_fmt(b, "<%.*s>", STRF(address))
			     : buf_add(b, address);
}

/* One address a line, so that no line gets too long. */
static enum rc
put_list(struct buf *b, struct arena *a, struct str name,
    const struct mail_addrlist *list, struct str host)
{
	enum rc rc = buf_fmt(b, "%.*s: ", STRF(name));
	bool first = true;

	for (size_t i = 0; i < list->n && rc == RC_OK; i++) {
		const struct mail_entry *e = &list->v[i];

		if (e->kind == MAIL_GROUP_END) {
			rc = buf_add(b, STR(";"));
			first = false;
			continue;
		}
		if (e->kind == MAIL_MAILBOX && address_of(a, e, host).n == 0)
			continue;
		if (!first)
			rc = buf_add(b, STR(",\r\n\t"));
		if (rc != RC_OK)
			break;
		if (e->kind == MAIL_GROUP_START) {
			rc = put_name(
			    b, a, e->mailbox.n > 0 ? e->mailbox : STR("group"));
			if (rc == RC_OK)
				rc = buf_add(b, STR(": "));
			first = true;
			continue;
		}
		rc = put_entry(b, a, e, host);
		first = false;
	}
	return rc == RC_OK ? buf_add(b, STR("\r\n")) : rc;
}

struct maker {
	struct arena *a;
	const struct sm_args *args;
	const struct sm_who *who;
	struct buf *b;
	struct sm_letter *out;
	size_t room;
	struct str *why;
	bool from, to;
};

static enum rc
bad(struct maker *m, const char *what, struct str about)
{
	*m->why = about.n > 0 ? str_fmt(m->a, "%s: %.*s", what,
				    STRF(str_sub(about, 0, 200)))
			      : str_c(what);
	return RC_BAD;
}

static enum rc
add_to(struct maker *m, const struct mail_entry *e)
{
	struct sm_letter *l = m->out;
	struct str address = address_of(m->a, e, m->who->host);

	if (address.n == 0)
		return bad(m, "not an address of mail", e->mailbox);
	for (size_t i = 0; i < l->nto; i++)
		if (str_ieq(l->to[i], address))
			return RC_OK;
	if (l->nto == SM_TO_MAX)
		return bad(m, "too many recipients", STR(""));
	l->to[l->nto++] = address;
	return RC_OK;
}

/* Those of one list; a word that is no list at all is an error. */
static enum rc
add_list(struct maker *m, struct str text)
{
	struct mail_addrlist list;
	enum rc rc = RC_OK;

	mail_addrlist_parse(m->a, text, &list);
	if (list.truncated)
		return bad(m, "too many recipients", STR(""));
	for (size_t i = 0; i < list.n && rc == RC_OK; i++)
		if (list.v[i].kind == MAIL_MAILBOX)
			rc = add_to(m, &list.v[i]);
	return rc;
}

static enum rc
add_recipients(struct maker *m, struct str header)
{
	struct mail_header_iter it = { header };
	struct mail_field f;
	bool resent = false;
	enum rc rc = RC_OK;

	for (size_t i = 0; i < m->args->nto && rc == RC_OK; i++)
		rc = add_list(m, str_c(m->args->to[i]));
	if (!m->args->from_header)
		return rc;
	while (mail_header_next(&it, &f)) {
		const struct known *k = known_field(f.name);

		resent = resent || (k != NULL && k->to && k->resent);
	}
	it.rest = header;
	while (rc == RC_OK && mail_header_next(&it, &f)) {
		const struct known *k = known_field(f.name);

		/* RFC 5322 section 3.6.6: a resent one goes to these alone. */
		if (k != NULL && k->to && k->resent == resent)
			rc = add_list(m, f.value);
	}
	return rc;
}

/* One field as it was or as it has to be. */
static enum rc
put_field(struct maker *m, const struct mail_field *f)
{
	const struct known *k = known_field(f->name);
	struct mail_addrlist list;

	if (k == NULL)
		return buf_add(m->b, f->whole);
	if (k->drop)
		return RC_OK;
	m->from = m->from || str_ieq(f->name, STR("From"));
	m->to =
	    m->to || str_ieq(f->name, STR("To")) || str_ieq(f->name, STR("Cc"));
	mail_addrlist_parse(m->a, f->value, &list);
	if (list.truncated || !lacks_domain(&list))
		return buf_add(m->b, f->whole);
	return put_list(m->b, m->a, k->name, &list, m->who->host);
}

static enum rc
put_from(struct maker *m)
{
	const struct sm_args *args = m->args;
	struct mail_entry e = { .mailbox = m->who->user };
	struct mail_addrlist list;
	enum rc rc;

	e.name = args->has_name ? args->name : m->who->name;
	/* With -f the sender is who the message is from, but for a null one. */
	mail_addrlist_parse(m->a, args->sender, &list);
	if (args->has_sender && list.n == 1 && list.v[0].mailbox.n > 0) {
		e.mailbox = list.v[0].mailbox;
		e.host = list.v[0].host;
		if (!args->has_name && !str_ieq(e.mailbox, m->who->user))
			e.name = STR("");
	}
	rc = buf_add(m->b, STR("From: "));
	if (rc == RC_OK)
		rc = put_entry(m->b, m->a, &e, m->who->host);
	return rc == RC_OK ? buf_add(m->b, STR("\r\n")) : rc;
}

static enum rc
put_header(struct maker *m, struct str header)
{
	struct mail_header_iter it = { header };
	struct mail_field f;
	enum rc rc = RC_OK;

	while (rc == RC_OK && mail_header_next(&it, &f))
		rc = put_field(m, &f);
	if (rc == RC_OK && !m->from)
		rc = put_from(m);
	if (rc == RC_OK && !m->to)
		rc = buf_add(m->b, STR("To: undisclosed-recipients:;\r\n"));
	return rc == RC_OK ? buf_add(m->b, STR("\r\n")) : rc;
}

static enum rc
find_sender(struct maker *m)
{
	struct str text =
	    m->args->has_sender ? str_trim(m->args->sender) : m->who->user;
	struct mail_addrlist list;

	m->out->sender = STR("");
	if (m->args->has_sender && (text.n == 0 || str_eq(text, STR("<>"))))
		return RC_OK;
	mail_addrlist_parse(m->a, text, &list);
	if (list.n == 1 && list.v[0].kind == MAIL_MAILBOX)
		m->out->sender = address_of(m->a, &list.v[0], m->who->host);
	return m->out->sender.n > 0
		   ? RC_OK
		   : bad(m, "the sender is not an address", text);
}

enum rc
sm_letter(struct arena *a, const struct sm_args *args, const struct sm_who *who,
    struct str lines, struct buf *out_text, struct sm_letter *out,
    struct str *why)
{
	struct maker m = { .a = a,
		.args = args,
		.who = who,
		.b = out_text,
		.out = out,
		.why = why };
	struct str header, body;

	*out = (struct sm_letter){ 0 };
	out->to = arena_calloc(a, SM_TO_MAX, sizeof(*out->to));
	divide(lines, &header, &body);
	if (header.n > SM_HEADER_MAX)
		return bad(&m, "the header is too large", STR(""));
	if (find_sender(&m) != RC_OK || add_recipients(&m, header) != RC_OK)
		return RC_BAD;
	if (out->nto == 0)
		return bad(&m, "no recipients", STR(""));
	if (put_header(&m, header) != RC_OK || buf_add(out_text, body) != RC_OK)
		return bad(&m, "the message is too large", STR(""));
	out->eight_bit = !str_is_ascii(buf_str(out_text));
	return RC_OK;
}

struct str
sm_gecos_name(struct arena *a, struct str gecos, struct str user)
{
	struct str name = str_trim(str_sub(gecos, 0, str_chr(gecos, ',')));
	size_t amp = str_chr(name, '&');

	if (amp == name.n || user.n == 0)
		return name;
	return str_fmt(a, "%.*s%c%.*s%.*s", STRF(str_sub(name, 0, amp)),
	    ascii_upper(user.p[0]), STRF(str_from(user, 1)),
	    STRF(str_from(name, amp + 1)));
}
