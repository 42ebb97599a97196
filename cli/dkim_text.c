/* The texts of `gatepost dkim`. */
#include "cli/dkim_text.h"
#include "cli/out.h"

#define STRING_MAX 255u /* bytes of one string of a TXT record */

static void
zone_string(FILE *f, struct str s)
{
	fputc('"', f);
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			fputc('\\', f);
		fputc(s.p[i], f);
	}
	fputc('"', f);
}

void
dkim_zone_record(FILE *f, struct str name, struct str text)
{
	fprintf(f, "%.*s. IN TXT (", STRF(name));
	do {
		fputs("\n\t", f);
		zone_string(f, str_sub(text, 0, STRING_MAX));
		text = str_from(text, STRING_MAX);
	} while (text.n > 0);
	fputs(" )\n", f);
}

void
dkim_list_row(
    FILE *f, struct arena *a, struct str domain, const struct sgn_key *k)
{
	fprintf(f, "%-24.*s %-16.*s %-8s %-8s %5u bits  %.*s\n", STRF(domain),
	    STRF(k->sel.name), sgn_state_name(k->sel.state),
	    sgn_alg_name(k->pub.alg), k->pub.bits,
	    STRF(k->sel.since > 0 ? out_time(a, k->sel.since) : STR("")));
}

static json_t *
string(struct str s)
{
	return json_stringn(s.p != NULL ? s.p : "", s.n);
}

json_t *
dkim_json(struct arena *a, const struct sgn_domain *d)
{
	json_t *o = json_object(), *keys = json_array();

	json_object_set_new(o, "domain", string(d->name));
	for (size_t i = 0; i < d->n; i++) {
		const struct sgn_key *k = &d->v[i];
		json_t *one = json_object();

		json_object_set_new(one, "selector", string(k->sel.name));
		json_object_set_new(
		    one, "state", json_string(sgn_state_name(k->sel.state)));
		json_object_set_new(
		    one, "since", json_integer((json_int_t)k->sel.since));
		json_object_set_new(
		    one, "algorithm", json_string(sgn_alg_name(k->pub.alg)));
		json_object_set_new(
		    one, "bits", json_integer((json_int_t)k->pub.bits));
		json_object_set_new(one, "name",
		    string(str_fmt(a, "%.*s._domainkey.%.*s", STRF(k->sel.name),
			STRF(d->name))));
		json_object_set_new(one, "record", string(k->pub.record));
		json_array_append_new(keys, one);
	}
	json_object_set_new(o, "keys", keys);
	return o;
}
