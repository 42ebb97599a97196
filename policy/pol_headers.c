/*
 * PCRE2 backtracks, and both the header and, on some sites, the regular
 * expression come from people who do not know what that can cost.  So each
 * match has limits of steps, depth and memory, and the message a budget of
 * steps.  PCRE2 does not tell how many steps a match took; so it is tried with
 * a small limit, which nearly all keep to, then with larger ones, and the
 * limit is what it is charged with.  The first is very small: most rules do not
 * match because a first letter is nowhere, and a thousand rules on a hundred
 * fields of that kind must not look like work.
 *
 * No JIT: the sandbox forbids memory that is written and then run, and JIT
 * code knows no step limit that means the same.  No UTF either: header bytes
 * are whatever they are.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "mail/header.h"
#include "policy/pol_headers.h"

#define TEXT_MAX     400u
#define DEPTH_MAX    10000u
#define HEAP_MAX_KIB 4096u
#define SCAN_BYTES   64u /* of a value, that cost a step to skip through */

static const uint32_t tries[] = { 10, 100, 1000, 10000, POL_HEADERS_MATCH_MAX };

enum text {
	TEXT_NONE,
	TEXT_MAY,
	TEXT_MUST,
	TEXT_FIELD,
};

static const struct action {
	struct str name;
	enum pol_headers_action action;
	enum text text;
	bool last; /* decides about the message */
} actions[] = {
	{ STR_INIT("reject"), POL_HEADERS_REJECT, TEXT_MUST, true },
	{ STR_INIT("defer"), POL_HEADERS_DEFER, TEXT_MUST, true },
	{ STR_INIT("discard"), POL_HEADERS_DISCARD, TEXT_NONE, true },
	{ STR_INIT("hold"), POL_HEADERS_HOLD, TEXT_NONE, true },
	{ STR_INIT("junk"), POL_HEADERS_JUNK, TEXT_NONE, true },
	{ STR_INIT("ignore"), POL_HEADERS_IGNORE, TEXT_NONE, false },
	{ STR_INIT("warn"), POL_HEADERS_WARN, TEXT_MAY, false },
	{ STR_INIT("prepend"), POL_HEADERS_PREPEND, TEXT_FIELD, false },
};

struct rule {
	struct str name; /* "" is every field */
	pcre2_code *code;
	const struct action *action;
	struct str text;
	unsigned line;
};

struct pol_headers {
	struct rule *v;
	size_t n;
};

const char *
pol_headers_action_name(enum pol_headers_action action)
{
	for (size_t i = 0; i < COUNT(actions); i++)
		if (actions[i].action == action)
			return actions[i].name.p;
	panic("header check: action %d", (int)action);
}

static bool
is_field_name(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~' || s.p[i] == ':')
			return false;
	return s.n > 0;
}

static bool
is_plain(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < ' ' || s.p[i] > '~')
			return false;
	return s.n <= TEXT_MAX;
}

/* Cut "/regex/flags" off *line. */
static const char *
parse_regex(
    struct arena *a, struct str *line, struct str *regex, uint32_t *options)
{
	char *p = arena_alloc(a, line->n + 1);
	size_t i, n = 0;

	if (!str_cut_prefix(line, STR("/")))
		return "the regular expression must be between slashes";
	for (i = 0; i < line->n && line->p[i] != '/'; i++) {
		if (line->p[i] == '\\' && i + 1 < line->n) {
			i++;
			if (line->p[i] != '/')
				p[n++] = '\\';
		}
		p[n++] = line->p[i];
	}
	if (i == line->n)
		return "the regular expression does not end";
	if (n == 0)
		return "the regular expression is empty";
	*regex = str_n(p, n);
	for (i++; i < line->n && line->p[i] != ' '; i++)
		if (line->p[i] == 'i')
			*options |= PCRE2_CASELESS;
		else if (line->p[i] == 'x')
			*options |= PCRE2_EXTENDED;
		else
			return "flags are i and x";
	*line = str_trim(str_from(*line, i));
	return NULL;
}

static const char *
parse_action(struct arena *a, struct str line, struct rule *r)
{
	struct str word = str_word(&line);
	size_t colon = str_chr(line, ':');

	for (size_t i = 0; i < COUNT(actions); i++)
		if (str_ieq(word, actions[i].name))
			r->action = &actions[i];
	if (r->action == NULL)
		return "the action is none of reject, defer, discard, hold, "
		       "junk, ignore, warn, prepend";
	r->text = str_trim(line);
	if (!is_plain(r->text))
		return "the text must be printable ASCII, at most 400 bytes";
	switch (r->action->text) {
	case TEXT_NONE:
		return r->text.n > 0 ? "this action takes no text" : NULL;
	case TEXT_MAY:
		return NULL;
	case TEXT_MUST:
		return r->text.n == 0 ? "this action needs a text" : NULL;
	default:
		if (colon == line.n ||
		    !is_field_name(str_sub(line, 0, colon)) ||
		    str_trim(str_from(line, colon + 1)).n == 0)
			return "prepend needs a field, NAME: VALUE";
		r->text =
		    str_fmt(a, "%.*s: %.*s", STRF(str_sub(line, 0, colon)),
			STRF(str_trim(str_from(line, colon + 1))));
		return NULL;
	}
}

static const char *
compile(struct arena *a, struct str regex, uint32_t options, struct rule *r)
{
	PCRE2_UCHAR8 text[128];
	PCRE2_SIZE at;
	int code;

	r->code = pcre2_compile((PCRE2_SPTR)regex.p, regex.n,
	    options | PCRE2_NEVER_UTF | PCRE2_NEVER_UCP | PCRE2_DOLLAR_ENDONLY,
	    &code, &at, NULL);
	if (r->code != NULL)
		return NULL;
	if (pcre2_get_error_message(code, text, sizeof(text)) < 0)
		text[0] = '\0';
	return str_fmt(a, "%s, at byte %zu of the regular expression",
	    (const char *)text, (size_t)at)
	    .p;
}

static const char *
parse_rule(struct arena *a, struct str line, struct rule *r)
{
	struct str regex;
	uint32_t options = 0;
	const char *why;

	if (line.n > POL_HEADERS_LINE_MAX)
		return "the line is too long";
	if (!str_ieq(str_word(&line), STR("header")))
		return "a rule begins with \"header\"";
	r->name = str_word(&line);
	if (str_eq(r->name, STR("*")))
		r->name = STR_NULL;
	else if (!is_field_name(r->name))
		return "that is not the name of a field";
	why = parse_regex(a, &line, &regex, &options);
	if (why == NULL)
		why = parse_action(a, line, r);
	return why != NULL ? why : compile(a, regex, options, r);
}

enum rc
pol_headers_parse(
    struct arena *a, struct str text, struct pol_headers **out, struct str *why)
{
	struct pol_headers *h = arena_calloc(a, 1, sizeof(*h));
	struct str line;
	unsigned number = 0;

	h->v = arena_calloc(a, POL_HEADERS_RULES_MAX, sizeof(*h->v));
	text = str_dup(a, text);
	while (str_split(&text, '\n', &line)) {
		struct rule *r = &h->v[h->n];
		const char *bad = "too many rules";

		number++;
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		line = str_trim(line);
		if (line.n == 0 || line.p[0] == '#')
			continue;
		if (h->n < POL_HEADERS_RULES_MAX) {
			bad = parse_rule(a, line, r);
			r->line = number;
			h->n++;
		}
		if (bad != NULL) {
			*why = str_fmt(a, "line %u: %s", number, bad);
			pol_headers_free(&h);
			return RC_BAD;
		}
	}
	*out = h;
	return RC_OK;
}

void
pol_headers_free(struct pol_headers **h)
{
	if (*h == NULL)
		return;
	for (size_t i = 0; i < (*h)->n; i++)
		pcre2_code_free((*h)->v[i].code);
	*h = NULL;
}

struct run {
	pcre2_match_context *context;
	pcre2_match_data *data;
	uint64_t steps; /* left */
	bool spent;     /* and there were not enough */
	unsigned gave_up;
};

static bool
matches(struct run *run, const struct rule *r, struct str value)
{
	for (size_t i = 0; i < COUNT(tries); i++) {
		uint64_t cost = tries[i] + value.n / SCAN_BYTES;
		int rc;

		if (cost > run->steps) {
			run->spent = true;
			break;
		}
		run->steps -= cost;
		pcre2_set_match_limit(run->context, tries[i]);
		rc = pcre2_match(r->code, (PCRE2_SPTR)(value.n ? value.p : ""),
		    value.n, 0, 0, run->data, run->context);
		if (rc >= 0)
			return true;
		if (rc == PCRE2_ERROR_NOMATCH)
			return false;
		if (rc != PCRE2_ERROR_MATCHLIMIT)
			break;
	}
	run->gave_up++;
	return false;
}

static void
add_hit(struct pol_headers_result *out, const struct rule *r, size_t off,
    size_t len)
{
	if (out->n == POL_HEADERS_HITS_MAX) {
		out->cut_short =
		    out->cut_short || !r->action->last ||
		    out->hit[out->n - 1].action == POL_HEADERS_IGNORE;
		if (!r->action->last)
			return;
		out->n--; /* what decides must not get lost */
	}
	out->hit[out->n++] = (struct pol_headers_hit){
		.action = r->action->action,
		.line = r->line,
		.text = r->text,
		.off = off,
		.len = len,
	};
}

/* True: a rule decided about the message. */
static bool
run_field(struct run *run, const struct pol_headers *h, struct arena *a,
    const struct mail_field *f, size_t off, struct pol_headers_result *out)
{
	struct str value = STR_NULL;
	bool unfolded = false;

	for (size_t i = 0; i < h->n; i++) {
		const struct rule *r = &h->v[i];

		if (r->name.n > 0 && !str_ieq(r->name, f->name))
			continue;
		if (!unfolded)
			value = mail_header_unfold(
			    a, str_sub(f->value, 0, POL_HEADERS_VALUE_MAX));
		unfolded = true;
		if (!matches(run, r, value))
			continue;
		add_hit(out, r, off, f->whole.n);
		if (r->action->last)
			return true;
		if (r->action->action == POL_HEADERS_IGNORE)
			return false;
	}
	return false;
}

void
pol_headers_run(const struct pol_headers *h, struct arena *a, struct str header,
    struct pol_headers_result *out)
{
	struct run run = { .steps = POL_HEADERS_STEPS_MAX };
	struct mail_header_iter it = { header };
	struct mail_field f;

	out->n = 0;
	out->gave_up = 0;
	out->cut_short = false;
	if (h->n == 0)
		return;
	run.context = pcre2_match_context_create(NULL);
	run.data = pcre2_match_data_create(1, NULL);
	if (run.context == NULL || run.data == NULL)
		panic("out of memory");
	pcre2_set_depth_limit(run.context, DEPTH_MAX);
	pcre2_set_heap_limit(run.context, HEAP_MAX_KIB);
	for (unsigned i = 0; mail_header_next(&it, &f); i++) {
		out->cut_short = out->cut_short || i == POL_HEADERS_FIELDS_MAX;
		if (i == POL_HEADERS_FIELDS_MAX ||
		    run_field(
			&run, h, a, &f, (size_t)(f.whole.p - header.p), out))
			break;
	}
	out->cut_short = out->cut_short || run.spent;
	out->gave_up = run.gave_up;
	pcre2_match_data_free(run.data);
	pcre2_match_context_free(run.context);
}
