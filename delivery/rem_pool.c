/*
 * Idle connections, by hop: the one used last is taken first, so that the
 * others grow old and go.
 */
#include <utlist.h>

#include "delivery/rem_impl.h"

static bool
idle_for(const struct rem_conn *c, const struct rem_job *j)
{
	return c->job == NULL && !c->dead && c->conf == j->conf &&
	       str_eq(str_c(c->key), j->hop.text);
}

struct rem_conn *
rem_pool_take(struct rem_job *j)
{
	struct rem *r = j->rem;
	struct rem_conn *c, *best = NULL;

	if (r->nidle == 0)
		return NULL;
	DL_FOREACH(r->conns, c)
	if (idle_for(c, j) && (best == NULL || c->due > best->due))
		best = c;
	if (best != NULL) {
		r->nidle--;
		r->counts.idle--;
	}
	return best;
}

bool
rem_pool_keep(struct rem_conn *c)
{
	struct rem *r = c->rem;
	const struct rem_limits *l = &c->conf->limits;
	const struct rem_conn *other;
	unsigned same = 0;

	if (r->stopping || r->waiting != NULL || c->conf != r->conf ||
	    c->c.messages >= l->per_connection || r->nidle >= l->idle_max ||
	    now_ns() - c->born > l->age * INT64_C(1000000))
		return false;
	DL_FOREACH(r->conns, other)
	same += other->job == NULL && !other->dead && other != c &&
		str_eq(str_c(other->key), str_c(c->key));
	if (same >= l->idle_per_hop)
		return false;
	r->nidle++;
	r->counts.idle++;
	return true;
}

bool
rem_pool_evict(struct rem *r)
{
	struct rem_conn *c, *oldest = NULL;

	DL_FOREACH(r->conns, c)
	if (c->job == NULL && !c->dead &&
	    (oldest == NULL || c->due < oldest->due))
		oldest = c;
	if (oldest != NULL)
		rem_conn_close(oldest);
	return oldest != NULL;
}

void
rem_pool_clear(struct rem *r)
{
	while (rem_pool_evict(r))
		;
}
