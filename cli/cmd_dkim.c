/*
 * gatepost dkim new | show | test | rotate | list
 *
 * Writes and reads the signer's key directory itself; the running signer sees
 * the change at a reload.  That is on purpose: first the record is published,
 * then mail is signed with its key.
 */
#include <errno.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/dkim_dns.h"
#include "cli/dkim_text.h"
#include "cli/out.h"

#define USAGE                                                                  \
	"dkim new DOMAIN [--selector S] | show DOMAIN | test DOMAIN | "        \
	"rotate DOMAIN [--selector S] | rotate --finish DOMAIN [--force] | "   \
	"list"

struct dkim {
	struct cli *c;
	struct sgn_writer w;
	const char *what; /* "dkim new" */
	struct str domain;
	struct str base;    /* --selector */
	bool finish, force; /* of rotate */
	struct str why;
};

static enum cli_exit
explain(struct dkim *d, enum rc rc)
{
	struct cli *c = d->c;

	if (rc == RC_OK)
		return CLI_GOOD;
	fprintf(c->err, "gatepost %s: ", d->what);
	out_text(c->err, d->why.n > 0 ? d->why : str_c(rc_name(rc)));
	fputc('\n', c->err);
	return CLI_WRONG;
}

static enum rc
read_domain(struct dkim *d, struct str domain, struct sgn_domain *out)
{
	enum rc rc =
	    sgn_domain_read(&d->c->a, d->w.dir, domain, d->w.uid, false, out);

	d->why = out->why;
	if (rc == RC_NOENT)
		d->why = str_fmt(&d->c->a,
		    "%.*s has no keys; try: gatepost dkim new %.*s",
		    STRF(domain), STRF(domain));
	return rc;
}

static void
dump(struct dkim *d, json_t *root)
{
	json_dumpf(root, d->c->out, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	fputc('\n', d->c->out);
	json_decref(root);
}

/* The records of the domain whose keys are in one of these states. */
static void
print_records(struct dkim *d, const struct sgn_domain *k, unsigned states)
{
	struct cli *c = d->c;

	for (size_t i = 0; i < k->n; i++)
		if (states >> k->v[i].sel.state & 1)
			dkim_zone_record(c->out,
			    str_fmt(&c->a, "%.*s._domainkey.%.*s",
				STRF(k->v[i].sel.name), STRF(k->name)),
			    k->v[i].pub.record);
}

static enum cli_exit
show_after(struct dkim *d, unsigned states, const char *then)
{
	struct sgn_domain k;
	enum rc rc = read_domain(d, d->domain, &k);

	if (rc != RC_OK)
		return explain(d, rc);
	if (d->c->json) {
		dump(d, dkim_json(&d->c->a, &k));
		return CLI_GOOD;
	}
	print_records(d, &k, states);
	if (then != NULL)
		fprintf(d->c->out, "\n%s\n", then);
	return CLI_GOOD;
}

static enum cli_exit
on_new(struct dkim *d)
{
	struct sgn_domain none = { 0 };
	enum rc rc;

	if (d->base.n == 0)
		d->base = sgn_next_base(&d->c->a, &none, d->w.now);
	rc = sgn_domain_new(&d->c->a, &d->w, d->domain, d->base, &d->why);
	if (rc != RC_OK)
		return explain(d, rc);
	return show_after(d, 1u << SGN_ACTIVE,
	    "Publish these records, then: gatepost reload");
}

static enum cli_exit
on_show(struct dkim *d)
{
	return show_after(d, 1u << SGN_ACTIVE | 1u << SGN_NEW, NULL);
}

static enum cli_exit
on_test(struct dkim *d)
{
	struct sgn_domain k;
	enum rc rc = read_domain(d, d->domain, &k);

	return rc == RC_OK ? dkim_test(d->c, &k) : explain(d, rc);
}

static enum cli_exit
on_rotate_begin(struct dkim *d)
{
	struct sgn_domain k;
	enum rc rc = read_domain(d, d->domain, &k);

	if (rc == RC_OK && d->base.n == 0)
		d->base = sgn_next_base(&d->c->a, &k, d->w.now);
	if (rc == RC_OK)
		rc = sgn_domain_add(
		    &d->c->a, &d->w, d->domain, d->base, &d->why);
	if (rc != RC_OK)
		return explain(d, rc);
	return show_after(d, 1u << SGN_NEW,
	    "Publish these records; mail is signed with the old keys until "
	    "then.  When they are out: gatepost dkim rotate --finish");
}

/* Nobody could verify what is signed with a key that is not published. */
static enum cli_exit
new_are_out(struct dkim *d)
{
	struct cli *c = d->c;
	struct dkim_sight *v;
	struct sgn_domain k;
	enum cli_exit status = CLI_GOOD;
	enum rc rc = read_domain(d, d->domain, &k);

	if (rc != RC_OK)
		return explain(d, rc);
	v = arena_calloc(&c->a, k.n, sizeof(*v));
	if (dkim_look(c, &k, v) != RC_OK)
		return CLI_NO_ANSWER;
	for (size_t i = 0; i < k.n; i++) {
		if (k.v[i].sel.state != SGN_NEW || v[i].seen == DKIM_MATCH)
			continue;
		fprintf(c->err, "gatepost %s: %.*s._domainkey.%.*s: %s\n",
		    d->what, STRF(k.v[i].sel.name), STRF(k.name),
		    dkim_seen_text(v[i].seen));
		status = v[i].seen == DKIM_UNKNOWN && status == CLI_GOOD
			     ? CLI_NO_ANSWER
			     : CLI_WRONG;
	}
	if (status != CLI_GOOD)
		fputs("The old keys stay in use; --force switches all the "
		      "same.\n",
		    c->err);
	return status;
}

static enum cli_exit
on_rotate(struct dkim *d)
{
	enum cli_exit status;
	enum rc rc;

	if (!d->finish)
		return on_rotate_begin(d);
	status = d->force ? CLI_GOOD : new_are_out(d);
	if (status != CLI_GOOD)
		return status;
	rc = sgn_domain_switch(&d->c->a, &d->w, d->domain, &d->why);
	if (rc != RC_OK)
		return explain(d, rc);
	return show_after(d, 0,
	    "The new keys are in use from now on: gatepost reload.\nLeave the "
	    "records of the retired ones in the DNS until mail signed with "
	    "them has arrived everywhere: a week.");
}

static enum cli_exit
list_one(struct dkim *d, struct str domain, json_t *all)
{
	struct sgn_domain k;
	enum rc rc = read_domain(d, domain, &k);

	if (rc != RC_OK)
		return explain(d, rc);
	if (all != NULL) {
		json_array_append_new(all, dkim_json(&d->c->a, &k));
		return CLI_GOOD;
	}
	for (size_t i = 0; i < k.n; i++)
		dkim_list_row(d->c->out, &d->c->a, domain, &k.v[i]);
	return CLI_GOOD;
}

static enum cli_exit
on_list(struct dkim *d)
{
	json_t *all = d->c->json ? json_array() : NULL;
	enum cli_exit status = CLI_GOOD;
	struct str *v = NULL;
	size_t n = 0;
	enum rc rc = sgn_domains(&d->c->a, d->w.dir, &v, &n);

	if (rc == RC_TEMP) {
		d->why = str_fmt(
		    &d->c->a, "%s: %s", d->w.dir, strerrordesc_np(errno));
		status = explain(d, rc);
	}
	for (size_t i = 0; i < n; i++)
		status = MAX(status, list_one(d, v[i], all));
	if (all != NULL)
		dump(d, all);
	else if (n == 0 && status == CLI_GOOD)
		fputs(
		    "There are no keys: mail goes out unsigned.\n", d->c->out);
	return status;
}

static const struct verb {
	const char *name;
	bool domain; /* takes one */
	enum cli_exit (*run)(struct dkim *d);
} verbs[] = {
	{ "new", true, on_new },
	{ "show", true, on_show },
	{ "test", true, on_test },
	{ "rotate", true, on_rotate },
	{ "list", false, on_list },
};

/* What follows the verb; false: usage. */
static bool
arguments(struct dkim *d, const struct verb *v)
{
	struct cli *c = d->c;

	for (int i = 1; i < c->argc; i++) {
		const char *s = c->argv[i];
		bool rotate = v->run == on_rotate;

		if (strcmp(s, "--selector") == 0 && i + 1 < c->argc &&
		    (rotate || v->run == on_new))
			d->base = str_c(c->argv[++i]);
		else if (strcmp(s, "--finish") == 0 && rotate)
			d->finish = true;
		else if (strcmp(s, "--force") == 0 && rotate)
			d->force = true;
		else if (s[0] != '-' && d->domain.n == 0)
			d->domain = str_lower(&c->a, str_c(s));
		else
			return false;
	}
	return (d->domain.n > 0) == v->domain;
}

enum cli_exit
cmd_dkim(struct cli *c)
{
	struct dkim d = { .c = c };
	const struct verb *v = NULL;

	for (size_t i = 0; c->argc > 0 && i < COUNT(verbs); i++)
		if (strcmp(verbs[i].name, c->argv[0]) == 0)
			v = &verbs[i];
	if (v == NULL || !arguments(&d, v))
		return cli_bad_usage(c, USAGE);
	d.what = str_fmt(&c->a, "dkim %s", v->name).p;
	d.w.dir = c->conf->dkim_dir;
	d.w.now = now_unix();
	if (d.w.dir[0] == '\0') {
		fprintf(c->err,
		    "gatepost %s: dkim_dir is empty: nothing is "
		    "signed\n",
		    d.what);
		return CLI_WRONG;
	}
	if (cli_user_of(c, "signer", &d.w.uid, &d.w.gid) == RC_OK)
		return v->run(&d);
	fprintf(
	    c->err, "gatepost %s: the signer's user does not exist\n", d.what);
	return CLI_WRONG;
}
