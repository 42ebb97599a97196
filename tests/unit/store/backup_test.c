/*
 * Backup and restore: what comes back is what was there at the backup's
 * position, with new UIDVALIDITYs and a held queue; later backups copy what
 * came since, also over compactions; damage is named; whatever is cut short
 * leaves the backup before.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/backup.h"
#include "store/keys.h"
#include "store/sum.h"
#include "tests/fault/recio.h"
#include "tests/unit/store/rig.h"

#define HELD 2u

struct field {
	struct rig *r;
	char dir[80], keys[80], back[80];
	unsigned calls, stop_at;        /* of go_on */
	uint64_t written, synced, most; /* bytes; synced since go_on */
	struct str why;
};

static enum rc
go_on(void *ctx, uint64_t done, uint64_t total)
{
	struct field *f = ctx;

	assert_true(done <= total);
	f->synced = 0;
	return ++f->calls == f->stop_at ? RC_NOENT : RC_OK;
}

static void
set_up(struct field *f, struct rig *r)
{
	*f = (struct field){ .r = r };
	(void)snprintf(f->dir, sizeof(f->dir), "%s.bk", r->dir);
	(void)snprintf(f->keys, sizeof(f->keys), "%s.bk/k", r->dir);
	(void)snprintf(f->back, sizeof(f->back), "%s.re", r->dir);
	assert_int_equal(mkdir(f->back, 0700), 0);
}

static void
tear_down(struct field *f)
{
	rig_remove_tree(f->dir);
	rig_remove_tree(f->back);
}

static enum rc
back_up(struct field *f, const struct io *io, struct backup_done *out)
{
	struct backup b = { .log = f->r->log,
		.io = io,
		.data_dir = f->r->dir,
		.dir = f->dir,
		.keys_dir = f->keys,
		.go_on = go_on,
		.ctx = f };
	struct engine_ops const *ops = f->r->e->ops;
	enum rc rc;

	assert_int_equal(ops->pin(f->r->e, true, &b.at), RC_OK);
	rc = backup_run(&f->r->a, &b, out, &f->why);
	assert_int_equal(ops->pin(f->r->e, false, NULL), RC_OK);
	return rc;
}

static struct str
hold(struct arena *a, struct str data)
{
	return str_cat(a, data, STR(", held"));
}

static enum rc
restore(struct field *f, const struct io *io, struct restore_done *out)
{
	struct restore x = { .log = f->r->log,
		.io = io,
		.data_dir = f->back,
		.dir = f->dir,
		.keys_dir = f->keys,
		.go_on = go_on,
		.ctx = f,
		.master = f->r->conf.master,
		.map_bytes = f->r->conf.map_bytes,
		.segment_bytes = f->r->conf.segment_bytes,
		.held = HELD,
		.hold = hold };
	struct restore_copied copied;
	enum rc rc = restore_copy(&f->r->a, &x, &copied, &f->why);

	if (rc != RC_OK)
		return rc;
	return restore_finish(&f->r->a, &x, &copied, out, &f->why);
}

/* A rig that looks at what was restored. */
static void
open_back(struct field *f, struct rig *b)
{
	*b = (struct rig){
		.sink = f->r->sink, .log = f->r->log, .conf = f->r->conf
	};
	(void)snprintf(b->dir, sizeof(b->dir), "%.60s", f->back);
	b->conf.dir = b->dir;
	b->conf.ctx = b;
	assert_int_equal(rig_check(b, true), RC_OK);
	rig_open(b);
}

static void
close_back(struct field *f, struct rig *b)
{
	rig_close(b);
	arena_free(&b->a);
	rig_remove_tree(f->back);
	assert_int_equal(mkdir(f->back, 0700), 0);
}

static struct rig_message
message(struct rig *r, uint32_t n)
{
	return rig_message(r, n, n % 7 == 3 ? 1500000 : 8000);
}

static void
deliver(struct rig *r, uint32_t from, uint32_t to)
{
	for (uint32_t n = from; n <= to; n++) {
		struct rig_message m = message(r, n);

		assert_int_equal(rig_deliver(r, ANN, "INBOX", &m), n);
	}
}

/* Those with an even number go. */
static void
thin(struct rig *r, uint32_t from, uint32_t to)
{
	for (uint32_t n = from; n <= to; n++)
		if (n % 2 == 0)
			assert_int_equal(
			    rig_flags(r, ANN, "INBOX", n, n, STORE_FLAGS_ADD,
				STORE_DELETED, NULL, NULL),
			    RC_OK);
	assert_int_equal(rig_expunge(r, ANN, "INBOX", from, to, NULL), RC_OK);
}

static void
queue_one(struct rig *r)
{
	struct rig_message m = rig_message(r, 77, 3000);
	struct engine_content c = { .edits = m.edits,
		.data = m.body,
		.fd = -1,
		.size = m.body.n,
		.meta = m.meta };
	struct store_queued q = { .rcpt = STR("carl@example.org"),
		.state = 1,
		.attempts = 3,
		.data = STR("opaque") };
	struct engine_intent in = { .kind = ENGINE_SUBMIT,
		.a = &r->a,
		.submit = { .set = &q, .nset = 1 } };

	engine_body_id(c.id);
	assert_int_equal(r->e->ops->put_body(r->e, &c, &in.submit.body), RC_OK);
	assert_int_equal(engine_run(r->e, &in), RC_OK);
}

/* More recipients than one commit takes, as a large group has. */
static void
queue_more(struct rig *r, size_t n)
{
	struct store_queue_item *item;
	struct store_queued *q = arena_calloc(&r->a, n, sizeof(*q));
	struct engine_intent in = { .kind = ENGINE_QUEUE,
		.a = &r->a,
		.submit = { .set = q, .nset = n } };
	struct str id;
	size_t nitem;

	assert_int_equal(
	    r->e->ops->queue_list(r->e, &r->a, STR(""), 1, &item, &nitem),
	    RC_OK);
	assert_int_equal(str_unhex(&r->a, item->message_id, &id), RC_OK);
	memcpy(in.submit.id, id.p, id.n);
	for (size_t i = 0; i < n; i++)
		q[i] = (struct store_queued){ .rcpt = STR("x@example.org"),
			.state = 1,
			.attempts = 3,
			.data = STR("opaque") };
	assert_int_equal(engine_run(r->e, &in), RC_OK);
}

static void
expect_restored(struct field *f, const struct store_mailbox *was, uint32_t n)
{
	struct store_queue_item *q;
	struct store_mailbox is;
	struct store_row *rows;
	struct rig b;
	size_t nrows, nq;

	open_back(f, &b);
	assert_true(rig_find(&b, ANN, "INBOX", &is));
	assert_true(is.uidvalidity > was->uidvalidity);
	assert_int_equal(is.uidnext, was->uidnext);
	assert_int_equal(is.highest_modseq, was->highest_modseq);
	nrows = rig_rows(&b, is.id, &rows);
	assert_int_equal(nrows, n);
	for (size_t i = 0; i < nrows; i++) {
		struct rig_message m = message(&b, rows[i].uid);

		rig_expect(&b, ANN, "INBOX", rows[i].uid, &m);
	}
	assert_int_equal(
	    b.e->ops->queue_list(b.e, &b.a, STR(""), 10, &q, &nq), RC_OK);
	assert_int_equal(nq, 1);
	assert_int_equal(q[0].entries[0].state, HELD);
	assert_int_equal(q[0].entries[0].attempts, 3);
	for (size_t i = 0; i < q[0].nentries; i++) {
		assert_int_equal(q[0].entries[i].state, HELD);
		assert_true(str_eq(q[0].entries[i].data, STR("opaque, held")));
	}
	/* It lasts, and it goes on. */
	rig_rebuild(&b);
	assert_true(rig_find(&b, ANN, "INBOX", &is));
	assert_true(is.uidvalidity > was->uidvalidity);
	assert_int_equal(rig_compact(&b), RC_OK);
	assert_int_equal(rig_rows(&b, is.id, &rows), n);
	close_back(f, &b);
}

static void
what_was_backed_up_comes_back(void **state)
{
	struct rig *r = *state;
	struct store_mailbox was = { 0 };
	struct backup_done d = { 0 };
	struct restore_done x = { 0 };
	struct field f;
	uint64_t first;

	set_up(&f, r);
	deliver(r, 1, 20);
	queue_one(r);
	queue_more(r, 4000);
	queue_more(r, 200);
	assert_true(rig_find(r, ANN, "INBOX", &was));
	assert_int_equal(back_up(&f, &io_system, &d), RC_OK);
	assert_true(d.first && d.bytes == d.total);
	first = d.bytes;
	/* After it, and not in it. */
	deliver(r, 21, 22);
	assert_int_equal(restore(&f, &io_system, &x), RC_OK);
	assert_int_equal(x.held, 4201);
	expect_restored(&f, &was, 20);
	/* Only what came since. */
	assert_true(rig_find(r, ANN, "INBOX", &was));
	assert_int_equal(back_up(&f, &io_system, &d), RC_OK);
	assert_true(!d.first && d.bytes < first / 2);
	assert_int_equal(restore(&f, &io_system, &x), RC_OK);
	expect_restored(&f, &was, 22);
	/* Over a compaction, which removes what the backup held. */
	thin(r, 1, 22);
	assert_int_equal(rig_compact(r), RC_OK);
	deliver(r, 23, 25);
	assert_true(rig_find(r, ANN, "INBOX", &was));
	first = d.total;
	assert_int_equal(back_up(&f, &io_system, &d), RC_OK);
	assert_true(d.total < first);
	assert_int_equal(restore(&f, &io_system, &x), RC_OK);
	expect_restored(&f, &was, 14);
	/* Nothing new: nothing is copied. */
	assert_int_equal(back_up(&f, &io_system, &d), RC_OK);
	assert_int_equal(d.bytes, 0);
	tear_down(&f);
}

static void
damage_is_named_and_nothing_restored(void **state)
{
	struct rig *r = *state;
	struct store_mailbox was = { 0 };
	struct backup_done d = { 0 };
	struct restore_done x = { 0 };
	struct field f;
	char path[200];
	AUTO_FD fd = -1;
	unsigned char c;

	set_up(&f, r);
	deliver(r, 1, 10);
	queue_one(r);
	assert_true(rig_find(r, ANN, "INBOX", &was));
	assert_int_equal(back_up(&f, &io_system, &d), RC_OK);
	(void)snprintf(path, sizeof(path), "%s/log/00000001.seg", f.dir);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &c, 1, 3000), 1);
	c ^= 1;
	assert_int_equal(pwrite(fd, &c, 1, 3000), 1);
	assert_int_equal(restore(&f, &io_system, &x), RC_BAD);
	assert_true(str_find(f.why, str_c(path)) < f.why.n);
	assert_true(str_find(f.why, STR("damaged at 0")) < f.why.n);
	assert_int_equal(rmdir(f.back), 0); /* empty again */
	assert_int_equal(mkdir(f.back, 0700), 0);
	c ^= 1;
	assert_int_equal(pwrite(fd, &c, 1, 3000), 1);
	assert_int_equal(restore(&f, &io_system, &x), RC_OK);
	expect_restored(&f, &was, 10);
	/* Without the keys there is nothing to read. */
	(void)snprintf(path, sizeof(path), "%s/keys", f.keys);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(restore(&f, &io_system, &x), RC_TEMP);
	tear_down(&f);
}

/* A store that is used, and a store that became another one. */
static void
wrong_places_are_refused(void **state)
{
	struct rig *r = *state;
	struct backup_done d = { 0 };
	struct restore_done x = { 0 };
	struct field f;
	struct rig b;

	set_up(&f, r);
	deliver(r, 1, 5);
	assert_int_equal(back_up(&f, &io_system, &d), RC_OK);
	assert_int_equal(restore(&f, &io_system, &x), RC_OK);
	assert_int_equal(restore(&f, &io_system, &x), RC_DENY);
	/* Both go on, each its own way. */
	deliver(r, 6, 9);
	assert_int_equal(back_up(&f, &io_system, &d), RC_OK);
	open_back(&f, &b);
	deliver(&b, 6, 12);
	f.r = &b;
	rig_quiet(&b, true);
	assert_int_equal(back_up(&f, &io_system, &d), RC_DENY);
	rig_quiet(&b, false);
	f.r = r;
	rig_close(&b);
	arena_free(&b.a);
	assert_int_equal(back_up(&f, &io_system, &d), RC_OK);
	tear_down(&f);
}

/* Each call fails once; the backup before, or this one, is whole. */
static void
cut_short_leaves_the_one_before(void **state)
{
	struct rig *r = *state;
	struct store_mailbox was = { 0 };
	struct backup_done d = { 0 };
	struct restore_done x = { 0 };
	struct recio rec;
	struct field f;
	size_t calls = 0;
	uint32_t n = 6;
	enum rc rc;

	set_up(&f, r);
	deliver(r, 1, n);
	queue_one(r);
	assert_int_equal(back_up(&f, &io_system, &d), RC_OK);
	rig_quiet(r, true);
	for (size_t at = 1; at == 1 || at <= calls + 2;
	     at += rig_long() ? 1 : 3) {
		struct backup_manifest m;
		bool whole;

		deliver(r, n + 1, n + 1);
		n++;
		recio_init(&rec, "/tmp", false);
		rec.fail_at = at;
		rec.fail_errno = at % 2 ? EIO : ENOSPC;
		rc = back_up(&f, &rec.io, &d);
		calls = rec.calls;
		recio_free(&rec);
		whole = rc == RC_OK;
		assert_int_equal(
		    backup_manifest_read(&r->a, f.dir, &m, &f.why), RC_OK);
		assert_int_equal(restore(&f, &io_system, &x), RC_OK);
		assert_true(x.stats.messages == n || !whole);
		assert_true(x.stats.messages >= 6);
		rig_remove_tree(f.back);
		assert_int_equal(mkdir(f.back, 0700), 0);
	}
	/* The lease ended in the middle. */
	deliver(r, n + 1, n + 1);
	f.calls = 0;
	f.stop_at = 1;
	assert_int_equal(back_up(&f, &io_system, &d), RC_NOENT);
	f.stop_at = 0;
	assert_int_equal(back_up(&f, &io_system, &d), RC_OK);
	rig_quiet(r, false);
	assert_true(rig_find(r, ANN, "INBOX", &was));
	assert_int_equal(restore(&f, &io_system, &x), RC_OK);
	expect_restored(&f, &was, n + 1);
	tear_down(&f);
}

static void
restoring_can_be_repeated(void **state)
{
	struct rig *r = *state;
	struct store_mailbox was = { 0 };
	struct engine *e = NULL;
	struct engine_conf conf;
	struct backup_done d = { 0 };
	struct restore_done x = { 0 };
	struct recio rec;
	struct field f;
	size_t calls = 1;

	set_up(&f, r);
	deliver(r, 1, 6);
	queue_one(r);
	assert_true(rig_find(r, ANN, "INBOX", &was));
	assert_int_equal(back_up(&f, &io_system, &d), RC_OK);
	rig_quiet(r, true);
	conf = r->conf;
	conf.dir = f.back;
	for (size_t at = 2; at <= calls + 1; at += rig_long() ? 1 : 4) {
		enum rc rc;

		recio_init(&rec, "/tmp", false);
		rec.fail_at = at;
		rec.fail_errno = EIO;
		rc = restore(&f, &rec.io, &x);
		calls = rec.calls;
		recio_free(&rec);
		if (rc == RC_OK) {
			rig_remove_tree(f.back);
			assert_int_equal(mkdir(f.back, 0700), 0);
			continue;
		}
		/* Not for use before it is whole. */
		if (access(str_fmt(&r->a, "%s/restoring", f.back).p, F_OK) == 0)
			assert_int_equal(
			    engine_local_open(&r->log, &conf, &e), RC_BAD);
	}
	f.calls = 0;
	f.stop_at = 1;
	assert_int_equal(restore(&f, &io_system, &x), RC_NOENT);
	f.stop_at = 0;
	rig_quiet(r, false);
	assert_int_equal(restore(&f, &io_system, &x), RC_OK);
	expect_restored(&f, &was, 6);
	tear_down(&f);
}

static struct str
read_keys(struct rig *r, const char *dir)
{
	AUTO_FD fd =
	    open(str_fmt(&r->a, "%s/keys", dir).p, O_RDONLY | O_CLOEXEC);
	struct str text;

	assert_int_equal(fd_read_file(&r->a, fd, 1 << 20, &text), RC_OK);
	return text;
}

static void
write_keys(struct rig *r, const char *dir, struct str text)
{
	AUTO_FD fd = open(
	    str_fmt(&r->a, "%s/keys", dir).p, O_WRONLY | O_TRUNC | O_CLOEXEC);

	assert_int_equal(write(fd, text.p, text.n), text.n);
}

static void
keys_older_than_the_mail_are_refused(void **state)
{
	struct rig *r = *state;
	struct rig_message m = message(r, 1);
	struct store_mailbox was = { 0 };
	struct backup_done d = { 0 };
	struct restore_done x = { 0 };
	struct str older;
	struct field f;

	set_up(&f, r);
	deliver(r, 1, 3);
	queue_one(r);
	assert_int_equal(back_up(&f, &io_system, &d), RC_OK);
	older = read_keys(r, f.keys);
	assert_int_equal(rig_deliver(r, BOB, "INBOX", &m), 1);
	assert_true(rig_find(r, ANN, "INBOX", &was));
	assert_int_equal(back_up(&f, &io_system, &d), RC_OK);
	write_keys(r, f.keys, older);
	assert_int_equal(restore(&f, &io_system, &x), RC_DENY);
	assert_true(str_find(f.why, STR("older than the backup: 1 accounts")) <
		    f.why.n);
	assert_int_equal(rmdir(f.back), 0); /* empty again */
	assert_int_equal(mkdir(f.back, 0700), 0);
	write_keys(r, f.keys, read_keys(r, r->dir));
	assert_int_equal(restore(&f, &io_system, &x), RC_OK);
	expect_restored(&f, &was, 3);
	tear_down(&f);
}

static void
expect_older(struct rig *r)
{
	struct engine *e = NULL;

	rig_quiet(r, true);
	assert_int_equal(engine_local_open(&r->log, &r->conf, &e), RC_DENY);
	assert_int_equal(rig_check(r, false), RC_BAD);
	assert_int_equal(rig_check(r, true), RC_BAD);
	rig_quiet(r, false);
}

/* However they came there. */
static void
a_store_with_older_keys_is_not_served(void **state)
{
	struct rig *r = *state;
	struct rig_message m = message(r, 1);
	unsigned char store[KEYS_STORE_ID], *last;
	struct str older, whole;
	struct keys *k;
	struct key key;

	deliver(r, 1, 3);
	older = read_keys(r, r->dir);
	assert_int_equal(rig_deliver(r, BOB, "INBOX", &m), 1);
	whole = read_keys(r, r->dir);
	rig_close(r);
	write_keys(r, r->dir, older);
	expect_older(r);
	/* BOB's number goes to somebody else. */
	assert_int_equal(
	    keys_open(&r->log, &io_system, r->dir, r->conf.master, store, &k),
	    RC_OK);
	assert_int_equal(keys_ensure(k, STR("someone-else"), &key), RC_OK);
	keys_free(&k);
	assert_int_equal(read_keys(r, r->dir).n, whole.n);
	expect_older(r);
	/* ANN's key was erased on purpose. */
	last = arena_alloc(&r->a, KEYS_RECORD);
	memcpy(last, whole.p + whole.n - KEYS_RECORD, KEYS_RECORD);
	le_put(last + 152, sum_of(older.n - KEYS_RECORD, last, 152), 8);
	write_keys(r, r->dir,
	    str_cat(&r->a, str_n(older.p, older.n - KEYS_RECORD),
		str_n((const char *)last, KEYS_RECORD)));
	assert_int_equal(rig_check(r, false), RC_OK);
	rig_open(r);
	rig_expect(r, BOB, "INBOX", 1, &m);
	rig_close(r);
	write_keys(r, r->dir, whole);
	assert_int_equal(rig_check(r, true), RC_OK);
	rig_open(r);
}

static void
a_manifest_has_room_for_every_segment(void **state)
{
	const size_t max = BACKUP_FILES;
	struct rig *r = *state;
	uint64_t sums[2] = { 1, 2 };
	struct backup_manifest again, m = { .time = 1,
		.number = 1,
		.ckpt = 1,
		.files = arena_calloc(&r->a, max + 1, sizeof(*m.files)),
		.n = max };
	AUTO_BUF text = { 0 };

	buf_init(&text, 64 << 20);
	for (size_t i = 0; i <= max; i++)
		m.files[i].id = (uint32_t)i;
	m.files[7].size = BACKUP_BLOCK + 1;
	m.files[7].sums = sums;
	m.files[7].nsums = 2;
	assert_int_equal(backup_manifest_put(&m, &text), RC_OK);
	assert_int_equal(
	    backup_manifest_parse(&r->a, buf_str(&text), &again), RC_OK);
	assert_int_equal(again.n, max);
	assert_int_equal(again.files[7].sums[1], 2);
	/* Nothing is put that would not be read again. */
	m.n = max + 1;
	buf_clear(&text);
	assert_int_not_equal(backup_manifest_put(&m, &text), RC_OK);
	m.n = max;
	m.files[9].id = 8;
	buf_clear(&text);
	assert_int_not_equal(backup_manifest_put(&m, &text), RC_OK);
	m.files[9].id = 9;
	m.files[7].nsums = 1;
	buf_clear(&text);
	assert_int_not_equal(backup_manifest_put(&m, &text), RC_OK);
}

static ssize_t
count_pwritev(
    const struct io *io, int fd, const struct iovec *v, int n, off_t off)
{
	struct field *f = io->ctx;
	ssize_t done = io_system.ops->pwritev(&io_system, fd, v, n, off);

	if (done > 0)
		f->written += (uint64_t)done;
	return done;
}

static int
count_fdatasync(const struct io *io, int fd)
{
	struct field *f = io->ctx;

	f->synced += f->written;
	f->written = 0;
	f->most = MAX(f->most, f->synced);
	return io_system.ops->fdatasync(&io_system, fd);
}

/* What the disk has to do between two renewals has a bound. */
static void
a_slow_disk_does_not_cost_the_lease(void **state)
{
	struct rig *r = *state;
	struct io_ops ops = *io_system.ops;
	struct backup_done d = { 0 };
	struct backup_manifest m;
	struct field f;
	struct io io = { &ops, &f };
	size_t n = 0, largest = 0;

	ops.pwritev = count_pwritev;
	ops.fdatasync = count_fdatasync;
	rig_close(r);
	r->conf.segment_bytes = 128 << 20;
	rig_open(r);
	set_up(&f, r);
	for (uint32_t i = 1; i <= 60; i++) {
		struct rig_message big = rig_message(r, i, 1500000);

		assert_int_equal(rig_deliver(r, ANN, "INBOX", &big), i);
	}
	assert_int_equal(back_up(&f, &io, &d), RC_OK);
	assert_int_equal(backup_manifest_read(&r->a, f.dir, &m, &f.why), RC_OK);
	for (size_t i = 0; i < m.n; i++) {
		largest = MAX(largest, m.files[i].nsums);
		/* Copied, synced, some blocks read back. */
		n += m.files[i].nsums + 1 + m.files[i].nsums / 8;
	}
	assert_true(largest >= 10);
	assert_true(f.most <= 8ull * BACKUP_BLOCK);
	assert_true(f.calls > n);
	tear_down(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
		T(what_was_backed_up_comes_back),
		T(damage_is_named_and_nothing_restored),
		T(wrong_places_are_refused),
		T(cut_short_leaves_the_one_before),
		T(restoring_can_be_repeated),
		T(keys_older_than_the_mail_are_refused),
		T(a_store_with_older_keys_is_not_served),
		T(a_manifest_has_room_for_every_segment),
		T(a_slow_disk_does_not_cost_the_lease),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
