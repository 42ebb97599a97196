/*
 * Who a From field names, for deciding whether somebody may send as them.  Not
 * the tolerant reader: here only what every reader understands in the same way
 * passes (RFC 5322 section 3.4 without its obsolete forms, comments only behind
 * an address and without anything in them that looks like structure).
 */
#include <string.h>

#include "mail/addrlist.h"
#include "mail/dot.h"
#include "mail/header.h"

#define SENDERS_MAX 100

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* White space and folds; a fold needs white space behind it. */
static void
skip_fws(struct str *s)
{
	while (s->n > 0) {
		if (is_blank(s->p[0]))
			*s = str_from(*s, 1);
		else if (s->n > 2 && str_has_prefix(*s, STR("\r\n")) &&
			 is_blank(s->p[2]))
			*s = str_from(*s, 2);
		else
			return;
	}
}

/* atext, dots and 8-bit bytes of a display name. */
static bool
is_phrase_char(char c)
{
	return (unsigned char)c >= 0x80 || ascii_is_alnum(c) ||
	       (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~.", c) != NULL);
}

/* Length of a quoted string with its quotes, or 0. */
static size_t
quoted_len(struct str s)
{
	size_t i = 1;

	if (s.n == 0 || s.p[0] != '"')
		return 0;
	for (; i < s.n && s.p[i] != '"'; i++) {
		if (s.p[i] == '\\' &&
		    (++i == s.n || (s.p[i] != '"' && s.p[i] != '\\')))
			return 0;
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
			return 0;
	}
	return i < s.n ? i + 1 : 0;
}

/* FWS, then perhaps one harmless comment, then FWS. */
static enum rc
skip_tail(struct str *s)
{
	size_t end;

	skip_fws(s);
	if (!str_cut_prefix(s, STR("(")))
		return RC_OK;
	end = str_chr(*s, ')');
	if (end == s->n)
		return RC_BAD;
	for (size_t i = 0; i < end; i++)
		if (!is_phrase_char(s->p[i]) && !is_blank(s->p[i]))
			return RC_BAD;
	*s = str_from(*s, end + 1);
	skip_fws(s);
	return RC_OK;
}

/* A bare addr-spec at the front: its length, or 0 when it is something else. */
static size_t
bare_len(struct str s)
{
	size_t local = quoted_len(s), n;

	if (local == 0)
		while (local < s.n && is_phrase_char(s.p[local]))
			local++;
	if (local == s.n || s.p[local] != '@')
		return 0;
	for (n = local + 1; n < s.n && s.p[n] != ',' && s.p[n] != '(' &&
			    s.p[n] != '\r' && !is_blank(s.p[n]);
	     n++)
		;
	return n;
}

/* A display name, which may be missing; stops in front of '<'. */
static enum rc
skip_phrase(struct str *s)
{
	for (skip_fws(s); s->n > 0 && s->p[0] != '<'; skip_fws(s)) {
		size_t n = quoted_len(*s);

		if (n == 0)
			while (n < s->n && is_phrase_char(s->p[n]))
				n++;
		if (n == 0)
			return RC_BAD;
		*s = str_from(*s, n);
	}
	return s->n > 0 ? RC_OK : RC_BAD;
}

static enum rc
cut_mailbox(struct arena *a, struct str *s, struct addr *out)
{
	struct mail_path path;
	size_t n;

	skip_fws(s);
	n = bare_len(*s);
	if (n > 0) {
		if (mail_addr_parse(a, str_sub(*s, 0, n), out) != RC_OK)
			return RC_BAD;
		*s = str_from(*s, n);
		return skip_tail(s);
	}
	if (skip_phrase(s) != RC_OK || str_has_prefix(*s, STR("<@")) ||
	    mail_path_parse(a, s, &path) != RC_OK || path.null_path ||
	    path.no_domain)
		return RC_BAD;
	*out = path.addr;
	return skip_tail(s);
}

enum rc
mail_senders_parse(
    struct arena *a, struct str value, struct addr **out, size_t *out_n)
{
	struct addr v[SENDERS_MAX], *copy;
	size_t n = 0;

	if (!str_is_utf8(value))
		return RC_BAD;
	do {
		if (n == COUNT(v) || cut_mailbox(a, &value, &v[n]) != RC_OK)
			return RC_BAD;
		n++;
	} while (str_cut_prefix(&value, STR(",")));
	if (value.n > 0)
		return RC_BAD;
	copy = arena_alloc(a, n * sizeof(v[0]));
	memcpy(copy, v, n * sizeof(v[0]));
	*out = copy;
	*out_n = n;
	return RC_OK;
}

/* A line that is no field but that a tolerant reader may take for From. */
static bool
looks_like_from(struct str line)
{
	while (line.n > 0 && !ascii_is_alpha(line.p[0]))
		line = str_from(line, 1);
	return str_has_iprefix(line, STR("From"));
}

enum rc
mail_senders_of(
    struct arena *a, struct str block, struct addr **out, size_t *out_n)
{
	struct mail_header_iter it = { block };
	struct str value = STR_NULL;
	struct mail_crlf crlf;
	struct mail_field f;

	mail_crlf_init(&crlf);
	mail_crlf_feed(&crlf, str_sub(block, 0, mail_header_len(block)));
	if (crlf.bare)
		return RC_BAD;
	while (mail_header_next(&it, &f)) {
		if (f.name.n == 0) {
			if (looks_like_from(f.whole))
				return RC_BAD;
			continue;
		}
		if (!str_ieq(f.name, STR("From")))
			continue;
		if (value.p != NULL)
			return RC_BAD;
		value = f.value;
	}
	if (value.p == NULL)
		return RC_NOENT;
	return mail_senders_parse(a, value, out, out_n);
}
