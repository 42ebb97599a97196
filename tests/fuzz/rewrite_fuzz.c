/*
 * Rewriting keeps every field but the addresses that match: the same fields,
 * the same entries with the same names, each address as it was or as the map
 * says, no line that is too long now, and no line that is empty now.
 */
#include "mail/addrlist.h"
#include "mail/header.h"
#include "mail/rewrite.h"
#include "tests/fuzz/fuzz.h"

#define LONG                                                                   \
	"a-name-that-is-as-long-as-sixty-three-characters-in-a-label-ok."      \
	"a-name-that-is-as-long-as-sixty-three-characters-in-a-label-ok"

/* By the first letter: stays, another address, a long domain. */
static enum rc
map(void *ctx, bool sender, const struct addr *x, struct str *out)
{
	struct addr y = { x->local, STR(LONG) };

	if (x->local.p[0] % 3 == 0)
		return RC_NOENT;
	if (x->local.p[0] % 3 == 1)
		*out = sender ? STR("from@new.example") : STR("n@e.w");
	else
		*out = mail_addr_text(ctx, &y);
	return RC_OK;
}

static struct str
apply(struct arena *a, struct str in, const struct mail_patches *v)
{
	size_t at = 0;
	AUTO_BUF b = { 0 };

	buf_init(&b, 64u << 20);
	for (size_t i = 0; i < v->n; i++) {
		const struct mail_patch *p = &v->v[i];

		PROMISE(p->off >= at && p->off <= in.n);
		PROMISE(p->len <= in.n - p->off);
		PROMISE(buf_add(&b, str_sub(in, at, p->off - at)) == RC_OK);
		PROMISE(buf_add(&b, p->text) == RC_OK);
		at = p->off + p->len;
	}
	PROMISE(buf_add(&b, str_from(in, at)) == RC_OK);
	return str_dup(a, buf_str(&b));
}

static size_t
longest_line(struct str s, size_t *white)
{
	size_t most = 0, n;

	for (*white = 0; s.n > 0; s = str_from(s, n + 2)) {
		struct str line;

		n = str_find(s, STR("\r\n"));
		line = str_trim(str_sub(s, 0, n));
		*white += n > 0 && line.n == 0;
		most = MAX(most, n);
	}
	return most;
}

static void
same_addresses(struct arena *a, struct str was, struct str is)
{
	struct mail_addrlist x, y;

	mail_addrlist_parse(a, was, &x);
	mail_addrlist_parse(a, is, &y);
	PROMISE(x.n == y.n);
	for (size_t i = 0; i < x.n; i++) {
		const struct mail_entry *e = &x.v[i], *n = &y.v[i];

		PROMISE(e->kind == n->kind);
		PROMISE(str_eq(e->adl, n->adl));
		if (str_eq(e->mailbox, n->mailbox) && str_eq(e->host, n->host))
			continue;
		PROMISE(e->kind == MAIL_MAILBOX && e->host.n > 0);
		PROMISE(str_eq(n->host, STR("new.example")) ||
			str_eq(n->host, STR("e.w")) ||
			str_eq(n->host, STR(LONG)));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_n(data, size), out;
	struct mail_header_iter was, is;
	struct mail_patches v, again;
	struct mail_field f, g;
	size_t white, white_now, most;
	AUTO_ARENA a = { 0 };

	if (size > 64u << 10)
		return 0;
	mail_rewrite(&a, in, map, &a, &v);
	out = apply(&a, in, &v);
	PROMISE(out.n == mail_patched_len(in, &v));
	most = longest_line(in, &white);
	PROMISE(longest_line(out, &white_now) <= MAX(most, MAIL_LINE_MAX));
	PROMISE(white_now <= white);
	was.rest = in;
	is.rest = out;
	while (mail_header_next(&was, &f)) {
		PROMISE(mail_header_next(&is, &g));
		PROMISE(str_eq(f.name, g.name));
		if (!str_eq(f.whole, g.whole))
			same_addresses(&a, f.value, g.value);
	}
	PROMISE(!mail_header_next(&is, &g));
	PROMISE(str_eq(was.rest, is.rest));
	/* What was written is understood again. */
	mail_rewrite(&a, out, map, &a, &again);
	return 0;
}
