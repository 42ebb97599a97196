#include "tests/unit/mail/tree.h"

static void
add(struct buf *b, struct str s)
{
	if (buf_add(b, s) != RC_OK)
		panic("tree text too long");
}

static void
add_str(struct buf *b, const char *name, struct str s)
{
	if (s.p == NULL)
		return;
	add(b, STR(" "));
	add(b, str_c(name));
	add(b, STR("="));
	add(b, s);
}

static void
add_params(struct buf *b, const struct mail_param *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		add(b, STR("; "));
		add(b, v[i].name);
		add(b, STR("="));
		add(b, v[i].value);
	}
}

static void
add_envelope(struct buf *b, const struct mail_envelope *e)
{
	add_str(b, "date", e->date);
	add_str(b, "subject", e->subject);
	add_str(b, "from", e->from);
	add_str(b, "sender", e->sender);
	add_str(b, "reply-to", e->reply_to);
	add_str(b, "to", e->to);
	add_str(b, "cc", e->cc);
	add_str(b, "bcc", e->bcc);
	add_str(b, "irt", e->in_reply_to);
	add_str(b, "mid", e->message_id);
	add_str(b, "refs", e->references);
	if (buf_fmt(b, " when=%d,%lld,%d", e->date_valid,
		(long long)e->when.unixtime, e->when.zone) != RC_OK)
		panic("tree text too long");
}

static void
add_part(struct buf *b, const struct mail_part *p, unsigned depth, bool full)
{
	struct mail_span h = mail_part_header(p, 0), t = mail_part_body(p, 0);

	if (buf_fmt(b, "%*s%.*s/%.*s %llu+%llu %llu+%llu %llu", 2 * depth, "",
		STRF(p->type), STRF(p->subtype), (unsigned long long)h.off,
		(unsigned long long)h.len, (unsigned long long)t.off,
		(unsigned long long)t.len,
		(unsigned long long)p->body_lines) != RC_OK)
		panic("tree text too long");
	if (full) {
		add_params(b, p->param, p->nparam);
		add_str(b, "id", p->id);
		add_str(b, "desc", p->description);
		add_str(b, "enc", p->encoding);
		add_str(b, "md5", p->md5);
		add_str(b, "disp", p->disposition);
		add_params(b, p->dparam, p->ndparam);
		for (size_t i = 0; i < p->nlanguage; i++)
			add_str(b, "lang", p->language[i]);
		add_str(b, "loc", p->location);
		if (p->envelope != NULL)
			add_envelope(b, p->envelope);
	}
	add(b, STR("\n"));
	for (const struct mail_part *c = p->child; c != NULL; c = c->next)
		add_part(b, c, depth + 1, full);
}

struct str
tree_text(struct arena *a, const struct mail_meta *meta, bool full)
{
	AUTO_BUF b = { 0 };

	buf_init(&b, 64u << 20);
	if (full &&
	    buf_fmt(&b, "%llu %llu %d%d%d %u\n", (unsigned long long)meta->size,
		(unsigned long long)meta->lines, meta->has_nul, meta->has_8bit,
		meta->limited, meta->nparts) != RC_OK)
		panic("tree text too long");
	add_part(&b, meta->root, 0, full);
	return str_dup(a, buf_str(&b));
}
