/*
 * Files that the processes cannot open from their sandboxes: they are read and
 * checked here, at the start and at each reload, and handed on as sealed memfds
 * so that a mistake in one of them changes nothing that runs.
 *
 * The users of the machine are those that getpwent() lists; it is asked here
 * because the name service may be anything.
 */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "mail/aliases.h"
#include "mail/rules.h"
#include "policy/pol_headers.h"
#include "supervisor/sup.h"

#define USERS_MAX       20000u /* GW_USERS_MAX */
#define USERS_BYTES_MAX (4u << 20)

static enum rc
read_file(struct arena *a, const char *path, size_t max, struct str *out,
    struct str *why)
{
	AUTO_FD fd = -1;
	int error;

	*out = STR("");
	if (path[0] == '\0')
		return RC_OK;
	fd = open(path, O_RDONLY | O_NOCTTY | O_CLOEXEC);
	if (fd >= 0 && fd_read_file(a, fd, max, out) == RC_OK)
		return RC_OK;
	error = errno;
	*why = str_fmt(a, "%s: %s", path,
	    fd < 0 ? strerrordesc_np(error)
		   : "cannot be read, or is too large");
	return RC_BAD;
}

static enum rc
check_headers(
    struct arena *a, const char *path, struct str text, struct str *why)
{
	struct pol_headers *h = NULL;
	AUTO_BUF b = { 0 };
	struct str bad = STR("");
	enum rc rc;

	buf_init(&b, RULES_BYTES_MAX);
	rc = mail_rules_headers(text, &b);
	if (rc == RC_OK)
		rc = pol_headers_parse(a, buf_str(&b), &h, &bad);
	if (rc != RC_OK)
		*why = str_fmt(a, "%s: %.*s", path, STRF(bad));
	pol_headers_free(&h);
	return rc;
}

static int
load_rules(struct arena *a, const char *path, struct str *why)
{
	const struct mail_rules *rules = NULL;
	struct str text;

	if (read_file(a, path, RULES_BYTES_MAX, &text, why) != RC_OK ||
	    mail_rules_parse(a, path, text, &rules, why) != RC_OK)
		return -1;
	mail_rules_unref(&rules);
	if (check_headers(a, path, text, why) != RC_OK)
		return -1;
	return fd_sealed("rules", text);
}

struct warner {
	struct sup *s;
	const char *path;
};

static void
warn(void *ctx, unsigned line, struct str what)
{
	const struct warner *w = ctx;

	log_warn(&w->s->log, "aliases.left_out", KVC("path", w->path),
	    KVU("line", line), KV("target", what),
	    KVC("why", "commands, files and :include: are not done here"));
}

static int
load_aliases(struct sup *s, struct arena *a, const char *path, struct str *why)
{
	const struct mail_aliases *aliases = NULL;
	struct warner w = { s, path };
	struct str text;

	if (read_file(a, path, ALIASES_BYTES_MAX, &text, why) != RC_OK ||
	    mail_aliases_parse(a, path, text, warn, &w, &aliases, why) != RC_OK)
		return -1;
	mail_aliases_unref(&aliases);
	return fd_sealed("aliases", text);
}

static bool
name_ok(const char *name)
{
	return name[0] != '\0' && strpbrk(name, " \t\r\n") == NULL;
}

static int
load_users(void)
{
	const struct passwd *user;
	AUTO_BUF b = { 0 };
	unsigned n = 0;
	enum rc rc = RC_OK;

	buf_init(&b, USERS_BYTES_MAX);
	setpwent();
	while (rc == RC_OK && n < USERS_MAX && (user = getpwent()) != NULL)
		if (name_ok(user->pw_name)) {
			rc = buf_fmt(&b, "%u %s\n", (unsigned)user->pw_uid,
			    user->pw_name);
			n++;
		}
	endpwent();
	return rc == RC_OK ? fd_sealed("users", buf_str(&b)) : -1;
}

enum rc
sup_files_load(struct sup *s, struct arena *a, const struct conf *c,
    struct sup_files *out, struct str *why)
{
	struct sup_files f = { -1, -1, -1 };

	*why = STR("no memory for rules, aliases or users");
	f.rules = load_rules(a, c->rules_file, why);
	if (f.rules >= 0)
		f.aliases = load_aliases(s, a, c->aliases_file, why);
	if (f.aliases >= 0)
		f.users = load_users();
	if (f.users >= 0) {
		*out = f;
		return RC_OK;
	}
	sup_files_free(&f);
	return RC_BAD;
}

void
sup_files_free(struct sup_files *f)
{
	fd_close(&f->rules);
	fd_close(&f->aliases);
	fd_close(&f->users);
}

void
sup_put_files(struct sup *s, const struct sup_role *role, struct ipc_msg *m)
{
	if (role->rules)
		ipc_put_fd(m, "rules", s->files.rules);
	if (role->local) {
		ipc_put_fd(m, "aliases", s->files.aliases);
		ipc_put_fd(m, "users", s->files.users);
	}
}
