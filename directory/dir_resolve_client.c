/*
 * What comes out of the map is not mapped again.  Only what the directory does
 * not know is a subaddress or goes to the catch-all, so an address that exists
 * is always itself.
 */
#include "directory/dir_resolve_client.h"

struct dir_target
dir_target_of(const struct conf *conf, struct str address)
{
	size_t at = str_rchr(address, '@');

	return (struct dir_target){
		.address = address,
		.foreign =
		    !conf_is_local_domain(conf, str_from(address, at + 1)),
	};
}

static enum rc
map(const struct dir_resolve *r, struct arena *a, const struct addr *rcpt,
    struct str **out, size_t *n)
{
	struct addr base;

	if (mail_rules_recipient(r->rules, a, rcpt, out, n) == RC_OK)
		return RC_OK;
	if (mail_subaddress(r->a, rcpt, r->conf->subaddress, &base) != RC_OK)
		return RC_NOENT;
	return mail_rules_recipient(r->rules, a, &base, out, n);
}

enum rc
dir_resolve_map(const struct dir_resolve *r, struct arena *a,
    const struct addr *rcpt, struct dir_target **out, size_t *out_n)
{
	struct str *to;
	size_t n;

	if (map(r, a, rcpt, &to, &n) != RC_OK)
		return RC_NOENT;
	*out = arena_calloc(a, n, sizeof(**out));
	for (size_t i = 0; i < n; i++)
		(*out)[i] = dir_target_of(r->conf, to[i]);
	*out_n = n;
	return RC_OK;
}

/* Any number of addresses, in as many questions as that takes. */
static void
ask(const struct dir_resolve *r, const struct str *q, size_t n,
    struct dir_rcpt *out)
{
	for (size_t i = 0; i < n; i += DIR_RCPTS_MAX) {
		size_t some = MIN(n - i, DIR_RCPTS_MAX);

		if (dir_rcpts(r->dir, r->a, q + i, some, r->authenticated,
			deadline_in(r->timeout_ms), out + i) == RC_OK)
			continue;
		for (size_t k = i; k < i + some; k++)
			out[k] = (struct dir_rcpt){ .rc = RC_TEMP,
				.why = STR("no answer from the directory") };
	}
}

/* What may stand for an address that the directory does not know. */
struct miss {
	struct dir_target *t;
	struct str base, catch_all; /* "" none */
	size_t base_at, catch_at;   /* in the question */
	bool catch_foreign;
};

static bool
is_miss(const struct dir_resolve *r, struct dir_target *t, struct miss *m)
{
	struct addr x, base;

	if (t->foreign || t->is.rc != RC_NOENT ||
	    mail_addr_parse(r->a, t->address, &x) != RC_OK)
		return false;
	*m = (struct miss){ .t = t };
	if (mail_subaddress(r->a, &x, r->conf->subaddress, &base) == RC_OK)
		m->base = mail_addr_text(r->a, &base);
	m->catch_all = mail_rules_catch_all(r->rules, x.domain);
	if (m->catch_all.n > 0)
		m->catch_foreign = dir_target_of(r->conf, m->catch_all).foreign;
	return m->base.n > 0 || m->catch_all.n > 0;
}

static void
settle(const struct miss *m, const struct dir_rcpt *r)
{
	struct dir_target *t = m->t;

	/* The full address stays: Delivered-To shows the detail. */
	if (m->base.n > 0 && r[m->base_at].rc != RC_NOENT) {
		t->is = r[m->base_at];
		return;
	}
	if (m->catch_all.n == 0)
		return;
	if (m->catch_foreign) {
		t->foreign = true;
		t->is = (struct dir_rcpt){ .rc = RC_OK, .kind = DIR_ELSEWHERE };
	} else {
		t->is = r[m->catch_at];
	}
	if (t->is.kind != DIR_USER)
		t->address = m->catch_all;
}

static void
second_question(const struct dir_resolve *r, struct dir_target **v, size_t n)
{
	struct miss *miss = arena_calloc(r->a, n, sizeof(*miss));
	struct str *q = arena_calloc(r->a, n * 2, sizeof(*q));
	struct dir_rcpt *is = arena_calloc(r->a, n * 2, sizeof(*is));
	size_t nmiss = 0, nq = 0;

	for (size_t i = 0; i < n; i++) {
		struct miss *m = &miss[nmiss];

		if (!is_miss(r, v[i], m))
			continue;
		nmiss++;
		if (m->base.n > 0) {
			m->base_at = nq;
			q[nq++] = m->base;
		}
		if (m->catch_all.n > 0 && !m->catch_foreign) {
			m->catch_at = nq;
			q[nq++] = m->catch_all;
		}
	}
	ask(r, q, nq, is);
	for (size_t i = 0; i < nmiss; i++)
		settle(&miss[i], is);
}

void
dir_resolve_ask(const struct dir_resolve *r, struct dir_target **v, size_t n)
{
	struct str *q = arena_calloc(r->a, n, sizeof(*q));
	struct dir_rcpt *is = arena_calloc(r->a, n, sizeof(*is));
	size_t nq = 0, k = 0;
	bool missing = false;

	for (size_t i = 0; i < n; i++) {
		if (v[i]->foreign)
			v[i]->is = (struct dir_rcpt){ .rc = RC_OK,
				.kind = DIR_ELSEWHERE };
		else
			q[nq++] = v[i]->address;
	}
	ask(r, q, nq, is);
	for (size_t i = 0; i < n; i++) {
		if (v[i]->foreign)
			continue;
		v[i]->is = is[k++];
		missing = missing || v[i]->is.rc == RC_NOENT;
	}
	if (missing)
		second_question(r, v, n);
}

enum rc
dir_resolve_one(const struct dir_resolve *r, struct str address,
    struct dir_target **out, size_t *out_n)
{
	struct dir_target *v, **each;
	struct addr x;
	size_t n = 1, k = 0;

	if (address.n == 0 || mail_addr_parse(r->a, address, &x) != RC_OK)
		return RC_NOENT;
	if (dir_resolve_map(r, r->a, &x, &v, &n) != RC_OK) {
		v = arena_calloc(r->a, 1, sizeof(*v));
		*v = dir_target_of(r->conf, mail_addr_text(r->a, &x));
	}
	each = arena_calloc(r->a, n, sizeof(struct dir_target *));
	for (size_t i = 0; i < n; i++)
		each[i] = &v[i];
	dir_resolve_ask(r, each, n);
	for (size_t i = 0; i < n; i++) {
		if (v[i].is.rc == RC_TEMP)
			return RC_TEMP;
		if (v[i].is.rc == RC_OK)
			v[k++] = v[i];
	}
	*out = v;
	*out_n = k;
	return k > 0 ? RC_OK : RC_NOENT;
}
