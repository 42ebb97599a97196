/*
 * The preamble is text of a fixed shape: access writes it, imap reads it, and
 * a person with strace can, too.  The order is fixed and every line is
 * required, so there is one way to write a preamble and nothing to guess.
 */
#include "imap/preamble.h"

#define MAGIC      STR("GP1 ")
#define DIGITS_MAX 4u /* PREAMBLE_MAX in decimal */

/* A value goes onto a line of its own and must stay there. */
static bool
value_ok(struct str v)
{
	return str_chr(v, '\r') == v.n && str_chr(v, '\n') == v.n &&
	       str_chr(v, '\0') == v.n;
}

enum rc
preamble_put(struct buf *b, const struct preamble *p)
{
	AUTO_BUF lines = { 0 };

	if (!value_ok(p->service) || !value_ok(p->ticket) ||
	    !value_ok(p->client) || !value_ok(p->tag) || !value_ok(p->sid))
		return RC_BAD;
	buf_init(&lines, PREAMBLE_MAX);
	if (buf_fmt(&lines,
		"service=%.*s\r\nticket=%.*s\r\nclient=%.*s\r\nport=%u\r\n"
		"tag=%.*s\r\ntls=%u\r\nsid=%.*s\r\n\r\n",
		STRF(p->service), STRF(p->ticket), STRF(p->client),
		(unsigned)p->port, STRF(p->tag), p->tls ? 1u : 0u,
		STRF(p->sid)) != RC_OK)
		return RC_BAD;
	if (lines.n + MAGIC.n + DIGITS_MAX + 2 > PREAMBLE_MAX)
		return RC_BAD;
	return buf_fmt(b, "GP1 %zu\r\n%.*s", lines.n, STRF(buf_str(&lines)));
}

/*
 * The first line: RC_OK with the length of what follows it and its own,
 * RC_NOENT when more bytes are needed.
 */
static enum rc
first_line(struct str in, size_t *head, size_t *length)
{
	struct str magic = MAGIC, digits;
	uint64_t n;
	size_t lf;

	if (!str_has_prefix(in, str_sub(magic, 0, in.n)))
		return RC_BAD;
	lf = str_chr(in, '\n');
	if (lf == in.n)
		return in.n < magic.n + DIGITS_MAX + 2 ? RC_NOENT : RC_BAD;
	if (lf < magic.n + 2 || in.p[lf - 1] != '\r')
		return RC_BAD;
	digits = str_sub(in, magic.n, lf - 1 - magic.n);
	if (digits.p[0] == '0' ||
	    str_u64(digits, PREAMBLE_MAX - (lf + 1), &n) != RC_OK)
		return RC_BAD;
	*head = lf + 1;
	*length = (size_t)n;
	return RC_OK;
}

size_t
preamble_frame(struct str in)
{
	size_t head, length;

	if (in.n == 0)
		return 0;
	switch (first_line(in, &head, &length)) {
	case RC_OK:
		return in.n - head >= length ? head + length : 0;
	case RC_NOENT:
		return 0;
	default:
		return in.n; /* preamble_parse will say what it thinks of it */
	}
}

/* Cut "name=value" CRLF off *s. */
static bool
cut(struct str *s, struct str name, struct str *value)
{
	size_t lf = str_chr(*s, '\n');
	struct str line = str_sub(*s, 0, lf);

	if (lf == s->n || line.n == 0 || line.p[line.n - 1] != '\r')
		return false;
	*s = str_from(*s, lf + 1);
	line.n--;
	if (!str_cut_prefix(&line, name) || !value_ok(line))
		return false;
	*value = line;
	return true;
}

enum rc
preamble_parse(struct str in, struct preamble *out)
{
	struct str port, tls;
	struct preamble p = { 0 };
	size_t head, length;
	uint64_t n;

	if (first_line(in, &head, &length) != RC_OK || in.n != head + length)
		return RC_BAD;
	in = str_from(in, head);
	if (!cut(&in, STR("service="), &p.service) ||
	    !cut(&in, STR("ticket="), &p.ticket) ||
	    !cut(&in, STR("client="), &p.client) ||
	    !cut(&in, STR("port="), &port) || !cut(&in, STR("tag="), &p.tag) ||
	    !cut(&in, STR("tls="), &tls) || !cut(&in, STR("sid="), &p.sid) ||
	    !str_eq(in, STR("\r\n")))
		return RC_BAD;
	if (str_u64(port, UINT16_MAX, &n) != RC_OK)
		return RC_BAD;
	p.port = (uint16_t)n;
	p.tls = str_eq(tls, STR("1"));
	if (!p.tls && !str_eq(tls, STR("0")))
		return RC_BAD;
	*out = p;
	return RC_OK;
}
