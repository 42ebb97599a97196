#include "imap/pop3_text.h"

#include <string.h>

enum args { NONE, MAYBE, ONE, TWO };

static const struct {
	struct str name;
	enum pop3_verb verb;
	enum args args;
} verbs[] = {
	{ STR_INIT("CAPA"), POP3_CAPA, NONE },
	{ STR_INIT("DELE"), POP3_DELE, ONE },
	{ STR_INIT("LIST"), POP3_LIST, MAYBE },
	{ STR_INIT("NOOP"), POP3_NOOP, NONE },
	{ STR_INIT("QUIT"), POP3_QUIT, NONE },
	{ STR_INIT("RETR"), POP3_RETR, ONE },
	{ STR_INIT("RSET"), POP3_RSET, NONE },
	{ STR_INIT("STAT"), POP3_STAT, NONE },
	{ STR_INIT("TOP"), POP3_TOP, TWO },
	{ STR_INIT("UIDL"), POP3_UIDL, MAYBE },
};

static bool
number(struct str *arg, uint32_t *out)
{
	struct str word = str_word(arg);
	uint64_t n;

	if (str_u64(word, UINT32_MAX, &n) != RC_OK)
		return false;
	*out = (uint32_t)n;
	return true;
}

static enum rc
parse_args(enum args args, struct str arg, struct pop3_command *out)
{
	if (args == NONE || (args == MAYBE && arg.n == 0))
		return arg.n == 0 ? RC_OK : RC_BAD;
	out->has_msg = true;
	if (!number(&arg, &out->msg) ||
	    (args == TWO && !number(&arg, &out->lines)))
		return RC_BAD;
	return arg.n == 0 ? RC_OK : RC_BAD;
}

enum rc
pop3_parse(struct str line, struct pop3_command *out)
{
	struct str arg = str_trim(line), name = str_word(&arg);

	for (size_t i = 0; i < COUNT(verbs); i++)
		if (str_ieq(name, verbs[i].name)) {
			*out = (struct pop3_command){ .verb = verbs[i].verb };
			return parse_args(verbs[i].args, arg, out);
		}
	return RC_NOENT;
}

static void
remember(struct pop3_dots *d, struct str in)
{
	if (in.n > 1)
		d->last[0] = in.p[in.n - 2];
	else
		d->last[0] = d->last[1];
	d->last[1] = in.p[in.n - 1];
}

void
pop3_dots_put(struct pop3_dots *d, struct str in, struct imap_out *o)
{
	if (in.n == 0)
		return;
	remember(d, in);
	while (in.n > 0) {
		size_t lf = str_chr(in, '\n');
		size_t n = MIN(lf + 1, in.n);

		if (!d->inside && in.p[0] == '.')
			imap_out_str(o, STR("."));
		/* Lines that need no dot go on in one piece. */
		while (n < in.n && in.p[n] != '.') {
			struct str rest = str_from(in, n);

			lf = str_chr(rest, '\n');
			n += MIN(lf + 1, rest.n);
		}
		imap_out_str(o, str_sub(in, 0, n));
		d->inside = in.p[n - 1] != '\n';
		in = str_from(in, n);
	}
}

void
pop3_dots_end(const struct pop3_dots *d, struct imap_out *o)
{
	if (d->last[0] != '\r' || d->last[1] != '\n')
		imap_out_str(o, STR("\r\n"));
	imap_out_str(o, STR(".\r\n"));
}

/* A line ends here; `empty`: there was nothing in it. */
static void
line_end(struct pop3_top *t, bool empty)
{
	if (t->body)
		t->left--;
	else if (empty)
		t->body = true;
	t->done = t->body && t->left == 0;
	t->inside = t->cr = false;
}

size_t
pop3_top_cut(struct pop3_top *t, struct str in)
{
	size_t at = 0;

	while (!t->done && at < in.n) {
		struct str rest = str_from(in, at);
		size_t lf = str_chr(rest, '\n');

		if (!t->inside && lf > 0) {
			t->inside = t->cr || lf > 1 || rest.p[0] != '\r';
			t->cr = !t->inside;
		}
		at += MIN(lf + 1, rest.n);
		if (lf < rest.n)
			line_end(t, !t->inside);
	}
	return at;
}
