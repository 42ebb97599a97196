/*
 * The list of users is a copy of the passwd database, because the sandbox has
 * no /etc: lines "UID NAME".  Somebody made since the last reload has no name
 * here, and is asked to wait rather than believed or refused.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/gw_site.h"

#define USERS_BYTES_MAX (4u << 20)

struct user {
	uid_t uid;
	struct str name;
};

struct gw_site {
	_Atomic int refs;
	struct arena a;
	const struct mail_rules *rules;
	const struct mail_aliases *aliases;
	struct user *user; /* by uid */
	size_t nusers;
	uid_t *trusted;
	size_t ntrusted;
};

static enum rc
take_text(struct arena *a, struct ipc_in *in, const char *name, size_t max,
    struct str *out)
{
	AUTO_FD fd = -1;

	*out = STR("");
	if (ipc_get_fd(in, name, &fd) != RC_OK)
		return RC_OK;
	return fd_read_sealed(a, fd, max, out);
}

static int
by_uid(const void *x, const void *y)
{
	const struct user *a = x, *b = y;

	return (a->uid > b->uid) - (a->uid < b->uid);
}

static enum rc
read_users(struct gw_site *s, struct str text)
{
	struct str line, number;
	size_t n = 0;
	uint64_t uid;

	for (size_t i = 0; i < text.n; i++)
		n += text.p[i] == '\n';
	if (n > GW_USERS_MAX)
		return RC_BAD;
	s->user = arena_calloc(&s->a, n, sizeof(*s->user));
	while (str_split(&text, '\n', &line)) {
		if (line.n == 0)
			continue;
		number = str_word(&line);
		if (s->nusers == n || line.n == 0 ||
		    str_u64(number, UINT32_MAX, &uid) != RC_OK)
			return RC_BAD;
		s->user[s->nusers++] = (struct user){
			(uid_t)uid,
			str_dup(&s->a, line),
		};
	}
	if (s->nusers > 0)
		qsort(s->user, s->nusers, sizeof(*s->user), by_uid);
	return RC_OK;
}

/* A name, or a number. */
static bool
find_uid(const struct gw_site *s, struct str text, uid_t *out)
{
	uint64_t uid;

	for (size_t i = 0; i < s->nusers; i++)
		if (str_eq(s->user[i].name, text)) {
			*out = s->user[i].uid;
			return true;
		}
	if (str_u64(text, UINT32_MAX - 1, &uid) != RC_OK)
		return false;
	*out = (uid_t)uid;
	return true;
}

static void
read_trusted(
    struct gw_site *s, const struct log *log, const struct conf_list *names)
{
	s->trusted = arena_calloc(&s->a, names->n + 2, sizeof(*s->trusted));
	s->trusted[s->ntrusted++] = 0;
	s->trusted[s->ntrusted++] = getuid();
	for (size_t i = 0; i < names->n; i++) {
		uid_t uid;

		if (find_uid(s, str_c(names->v[i]), &uid))
			s->trusted[s->ntrusted++] = uid;
		else
			log_warn(log, "local_trusted_users",
			    KVC("unknown", names->v[i]));
	}
}

static enum rc
read_all(struct gw_site *s, const struct conf *conf, struct ipc_in *in,
    struct str *why)
{
	AUTO_ARENA a = { 0 };
	struct str rules, aliases, users, text;
	enum rc rc;

	*why = STR("a file is not sealed or too large");
	rc = take_text(&a, in, "rules", RULES_BYTES_MAX, &rules);
	if (rc == RC_OK)
		rc = take_text(&a, in, "aliases", ALIASES_BYTES_MAX, &aliases);
	if (rc == RC_OK)
		rc = take_text(&a, in, "users", USERS_BYTES_MAX, &users);
	if (rc == RC_OK)
		rc = read_users(s, users);
	if (rc != RC_OK)
		return RC_BAD;
	rc = mail_rules_parse(&a, conf->rules_file, rules, &s->rules, &text);
	if (rc == RC_OK)
		rc = mail_aliases_parse(&a, conf->aliases_file, aliases, NULL,
		    NULL, &s->aliases, &text);
	if (rc != RC_OK)
		*why = str_dup(&s->a, text);
	return rc;
}

enum rc
gw_site_load(const struct log *log, const struct conf *conf, struct ipc_in *in,
    const struct gw_site **out)
{
	struct gw_site *s = xcalloc(1, sizeof(*s));
	const struct gw_site *done = s;
	struct str why;

	s->refs = 1;
	if (read_all(s, conf, in, &why) != RC_OK) {
		log_error(log, "site.load", KV("error", why));
		gw_site_unref(&done);
		return RC_BAD;
	}
	read_trusted(s, log, &conf->local_trusted_users);
	*out = s;
	return RC_OK;
}

const struct gw_site *
gw_site_ref(const struct gw_site *s)
{
	struct gw_site *m = (struct gw_site *)(uintptr_t)s;

	if (m != NULL)
		atomic_fetch_add(&m->refs, 1);
	return s;
}

void
gw_site_unref(const struct gw_site **s)
{
	struct gw_site *m = (struct gw_site *)(uintptr_t)*s;

	*s = NULL;
	if (m == NULL || atomic_fetch_sub(&m->refs, 1) > 1)
		return;
	mail_rules_unref(&m->rules);
	mail_aliases_unref(&m->aliases);
	arena_free(&m->a);
	xfree(m);
}

const struct mail_rules *
gw_site_rules(const struct gw_site *s)
{
	return s != NULL ? s->rules : NULL;
}

const struct mail_aliases *
gw_site_aliases(const struct gw_site *s)
{
	return s != NULL ? s->aliases : NULL;
}

struct str
gw_site_user(const struct gw_site *s, uid_t uid)
{
	size_t lo = 0, hi = s != NULL ? s->nusers : 0;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->user[mid].uid == uid)
			return s->user[mid].name;
		if (s->user[mid].uid < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return STR("");
}

bool
gw_site_has_user(const struct gw_site *s, struct str name)
{
	for (size_t i = 0; s != NULL && i < s->nusers; i++)
		if (str_ieq(s->user[i].name, name))
			return true;
	return false;
}

bool
gw_site_trusts(const struct gw_site *s, uid_t uid)
{
	for (size_t i = 0; s != NULL && i < s->ntrusted; i++)
		if (s->trusted[i] == uid)
			return true;
	return false;
}
