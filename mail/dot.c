/*
 * One scanner finds line ends for both uses and knows a bare CR or LF when it
 * sees one.  In front of it sits the state of a line's first bytes: "." and
 * ".\r" are held back until the next byte says whether they are the end, a
 * stuffed dot (RFC 5321 section 4.5.2), or a dot before a bare CR.
 *
 * A line that ends in a bare LF is not followed by a "line start", so
 * LF "." CRLF or LF "." LF never end the message: this is the smuggling hole
 * of 2023 (SEC Consult), and it is closed by reading, not by guessing.
 */
#include <string.h>

#include "mail/dot.h"

void
mail_crlf_init(struct mail_crlf *c)
{
	*c = (struct mail_crlf){ .line_done = true };
}

/* Scan past the next LF or to the end; gives where it stopped.  p < end. */
static const char *
scan_line(struct mail_crlf *c, const char *p, const char *end)
{
	const char *nl = memchr(p, '\n', (size_t)(end - p));
	const char *stop = nl ? nl : end;
	const char *cr = memchr(p, '\r', (size_t)(stop - p));

	if (c->cr && stop > p)
		c->bare = true;
	if (nl == NULL) {
		c->bare |= cr != NULL && cr != end - 1;
		c->cr = end[-1] == '\r';
		c->line_done = false;
		return end;
	}
	if (nl == p) {
		c->line_done = c->cr;
		c->bare |= !c->cr;
	} else {
		c->line_done = nl[-1] == '\r';
		c->bare |= cr != nl - 1;
	}
	c->cr = false;
	return nl + 1;
}

void
mail_crlf_feed(struct mail_crlf *c, struct str in)
{
	const char *p = in.p, *end;

	if (in.n == 0)
		return;
	end = p + in.n;
	while (p < end)
		p = scan_line(c, p, end);
}

bool
mail_crlf_ok(const struct mail_crlf *c)
{
	return !c->bare && !c->cr && c->line_done;
}

void
mail_dot_init(struct mail_dot *d)
{
	*d = (struct mail_dot){ .done = false };
	mail_crlf_init(&d->crlf);
}

/*
 * Deal with a dot at the start of a line.  True when the next byte of *in is
 * ordinary text.
 */
static bool
line_start(struct mail_dot *d, struct str *in)
{
	char c = in->p[0];

	switch (d->held) {
	case 0:
		if (!d->crlf.line_done || c != '.')
			return true;
		d->crlf.line_done = false;
		d->held = 1;
		break;
	case 1:
		if (c != '\r') { /* the dot was stuffed: it is gone */
			d->held = 0;
			return true;
		}
		d->held = 2;
		break;
	default:
		d->held = 0;
		if (c != '\n') { /* a stuffed dot, then a bare CR */
			d->owed = true;
			d->crlf.cr = true;
			return false;
		}
		d->done = true;
		break;
	}
	*in = str_from(*in, 1);
	return false;
}

bool
mail_dot_next(struct mail_dot *d, struct str *in, struct str *out)
{
	const char *p, *end;

	while (!d->done && in->n > 0 && !d->owed && !line_start(d, in))
		;
	if (d->owed) {
		d->owed = false;
		*out = STR("\r");
		return true;
	}
	if (d->done || in->n == 0)
		return false;
	p = in->p;
	end = in->p + in->n;
	do
		p = scan_line(&d->crlf, p, end);
	while (p < end && !(d->crlf.line_done && *p == '.'));
	*out = str_n(in->p, (size_t)(p - in->p));
	*in = str_from(*in, out->n);
	return true;
}
