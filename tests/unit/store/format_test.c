/* The bytes: sums, records, segments, key file, names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/keys.h"
#include "store/name.h"
#include "store/seglog.h"
#include "store/sum.h"
#include "tests/unit/store/rig.h"

struct place {
	struct log_sink *sink;
	struct log log;
	char dir[64];
	struct arena a;
};

static int
set_up(void **state)
{
	struct place *p = xcalloc(1, sizeof(*p));

	/* What is damaged on purpose is said in the log: not to us. */
	p->sink = log_sink_new(open("/dev/null", O_WRONLY), "test", LOG_ERROR);
	p->log.sink = p->sink;
	(void)snprintf(p->dir, sizeof(p->dir), "/tmp/gp-format.XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	assert_int_equal(mkdir(str_fmt(&p->a, "%s/log", p->dir).p, 0700), 0);
	*state = p;
	return 0;
}

static int
tear_down(void **state)
{
	struct place *p = *state;

	rig_remove_tree(p->dir);
	arena_free(&p->a);
	log_sink_free(&p->sink);
	xfree(p);
	return 0;
}

/* Vectors of the reference implementation (xxhsum 0.8.1). */
static void
sum_is_xxh64(void **state)
{
	char data[101];

	(void)state;
	assert_int_equal(sum_of(0, "", 0), 0xef46db3751d8e999u);
	assert_int_equal(sum_of(0, "a", 1), 0xd24ec4f1a98c6e5bu);
	assert_int_equal(sum_of(0, "abc", 3), 0x44bc2cf5ad770999u);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)i;
	for (size_t cut = 0; cut <= sizeof(data); cut++) {
		struct sum s;

		sum_init(&s, 42);
		sum_add(&s, data, cut);
		sum_add(&s, data + cut, sizeof(data) - cut);
		assert_int_equal(sum_end(&s), sum_of(42, data, sizeof(data)));
	}
	assert_int_not_equal(sum_of(1, "abc", 3), sum_of(2, "abc", 3));
}

static void
operations_come_back_as_they_were_put(void **state)
{
	struct place *p = *state;
	struct uid_range uids[] = { { 1, 3 }, { 7, 7 } };
	struct rec_flags f = { 5, 9, 0xff, 0x3, { uids, 2 } };
	struct rec_deliver d = { .mailbox = 5,
		.uid = 8,
		.key = 2,
		.modseq = 10,
		.flags = 1,
		.size = 1000,
		.prefix_len = 30,
		.internal_date = -5,
		.save_date = 6,
		.letter = STR("letter") };
	struct rec_opid o = { 12, STR("id"), STR("result") };
	AUTO_BUF b;
	struct enc e = { &b, false };
	struct rec_op op;
	struct str ops;

	buf_init(&b, 4096);
	rec_put_flags(&e, &f);
	rec_put_deliver(&e, &d);
	rec_put_opid(&e, &o);
	assert_false(e.bad);
	ops = buf_str(&b);
	assert_int_equal(rec_next(&p->a, &ops, &op), RC_OK);
	assert_int_equal(op.type, REC_FLAGS);
	assert_int_equal(op.flags.uids.n, 2);
	assert_int_equal(op.flags.uids.v[1].lo, 7);
	assert_int_equal(op.flags.clear, 0xff);
	assert_int_equal(rec_next(&p->a, &ops, &op), RC_OK);
	assert_int_equal(op.type, REC_DELIVER);
	assert_int_equal(op.deliver.internal_date, -5);
	assert_true(str_eq(op.deliver.letter, STR("letter")));
	assert_int_equal(rec_next(&p->a, &ops, &op), RC_OK);
	assert_true(str_eq(op.opid.result, STR("result")));
	assert_int_equal(rec_next(&p->a, &ops, &op), RC_NOENT);
	/* Every cut is malformed, none is taken for less. */
	for (size_t n = 1; n < b.n; n++) {
		enum rc rc;

		ops = str_n(b.p, n);
		while ((rc = rec_next(&p->a, &ops, &op)) == RC_OK)
			;
		assert_true(rc == RC_BAD || rc == RC_NOENT);
	}
	b.p[0] = 99; /* a type of a later version */
	ops = buf_str(&b);
	assert_int_equal(rec_next(&p->a, &ops, &op), RC_DENY);
}

struct seen {
	size_t n;
	uint64_t last;
};

static enum rc
count_record(void *ctx, const struct seglog_seen *rec)
{
	struct seen *s = ctx;

	assert_true(rec->pos > s->last);
	s->last = rec->pos;
	s->n++;
	return RC_OK;
}

static void
put(struct seglog *l, size_t n, char c, bool sync)
{
	char *data = xmalloc(n);
	struct str s = { data, n };
	uint64_t pos;
	enum rc rc;

	memset(data, c, n);
	rc = seglog_begin(l, n, &pos);
	if (rc == RC_NOENT) {
		assert_int_equal(seglog_sync(l), RC_OK);
		assert_int_equal(seglog_roll(l), RC_OK);
		rc = seglog_begin(l, n, &pos);
	}
	assert_int_equal(rc, RC_OK);
	seglog_end(l, &s, 1);
	assert_int_equal(seglog_write(l), RC_OK);
	if (sync)
		assert_int_equal(seglog_sync(l), RC_OK);
	xfree(data);
}

static struct seglog_conf
conf_of(const struct place *p)
{
	return (struct seglog_conf){ .dir = p->dir,
		.segment_bytes = 4096,
		.io = &io_system,
		.inline_prepare = true };
}

static struct seglog_scan
scan(struct place *p, enum rc want, struct seen *seen)
{
	struct seglog_conf conf = conf_of(p);
	struct seglog_pos from = { 0 };
	struct seglog_scan out;

	*seen = (struct seen){ 0 };
	assert_int_equal(
	    seglog_scan(&p->log, &conf, &from, count_record, seen, &p->a, &out),
	    want);
	return out;
}

static void
damage(struct place *p, uint64_t pos, size_t n)
{
	char path[200];
	char junk[16] = "damage, damage!";
	AUTO_FD fd = -1;

	seglog_path(p->dir, POS_SEG(pos), path, sizeof(path));
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, junk, MIN(n, sizeof(junk)), POS_OFF(pos)),
	    MIN(n, sizeof(junk)));
}

static void
log_is_read_over_segments_and_continued(void **state)
{
	struct place *p = *state;
	struct seglog_conf conf = conf_of(p);
	struct seglog_pos none = { 0 };
	struct seglog_scan out;
	struct seglog *l;
	struct seen seen;

	assert_int_equal(seglog_open(&p->log, &conf, &none, 1, &l), RC_OK);
	for (size_t i = 0; i < 30; i++)
		put(l, 100 + i * 40, (char)i, true);
	put(l, 20000, 'x', true); /* larger than a segment */
	put(l, 10, 'y', true);
	seglog_close(&l);
	out = scan(p, RC_OK, &seen);
	assert_int_equal(seen.n, 32);
	assert_int_equal(out.records, 32);
	assert_true(out.segments > 5);
	assert_int_equal(
	    seglog_open(&p->log, &conf, &out.end, out.segments + 1, &l), RC_OK);
	put(l, 500, 'z', true);
	seglog_close(&l);
	(void)scan(p, RC_OK, &seen);
	assert_int_equal(seen.n, 33);
}

/* The end may be torn; what was durable may not be damaged. */
static void
torn_tail_is_told_from_damage(void **state)
{
	struct place *p = *state;
	struct seglog_conf conf = conf_of(p);
	struct seglog_pos none = { 0 }, first, last;
	struct seglog *l;
	struct seen seen;

	assert_int_equal(seglog_open(&p->log, &conf, &none, 1, &l), RC_OK);
	put(l, 100, 'a', true);
	first = seglog_at(l);
	put(l, 100, 'b', true);
	last = seglog_at(l);
	put(l, 100, 'c', false);
	put(l, 100, 'd', false);
	seglog_close(&l);
	damage(p, last.pos + REC_HEADER, 4);
	assert_int_equal(scan(p, RC_OK, &seen).end.pos, last.pos);
	assert_int_equal(seen.n, 2);
	damage(p, first.pos + REC_HEADER, 4);
	assert_true(scan(p, RC_BAD, &seen).damaged);
	assert_int_equal(seen.n, 1);
}

static void
later_segment_gives_a_lost_end_away(void **state)
{
	struct place *p = *state;
	struct seglog_conf conf = conf_of(p);
	struct seglog_pos none = { 0 }, at;
	struct seglog *l;
	struct seen seen;

	assert_int_equal(seglog_open(&p->log, &conf, &none, 1, &l), RC_OK);
	put(l, 3000, 'a', true);
	at = seglog_at(l);
	put(l, 500, 'b', true);
	put(l, 3000, 'c', true);
	seglog_close(&l);
	damage(p, at.pos, 8);
	assert_true(scan(p, RC_BAD, &seen).damaged);
}

static void
later_format_and_foreign_segment_are_refused(void **state)
{
	struct place *p = *state;
	struct seglog_conf conf = conf_of(p);
	struct seglog_pos none = { 0 };
	struct seg_header h = { .format = SEGLOG_FORMAT + 1, .id = 1 };
	unsigned char b[SEG_HEADER];
	struct seglog *l;
	struct seen seen;
	char path[200];
	AUTO_FD fd = -1;

	assert_int_equal(seglog_open(&p->log, &conf, &none, 1, &l), RC_OK);
	put(l, 100, 'a', true);
	seglog_close(&l);
	seglog_path(p->dir, 1, path, sizeof(path));
	fd = open(path, O_RDWR | O_CLOEXEC);
	seglog_header_put(&h, b);
	assert_int_equal(pwrite(fd, b, sizeof(b), 0), sizeof(b));
	assert_true(
	    str_find(scan(p, RC_BAD, &seen).why, STR("format 2")) < 100);
	h.format = SEGLOG_FORMAT;
	h.store[3] = 1;
	seglog_header_put(&h, b);
	assert_int_equal(pwrite(fd, b, sizeof(b), 0), sizeof(b));
	assert_true(
	    str_find(scan(p, RC_BAD, &seen).why, STR("another store")) < 100);
}

/* Remains of a batch that was given up never continue another one. */
static void
stale_records_are_not_taken_up(void **state)
{
	struct place *p = *state;
	struct seglog_conf conf = conf_of(p);
	struct seglog_pos none = { 0 }, at;
	struct seglog *l;
	struct seen seen;

	assert_int_equal(seglog_open(&p->log, &conf, &none, 1, &l), RC_OK);
	put(l, 100, 'a', true);
	at = seglog_at(l);
	put(l, 64, 'b', false);
	put(l, 64, 'c', false);
	seglog_close(&l);
	/* As if the two had not been there: another one over the first. */
	assert_int_equal(seglog_open(&p->log, &conf, &at, 9, &l), RC_OK);
	put(l, 64, 'B', true);
	seglog_close(&l);
	(void)scan(p, RC_OK, &seen);
	assert_int_equal(seen.n, 2);
}

static struct keys *
open_keys(struct place *p, unsigned char master, enum rc want)
{
	unsigned char m[SEAL_KEY], store[KEYS_STORE_ID];
	struct keys *k;

	memset(m, master, sizeof(m));
	assert_int_equal(
	    keys_open(&p->log, &io_system, p->dir, m, store, &k), want);
	return k;
}

static void
keys_last_and_a_torn_one_is_cut_off(void **state)
{
	struct place *p = *state;
	struct key a, b, c;
	struct keys *k = open_keys(p, 1, RC_OK);
	const char *path = str_fmt(&p->a, "%s/keys", p->dir).p;
	struct stat st;

	assert_int_equal(keys_ensure(k, ANN, &a), RC_OK);
	assert_int_equal(keys_ensure(k, BOB, &b), RC_OK);
	assert_memory_not_equal(a.b, b.b, SEAL_KEY);
	keys_free(&k);
	k = open_keys(p, 1, RC_OK);
	assert_int_equal(keys_find(k, ANN, &c), RC_OK);
	assert_memory_equal(a.b, c.b, SEAL_KEY);
	assert_int_equal(c.id, a.id);
	assert_int_equal(keys_by_id(k, b.id, &c), RC_OK);
	assert_memory_equal(b.b, c.b, SEAL_KEY);
	keys_free(&k);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(truncate(path, st.st_size - 10), 0);
	k = open_keys(p, 1, RC_OK);
	assert_int_equal(keys_find(k, BOB, &c), RC_NOENT);
	assert_int_equal(keys_ensure(k, BOB, &c), RC_OK);
	keys_free(&k);
	k = open_keys(p, 1, RC_OK);
	assert_int_equal(keys_count(k), 2);
	keys_free(&k);
}

static void
wrong_master_key_and_damage_are_refused(void **state)
{
	struct place *p = *state;
	struct keys *k = open_keys(p, 1, RC_OK);
	struct key a;
	AUTO_FD fd = -1;

	assert_int_equal(keys_ensure(k, ANN, &a), RC_OK);
	assert_int_equal(keys_ensure(k, BOB, &a), RC_OK);
	keys_free(&k);
	assert_null(open_keys(p, 2, RC_DENY));
	fd = open(str_fmt(&p->a, "%s/keys", p->dir).p, O_RDWR | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "x", 1, KEYS_HEADER + KEYS_RECORD + 20), 1);
	assert_null(open_keys(p, 1, RC_BAD));
	assert_int_equal(pwrite(fd, "\2", 1, 8), 1);
	assert_null(open_keys(p, 1, RC_DENY));
}

static void
names_are_normal_or_refused(void **state)
{
	static const struct {
		struct str in, out;
		enum rc rc;
	} rows[] = {
		{ STR_INIT("inbox"), STR_INIT("INBOX"), RC_OK },
		{ STR_INIT("InBox/x"), STR_INIT("INBOX/x"), RC_OK },
		{ STR_INIT("Inboxes"), STR_INIT("Inboxes"), RC_OK },
		{ STR_INIT("a/b c/\xc3\xa4"), STR_INIT("a/b c/\xc3\xa4"),
		    RC_OK },
		{ STR_INIT(""), STR_INIT(""), RC_BAD },
		{ STR_INIT("/a"), STR_INIT(""), RC_BAD },
		{ STR_INIT("a/"), STR_INIT(""), RC_BAD },
		{ STR_INIT("a//b"), STR_INIT(""), RC_BAD },
		{ STR_INIT("a\nb"), STR_INIT(""), RC_BAD },
		{ STR_INIT("a\0b"), STR_INIT(""), RC_BAD },
		{ STR_INIT("a\xc2\x85"), STR_INIT(""), RC_BAD },
		{ STR_INIT("\xff"), STR_INIT(""), RC_BAD },
	};
	struct place *p = *state;

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str out;

		assert_int_equal(
		    name_normal(&p->a, rows[i].in, &out), rows[i].rc);
		if (rows[i].rc == RC_OK)
			assert_true(str_eq(out, rows[i].out));
	}
	assert_int_equal(name_keyword_check(STR("$Label1")), RC_OK);
	assert_int_equal(name_keyword_check(STR("\\Seen")), RC_BAD);
	assert_int_equal(name_keyword_check(STR("a b")), RC_BAD);
	assert_int_equal(name_keyword_check(STR("a\"b")), RC_BAD);
	assert_int_equal(name_keyword_check(STR("")), RC_BAD);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(sum_is_xxh64),
		T(operations_come_back_as_they_were_put),
		T(log_is_read_over_segments_and_continued),
		T(torn_tail_is_told_from_damage),
		T(later_segment_gives_a_lost_end_away),
		T(later_format_and_foreign_segment_are_refused),
		T(stale_records_are_not_taken_up),
		T(keys_last_and_a_torn_one_is_cut_off),
		T(wrong_master_key_and_damage_are_refused),
		T(names_are_normal_or_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
