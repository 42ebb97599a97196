/*
 * The text of a reply ends in logs, notices and screens, so it is made plain
 * here once: printable ASCII, one line, bounded.
 */
#include <string.h>

#include "mail/smtp_reply.h"

void
mail_reply_init(struct mail_reply *r)
{
	memset(r, 0, offsetof(struct mail_reply, line));
}

bool
mail_reply_clean(const struct mail_reply *r)
{
	return r->nline == 0 && (r->done || r->lines == 0);
}

static size_t
digits(struct str s, size_t at, size_t max)
{
	size_t n = 0;

	while (n < max && at + n < s.n && ascii_is_digit(s.p[at + n]))
		n++;
	return n;
}

struct str
mail_status_of(struct str s)
{
	size_t n, subject, detail;

	if (s.n < 5 || s.p[1] != '.' ||
	    (s.p[0] != '2' && s.p[0] != '4' && s.p[0] != '5'))
		return STR_NULL;
	subject = digits(s, 2, 3);
	n = 2 + subject;
	if (subject == 0 || n >= s.n || s.p[n] != '.')
		return STR_NULL;
	detail = digits(s, n + 1, 3);
	n += 1 + detail;
	if (detail == 0 || (n < s.n && s.p[n] != ' '))
		return STR_NULL;
	return str_sub(s, 0, n);
}

static void
keep(struct mail_reply *r, struct str s)
{
	for (size_t i = 0; i < s.n && r->ntext < sizeof(r->kept); i++) {
		unsigned char c = (unsigned char)s.p[i];

		r->kept[r->ntext++] = c == '\t'              ? ' '
				      : c < 0x20 || c > 0x7e ? '?'
							     : s.p[i];
	}
}

static void
begin(struct mail_reply *r)
{
	r->done = false;
	r->lines = 0;
	r->bytes = 0;
	r->ntext = 0;
	r->code = 0;
	r->status[0] = '\0';
}

/* The status of the first line that has one goes before all text. */
static void
keep_line(struct mail_reply *r, struct str text)
{
	struct str status = mail_status_of(text);
	bool known = r->status[0] != '\0';

	if (status.n > 0) {
		if (!known && status.n < sizeof(r->status)) {
			memcpy(r->status, status.p, status.n);
			r->status[status.n] = '\0';
		}
		if (known && str_eq(status, str_c(r->status)))
			text = str_from(text, status.n);
	}
	text = str_trim(text);
	if (text.n > 0) {
		keep(r, STR(" "));
		keep(r, text);
	}
}

static void
finish(struct mail_reply *r)
{
	char klass = (char)('0' + r->code / 100);

	r->done = true;
	if (r->status[0] != klass) {
		memcpy(r->status, "x.0.0", 6);
		r->status[0] = klass;
	}
	/* keep_line left room for the code. */
	r->kept[0] = klass;
	r->kept[1] = (char)('0' + r->code / 10 % 10);
	r->kept[2] = (char)('0' + r->code % 10);
	while (r->ntext > 3 && r->kept[r->ntext - 1] == ' ')
		r->ntext--;
	r->text = (struct str){ r->kept, r->ntext };
}

static enum rc
take_line(struct mail_reply *r, struct str line, struct str *out)
{
	unsigned code;
	bool last;

	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	if (r->done || r->lines == 0)
		begin(r);
	r->bytes += line.n + 2;
	if (++r->lines > MAIL_REPLY_LINES || r->bytes > MAIL_REPLY_BYTES)
		return RC_BAD;
	if (digits(line, 0, 4) != 3 || line.p[0] < '2' || line.p[0] > '5')
		return RC_BAD;
	if (line.n > 3 && line.p[3] != ' ' && line.p[3] != '-')
		return RC_BAD;
	code = (unsigned)(line.p[0] - '0') * 100 +
	       (unsigned)(line.p[1] - '0') * 10 + (unsigned)(line.p[2] - '0');
	last = line.n == 3 || line.p[3] == ' ';
	if (r->lines == 1)
		keep(r, STR("xyz"));
	*out = str_from(line, 4);
	keep_line(r, *out);
	r->code = code;
	if (last)
		finish(r);
	return RC_OK;
}

enum rc
mail_reply_next(struct mail_reply *r, struct str *in, struct str *out_line)
{
	size_t n = str_chr(*in, '\n');
	struct str piece = str_sub(*in, 0, n);
	bool whole = n < in->n;

	if (r->nline + n > sizeof(r->line))
		return RC_BAD;
	*in = str_from(*in, n + (whole ? 1 : 0));
	if (whole && r->nline == 0)
		return take_line(r, piece, out_line);
	if (piece.n > 0)
		memcpy(r->line + r->nline, piece.p, piece.n);
	r->nline += piece.n;
	if (!whole)
		return RC_NOENT;
	piece = (struct str){ r->line, r->nline };
	r->nline = 0;
	return take_line(r, piece, out_line);
}
