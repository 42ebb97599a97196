/*
 * Random operations with a fixed seed on an engine and on a simple model in
 * memory; both must say the same, also after reopening, after compaction and
 * after the index was thrown away.  GP_LONG=1 runs ten times as many.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/store/rig.h"

#define BOXES    8
#define MESSAGES 4000
#define KEYWORDS 4

struct message {
	uint32_t uid;
	uint64_t flags;
	unsigned keywords;
	uint64_t seed;
	size_t size;
	bool gone, changed; /* since the last look */
};

struct box {
	bool exists, subscribed;
	uint32_t uidnext, uidvalidity;
	uint64_t seen_modseq; /* at the last look */
	size_t n;
	bool expunged; /* something, since the last look */
	struct message m[MESSAGES];
};

struct model {
	struct rig *r;
	uint64_t rng;
	struct box *box; /* BOXES for Ann */
	uint64_t next_seed;
};

static const char *const names[BOXES] = { "INBOX", "Drafts", "Sent", "Junk",
	"Trash", "Archive", "Work", "Work/Old" };
static const char *const keywords[KEYWORDS] = { "$Forwarded", "todo", "Red",
	"NonJunk" };

static uint64_t
rnd(struct model *m, uint64_t n)
{
	m->rng ^= m->rng << 13;
	m->rng ^= m->rng >> 7;
	m->rng ^= m->rng << 17;
	return (m->rng >> 11) % n;
}

static struct box *
any_box(struct model *m)
{
	return &m->box[rnd(m, BOXES)];
}

static const char *
name_of(struct model *m, const struct box *b)
{
	return names[b - m->box];
}

static void
any_range(struct model *m, const struct box *b, uint32_t *lo, uint32_t *hi)
{
	*lo = 1 + (uint32_t)rnd(m, b->uidnext);
	*hi = rnd(m, 4) == 0 ? UINT32_MAX : *lo + (uint32_t)rnd(m, 20);
}

static struct message *
add(struct box *b)
{
	assert_true(b->n < MESSAGES);
	b->m[b->n] = (struct message){ .uid = b->uidnext++, .changed = true };
	return &b->m[b->n++];
}

static void
make_box(struct box *b, bool subscribed)
{
	b->exists = true;
	b->subscribed = b->subscribed || subscribed;
	b->uidnext = 1;
	b->n = 0;
	b->seen_modseq = 0;
	b->expunged = false;
}

static void
do_deliver(struct model *m)
{
	struct box *b = any_box(m);
	uint64_t seed = m->next_seed++;
	size_t size = rnd(m, 50) == 0 ? 200000 + rnd(m, 2000000) : rnd(m, 3000);
	struct rig_message msg = rig_message(m->r, seed, size);
	struct message *x;
	uint32_t uid;

	msg.flags = rnd(m, 32);
	uid = rig_deliver(m->r, ANN, name_of(m, b), &msg);
	if (!b->exists) {
		make_box(b, true);
		if (b == &m->box[7] && !m->box[6].exists)
			make_box(&m->box[6], false);
	}
	x = add(b);
	x->flags = msg.flags;
	x->seed = seed;
	x->size = size;
	assert_int_equal(uid, x->uid);
}

static void
do_flags(struct model *m)
{
	struct box *b = any_box(m);
	enum store_flag_op op = (enum store_flag_op)rnd(m, 3);
	uint64_t flags = rnd(m, 32);
	unsigned k = (unsigned)rnd(m, KEYWORDS + 1);
	struct engine_result out;
	bool any = false;
	uint32_t lo, hi;

	if (!b->exists)
		return;
	any_range(m, b, &lo, &hi);
	assert_int_equal(rig_flags(m->r, ANN, name_of(m, b), lo, hi, op, flags,
			     k < KEYWORDS ? keywords[k] : NULL, &out),
	    RC_OK);
	for (size_t i = 0; i < b->n; i++) {
		struct message *x = &b->m[i];
		unsigned bit = k < KEYWORDS ? 1u << k : 0;
		uint64_t f = x->flags;
		unsigned w = x->keywords;

		if (x->gone || x->uid < lo || x->uid > hi)
			continue;
		if (op == STORE_FLAGS_SET) {
			f = flags;
			w = bit;
		} else if (op == STORE_FLAGS_ADD) {
			f |= flags;
			w |= bit;
		} else {
			f &= ~flags;
			w &= ~bit;
		}
		if (f == x->flags && w == x->keywords)
			continue;
		any = x->changed = true;
		x->flags = f;
		x->keywords = w;
	}
	if (any)
		assert_true(out.modseq > 0);
}

static void
do_expunge(struct model *m)
{
	struct box *b = any_box(m);
	uint32_t lo, hi;

	if (!b->exists)
		return;
	any_range(m, b, &lo, &hi);
	assert_int_equal(
	    rig_expunge(m->r, ANN, name_of(m, b), lo, hi, NULL), RC_OK);
	for (size_t i = 0; i < b->n; i++) {
		struct message *x = &b->m[i];

		if (!x->gone && x->uid >= lo && x->uid <= hi &&
		    (x->flags & STORE_DELETED))
			x->gone = b->expunged = true;
	}
}

static void
do_copy(struct model *m)
{
	struct box *from = any_box(m), *to = any_box(m);
	bool move = rnd(m, 2) == 0;
	size_t n = from->n;
	struct engine_result out;
	uint32_t lo, hi;

	if (!from->exists || !to->exists || to->n + 100 > MESSAGES)
		return;
	any_range(m, from, &lo, &hi);
	hi = MIN(hi, lo + 30);
	assert_int_equal(rig_copy(m->r, ANN, name_of(m, from), lo, hi,
			     name_of(m, to), move, &out),
	    RC_OK);
	for (size_t i = 0; i < n; i++) {
		struct message *x = &from->m[i], *y;

		if (x->gone || x->uid < lo || x->uid > hi)
			continue;
		y = add(to);
		y->flags = x->flags;
		y->keywords = x->keywords;
		y->seed = x->seed;
		y->size = x->size;
		if (move)
			x->gone = from->expunged = true;
	}
	assert_int_equal(
	    uid_set_count(&out.copied.from), uid_set_count(&out.copied.to));
}

static void
do_names(struct model *m)
{
	struct box *b = any_box(m);
	const char *name = name_of(m, b);
	bool on = rnd(m, 2) == 0;
	enum rc rc;

	switch (rnd(m, 3)) {
	case 0:
		rc = rig_name_op(m->r, ENGINE_CREATE, ANN, name, NULL, false);
		assert_int_equal(rc, b->exists ? RC_DENY : RC_OK);
		if (!b->exists) {
			make_box(b, false);
			if (b == &m->box[7] && !m->box[6].exists)
				make_box(&m->box[6], false);
		}
		break;
	case 1:
		rc = rig_delete(m->r, ANN, name);
		assert_int_equal(rc, b == m->box ? RC_DENY
				     : b->exists ? RC_OK
						 : RC_NOENT);
		if (b != m->box)
			b->exists = false;
		break;
	default:
		assert_int_equal(
		    rig_name_op(m->r, ENGINE_SUBSCRIBE, ANN, name, NULL, on),
		    RC_OK);
		b->subscribed = on;
	}
}

static unsigned
keywords_of(const struct store_mailbox *mb, uint64_t flags)
{
	unsigned out = 0;

	for (unsigned i = 0; i < STORE_KEYWORDS_MAX; i++)
		for (unsigned k = 0; k < KEYWORDS; k++)
			if ((flags & UINT64_C(1) << (i + 8)) &&
			    str_eq(mb->keywords[i], str_c(keywords[k])))
				out |= 1u << k;
	return out;
}

/* What CONDSTORE and QRESYNC would be told since the last look. */
static void
check_since(struct model *m, struct box *b, const struct store_mailbox *mb)
{
	struct store_row *rows =
	    arena_calloc(&m->r->a, MESSAGES, sizeof(*rows));
	AUTO_VIEW *v = NULL;
	struct uid_set gone;
	size_t n;

	assert_int_equal(store_view_begin(m->r->reader, &v), RC_OK);
	assert_int_equal(store_rows_since(v, mb->id, b->seen_modseq, 1,
			     UINT32_MAX, rows, MESSAGES, &n),
	    RC_OK);
	for (size_t i = 0, k = 0; i < b->n; i++) {
		bool told = k < n && rows[k].uid == b->m[i].uid;

		k += told;
		assert_int_equal(told, !b->m[i].gone && b->m[i].changed);
		b->m[i].changed = false;
	}
	assert_int_equal(
	    store_expunged(v, &m->r->a, mb->id, b->seen_modseq, &gone), RC_OK);
	assert_int_equal(gone.n > 0, b->expunged);
	assert_int_equal(store_expunged(v, &m->r->a, mb->id, 0, &gone), RC_OK);
	for (size_t i = 0, k = 0; i < b->n; i++) {
		while (k < gone.n && gone.v[k].hi < b->m[i].uid)
			k++;
		assert_int_equal(
		    k < gone.n && gone.v[k].lo <= b->m[i].uid, b->m[i].gone);
	}
	b->expunged = false;
	b->seen_modseq = mb->highest_modseq;
}

static void
check_box(struct model *m, struct box *b)
{
	struct store_mailbox mb;
	struct store_row *rows;
	size_t n, k = 0, unseen = 0, deleted = 0;
	uint64_t bytes = 0;
	bool there = rig_find(m->r, ANN, name_of(m, b), &mb);

	assert_int_equal(there, b->exists || b->subscribed);
	if (!there)
		return;
	assert_int_equal(mb.exists, b->exists);
	assert_int_equal(mb.subscribed, b->subscribed);
	if (!b->exists)
		return;
	n = rig_rows(m->r, mb.id, &rows);
	for (size_t i = 0; i < b->n; i++) {
		struct message *x = &b->m[i];
		struct rig_message msg;

		if (x->gone)
			continue;
		assert_true(k < n);
		assert_int_equal(rows[k].uid, x->uid);
		assert_int_equal(rows[k].flags & 0xff, x->flags);
		assert_int_equal(keywords_of(&mb, rows[k].flags), x->keywords);
		unseen += !(x->flags & STORE_SEEN);
		deleted += (x->flags & STORE_DELETED) != 0;
		bytes += rows[k].size;
		k++;
		if (rnd(m, 40) != 0)
			continue;
		msg = rig_message(m->r, x->seed, x->size);
		rig_expect(m->r, ANN, name_of(m, b), x->uid, &msg);
	}
	assert_int_equal(k, n);
	assert_int_equal(mb.messages, n);
	assert_int_equal(mb.unseen, unseen);
	assert_int_equal(mb.deleted, deleted);
	assert_int_equal(mb.bytes, bytes);
	assert_int_equal(mb.uidnext, b->uidnext);
	check_since(m, b, &mb);
	if (b->uidvalidity != 0 && b->uidvalidity != mb.uidvalidity)
		assert_true(mb.uidvalidity > b->uidvalidity);
	b->uidvalidity = mb.uidvalidity;
}

static void
check_all(struct model *m)
{
	for (size_t i = 0; i < BOXES; i++)
		check_box(m, &m->box[i]);
	arena_reset(&m->r->a);
}

static void
engine_agrees_with_the_model(void **state)
{
	static void (*const ops[])(struct model *) = { do_deliver, do_deliver,
		do_deliver, do_flags, do_flags, do_expunge, do_copy, do_names };
	struct model m = { .r = *state, .rng = 88172645463325252u };
	size_t steps = rig_long() ? 15000 : 1500;

	m.box = xcalloc(BOXES, sizeof(*m.box));
	assert_int_equal(rig_ensure(m.r, ANN), RC_OK);
	for (size_t i = 0; i < 6; i++)
		make_box(&m.box[i], true);
	for (size_t i = 0; i < steps; i++) {
		ops[rnd(&m, COUNT(ops))](&m);
		if (i % 50 == 49)
			check_all(&m);
		if (i % 200 == 199)
			rig_reopen(m.r);
		if (i % 150 == 149)
			assert_int_equal(rig_compact(m.r), RC_OK);
		if (i % 500 == 499)
			rig_rebuild(m.r);
		/* Full ones begin anew. */
		for (size_t b = 1; b < BOXES; b++)
			if (m.box[b].exists && m.box[b].n > MESSAGES / 2) {
				assert_int_equal(
				    rig_delete(m.r, ANN, names[b]), RC_OK);
				m.box[b].exists = false;
			}
		if (m.box[0].n > MESSAGES - 200)
			break;
	}
	check_all(&m);
	assert_int_equal(rig_compact(m.r), RC_OK);
	check_all(&m);
	rig_rebuild(m.r);
	check_all(&m);
	xfree(m.box);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    engine_agrees_with_the_model, rig_setup, rig_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
