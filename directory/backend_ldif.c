/*
 * Searches copy what was asked for, so that an answer survives a reload.
 * Passwords never leave in an answer.  "attr;range=LOW-*" is answered as AD
 * does when max_range is set, so that range retrieval can be tested.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>

#include "directory/backend_ldif.h"
#include "directory/dn.h"
#include "directory/ldif.h"
#include "directory/ldif_table.h"
#include "directory/password.h"
#include "lib/proc.h"

#define LOOK_AGAIN_NS (100 * 1000000ll)

struct ldif_backend {
	struct dir_backend b;
	struct log log;
	char *path; /* NULL: fixed text */
	struct arena a;
	struct str base;
	pthread_mutex_t lock; /* guards what follows */
	struct ldif_table *table;
	int64_t looked_ns;
	struct timespec mtime;
	off_t size;
	ino_t ino;
	bool missing; /* reported */
};

static enum rc
load(struct ldif_backend *l, int fd)
{
	AUTO_ARENA a = { 0 };
	struct ldif_table *t;
	struct str text, why;
	enum rc rc = fd_read_file(&a, fd, DIR_LDIF_MAX, &text);

	if (rc == RC_OK)
		rc = ldif_table_new(&a, text, &t, &why);
	else
		why = STR("unreadable or too large");
	if (rc != RC_OK) {
		log_error(&l->log, "ldif.bad", KVC("file", l->path),
		    KV("why", why),
		    KVC("serving",
			l->table ? "the last good file" : "nothing"));
		return RC_TEMP;
	}
	log_info(&l->log, "ldif.loaded", KVC("file", l->path),
	    KVU("entries", ldif_table_count(t)));
	ldif_table_unref(&l->table);
	l->table = t;
	return RC_OK;
}

/* Called with the lock held; file reads are short and local. */
static void
look_again(struct ldif_backend *l)
{
	int64_t now = now_ns();
	AUTO_FD fd = -1;
	struct stat st;

	if (l->path == NULL ||
	    (l->looked_ns && now - l->looked_ns < LOOK_AGAIN_NS))
		return;
	l->looked_ns = now;
	fd = open(l->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		if (!l->missing)
			log_error(&l->log, "ldif.missing", KVC("file", l->path),
			    KVE(errno));
		l->missing = true;
		return;
	}
	l->missing = false;
	if (st.st_size == l->size && st.st_ino == l->ino &&
	    st.st_mtim.tv_sec == l->mtime.tv_sec &&
	    st.st_mtim.tv_nsec == l->mtime.tv_nsec)
		return;
	l->size = st.st_size;
	l->ino = st.st_ino;
	l->mtime = st.st_mtim;
	(void)!load(l, fd);
}

/* The caller gives the reference back; NULL: nothing was ever readable. */
static struct ldif_table *
current(struct ldif_backend *l)
{
	struct ldif_table *t = NULL;

	pthread_mutex_lock(&l->lock);
	look_again(l);
	if (l->table != NULL)
		t = ldif_table_ref(l->table);
	pthread_mutex_unlock(&l->lock);
	return t;
}

/* "member;range=5-*" -> "member" and 5. */
static bool
range_of(struct str *name, uint64_t *from)
{
	size_t at = str_ifind(*name, STR(";range="));
	struct str r = str_from(*name, at + 7);

	*from = 0;
	if (at == name->n)
		return false;
	*name = str_sub(*name, 0, at);
	return str_u64(str_sub(r, 0, str_chr(r, '-')), UINT32_MAX, from) ==
	       RC_OK;
}

static void
copy_attr(const struct ldif_backend *l, struct arena *a, const char *want,
    const struct dir_raw *e, struct dir_raw *out)
{
	struct dir_attr *to = &out->attr[out->nattr];
	struct str name = str_c(want);
	const struct dir_attr *at;
	size_t n, max = SIZE_MAX;
	uint64_t from;
	bool range = range_of(&name, &from);

	if (range && l->b.max_range)
		max = l->b.max_range;
	at = dir_raw_attr(e, name);
	if (at == NULL || str_ieq(name, STR("userPassword")) || from > at->n)
		return;
	n = MIN(at->n - from, max);
	to->name = str_dup(a, at->name);
	if (range && from + n == at->n)
		to->name = str_fmt(
		    a, "%.*s;range=%u-*", STRF(at->name), (unsigned)from);
	else if (range)
		to->name = str_fmt(a, "%.*s;range=%u-%u", STRF(at->name),
		    (unsigned)from, (unsigned)(from + n - 1));
	to->v = arena_calloc(a, n + 1, sizeof(*to->v));
	to->n = n;
	for (size_t i = 0; i < n; i++)
		to->v[i] = str_dup(a, at->v[from + i]);
	out->nattr++;
}

static void
answer(const struct ldif_backend *l, struct arena *a, struct dir_query *q,
    const struct dir_raw *const *v, size_t n)
{
	size_t nattr = 0;

	while (q->attrs[nattr] != NULL)
		nattr++;
	q->rc = RC_OK;
	q->more = n > q->max;
	q->nfound = MIN(n, q->max);
	q->found = arena_calloc(a, q->nfound + 1, sizeof(*q->found));
	for (size_t i = 0; i < q->nfound; i++) {
		struct dir_raw *e = &q->found[i];

		e->dn = str_dup(a, v[i]->dn);
		e->attr = arena_calloc(a, nattr + 1, sizeof(*e->attr));
		for (size_t k = 0; k < nattr; k++)
			copy_attr(l, a, q->attrs[k], v[i], e);
	}
}

static void
search_one(const struct ldif_backend *l, const struct ldif_table *t,
    struct arena *a, struct dir_query *q)
{
	struct str base = q->base.n ? STR("") : l->base;
	const struct dir_raw **v = NULL, *one;
	struct dir_filter *f;
	size_t n;

	q->rc = RC_TEMP;
	q->nfound = 0;
	q->more = false;
	if (dir_filter_parse(a, q->filter, &f) != RC_OK)
		return;
	if (q->base.n && dir_dn_norm(a, q->base, &base) != RC_OK) {
		q->rc = RC_NOENT;
		return;
	}
	if (q->scope == DIR_SUBTREE) {
		n = ldif_table_find(t, a, f, base, q->max, &v);
		answer(l, a, q, v, n);
		return;
	}
	one = ldif_table_dn(t, base);
	if (one == NULL) {
		q->rc = RC_NOENT;
		return;
	}
	answer(l, a, q, &one, dir_filter_match(f, one) ? 1 : 0);
}

static enum rc
ldif_search(struct dir_backend *b, struct arena *a, struct dir_query *q,
    size_t n, struct deadline dl)
{
	struct ldif_backend *l = (struct ldif_backend *)b;
	struct ldif_table *t = current(l);

	(void)dl;
	if (t == NULL)
		return RC_TEMP;
	for (size_t i = 0; i < n; i++)
		search_one(l, t, a, &q[i]);
	ldif_table_unref(&t);
	return RC_OK;
}

static enum dir_bind_why
ldif_bind(struct dir_backend *b, struct str dn, struct str password,
    struct deadline dl)
{
	struct ldif_table *t = current((struct ldif_backend *)b);
	enum dir_bind_why why = DIR_BIND_WRONG_PASSWORD;
	const struct dir_attr *at = NULL;
	const struct dir_raw *e = NULL;
	AUTO_ARENA a = { 0 };
	struct str norm;

	(void)dl;
	if (t == NULL)
		return DIR_BIND_UNAVAILABLE;
	if (dir_dn_norm(&a, dn, &norm) == RC_OK)
		e = ldif_table_dn(t, norm);
	if (e != NULL)
		at = dir_raw_attr(e, STR("userPassword"));
	for (size_t i = 0; at != NULL && i < at->n; i++)
		if (dir_password_match(at->v[i], password))
			why = DIR_BIND_OK;
	ldif_table_unref(&t);
	return why;
}

static void
ldif_status(struct dir_backend *b, struct ipc_msg *out)
{
	struct ldif_table *t = current((struct ldif_backend *)b);

	ipc_put_u64(out, "ldif_entries", t ? ldif_table_count(t) : 0);
	ldif_table_unref(&t);
}

static void
ldif_check(struct dir_backend *b, struct ipc_msg *out)
{
	struct ldif_backend *l = (struct ldif_backend *)b;
	struct ldif_table *t = current(l);
	AUTO_ARENA a = { 0 };
	struct str tried = str_fmt(&a, "read %s", l->path ? l->path : "text");

	if (t != NULL)
		proc_check_line(out, PROC_GOOD, tried,
		    str_fmt(&a, "%zu entries", ldif_table_count(t)), STR(""));
	else
		proc_check_line(out, PROC_FAIL, tried,
		    STR("the file is missing, unreadable or not LDIF"),
		    STR("see ldif.missing or ldif.bad in the log; check the "
			"setting ldif_file and the file's owner and mode"));
	ldif_table_unref(&t);
}

static void
ldif_free(struct dir_backend *b)
{
	struct ldif_backend *l = (struct ldif_backend *)b;

	ldif_table_unref(&l->table);
	pthread_mutex_destroy(&l->lock);
	arena_free(&l->a);
	xfree(l->path);
	xfree(l);
}

static const struct dir_backend_ops ops = {
	.search = ldif_search,
	.bind = ldif_bind,
	.status = ldif_status,
	.check = ldif_check,
	.free = ldif_free,
};

static struct ldif_backend *
ldif_new(const struct log *log, const char *base)
{
	struct ldif_backend *l = xcalloc(1, sizeof(*l));

	l->b.ops = &ops;
	l->log = *log;
	pthread_mutex_init(&l->lock, NULL);
	l->base = STR("");
	if (dir_dn_norm(&l->a, str_c(base), &l->base) != RC_OK)
		log_error(log, "ldif.base", KVC("not_a_dn", base));
	return l;
}

struct dir_backend *
dir_ldif_open(const struct log *log, const char *path, const char *base)
{
	struct ldif_backend *l = ldif_new(log, base);
	size_t n = str_c(path).n + 1;

	l->path = xmalloc(n);
	memcpy(l->path, path, n);
	return &l->b;
}

struct dir_backend *
dir_ldif_text(const struct log *log, struct str text, const char *base)
{
	struct ldif_backend *l = ldif_new(log, base);
	AUTO_ARENA a = { 0 };
	struct str why;

	if (ldif_table_new(&a, text, &l->table, &why) != RC_OK)
		log_error(log, "ldif.bad", KV("why", why));
	return &l->b;
}
