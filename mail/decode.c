/*
 * Transfer encodings, byte by byte where a byte may mean something and in runs
 * where it cannot.  Base64 gives out each byte as soon as its bits are there,
 * so that a missing padding needs no special case.
 */
#include <string.h>

#include "mail/decode.h"

#define STEP 4096u

static int
b64_value(unsigned char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

enum rc
mail_b64_feed(struct mail_b64 *d, struct str in, struct buf *out)
{
	while (in.n > 0) {
		struct str step = str_sub(in, 0, STEP);

		if (buf_reserve(out, step.n) != RC_OK)
			return RC_BAD;
		for (size_t i = 0; i < step.n; i++) {
			int v = b64_value((unsigned char)step.p[i]);

			if (v < 0) {
				/* Padding; what follows is a new start. */
				if (step.p[i] == '=')
					d->n = 0;
				continue;
			}
			d->bits = (d->bits << 6 | (unsigned)v) & 0xffffff;
			d->n = (d->n + 1) % 4;
			if (d->n != 1)
				out->p[out->n++] =
				    (char)(d->bits >>
					   (d->n == 0 ? 0 : 8 - 2 * d->n));
		}
		in = str_from(in, step.n);
	}
	return RC_OK;
}

static int
hex_value(char c)
{
	if (ascii_is_digit(c))
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Give out what is held as it stands; there is room. */
static void
qp_flush(struct mail_qp *d, struct buf *out)
{
	memcpy(out->p + out->n, d->held, d->n);
	out->n += d->n;
	d->n = 0;
}

static void
qp_hold(struct mail_qp *d, char c, struct buf *out)
{
	if (d->n == sizeof(d->held))
		qp_flush(d, out);
	d->held[d->n++] = c;
}

/*
 * One byte behind a held '='.  False when the held bytes turned out to mean
 * nothing; they are given out and `c` is still to be read.
 */
static bool
qp_escape(struct mail_qp *d, char c, struct buf *out)
{
	char last = d->held[d->n - 1];

	if (d->n == 2 && hex_value(last) >= 0) {
		if (hex_value(c) >= 0) {
			out->p[out->n++] =
			    (char)(hex_value(last) * 16 + hex_value(c));
			d->n = 0;
			return true;
		}
	} else if (c == '\n') { /* a soft line break */
		d->n = 0;
		return true;
	} else if (last != '\r' && (is_blank(c) || c == '\r')) {
		qp_hold(d, c, out);
		return true;
	} else if (d->n == 1 && hex_value(c) >= 0) {
		qp_hold(d, c, out);
		return true;
	}
	qp_flush(d, out);
	return false;
}

static void
qp_byte(struct mail_qp *d, char c, struct buf *out)
{
	if (d->n > 0 && d->held[0] == '=') {
		if (qp_escape(d, c, out))
			return;
	} else if (d->n > 0 && (c == '\r' || c == '\n')) {
		d->n = 0; /* white space at the end of a line is not meant */
	} else if (d->n > 0 && !is_blank(c)) {
		qp_flush(d, out);
	}
	if (c == '=' || is_blank(c))
		qp_hold(d, c, out);
	else
		out->p[out->n++] = c;
}

enum rc
mail_qp_feed(struct mail_qp *d, struct str in, struct buf *out)
{
	while (in.n > 0) {
		struct str step = str_sub(in, 0, STEP);

		if (buf_reserve(out, step.n + sizeof(d->held)) != RC_OK)
			return RC_BAD;
		for (size_t i = 0; i < step.n; i++)
			qp_byte(d, step.p[i], out);
		in = str_from(in, step.n);
	}
	return RC_OK;
}

enum rc
mail_qp_end(struct mail_qp *d, struct buf *out)
{
	/* A last "=" is a soft line break, last blanks are not meant. */
	if (d->n == 2 && d->held[0] == '=' && hex_value(d->held[1]) >= 0) {
		if (buf_reserve(out, d->n) != RC_OK)
			return RC_BAD;
		qp_flush(d, out);
	}
	d->n = 0;
	return RC_OK;
}

enum mail_cte
mail_cte_of(struct str name)
{
	name = str_trim(name);
	if (str_ieq(name, STR("base64")))
		return MAIL_CTE_B64;
	if (str_ieq(name, STR("quoted-printable")))
		return MAIL_CTE_QP;
	return MAIL_CTE_IDENTITY;
}
