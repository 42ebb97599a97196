/*
 * A place's key in the heap of places is the time of its first job, but not
 * before it was last served: of all places that have something due, the one
 * that waited longest is next, whatever the length of its line.  A place at
 * its limit has the key "never" until one of its jobs ends.
 *
 * When a server goes away, all jobs that are there fail, some at once and some
 * after a long silence.  Counted one by one, the seven tries of one moment put
 * off a place as seven failed probes do: for an hour, by an outage of seconds.
 */
#include <string.h>
#include <utlist.h>

#include "delivery/dlv_sched.h"

#define BACK_MS 1000 /* threads may look at the clock in any order */

#define CONTAINER(p, type, field)                                              \
	((struct type *)(void *)((char *)(p)-offsetof(struct type, field)))

static bool
is_house(const struct dlv_place *p)
{
	return p->hop_n == 0;
}

static unsigned
limit_of(const struct dlv_sched *s, const struct dlv_place *p)
{
	if (is_house(p))
		return s->local;
	return p->fails > 0 ? 1 : s->limit;
}

static void
place_key(struct dlv_sched *s, struct dlv_place *p)
{
	int64_t at = dlv_heap_at(&p->jobs);

	if (p->running >= limit_of(s, p))
		at = DLV_NEVER;
	else if (at != DLV_NEVER)
		at = MAX(at, MAX(p->turn, p->down_until));
	if (is_house(p))
		p->node.at = at;
	else
		dlv_heap_set(&s->places, &p->node, at);
}

static struct dlv_place *
place_of(struct dlv_sched *s, struct str hop)
{
	struct dlv_place *p;

	HASH_FIND(hh, s->by_hop, hop.p, hop.n, p);
	if (p != NULL)
		return p;
	p = xcalloc(1, sizeof(*p) + hop.n + 1);
	if (hop.n > 0)
		memcpy(p->hop, hop.p, hop.n);
	p->hop_n = hop.n;
	HASH_ADD_KEYPTR(hh, s->by_hop, p->hop, p->hop_n, p);
	return p;
}

/* A place is known as long as a message wants to go there. */
static void
place_tidy(struct dlv_sched *s, struct dlv_place *p)
{
	if (is_house(p) || p->jobs.n > 0 || p->running > 0) {
		place_key(s, p);
		return;
	}
	dlv_heap_remove(&s->places, &p->node);
	HASH_DELETE(hh, s->by_hop, p);
	dlv_heap_free(&p->jobs);
	arena_free(&p->a);
	xfree(p);
}

void
dlv_sched_init(struct dlv_sched *s)
{
	*s = (struct dlv_sched){ .limit = 1, .cap = 1, .local = 1 };
	s->house = place_of(s, STR(""));
	s->house->node.at = DLV_NEVER;
}

void
dlv_sched_free(struct dlv_sched *s)
{
	while (s->by_id != NULL) {
		struct dlv_message *m = s->by_id;

		for (struct dlv_job *j = m->jobs; j != NULL; j = j->next) {
			if (j->running)
				dlv_sched_done(s, j, 0);
		}
		dlv_sched_forget(s, m);
	}
	HASH_DELETE(hh, s->by_hop, s->house);
	dlv_heap_free(&s->house->jobs);
	xfree(s->house);
	dlv_heap_free(&s->places);
}

struct dlv_message *
dlv_sched_find(struct dlv_sched *s, struct str id)
{
	struct dlv_message *m;

	HASH_FIND(hh, s->by_id, id.p, id.n, m);
	return m;
}

struct dlv_message *
dlv_sched_add(struct dlv_sched *s, struct str id)
{
	struct dlv_message *m = xcalloc(1, sizeof(*m) + id.n);

	assert(id.n <= DLV_QUEUE_ID_MAX);
	memcpy(m->id, id.p, id.n);
	m->id_n = (uint8_t)id.n;
	m->sum.expires_at = DLV_NEVER;
	HASH_ADD_KEYPTR(hh, s->by_id, m->id, m->id_n, m);
	return m;
}

static void
set_numbers(
    struct dlv_sched *s, struct dlv_message *m, const struct dlv_numbers *sum)
{
	s->sum.ready += sum->ready - m->sum.ready;
	s->sum.held += sum->held - m->sum.held;
	s->sum.poison += sum->poison - m->sum.poison;
	m->sum = *sum;
}

static void
drop_job(struct dlv_sched *s, struct dlv_message *m, struct dlv_job *j)
{
	assert(!j->running);
	LL_DELETE(m->jobs, j);
	dlv_heap_remove(&j->place->jobs, &j->node);
	place_tidy(s, j->place);
	xfree(j);
}

void
dlv_sched_forget(struct dlv_sched *s, struct dlv_message *m)
{
	const struct dlv_numbers none = { .expires_at = DLV_NEVER };

	assert(m->running == 0 && !m->here);
	while (m->jobs != NULL)
		drop_job(s, m, m->jobs);
	set_numbers(s, m, &none);
	if (m->listed)
		DL_DELETE(s->looks, m);
	HASH_DELETE(hh, s->by_id, m);
	xfree(m);
}

void
dlv_sched_look(struct dlv_sched *s, struct dlv_message *m)
{
	m->changed = true;
	m->pokes++;
	if (m->listed || m->looking)
		return;
	m->listed = true;
	DL_APPEND(s->looks, m);
}

struct dlv_message *
dlv_sched_take_look(struct dlv_sched *s)
{
	struct dlv_message *m = s->looks;

	if (m == NULL)
		return NULL;
	DL_DELETE(s->looks, m);
	m->listed = false;
	m->looking = true;
	m->changed = false;
	return m;
}

void
dlv_sched_begin(
    struct dlv_sched *s, struct dlv_message *m, const struct dlv_numbers *sum)
{
	set_numbers(s, m, sum);
	m->noted = s->events;
	for (struct dlv_job *j = m->jobs; j != NULL; j = j->next)
		j->wanted = false;
}

bool
dlv_sched_has(const struct dlv_message *m, struct str hop)
{
	for (const struct dlv_job *j = m->jobs; j != NULL; j = j->next)
		if (str_eq(str_n(j->place->hop, j->place->hop_n), hop))
			return true;
	return false;
}

void
dlv_sched_want(
    struct dlv_sched *s, struct dlv_message *m, struct str hop, int64_t at)
{
	struct dlv_place *p = place_of(s, hop);
	struct dlv_job *j = m->jobs;

	while (j != NULL && j->place != p)
		j = j->next;
	if (j == NULL) {
		j = xcalloc(1, sizeof(*j));
		j->m = m;
		j->place = p;
		LL_PREPEND(m->jobs, j);
	} else if (j->wanted && j->node.at <= at) {
		return;
	}
	j->wanted = true;
	j->blocked = false;
	if (!j->running)
		dlv_heap_set(&p->jobs, &j->node, at);
	place_key(s, p);
}

void
dlv_sched_end(struct dlv_sched *s, struct dlv_message *m)
{
	struct dlv_job *j = m->jobs;

	while (j != NULL) {
		struct dlv_job *next = j->next;

		if (!j->wanted && !j->running)
			drop_job(s, m, j);
		j = next;
	}
}

static void
claim(struct dlv_sched *s, struct dlv_job *j, int64_t now)
{
	struct dlv_place *p = j->place;

	dlv_heap_remove(&p->jobs, &j->node);
	j->running = true;
	j->blocked = false;
	j->pokes = j->m->pokes;
	j->began = s->events;
	p->running++;
	p->turn = now;
	if (is_house(p)) {
		j->m->here = true;
	} else {
		j->m->running++;
		s->running++;
	}
	place_key(s, p);
}

/* The first job of a due place that its message lets run. */
static struct dlv_job *
claim_of(struct dlv_sched *s, struct dlv_place *p, int64_t now)
{
	while (p->node.at <= now && dlv_heap_at(&p->jobs) <= now) {
		struct dlv_job *j =
		    CONTAINER(dlv_heap_top(&p->jobs), dlv_job, node);

		if (!j->m->here && (!is_house(p) || j->m->running == 0)) {
			claim(s, j, now);
			return j;
		}
		/* Whoever runs looks at the message afterwards. */
		j->blocked = true;
		dlv_heap_set(&p->jobs, &j->node, DLV_NEVER);
		place_key(s, p);
	}
	return NULL;
}

static struct dlv_job *
next_elsewhere(struct dlv_sched *s, int64_t now)
{
	struct dlv_job *j = NULL;

	while (j == NULL && s->running < s->cap && now >= s->pause_until &&
	       dlv_heap_at(&s->places) <= now)
		j = claim_of(s,
		    CONTAINER(dlv_heap_top(&s->places), dlv_place, node), now);
	return j;
}

static void
shift_place(struct dlv_sched *s, struct dlv_place *p, int64_t by)
{
	/* All by the same: the heap stays in order. */
	for (size_t i = 0; i < p->jobs.n; i++) {
		if (p->jobs.v[i]->at != DLV_NEVER)
			p->jobs.v[i]->at += by;
	}
	p->turn += by;
	p->down_until += by;
	place_key(s, p);
}

/*
 * A clock that was set back by a day would put off for a day whatever was
 * served or scheduled by the old one.  One that was set forward makes things
 * due, which does no harm: limits and turns are the same.
 */
static void
tick(struct dlv_sched *s, int64_t now)
{
	int64_t by = now - s->now;
	struct dlv_place *p, *tmp;

	s->now = now;
	if (by >= -BACK_MS)
		return;
	HASH_ITER(hh, s->by_hop, p, tmp)
	shift_place(s, p, by);
	s->pause_until += by;
}

int64_t
dlv_sched_at(const struct dlv_sched *s)
{
	int64_t at = dlv_heap_at(&s->places);

	at = s->running >= s->cap ? DLV_NEVER
	     : at == DLV_NEVER    ? at
				  : MAX(at, s->pause_until);
	return MIN(at, s->house->node.at);
}

struct dlv_job *
dlv_sched_next(struct dlv_sched *s, int64_t now, int64_t *out_at)
{
	struct dlv_job *j = NULL;

	tick(s, now);
	s->house_turn = !s->house_turn;
	if (s->house_turn)
		j = claim_of(s, s->house, now);
	if (j == NULL)
		j = next_elsewhere(s, now);
	if (j == NULL)
		j = claim_of(s, s->house, now);
	if (j == NULL)
		*out_at = dlv_sched_at(s);
	return j;
}

struct dlv_job *
dlv_sched_take(struct dlv_sched *s, struct dlv_message *m, int64_t now)
{
	if (m->here || s->running >= s->cap || now < s->pause_until)
		return NULL;
	for (struct dlv_job *j = m->jobs; j != NULL; j = j->next) {
		struct dlv_place *p = j->place;

		/* Nobody jumps a queue. */
		if (is_house(p) || j->running || j->node.at > now ||
		    p->node.at > now || dlv_heap_top(&p->jobs) != &j->node)
			continue;
		claim(s, j, now);
		return j;
	}
	return NULL;
}

void
dlv_sched_done(struct dlv_sched *s, struct dlv_job *j, int64_t now)
{
	struct dlv_place *p = j->place;

	(void)now;
	assert(j->running);
	j->running = false;
	p->running--;
	if (is_house(p)) {
		j->m->here = false;
	} else {
		j->m->running--;
		s->running--;
	}
	/* Until the message has been looked at it does nothing there. */
	dlv_heap_set(&p->jobs, &j->node, DLV_NEVER);
	place_key(s, p);
}

void
dlv_sched_resume(struct dlv_sched *s, struct dlv_message *m, int64_t now)
{
	for (struct dlv_job *j = m->jobs; j != NULL; j = j->next) {
		if (!j->blocked)
			continue;
		j->blocked = false;
		dlv_heap_set(&j->place->jobs, &j->node, now);
		place_key(s, j->place);
	}
}

void
dlv_sched_poke_place(struct dlv_sched *s, struct dlv_place *p)
{
	place_key(s, p);
}

void
dlv_sched_down(struct dlv_sched *s, const struct dlv_job *j, int64_t until,
    const struct dlv_why *why)
{
	struct dlv_place *p = j->place;

	assert(j->running);
	if (j->began >= p->learned) {
		p->learned = ++s->events;
		p->marked = j->began;
		p->fails++;
		p->down_until = until;
	}
	if (p->fails == 0)
		return;
	arena_reset(&p->a);
	p->why = *why;
	p->why.host = str_dup(&p->a, why->host);
	p->why.status = str_dup(&p->a, why->status);
	p->why.reply = str_dup(&p->a, why->reply);
	place_key(s, p);
}

void
dlv_sched_up(struct dlv_sched *s, struct dlv_place *p)
{
	p->learned = ++s->events;
	p->fails = 0;
	p->down_until = 0;
	place_key(s, p);
}

uint64_t
dlv_sched_mark(struct dlv_sched *s)
{
	return ++s->events;
}

void
dlv_sched_revive(struct dlv_sched *s, struct str hop, uint64_t since)
{
	struct dlv_place *p;

	HASH_FIND(hh, s->by_hop, hop.p, hop.n, p);
	if (p != NULL && p->fails > 0 && p->marked < since)
		dlv_sched_up(s, p);
}

const struct dlv_why *
dlv_sched_why(const struct dlv_sched *s, struct str hop)
{
	struct dlv_place *p;

	HASH_FIND(hh, s->by_hop, hop.p, hop.n, p);
	return p != NULL && p->fails > 0 ? &p->why : NULL;
}
