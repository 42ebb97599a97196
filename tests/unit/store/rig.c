#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/store/rig.h"

static int
remove_one(const char *path, const struct stat *st, int flag, struct FTW *f)
{
	(void)st, (void)flag, (void)f;
	return remove(path);
}

void
rig_remove_tree(const char *dir)
{
	(void)nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void
on_changed(void *ctx, const struct engine_change *v, size_t n)
{
	struct rig *r = ctx;

	(void)v;
	__atomic_add_fetch(&r->changes, n, __ATOMIC_RELAXED);
}

void
rig_open(struct rig *r)
{
	assert_int_equal(engine_local_open(&r->log, &r->conf, &r->e), RC_OK);
	assert_int_equal(store_reader_open(&r->log, r->dir, &r->reader), RC_OK);
}

void
rig_close(struct rig *r)
{
	store_reader_close(&r->reader);
	if (r->e != NULL)
		r->e->ops->close(&r->e);
}

bool
rig_long(void)
{
	const char *v = getenv("GP_LONG");

	return v != NULL && v[0] != '\0';
}

int
rig_setup(void **state)
{
	struct rig *r = xcalloc(1, sizeof(*r));

	r->sink = log_sink_new(
	    2, "test", getenv("GP_VERBOSE") != NULL ? LOG_DEBUG : LOG_ERROR);
	r->log.sink = r->sink;
	(void)snprintf(r->dir, sizeof(r->dir), "/tmp/gp-store.XXXXXX");
	assert_non_null(mkdtemp(r->dir));
	r->conf = (struct engine_conf){ .dir = r->dir,
		.segment_bytes = 256 << 10,
		.map_bytes = 1 << 30,
		.gather_us = 500,
		.io = &io_system,
		.changed = on_changed,
		.ctx = r };
	memset(r->conf.master, 7, sizeof(r->conf.master));
	rig_open(r);
	*state = r;
	return 0;
}

int
rig_teardown(void **state)
{
	struct rig *r = *state;

	rig_close(r);
	rig_remove_tree(r->dir);
	arena_free(&r->a);
	log_sink_free(&r->sink);
	xfree(r);
	return 0;
}

static void
on_maint(void *ctx, enum maint_grade grade, struct str what, struct str found)
{
	(void)ctx;
	if (grade == MAINT_BAD)
		print_message("check: %.*s: %.*s\n", STRF(what), STRF(found));
}

enum rc
rig_check(struct rig *r, bool keys)
{
	struct maint m = { .log = r->log,
		.dir = r->dir,
		.master = keys ? r->conf.master : NULL,
		.deep = keys,
		.say = on_maint,
		.ctx = r };

	return maint_check(&m);
}

void
rig_reopen(struct rig *r)
{
	rig_close(r);
	assert_int_equal(rig_check(r, true), RC_OK);
	rig_open(r);
}

void
rig_rebuild(struct rig *r)
{
	rig_close(r);
	rig_remove_tree(str_fmt(&r->a, "%s/index", r->dir).p);
	rig_open(r);
}

enum rc
rig_compact(struct rig *r)
{
	return r->e->ops->compact(r->e, true);
}

size_t
rig_segments(struct rig *r)
{
	struct engine_upkeep x;

	assert_int_equal(r->e->ops->upkeep(r->e, &x), RC_OK);
	return (size_t)x.segments + 1;
}

/* Text that compresses a little, different for each seed. */
struct rig_message
rig_message(struct rig *r, uint64_t seed, size_t n)
{
	struct rig_message m = { 0 };
	char *p = arena_alloc(&r->a, n + 1);
	uint64_t x = seed * 0x9E3779B97F4A7C15u + 1;

	for (size_t i = 0; i < n; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		p[i] = i % 70 == 69 ? '\n' : (char)('a' + x % 26);
	}
	m.body = str_n(p, n);
	m.edits = str_fmt(&r->a, "X-Edit: %llu\r\n", (unsigned long long)seed);
	m.prefix = str_fmt(&r->a, "Return-Path: <s%llu@example.org>\r\n",
	    (unsigned long long)seed);
	m.meta = str_fmt(&r->a, "\001meta of %llu", (unsigned long long)seed);
	return m;
}

void
rig_quiet(struct rig *r, bool on)
{
	static const char null[] = "/dev/null";

	if (on)
		r->null_fd = open(null, O_WRONLY | O_CLOEXEC);
	log_sink_set(r->sink, on ? r->null_fd : 2, LOG_ERROR);
	if (!on)
		fd_close(&r->null_fd);
}

static enum rc
submit(struct rig *r, struct str account, const char *mailbox,
    const struct rig_message *m, int fd, struct engine_result *out)
{
	struct engine_content c = { .edits = m->edits,
		.data = fd < 0 ? m->body : STR(""),
		.fd = fd,
		.size = m->body.n,
		.meta = m->meta };
	struct engine_delivery d = { .account = account,
		.name = str_c(mailbox),
		.prefix = m->prefix,
		.flags = m->flags };
	struct engine_intent in = { .kind = ENGINE_SUBMIT,
		.op_id = m->op_id,
		.a = &r->a,
		.submit = { .received_at = 1700000000, .to = &d, .nto = 1 } };
	enum rc rc;

	engine_body_id(c.id);
	rc = r->e->ops->put_body(r->e, &c, &in.submit.body);
	if (rc != RC_OK)
		return rc;
	rc = engine_run(r->e, &in);
	*out = in.out;
	return rc;
}

enum rc
rig_submit(struct rig *r, struct str account, const char *mailbox,
    const struct rig_message *m, struct engine_result *out)
{
	return submit(r, account, mailbox, m, -1, out);
}

enum rc
rig_submit_fd(
    struct rig *r, struct str account, const struct rig_message *m, int fd)
{
	struct engine_result out;

	return submit(r, account, "INBOX", m, fd, &out);
}

uint32_t
rig_deliver(struct rig *r, struct str account, const char *mailbox,
    const struct rig_message *m)
{
	struct engine_result out = { 0 };

	assert_int_equal(rig_submit(r, account, mailbox, m, &out), RC_OK);
	return out.uid;
}

void
rig_key(struct rig *r, struct str account, unsigned char key[32])
{
	assert_int_equal(r->e->ops->attach(r->e, account, key), RC_OK);
}

bool
rig_find(struct rig *r, struct str account, const char *name,
    struct store_mailbox *out)
{
	AUTO_VIEW *v = NULL;
	unsigned char key[32];
	enum rc rc;

	rig_key(r, account, key);
	assert_int_equal(store_view_begin(r->reader, &v), RC_OK);
	rc = store_mailbox_find(v, &r->a, account, key, str_c(name), out);
	assert_true(rc == RC_OK || rc == RC_NOENT);
	return rc == RC_OK;
}

uint64_t
rig_id(struct rig *r, struct str account, const char *name)
{
	struct store_mailbox m;

	assert_true(rig_find(r, account, name, &m));
	return m.id;
}

uint32_t
rig_count(struct rig *r, struct str account, const char *name)
{
	struct store_mailbox m;

	assert_true(rig_find(r, account, name, &m));
	return m.messages;
}

void
rig_mailboxes(
    struct rig *r, struct str account, struct store_mailbox **out, size_t *n)
{
	AUTO_VIEW *v = NULL;
	unsigned char key[32];

	rig_key(r, account, key);
	assert_int_equal(store_view_begin(r->reader, &v), RC_OK);
	assert_int_equal(
	    store_mailboxes(v, &r->a, account, key, out, n), RC_OK);
}

void
rig_expect(struct rig *r, struct str account, const char *mailbox, uint32_t uid,
    const struct rig_message *m)
{
	uint64_t id = rig_id(r, account, mailbox);
	AUTO_VIEW *v = NULL;
	AUTO_STORE_MSG *msg = NULL;
	struct str meta, prefix, want;
	unsigned char key[32];
	size_t got, off = 0;
	char *p;

	rig_key(r, account, key);
	assert_int_equal(store_view_begin(r->reader, &v), RC_OK);
	assert_int_equal(
	    store_meta(v, &r->a, account, key, id, uid, &meta, &prefix), RC_OK);
	assert_true(str_eq(meta, m->meta));
	assert_true(str_eq(prefix, m->prefix));
	assert_int_equal(store_msg_open(v, account, key, id, uid, &msg), RC_OK);
	want = str_cat(&r->a, str_cat(&r->a, m->prefix, m->edits), m->body);
	assert_int_equal(store_msg_size(msg), want.n);
	p = arena_alloc(&r->a, want.n + 1);
	do {
		/* An odd size, so that chunks are crossed. */
		assert_int_equal(store_msg_read(msg, off, p + off,
				     MIN(99991, want.n + 1 - off), &got),
		    RC_OK);
		off += got;
	} while (got > 0);
	assert_int_equal(off, want.n);
	assert_memory_equal(p, want.p, want.n);
}

enum rc
rig_name_op(struct rig *r, enum engine_kind kind, struct str account,
    const char *name, const char *to, bool on)
{
	struct engine_intent in = { .kind = kind,
		.account = account,
		.name = { str_c(name), str_c(to), on },
		.a = &r->a };

	return engine_run(r->e, &in);
}

enum rc
rig_ensure(struct rig *r, struct str account)
{
	return rig_name_op(r, ENGINE_ENSURE, account, NULL, NULL, false);
}

enum rc
rig_delete(struct rig *r, struct str account, const char *name)
{
	return rig_name_op(r, ENGINE_DELETE, account, name, NULL, false);
}

enum rc
rig_flags(struct rig *r, struct str account, const char *mailbox, uint32_t lo,
    uint32_t hi, enum store_flag_op op, uint64_t flags, const char *keyword,
    struct engine_result *out)
{
	struct uid_range range = { lo, hi };
	struct str kw = str_c(keyword);
	uint64_t id = rig_id(r, account, mailbox);
	struct engine_intent in = { .kind = ENGINE_FLAGS,
		.account = account,
		.mailbox = id,
		.flags = { .account = account,
		    .mailbox = id,
		    .uids = { &range, 1 },
		    .op = op,
		    .flags = flags,
		    .keywords = &kw,
		    .nkeywords = keyword != NULL,
		    .unchanged_since = UINT64_MAX },
		.a = &r->a };
	enum rc rc = engine_run(r->e, &in);

	if (out != NULL)
		*out = in.out;
	return rc;
}

enum rc
rig_copy(struct rig *r, struct str account, const char *from, uint32_t lo,
    uint32_t hi, const char *to, bool move, struct engine_result *out)
{
	struct uid_range range = { lo, hi };
	struct engine_intent in = { .kind = ENGINE_COPY,
		.account = account,
		.mailbox = rig_id(r, account, from),
		.copy = { { &range, 1 }, rig_id(r, account, to), move },
		.a = &r->a };
	enum rc rc = engine_run(r->e, &in);

	if (out != NULL)
		*out = in.out;
	return rc;
}

enum rc
rig_expunge(struct rig *r, struct str account, const char *mailbox, uint32_t lo,
    uint32_t hi, struct engine_result *out)
{
	struct uid_range range = { lo, hi };
	struct engine_intent in = { .kind = ENGINE_EXPUNGE,
		.account = account,
		.mailbox = rig_id(r, account, mailbox),
		.expunge = { &range, 1 },
		.a = &r->a };
	enum rc rc = engine_run(r->e, &in);

	if (out != NULL)
		*out = in.out;
	return rc;
}

size_t
rig_rows(struct rig *r, uint64_t mailbox, struct store_row **out)
{
	AUTO_VIEW *v = NULL;
	size_t n, max = 20000;

	*out = arena_calloc(&r->a, max, sizeof(**out));
	assert_int_equal(store_view_begin(r->reader, &v), RC_OK);
	assert_int_equal(
	    store_rows(v, mailbox, 1, UINT32_MAX, *out, max, &n), RC_OK);
	return n;
}
