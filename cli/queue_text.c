/*
 * A message is a line, each recipient that waits another below it with what
 * happened and what comes next.
 */
#include "cli/out.h"
#include "cli/queue_text.h"

static struct str
text_of(json_t *o, const char *key)
{
	json_t *v = json_object_get(o, key);

	return json_is_string(v)
		   ? str_n(json_string_value(v), json_string_length(v))
		   : STR("");
}

static int64_t
number_of(json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

/* The null return path is "<>" wherever mail people look. */
static void
sender(FILE *f, struct str from)
{
	if (from.n == 0)
		fputs("<>", f);
	else
		out_text(f, from);
}

static void
state(FILE *f, json_t *e)
{
	out_text(f, text_of(e, "state"));
	if (json_is_true(json_object_get(e, "expired")))
		fputs(", expired", f);
}

static void
next_try(FILE *f, struct arena *a, json_t *e, int64_t now)
{
	int64_t next = number_of(e, "next_at");

	if (!json_is_integer(json_object_get(e, "next_at")))
		return;
	if (next <= now)
		fputs(", next try now", f);
	else
		fprintf(f, ", next try in %.*s", STRF(out_span(a, next - now)));
}

static void
entry_line(FILE *f, json_t *e, int64_t now)
{
	AUTO_ARENA a = { 0 };
	long long n = number_of(e, "attempts");

	fputs("    ", f);
	out_text(f, text_of(e, "rcpt"));
	fputs(" (", f);
	out_text(f, text_of(e, "kind"));
	fputs("): ", f);
	state(f, e);
	fprintf(f, ", %lld %s", n, n == 1 ? "try" : "tries");
	next_try(f, &a, e, now);
	fputs("\n        ", f);
	out_text(f, text_of(e, "reason"));
	fputc('\n', f);
}

static enum rc
check(json_t *item)
{
	if (!json_is_object(item) ||
	    !json_is_string(json_object_get(item, "id")) ||
	    !json_is_array(json_object_get(item, "entries")))
		return RC_BAD;
	return RC_OK;
}

enum rc
queue_text_item(FILE *f, json_t *item, int64_t now)
{
	AUTO_ARENA a = { 0 };
	json_t *e;
	size_t i;

	if (check(item) != RC_OK)
		return RC_BAD;
	out_text(f, text_of(item, "id"));
	fprintf(f, "  %.*s  %.*s ago  from ",
	    STRF(out_size(&a, (uint64_t)number_of(item, "size"))),
	    STRF(out_span(&a, now - number_of(item, "received_at"))));
	sender(f, text_of(item, "from"));
	fputc('\n', f);
	json_array_foreach(json_object_get(item, "entries"), i, e)
	    entry_line(f, e, now);
	return RC_OK;
}

static void
line(FILE *f, const char *name, struct str value)
{
	fprintf(f, "%-12s", name);
	out_text(f, value);
	fputc('\n', f);
}

static void
show_entry(FILE *f, json_t *e)
{
	AUTO_ARENA a = { 0 };
	json_t *next = json_object_get(e, "next_at");

	fputc('\n', f);
	line(f, "recipient", text_of(e, "rcpt"));
	line(f, "kind", text_of(e, "kind"));
	line(f, "account", text_of(e, "dir_id"));
	fprintf(f, "%-12s", "state");
	state(f, e);
	fputc('\n', f);
	line(f, "reason", text_of(e, "reason"));
	fprintf(f, "%-12s%lld\n", "tries", (long long)number_of(e, "attempts"));
	if (json_is_integer(next))
		line(f, "next try", out_time(&a, json_integer_value(next)));
	line(f, "expires", out_time(&a, number_of(e, "expires_at")));
}

enum rc
queue_text_show(FILE *f, json_t *item)
{
	AUTO_ARENA a = { 0 };
	struct str from = text_of(item, "from");
	json_t *e;
	size_t i;

	if (check(item) != RC_OK)
		return RC_BAD;
	line(f, "id", text_of(item, "id"));
	line(f, "from", from.n ? from : STR("<>"));
	line(f, "submitter", text_of(item, "submitter"));
	line(f, "received", out_time(&a, number_of(item, "received_at")));
	line(f, "size", out_size(&a, (uint64_t)number_of(item, "size")));
	json_array_foreach(json_object_get(item, "entries"), i, e)
	    show_entry(f, e);
	return RC_OK;
}
