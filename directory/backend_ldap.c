#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "directory/backend_ldap.h"
#include "directory/ldap_bind.h"
#include "directory/ldap_kerberos.h"
#include "directory/ldap_search.h"
#include "lib/proc.h"

/* A lost connection costs one more try, a second one the answer. */
#define TRIES 2u

struct ldap_backend {
	struct dir_backend b;
	struct log log;
	const struct conf *conf;
	struct dir_kerberos *kerberos;
	struct dir_pool *service;
	struct dir_pool *login;
};

/*
 * With another server to turn to, a mute one may use up only half of the time
 * that is left.
 */
static struct deadline
share(const struct dir_pool *p, struct deadline dl, unsigned try)
{
	if (try + 1 < TRIES && dir_pool_servers(p) > 1)
		return deadline_in(deadline_left_ms(dl) / 2);
	return dl;
}

static enum rc
on_search(struct dir_backend *b, struct arena *a, struct dir_query *q, size_t n,
    struct deadline dl)
{
	struct ldap_backend *l = (struct ldap_backend *)b;
	enum dir_fate fate = DIR_LINK_BROKEN;

	dl = deadline_min(dl, deadline_in(l->conf->directory_timeout_ms));
	for (unsigned try = 0; try < TRIES && fate != DIR_LINK_GOOD; try++) {
		struct dir_link *link;

		if (dir_pool_get(l->service, dl, &link) != RC_OK)
			return RC_TEMP;
		dir_ldap_search(&l->log, link, l->conf->ldap_base, a, q, n,
		    share(l->service, dl, try), &fate);
		dir_pool_put(l->service, &link, fate);
	}
	return fate == DIR_LINK_GOOD ? RC_OK : RC_TEMP;
}

static enum dir_bind_why
on_bind(struct dir_backend *b, struct str dn, struct str password,
    struct deadline dl)
{
	struct ldap_backend *l = (struct ldap_backend *)b;
	enum dir_bind_why why = DIR_BIND_UNAVAILABLE;
	enum dir_fate fate = DIR_LINK_BROKEN;

	if (dir_pool_servers(l->login) == 0)
		return DIR_BIND_NO_TLS;
	for (unsigned try = 0; try < TRIES && fate != DIR_LINK_GOOD; try++) {
		struct dir_link *link;

		if (dir_pool_get(l->login, dl, &link) != RC_OK)
			return DIR_BIND_UNAVAILABLE;
		why = dir_ldap_bind(&l->log, link, dn, password,
		    share(l->login, dl, try), &fate);
		dir_pool_put(l->login, &link, fate);
	}
	return why;
}

static void
on_status(struct dir_backend *b, struct ipc_msg *out)
{
	struct ldap_backend *l = (struct ldap_backend *)b;

	dir_pool_status(l->service, out);
	dir_pool_status(l->login, out);
}

/* A file that a setting names and the connections need. */
static void
check_file(struct ipc_msg *out, const char *setting, const char *path)
{
	AUTO_ARENA a = { 0 };
	char text[128];

	if (path == NULL || path[0] == '\0' || access(path, R_OK) == 0)
		return;
	proc_check_line(out, PROC_FAIL,
	    str_fmt(&a, "read %s (%s)", path, setting),
	    str_c(strerror_r(errno, text, sizeof(text))),
	    STR("let the user of the directory process read it"));
}

static void
on_check(struct dir_backend *b, struct ipc_msg *out)
{
	struct ldap_backend *l = (struct ldap_backend *)b;

	check_file(out, "ldap_ca_file", l->conf->ldap_ca_file);
	if (l->conf->ldap_bind == CONF_BIND_GSSAPI)
		check_file(out, "ldap_keytab", l->conf->ldap_keytab);
	else
		check_file(
		    out, "ldap_password_file", l->conf->ldap_password_file);
	dir_pool_check(l->service, out);
	dir_pool_check(l->login, out);
	if (dir_pool_servers(l->login) == 0)
		proc_check_line(out, PROC_FAIL, STR("logins by password"),
		    STR("no connection with TLS: none will be accepted"),
		    STR("set ldap_tls to starttls or ldaps"));
}

static void
on_free(struct dir_backend *b)
{
	struct ldap_backend *l = (struct ldap_backend *)b;

	dir_pool_free(&l->service);
	dir_pool_free(&l->login);
	dir_kerberos_free(&l->kerberos);
	conf_unref(&l->conf);
	xfree(l);
}

static const struct dir_backend_ops ops = {
	.search = on_search,
	.bind = on_bind,
	.status = on_status,
	.check = on_check,
	.free = on_free,
};

static struct dir_pool *
pool(const struct log *log, const struct conf *conf, struct dir_kerberos *k,
    bool login)
{
	struct dir_target *target[DIR_LDAP_SERVERS_MAX];
	struct dir_pool_conf pc = { .name = login ? "login" : "service",
		.target = target,
		.max = conf->directory_connections };

	/* Two servers must fit into one caller's deadline. */
	pc.connect_ms = MIN(conf->directory_timeout_ms / 3, 2000);
	pc.connect_ms = MAX(pc.connect_ms, 100);
	for (size_t i = 0;
	     i < conf->ldap_servers.n && pc.ntargets < DIR_LDAP_SERVERS_MAX;
	     i++) {
		struct dir_target *t = dir_target_new(
		    log, conf, k, conf->ldap_servers.v[i], login);

		if (t != NULL)
			target[pc.ntargets++] = t;
	}
	if (pc.ntargets == 0)
		log_error(log,
		    login ? "ldap.no_login_server" : "ldap.no_server",
		    KVC("why", "no server in ldap_servers is fit for this"));
	return dir_pool_new(log, &pc);
}

/*
 * libldap and its TLS set themselves up at their first use, without a lock
 * that would hold for several threads at once.
 */
static void
set_up_libldap(void)
{
	int v3 = LDAP_VERSION3, client = 0;

	ldap_set_option(NULL, LDAP_OPT_PROTOCOL_VERSION, &v3);
	ldap_set_option(NULL, LDAP_OPT_X_TLS_NEWCTX, &client);
}

struct dir_backend *
dir_ldap_open(const struct log *log, const struct conf *conf)
{
	struct ldap_backend *l = xcalloc(1, sizeof(*l));

	set_up_libldap();
	l->b.ops = &ops;
	l->log = *log;
	l->conf = conf_ref(conf);
	l->kerberos = dir_kerberos_new(log, conf);
	l->service = pool(log, conf, l->kerberos, false);
	l->login = pool(log, conf, l->kerberos, true);
	return &l->b;
}
