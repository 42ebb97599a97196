/* Loading all keys, and finding those of a domain. */
#include <stdatomic.h>

#include "policy/sgn_ring.h"

/* What signs; the text it was read from is wiped. */
static enum rc
load_keys(struct sgn_ring *r, struct sgn_ring_domain *out)
{
	struct sgn_domain *d = &out->d;
	enum rc rc = RC_OK;

	out->signers = arena_calloc(&r->a, d->n, sizeof(*out->signers));
	for (size_t i = 0; i < d->n; i++) {
		struct sgn_signer *s = &out->signers[i];

		s->selector = d->v[i].sel.name;
		s->alg = d->v[i].pub.alg;
		s->key = sgn_private_new(str_n(d->v[i].pem, d->v[i].pem_n));
		if (s->key != NULL)
			continue;
		d->why = str_fmt(&r->a, "%s/%.*s/%.*s.pem: not understood",
		    r->dir, STRF(d->name), STRF(s->selector));
		rc = RC_TEMP;
	}
	sgn_domain_wipe(d);
	return rc;
}

static void
load_domain(const struct log *log, struct sgn_ring *r, struct str name,
    uid_t owner, struct sgn_ring_domain *out)
{
	enum rc rc = sgn_domain_read(&r->a, r->dir, name, owner, true, &out->d);

	if (rc == RC_OK)
		rc = load_keys(r, out);
	out->rc = RC_OK;
	if (rc != RC_OK) {
		out->rc = RC_TEMP;
		log_error(log, "dkim.key", KV("domain", name),
		    KV("error", out->d.why),
		    KVC("todo", "mail of this domain is deferred until it is "
				"corrected and Gatepost reloaded"));
	}
	for (size_t i = 0; i < out->d.n; i++) {
		const struct sgn_key *k = &out->d.v[i];

		if (k->pub.alg == SGN_RSA && k->pub.bits < SGN_RSA_WEAK)
			log_warn(log, "dkim.weak", KV("domain", name),
			    KV("selector", k->sel.name),
			    KVU("bits", k->pub.bits));
	}
}

struct sgn_ring *
sgn_ring_load(const struct log *log, const char *dir, uid_t owner)
{
	struct sgn_ring *r = xcalloc(1, sizeof(*r));
	struct str *names = NULL;
	size_t n = 0;

	atomic_init(&r->refs, 1);
	r->dir = str_fmt(&r->a, "%s", dir).p;
	if (dir[0] == '\0')
		return r;
	r->rc = sgn_domains(&r->a, r->dir, &names, &n);
	if (r->rc == RC_NOENT)
		r->rc = RC_OK;
	if (r->rc != RC_OK)
		log_error(log, "dkim.dir", KVC("dkim_dir", dir),
		    KVC("error", "cannot be read"),
		    KVC("todo",
			"it must belong to the signer's user; if it was made "
			"since the start, restart"));
	r->v = arena_calloc(&r->a, n, sizeof(*r->v));
	r->n = n;
	for (size_t i = 0; i < n; i++)
		load_domain(log, r, names[i], owner, &r->v[i]);
	log_info(log, "dkim.load", KVC("dkim_dir", dir), KVU("domains", n),
	    KVU("active", sgn_ring_keys(r, SGN_ACTIVE)));
	return r;
}

struct sgn_ring *
sgn_ring_ref(struct sgn_ring *r)
{
	atomic_fetch_add(&r->refs, 1);
	return r;
}

void
sgn_ring_unref(struct sgn_ring **ring)
{
	struct sgn_ring *r = *ring;

	*ring = NULL;
	if (r == NULL || atomic_fetch_sub(&r->refs, 1) > 1)
		return;
	for (size_t i = 0; i < r->n; i++)
		for (size_t k = 0; k < r->v[i].d.n; k++)
			sgn_private_free(&r->v[i].signers[k].key);
	arena_free(&r->a);
	xfree(r);
}

enum rc
sgn_ring_find(const struct sgn_ring *r, struct str domain,
    const struct sgn_ring_domain **out)
{
	size_t lo = 0, hi = r->n;

	if (r->rc != RC_OK)
		return r->rc;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = str_icmp(domain, r->v[mid].d.name);

		if (c == 0) {
			*out = &r->v[mid];
			return r->v[mid].rc;
		}
		if (c < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return RC_NOENT;
}

size_t
sgn_ring_keys(const struct sgn_ring *r, enum sgn_state state)
{
	size_t found = 0;

	for (size_t i = 0; i < r->n; i++)
		for (size_t k = 0; k < r->v[i].d.n; k++)
			found += r->v[i].d.v[k].sel.state == state;
	return found;
}
