/*
 * Users.  Started by root, each role has its own: user_prefix and its name,
 * with the groups that /etc/group gives it; or all have the one of `user`.
 * Started by anybody else, all are that.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/sup.h"

static enum rc
lookup(struct sup *s, const char *name, struct sup_user *out)
{
	char text[4096];
	struct passwd pw, *found = NULL;
	int n = PROC_GROUPS_MAX;

	if (getpwnam_r(name, &pw, text, sizeof(text), &found) != 0 ||
	    found == NULL) {
		log_error(&s->log, "user.missing", KVC("user", name),
		    KVC("todo", "make it, or set `user` or `user_prefix`"));
		return RC_BAD;
	}
	*out = (struct sup_user){ .uid = pw.pw_uid, .gid = pw.pw_gid };
	if (getgrouplist(name, pw.pw_gid, out->groups, &n) < 0) {
		log_error(&s->log, "user.groups", KVC("user", name),
		    KVU("max", PROC_GROUPS_MAX));
		return RC_BAD;
	}
	out->ngroups = (size_t)n;
	return RC_OK;
}

enum rc
sup_user_of(struct sup *s, const struct sup_role *role, struct sup_user *out)
{
	if (geteuid() != 0) {
		*out = (struct sup_user){ .uid = geteuid(), .gid = getegid() };
		return RC_OK;
	}
	if (s->conf->user[0] != '\0')
		return lookup(s, s->conf->user, out);
	return lookup(
	    s, str_fmt(&s->a, "%s%s", s->conf->user_prefix, role->name).p, out);
}

/* The group that all roles are in: user_prefix without its last "-". */
static enum rc
common_group(struct sup *s)
{
	struct str name = str_c(s->conf->user_prefix);
	char text[4096];
	struct group gr, *found = NULL;
	struct sup_user one;

	if (s->same_user) {
		if (sup_user_of(s, &sup_roles[0], &one) != RC_OK)
			return RC_BAD;
		s->group = one.gid;
		return RC_OK;
	}
	if (name.n > 1 && name.p[name.n - 1] == '-')
		name.n--;
	name = str_fmt(&s->a, "%.*s", STRF(name));
	if (getgrnam_r(name.p, &gr, text, sizeof(text), &found) != 0 ||
	    found == NULL) {
		log_error(&s->log, "group.missing", KV("group", name),
		    KVC("todo", "make it, with all our users in it"));
		return RC_BAD;
	}
	s->group = gr.gr_gid;
	return RC_OK;
}

enum rc
sup_users(struct sup *s)
{
	s->same_user = geteuid() != 0 || s->conf->user[0] != '\0';
	for (size_t i = 0; i < s->nchildren; i++)
		if (sup_user_of(s, s->children[i].role, &s->children[i].user) !=
		    RC_OK)
			return RC_BAD;
	return common_group(s);
}

static bool
talks_to(const struct sup_role *role, const char *who)
{
	struct str left = str_c(role->peers), one;

	while ((one = str_word(&left)).n > 0)
		if (str_eq(one, str_c(who)))
			return true;
	return false;
}

void
sup_put_user(struct sup *s, const struct sup_child *c, struct ipc_msg *m)
{
	ipc_put_u64(m, "uid", c->user.uid);
	ipc_put_u64(m, "gid", c->user.gid);
	ipc_put_u64(m, "same_user", s->same_user);
	for (size_t i = 0; i < c->user.ngroups; i++) {
		size_t at = ipc_begin(m, "group");

		ipc_put_u64(m, "gid", c->user.groups[i]);
		ipc_end(m, at);
	}
	for (size_t i = 0; i < s->nchildren; i++) {
		const struct sup_child *peer = &s->children[i];
		size_t at;

		if (peer->instance > 0 || !talks_to(c->role, peer->role->name))
			continue;
		at = ipc_begin(m, "peer");
		ipc_put_u64(m, "uid", peer->user.uid);
		ipc_end(m, at);
	}
}
