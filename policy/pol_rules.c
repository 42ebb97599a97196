/*
 * The file also holds the gateway's rules; mail_rules_headers leaves the lines
 * of ours where they were, so that a hit can name its line.
 */
#include <stdatomic.h>
#include <stdlib.h>

#include "mail/rules.h"
#include "policy/pol_rules.h"

struct pol_rules {
	_Atomic int refs;
	struct arena a;
	struct pol_headers *headers;
};

static enum rc
parse(struct pol_rules *r, struct str text, struct str *why)
{
	AUTO_BUF b = { 0 };

	buf_init(&b, RULES_BYTES_MAX);
	*why = STR("too large");
	if (mail_rules_headers(text, &b) != RC_OK)
		return RC_BAD;
	return pol_headers_parse(&r->a, buf_str(&b), &r->headers, why);
}

enum rc
pol_rules_load(
    const struct log *log, struct ipc_in *in, const struct pol_rules **out)
{
	struct pol_rules *r = xcalloc(1, sizeof(*r));
	const struct pol_rules *done = r;
	struct str text = STR(""), why = STR("not a sealed file");
	AUTO_ARENA a = { 0 };
	AUTO_FD fd = -1;
	enum rc rc = RC_OK;

	r->refs = 1;
	if (ipc_get_fd(in, "rules", &fd) == RC_OK)
		rc = fd_read_sealed(&a, fd, RULES_BYTES_MAX, &text);
	if (rc == RC_OK)
		rc = parse(r, text, &why);
	if (rc == RC_OK) {
		*out = r;
		return RC_OK;
	}
	log_error(log, "rules.load", KV("error", why));
	pol_rules_unref(&done);
	return RC_BAD;
}

const struct pol_rules *
pol_rules_ref(const struct pol_rules *r)
{
	struct pol_rules *m = (struct pol_rules *)(uintptr_t)r;

	if (m != NULL)
		atomic_fetch_add(&m->refs, 1);
	return r;
}

void
pol_rules_unref(const struct pol_rules **r)
{
	struct pol_rules *m = (struct pol_rules *)(uintptr_t)*r;

	*r = NULL;
	if (m == NULL || atomic_fetch_sub(&m->refs, 1) > 1)
		return;
	pol_headers_free(&m->headers);
	arena_free(&m->a);
	xfree(m);
}

const struct pol_headers *
pol_rules_headers(const struct pol_rules *r)
{
	return r != NULL ? r->headers : NULL;
}

static void
take_hit(
    struct arena *a, const struct pol_headers_hit *hit, struct pol_hits *out)
{
	switch (hit->action) {
	case POL_HEADERS_IGNORE:
		out->cut[out->ncut++] = (struct pol_cut){ hit->off, hit->len };
		break;
	case POL_HEADERS_PREPEND:
		out->edits = str_fmt(
		    a, "%.*s%.*s\r\n", STRF(out->edits), STRF(hit->text));
		break;
	case POL_HEADERS_WARN:
		break;
	default:
		out->action = hit->action;
		out->text = hit->text;
		out->line = hit->line;
	}
}

void
pol_rules_run(const struct log *log, const struct pol_headers *h,
    struct arena *a, struct str header, struct pol_hits *out)
{
	struct pol_headers_result r;

	*out = (struct pol_hits){ .text = STR(""), .edits = STR("") };
	if (h == NULL)
		return;
	pol_headers_run(h, a, header, &r);
	out->cut = arena_calloc(a, r.n, sizeof(*out->cut));
	for (size_t i = 0; i < r.n; i++) {
		const struct pol_headers_hit *hit = &r.hit[i];

		log_info(log, "policy.header",
		    KVC("action", pol_headers_action_name(hit->action)),
		    KVU("line", hit->line),
		    KV("field", str_sub(header, hit->off, MIN(hit->len, 200))),
		    KV("text", hit->text));
		take_hit(a, hit, out);
	}
	out->cut_short = r.cut_short;
	if (r.gave_up > 0)
		log_warn(log, "policy.header_gave_up", KVU("times", r.gave_up));
}

static int
by_offset(const void *x, const void *y)
{
	const struct pol_cut *a = x, *b = y;

	return (a->off > b->off) - (a->off < b->off);
}

enum rc
pol_rules_cut(
    struct arena *a, const struct pol_hits *hits, struct pol_verdict *v)
{
	struct pol_cut *all;
	size_t n = v->ncut, k = 0;

	if (hits->ncut == 0)
		return RC_OK;
	all = arena_calloc(a, n + hits->ncut, sizeof(*all));
	for (size_t i = 0; i < n; i++)
		all[i] = v->cut[i];
	for (size_t i = 0; i < hits->ncut; i++)
		all[n + i] = hits->cut[i];
	n += hits->ncut;
	qsort(all, n, sizeof(*all), by_offset);
	for (size_t i = 0; i < n; i++) {
		uint64_t end = all[i].off + all[i].len;
		struct pol_cut *last = k > 0 ? &all[k - 1] : NULL;

		if (last != NULL && all[i].off <= last->off + last->len)
			last->len = MAX(last->off + last->len, end) - last->off;
		else
			all[k++] = all[i];
	}
	if (k > POL_CUTS_MAX)
		return RC_BAD;
	v->cut = all;
	v->ncut = k;
	return RC_OK;
}
