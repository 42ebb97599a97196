/*
 * gatepost report: how much mail came and went, what was refused and why, who
 * sends and receives most.
 */
#include <jansson.h>

#include "cli/cli.h"
#include "cli/out.h"
#include "cli/when.h"
#include "track/trk_ask_client.h"

#define ASK_MS   60000
#define DAY_S    INT64_C(86400)
#define HOURS_TO (3 * DAY_S) /* longer reports go by days */
#define USAGE    "report [--day D | --since T [--until T]] [--top N]"

struct report {
	struct cli *c;
	int64_t since, until, slot; /* seconds */
	uint64_t top;
	struct trk_row *v;
	size_t n;
};

/* The lines of the summary and the columns of the time table. */
static const struct kind {
	unsigned kind;
	bool by_time;
	const char *name, *text;
} kinds[] = {
	{ TRK_ACCEPT, true, "received", "Received" },
	{ TRK_DELIVER, true, "delivered", "Delivered" },
	{ TRK_JUNK, true, "junked", "Into Junk" },
	{ TRK_SEND, true, "sent", "Sent" },
	{ TRK_REJECT, true, "rejected", "Rejected" },
	{ TRK_DEFER_IN, true, "deferred_in", "Refused for now" },
	{ TRK_DEFER, true, "deferred", "Deferred" },
	{ TRK_BOUNCE, true, "bounced", "Bounced" },
	{ TRK_QUEUE, false, "queued", "Queued" },
	{ TRK_HOLD, false, "held", "Held" },
	{ TRK_DELETE, false, "deleted", "Deleted" },
	{ TRK_NOTICE, true, "notices", "Notices" },
};

/* What the second and third number of a status say (RFC 3463, RFC 5248). */
static const struct {
	const char *status, *text;
} classes[] = {
	{ "1.1", "unknown recipient" },
	{ "1.2", "no such domain" },
	{ "1.", "bad address" },
	{ "2.", "mailbox does not take it" },
	{ "3.4", "too big" },
	{ "3.", "our system" },
	{ "4.6", "mail loop" },
	{ "4.", "network or routing" },
	{ "5.", "protocol" },
	{ "6.", "content" },
	{ "7.", "policy" },
};

static const char *
class_of(struct str code)
{
	struct str s = str_from(code, str_chr(code, ' ') + 1);

	s = str_from(s, str_chr(s, '.') + 1);
	for (size_t i = 0; i < COUNT(classes); i++) {
		struct str c = str_c(classes[i].status);

		if (str_has_prefix(s, c) && (c.p[c.n - 1] == '.' || s.n == c.n))
			return classes[i].text;
	}
	return "other";
}

static const struct trk_row *
row_of(
    const struct report *r, enum trk_table table, unsigned kind, uint64_t slot)
{
	static const struct trk_row none = { 0 };

	for (size_t i = 0; i < r->n; i++)
		if (r->v[i].table == table && r->v[i].kind == kind &&
		    r->v[i].slot == slot)
			return &r->v[i];
	return &none;
}

static bool
has_table(const struct report *r, enum trk_table table)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->v[i].table == table)
			return true;
	return false;
}

/* ---- text */

static void
say_summary(const struct report *r)
{
	FILE *f = r->c->out;
	struct arena *a = &r->c->a;

	fprintf(f, "From %.*s until %.*s\n\n", STRF(when_minute(a, r->since)),
	    STRF(when_minute(a, r->until)));
	for (size_t i = 0; i < COUNT(kinds); i++) {
		const struct trk_row *row =
		    row_of(r, TRK_BY_KIND, kinds[i].kind, 0);

		fprintf(f, "%-16s %10llu", kinds[i].text,
		    (unsigned long long)row->n);
		if (kinds[i].kind == TRK_ACCEPT)
			fprintf(f, "  messages, %llu recipients, %.*s",
			    (unsigned long long)row->nrcpt,
			    STRF(out_size(a, row->bytes)));
		fputc('\n', f);
	}
}

static void
say_reasons(const struct report *r)
{
	FILE *f = r->c->out;

	if (has_table(r, TRK_BY_REASON))
		fputs("\nReasons\n", f);
	for (size_t i = 0; i < r->n; i++) {
		const struct trk_row *row = &r->v[i];

		if (row->table != TRK_BY_REASON)
			continue;
		fprintf(f, "%10llu  %-12.*s %-26s ", (unsigned long long)row->n,
		    STRF(out_escape(&r->c->a, row->who)), class_of(row->who));
		out_text(f, row->text);
		fputc('\n', f);
	}
}

static void
say_times(const struct report *r)
{
	FILE *f = r->c->out;
	uint64_t last = UINT64_MAX;

	if (!has_table(r, TRK_BY_TIME))
		return;
	fprintf(f, "\n%-17s", r->slot < DAY_S ? "By hour" : "By day");
	for (size_t k = 0; k < COUNT(kinds); k++)
		if (kinds[k].by_time)
			fprintf(f, " %11s", kinds[k].name);
	fputc('\n', f);
	/* The rows come in the order of time. */
	for (size_t i = 0; i < r->n; i++) {
		uint64_t slot = r->v[i].slot;

		if (r->v[i].table != TRK_BY_TIME || slot == last)
			continue;
		last = slot;
		fprintf(f, "%.*s ",
		    STRF(when_minute(
			&r->c->a, r->since + (int64_t)slot * r->slot)));
		for (size_t k = 0; k < COUNT(kinds); k++)
			if (kinds[k].by_time)
				fprintf(f, " %11llu",
				    (unsigned long long)row_of(
					r, TRK_BY_TIME, kinds[k].kind, slot)
					->n);
		fputc('\n', f);
	}
}

static void
say_top(const struct report *r, enum trk_table table, const char *title)
{
	FILE *f = r->c->out;

	if (has_table(r, table))
		fprintf(f, "\n%s\n", title);
	for (size_t i = 0; i < r->n; i++) {
		const struct trk_row *row = &r->v[i];

		if (row->table != table)
			continue;
		fprintf(f, "%10llu  %10.*s  ", (unsigned long long)row->n,
		    STRF(out_size(&r->c->a, row->bytes)));
		out_text(f, row->who.n > 0 ? row->who : STR("<>"));
		fputc('\n', f);
	}
}

/* ---- JSON */

static json_t *
string(struct arena *a, struct str s)
{
	json_t *v = json_stringn(s.p ? s.p : "", s.n);

	if (v == NULL) {
		s = out_escape(a, s);
		v = json_stringn(s.p, s.n);
	}
	return v;
}

static const char *
kind_name(uint64_t kind)
{
	for (size_t i = 0; i < COUNT(kinds); i++)
		if (kinds[i].kind == kind)
			return kinds[i].name;
	return "other";
}

static void
set(json_t *o, const char *name, uint64_t v)
{
	json_object_set_new(o, name, json_integer((json_int_t)v));
}

static json_t *
rows_json(const struct report *r, enum trk_table table)
{
	json_t *all = json_array();

	for (size_t i = 0; i < r->n; i++) {
		const struct trk_row *row = &r->v[i];
		struct arena *a = &r->c->a;
		json_t *o;

		if (row->table != table)
			continue;
		o = json_object();
		if (table == TRK_BY_REASON) {
			json_object_set_new(
			    o, "what", json_string(kind_name(row->kind)));
			json_object_set_new(o, "code", string(a, row->who));
			json_object_set_new(
			    o, "class", json_string(class_of(row->who)));
			json_object_set_new(o, "text", string(a, row->text));
		} else if (table == TRK_BY_TIME) {
			json_object_set_new(o, "time",
			    string(a,
				when_json(a,
				    (r->since + (int64_t)row->slot * r->slot) *
					1000)));
			json_object_set_new(
			    o, "what", json_string(kind_name(row->kind)));
		} else {
			json_object_set_new(o, "address", string(a, row->who));
			set(o, "bytes", row->bytes);
		}
		set(o, "count", row->n);
		json_array_append_new(all, o);
	}
	return all;
}

static void
as_json(const struct report *r)
{
	json_t *root = json_object();
	struct arena *a = &r->c->a;

	json_object_set_new(
	    root, "since", string(a, when_json(a, r->since * 1000)));
	json_object_set_new(
	    root, "until", string(a, when_json(a, r->until * 1000)));
	for (size_t i = 0; i < COUNT(kinds); i++)
		set(root, kinds[i].name,
		    row_of(r, TRK_BY_KIND, kinds[i].kind, 0)->n);
	set(root, "received_recipients",
	    row_of(r, TRK_BY_KIND, TRK_ACCEPT, 0)->nrcpt);
	set(root, "received_bytes",
	    row_of(r, TRK_BY_KIND, TRK_ACCEPT, 0)->bytes);
	json_object_set_new(root, "reasons", rows_json(r, TRK_BY_REASON));
	json_object_set_new(root, "times", rows_json(r, TRK_BY_TIME));
	json_object_set_new(root, "senders", rows_json(r, TRK_BY_SENDER));
	json_object_set_new(root, "recipients", rows_json(r, TRK_BY_RCPT));
	json_dumpf(root, r->c->out, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	fputc('\n', r->c->out);
	json_decref(root);
}

/* False: usage. */
static bool
options(struct report *r)
{
	const struct cli *c = r->c;
	int64_t now = now_unix();

	r->since = when_midnight(now, 0);
	r->until = when_midnight(now, 1);
	r->top = 10;
	for (int i = 0; i < c->argc; i += 2) {
		struct str name = str_c(c->argv[i]), value;

		if (i + 1 == c->argc)
			return false;
		value = str_c(c->argv[i + 1]);
		if (str_eq(name, STR("--day")) &&
		    when_parse(value, now, &r->since) == RC_OK) {
			r->since = when_midnight(r->since, 0);
			r->until = when_midnight(r->since, 1);
		} else if (!(str_eq(name, STR("--since")) &&
			       when_parse(value, now, &r->since) == RC_OK) &&
			   !(str_eq(name, STR("--until")) &&
			       when_parse(value, now, &r->until) == RC_OK) &&
			   !(str_eq(name, STR("--top")) &&
			       str_u64(value, TRK_TOP_MAX, &r->top) == RC_OK)) {
			return false;
		}
	}
	r->slot = r->until - r->since <= HOURS_TO ? 3600 : DAY_S;
	return r->since < r->until;
}

enum cli_exit
cmd_report(struct cli *c)
{
	struct report r = { .c = c };
	struct trk_ask *ask;
	enum rc rc;

	if (!options(&r))
		return cli_bad_usage(c, USAGE);
	ask = trk_ask_new(&c->log, cli_socket(c, "track"));
	rc = trk_ask_report(ask, &c->a, r.since * 1000, r.until * 1000,
	    r.slot * 1000, r.top, deadline_in(ASK_MS), &r.v, &r.n);
	trk_ask_free(&ask);
	if (rc != RC_OK)
		return cli_answer(c, "report", rc, "no numbers");
	if (c->json) {
		as_json(&r);
		return CLI_GOOD;
	}
	say_summary(&r);
	say_reasons(&r);
	say_times(&r);
	say_top(&r, TRK_BY_SENDER, "Top senders");
	say_top(&r, TRK_BY_RCPT, "Top recipients");
	return CLI_GOOD;
}
