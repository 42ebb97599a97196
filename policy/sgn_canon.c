/*
 * White space is held back until it is known whether something follows it, and
 * line ends likewise: at the end of a line, and of the body, they go.
 *
 * Only CRLF is a line end, as everywhere in mail (a lone CR or LF is refused
 * long before it gets here, and counts as a character).
 */
#include <string.h>

#include "policy/sgn_canon.h"

void
sgn_body_init(
    struct sgn_body *b, void (*put)(void *arg, struct str piece), void *arg)
{
	*b = (struct sgn_body){ .put = put, .arg = arg };
}

static void
drain(struct sgn_body *b)
{
	if (b->n > 0)
		b->put(b->arg, str_n(b->out, b->n));
	b->n = 0;
}

static void
emit(struct sgn_body *b, struct str s)
{
	b->any = true;
	if (s.n > SGN_CANON_OUT - b->n)
		drain(b);
	if (s.n > SGN_CANON_OUT) {
		b->put(b->arg, s);
		return;
	}
	memcpy(b->out + b->n, s.p, s.n);
	b->n += s.n;
}

/* Something follows: what was held back counts. */
static void
release(struct sgn_body *b)
{
	for (; b->lines > 0; b->lines--)
		emit(b, STR("\r\n"));
	if (b->space)
		emit(b, STR(" "));
	b->space = false;
}

static size_t
text_len(struct str s)
{
	size_t n = 0;

	while (n < s.n && s.p[n] != ' ' && s.p[n] != '\t' && s.p[n] != '\r')
		n++;
	return n;
}

void
sgn_body_add(struct sgn_body *b, struct str s)
{
	while (s.n > 0) {
		size_t n = text_len(s);

		if (b->cr && s.p[0] != '\n') {
			release(b);
			emit(b, STR("\r"));
			b->cr = false;
		}
		if (b->cr) {
			b->cr = b->space = false;
			b->lines++;
			n = 1;
		} else if (n > 0) {
			release(b);
			emit(b, str_sub(s, 0, n));
		} else {
			b->cr = s.p[0] == '\r';
			b->space = b->space || !b->cr;
			n = 1;
		}
		s = str_from(s, n);
	}
}

void
sgn_body_end(struct sgn_body *b)
{
	if (b->cr) {
		release(b);
		emit(b, STR("\r"));
	}
	/* One line end, if there is anything that it could end. */
	if (b->any)
		emit(b, STR("\r\n"));
	drain(b);
}

static enum rc
lower_name(struct buf *out, struct str name)
{
	enum rc rc = RC_OK;

	for (size_t i = 0; rc == RC_OK && i < name.n; i++)
		rc = buf_add_char(out, ascii_lower(name.p[i]));
	return rc == RC_OK ? buf_add_char(out, ':') : rc;
}

enum rc
sgn_canon_field(struct buf *out, struct str name, struct str value)
{
	enum rc rc = lower_name(out, name);
	size_t start = out->n;

	for (size_t i = 0; rc == RC_OK && i < value.n;) {
		size_t n = 0;

		/* CRLF in a value is a fold: white space follows it. */
		while (i < value.n && strchr(" \t\r\n", value.p[i]) != NULL &&
		       value.p[i] != '\0')
			i++;
		while (i + n < value.n &&
		       (value.p[i + n] == '\0' ||
			   strchr(" \t\r\n", value.p[i + n]) == NULL))
			n++;
		if (n > 0 && out->n > start)
			rc = buf_add_char(out, ' ');
		if (rc == RC_OK)
			rc = buf_add(out, str_sub(value, i, n));
		i += n;
	}
	return rc;
}
