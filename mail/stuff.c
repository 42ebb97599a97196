/*
 * What comes is well-formed nearly always, so it is copied in runs as long as
 * possible: a run ends before a dot at the beginning of a line and at a CR or
 * LF that stands alone.
 */
#include <string.h>

#include "mail/stuff.h"

/*
 * How many bytes of s, which begins inside or at the beginning of a line, may
 * be copied as they are; the run ends behind a whole line or before an oddity.
 */
static size_t
clean_run(struct str s, bool *in_line)
{
	size_t n = 0;

	while (n < s.n) {
		const char *line = s.p + n, *lf;
		size_t left = s.n - n, len;
		const char *cr;

		if (!*in_line && *line == '.')
			break;
		lf = memchr(line, '\n', left);
		len = lf != NULL ? (size_t)(lf - line) : left;
		cr = memchr(line, '\r', len);
		if (cr != NULL && (lf == NULL || cr + 1 != lf)) {
			*in_line = *in_line || cr > line;
			return n + (size_t)(cr - line);
		}
		if (lf == NULL) {
			*in_line = true;
			return s.n;
		}
		if (cr == NULL) {
			*in_line = *in_line || len > 0;
			return n + len;
		}
		n += len + 1;
		*in_line = false;
	}
	return n;
}

enum rc
mail_stuff_add(struct mail_stuff *s, struct str in, struct buf *out)
{
	char *p;

	if (buf_reserve(out, 2 * in.n) != RC_OK)
		return RC_BAD;
	while (in.n > 0) {
		size_t n;

		p = out->p + out->n;
		if (s->cr && *in.p == '\n') {
			/* The LF that the CR already brought. */
			s->cr = false;
			in = str_from(in, 1);
			continue;
		}
		s->cr = false;
		n = clean_run(in, &s->in_line);
		memcpy(p, in.p, n);
		out->n += n;
		p += n;
		in = str_from(in, n);
		if (in.n == 0)
			break;
		if (*in.p == '.') {
			memcpy(p, "..", 2);
			s->in_line = true;
		} else {
			s->cr = *in.p == '\r';
			memcpy(p, "\r\n", 2);
			s->in_line = false;
		}
		out->n += 2;
		in = str_from(in, 1);
	}
	return RC_OK;
}

enum rc
mail_stuff_end(struct mail_stuff *s, struct buf *out)
{
	enum rc rc = buf_add(out, s->in_line ? STR("\r\n.\r\n") : STR(".\r\n"));

	if (rc == RC_OK)
		*s = (struct mail_stuff){ 0 };
	return rc;
}
