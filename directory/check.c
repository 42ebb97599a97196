/*
 * A directory does not say which attributes it hides, so a sample of entries
 * is read: what none of them shows is reported as unproven.
 */
#include <unistd.h>

#include "directory/check.h"
#include "directory/lookup.h"
#include "lib/proc.h"

#define SAMPLE   200u
#define CHECK_MS 5000

static struct dir_query
sample_query(const struct dir *d, struct arena *a)
{
	struct dir_query q = {
		.scope = DIR_SUBTREE, .attrs = d->schema.fetch, .max = SAMPLE
	};
	AUTO_BUF b = { 0 };
	const char *attr;

	buf_init(&b, 4096);
	for (size_t at = 0;
	     (attr = dir_schema_next(&d->schema, DIR_R_MAIL, &at)) != NULL;)
		if (buf_fmt(&b, "(%s=*)", attr) != RC_OK)
			break;
	for (size_t at = 0;
	     (attr = dir_schema_next(&d->schema, DIR_R_ALIAS, &at)) != NULL;)
		if (buf_fmt(&b, "(%s=*)", attr) != RC_OK)
			break;
	q.filter = dir_f_scoped(d, a, str_fmt(a, "(|%.*s)", STRF(buf_str(&b))));
	return q;
}

static void
check_entries(struct dir *d, struct arena *a, const struct dir_query *q,
    struct ipc_msg *out)
{
	size_t unreadable = 0;

	for (size_t i = 0; i < q->nfound; i++) {
		struct dir_entry e;

		dir_entry_read(a, &d->schema, &q->found[i], &e);
		if (e.known)
			continue;
		if (unreadable++ == 0)
			proc_check_line(out, PROC_FAIL,
			    str_fmt(a, "read %.*s", STRF(e.dn)),
			    str_fmt(a, "no %.*s: the entry counts as unknown",
				STRF(e.missing)),
			    STR("let our account read this attribute"));
	}
	if (unreadable == 0)
		proc_check_line(out, PROC_GOOD,
		    STR("attributes that every entry must have"),
		    str_fmt(a, "present in %zu entries", q->nfound), STR(""));
}

/* All of them in one line: most sites use only a few. */
static void
check_attrs(const struct dir *d, struct arena *a, const struct dir_query *q,
    struct ipc_msg *out)
{
	struct str unseen = STR("");

	for (size_t k = 0; d->schema.fetch[k] != NULL; k++) {
		const char *attr = d->schema.fetch[k];
		size_t seen = 0;

		for (size_t i = 0; i < q->nfound; i++)
			seen += dir_raw_attr(&q->found[i], str_c(attr)) != NULL;
		if (seen == 0)
			unseen = str_fmt(a, "%.*s%s%s", STRF(unseen),
			    unseen.n ? " " : "", attr);
	}
	if (unseen.n)
		proc_check_line(out, PROC_UNPROVEN,
		    STR("attributes that an entry may have"),
		    str_fmt(a, "in none of %zu entries: %.*s", q->nfound,
			STRF(unseen)),
		    STR("nothing if nobody has them; else let our account "
			"read them"));
}

static void
check_postmaster(struct dir *d, struct arena *a, struct ipc_msg *out)
{
	struct str who = STR("postmaster");
	struct dir_answer x = { 0 };
	enum rc rc = dir_lookup(d, a, &who, 1, deadline_in(CHECK_MS), NULL, &x);

	if (rc == RC_OK && x.r.rc == RC_OK)
		proc_check_line(
		    out, PROC_GOOD, STR("postmaster"), x.r.address, STR(""));
	else
		proc_check_line(out, PROC_FAIL, STR("postmaster"),
		    rc == RC_OK ? x.r.why : STR("no answer"),
		    STR("let the setting postmaster name a person"));
}

static void
check_keytab(const struct dir *d, struct str mechs, struct ipc_msg *out)
{
	const char *keytab = d->conf->keytab;

	if (keytab == NULL || keytab[0] == '\0')
		return;
	if (access(keytab, R_OK) != 0)
		proc_check_line(out, PROC_FAIL, str_c(keytab),
		    STR("not readable"),
		    STR("let the user of the directory process read it"));
	else if (mechs.n == 0)
		proc_check_line(out, PROC_FAIL, STR("logins by Kerberos"),
		    STR("the GSSAPI module is missing"),
		    STR("install libsasl2-modules-gssapi-mit"));
	else
		proc_check_line(
		    out, PROC_GOOD, STR("logins by Kerberos"), mechs, STR(""));
}

void
dir_check(struct dir *d, struct str mechs, struct ipc_msg *out)
{
	AUTO_ARENA a = { 0 };
	struct dir_query q = sample_query(d, &a);
	struct str tried =
	    str_fmt(&a, "entries with addresses in %s", d->conf->ldap_base);

	if (dir_search(d->be, &a, &q, 1, deadline_in(CHECK_MS)) != RC_OK ||
	    q.rc != RC_OK)
		proc_check_line(out, PROC_FAIL, tried, STR("no answer"),
		    STR("see the lines above; check ldap_base"));
	else if (q.nfound == 0)
		proc_check_line(out, PROC_FAIL, tried, STR("none"),
		    STR("check ldap_base, scope_filter and the rights of our "
			"account"));
	else {
		proc_check_line(out, PROC_GOOD, tried,
		    str_fmt(&a, "%zu%s", q.nfound, q.more ? " and more" : ""),
		    STR(""));
		check_entries(d, &a, &q, out);
		check_attrs(d, &a, &q, out);
	}
	check_postmaster(d, &a, out);
	check_keytab(d, mechs, out);
}
