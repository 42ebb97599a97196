#include <stdatomic.h>

#include "directory/backend_ldap.h"
#include "directory/backend_ldif.h"
#include "directory/directory.h"
#include "directory/dn.h"
#include "directory/filter.h"

static bool
settings_ok(struct dir *d)
{
	const char *scope = d->conf->scope_filter;
	struct dir_filter *f;

	if (scope != NULL && scope[0] != '\0' &&
	    dir_filter_parse(&d->a, str_c(scope), &f) != RC_OK) {
		log_error(&d->log, "conf.bad", KVC("setting", "scope_filter"),
		    KVC("why", "not an LDAP filter"));
		return false;
	}
	if (dir_dn_norm(&d->a, str_c(d->conf->scope_group), &d->scope_group) !=
	    RC_OK) {
		log_error(&d->log, "conf.bad", KVC("setting", "scope_group"),
		    KVC("why", "not a DN"));
		return false;
	}
	return true;
}

struct dir *
dir_new(const struct log *log, const struct conf *conf, struct dir_backend *be,
    struct dir_guard *guard)
{
	struct dir *d = xcalloc(1, sizeof(*d));

	atomic_init(&d->refs, 1);
	d->log = *log;
	d->conf = conf_ref(conf);
	d->be = be;
	d->guard = guard;
	d->cache = dir_cache_new(conf->directory_cache_ms);
	dir_schema_init(&d->schema, conf);
	if (!settings_ok(d))
		dir_unref(&d);
	return d;
}

struct dir *
dir_ref(struct dir *d)
{
	atomic_fetch_add(&d->refs, 1);
	return d;
}

void
dir_unref(struct dir **dp)
{
	struct dir *d = *dp;

	*dp = NULL;
	if (d == NULL || atomic_fetch_sub(&d->refs, 1) != 1)
		return;
	dir_cache_free(&d->cache);
	conf_unref(&d->conf);
	arena_free(&d->a);
	xfree(d);
}

struct dir_backend *
dir_backend_open(const struct log *log, const struct conf *conf)
{
	if (conf->directory == CONF_LDIF)
		return dir_ldif_open(log, conf->ldif_file, conf->ldap_base);
	return dir_ldap_open(log, conf);
}
