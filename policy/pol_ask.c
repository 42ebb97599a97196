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

void
pol_ask_all(struct pol_ask *k, const struct dns_question *q, size_t n,
    struct dns_answer *out)
{
	struct dns_question *todo = arena_calloc(k->a, n, sizeof(*todo));
	struct dns_answer *got = arena_calloc(k->a, n, sizeof(*got));
	size_t *at = arena_calloc(k->a, n, sizeof(*at));
	size_t first = k->n, ntodo = 0;

	make_room(k, n);
	for (size_t i = 0; i < n; i++) {
		at[i] = find(k, &q[i]);
		if (at[i] < k->n || k->n == POL_ASK_MAX)
			continue;
		k->seen[k->n].q = q[i];
		k->seen[k->n].q.name = str_lower(k->a, q[i].name);
		todo[ntodo++] = k->seen[k->n++].q;
	}
	if (ntodo > 0)
		k->fn(k->arg, k->a, todo, ntodo, k->dl, got);
	for (size_t i = 0; i < ntodo; i++)
		k->seen[first + i].answer = got[i];
	for (size_t i = 0; i < n; i++)
		out[i] = at[i] < k->n ? k->seen[at[i]].answer
				      : (struct dns_answer){ .rc = RC_TEMP };
}

void
pol_ask_as_fn(void *arg, struct arena *a, const struct dns_question *q,
    size_t n, struct deadline dl, struct dns_answer *out)
{
	(void)a, (void)dl;
	pol_ask_all(arg, q, n, out);
}
