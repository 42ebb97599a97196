/*
 * A list that is searched from the front: a message asks ten to thirty
 * questions, and comparing lengths first makes most steps one comparison.
 */
#include <string.h>

#include "policy/pol_ask.h"

void
pol_ask_init(struct pol_ask *k, struct arena *a, pol_ask_fn *fn, void *arg,
    struct deadline dl)
{
	*k = (struct pol_ask){ .a = a, .fn = fn, .arg = arg, .dl = dl };
}

/* Its place, or k->n. */
static size_t
find(const struct pol_ask *k, const struct dns_question *q)
{
	size_t i = 0;

	while (i < k->n && (k->seen[i].q.type != q->type ||
			       !str_ieq(k->seen[i].q.name, q->name)))
		i++;
	return i;
}

static void
make_room(struct pol_ask *k, size_t n)
{
	size_t room = MAX(k->room, 16u);
	void *v;

	while (room < k->n + n)
		room *= 2;
	if (room == k->room)
		return;
	v = arena_calloc(k->a, room, sizeof(k->seen[0]));
	if (k->n > 0)
		memcpy(v, k->seen, k->n * sizeof(k->seen[0]));
	k->seen = v;
	k->room = room;
}

/* Where its answer goes; false: it is there, or there is no room for it. */
static bool
must_ask(struct pol_ask *k, const struct dns_question *q, bool over, size_t *at)
{
	*at = find(k, q);
	if (*at < k->n) {
		if (!k->seen[*at].open || over)
			return false;
		k->seen[*at].open = false; /* once in this call */
		return true;
	}
	if (k->n == POL_ASK_MAX)
		return false;
	k->seen[k->n].q = *q;
	k->seen[k->n++].q.name = str_lower(k->a, q->name);
	return true;
}

void
pol_ask_until(struct pol_ask *k, const struct dns_question *q, size_t n,
    struct deadline dl, struct dns_answer *out)
{
	struct dns_question *todo = arena_calloc(k->a, n, sizeof(*todo));
	struct dns_answer *got = arena_calloc(k->a, n, sizeof(*got));
	size_t *at = arena_calloc(k->a, n, sizeof(*at));
	size_t *to = arena_calloc(k->a, n, sizeof(*to)), ntodo = 0;
	bool over;

	dl = deadline_min(dl, k->dl);
	over = deadline_over(dl);
	make_room(k, n);
	for (size_t i = 0; i < n; i++) {
		if (!must_ask(k, &q[i], over, &at[i]))
			continue;
		to[ntodo] = at[i];
		todo[ntodo++] = k->seen[at[i]].q;
	}
	if (ntodo > 0)
		k->fn(k->arg, k->a, todo, ntodo, dl, got);
	over = deadline_over(dl);
	for (size_t i = 0; i < ntodo; i++) {
		k->seen[to[i]].answer = got[i];
		k->seen[to[i]].open = over && got[i].rc == RC_TEMP;
	}
	for (size_t i = 0; i < n; i++)
		out[i] = at[i] < k->n ? k->seen[at[i]].answer
				      : (struct dns_answer){ .rc = RC_TEMP };
}

void
pol_ask_all(struct pol_ask *k, const struct dns_question *q, size_t n,
    struct dns_answer *out)
{
	pol_ask_until(k, q, n, k->dl, out);
}

void
pol_ask_as_fn(void *arg, struct arena *a, const struct dns_question *q,
    size_t n, struct deadline dl, struct dns_answer *out)
{
	(void)a;
	pol_ask_until(arg, q, n, dl, out);
}
