/* A row for each setting that names a file which must exist before a start. */
#include <errno.h>
#include <unistd.h>

#include "cli/files.h"

struct named {
	const char *setting;
	size_t offset;
	bool list; /* of files */
};

#define ONE(name)                                                              \
	{                                                                      \
#name, offsetof(struct conf, name), false                      \
	}
#define LIST(name)                                                             \
	{                                                                      \
#name, offsetof(struct conf, name), true                       \
	}

static const struct named always[] = {
	LIST(tls_certificate),
	LIST(tls_key),
	ONE(keytab),
	ONE(krb5_config),
	ONE(dns_trust_anchor),
};
static const struct named with_ldif[] = { ONE(ldif_file) };
static const struct named with_ldap[] = {
	ONE(ldap_ca_file),
	ONE(ldap_keytab),
	ONE(ldap_password_file),
};

struct count {
	struct cli *c;
	void (*missing)(
	    void *arg, const char *setting, const char *path, int error);
	void *arg;
	unsigned named;
};

static void
check_path(struct count *k, const char *setting, const char *path)
{
	if (path == NULL || path[0] == '\0')
		return;
	k->named++;
	if (access(path, F_OK) != 0)
		k->missing(k->arg, setting, path, errno);
}

static void
check_rows(struct count *k, const struct named *row, size_t n)
{
	const char *base = (const char *)k->c->conf;

	for (size_t i = 0; i < n; i++) {
		const void *at = base + row[i].offset;
		const struct conf_list *list = at;
		const char *const *path = at;

		if (!row[i].list) {
			check_path(k, row[i].setting, *path);
			continue;
		}
		for (size_t j = 0; j < list->n; j++)
			check_path(k, row[i].setting, list->v[j]);
	}
}

unsigned
files_check(struct cli *c,
    void (*missing)(
	void *arg, const char *setting, const char *path, int error),
    void *arg)
{
	struct count k = { c, missing, arg, 0 };

	check_rows(&k, always, COUNT(always));
	if (c->conf->directory == CONF_LDIF)
		check_rows(&k, with_ldif, COUNT(with_ldif));
	else
		check_rows(&k, with_ldap, COUNT(with_ldap));
	return k.named;
}
