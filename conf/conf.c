/*
 * Parsing by libConfuse, which does the syntax: comments, quotes, lists and
 * line numbers.  All settings are strings or lists of strings to it; types,
 * ranges and duplicates are ours, checked in its validating callback, where
 * the line is known.
 *
 * libConfuse reports through a callback without an argument of ours; the
 * context travels as the "simple" pointer of an option without a type, which
 * a file cannot set.  Its scanner has global state, so configurations are
 * parsed on the main thread only.
 *
 * "${" is refused: libConfuse would put in an environment variable, and the
 * processes have different environments.
 */
#include <confuse.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "conf/conf_table.h"

#define CONTEXT  " context"
#define DUMP_MAX (4u * CONF_FILE_MAX)

struct box {
	struct conf c; /* first: a conf is its box */
	atomic_uint refs;
	struct arena a;
};

struct parse {
	struct arena *a; /* for *why */
	const char *name;
	struct str why;                   /* the first error */
	int line[CONF_COUNT_MAX];         /* where it was set, or 0 */
	struct str first[CONF_COUNT_MAX]; /* its first value */
};

static struct parse *
context(cfg_t *cfg)
{
	return (struct parse *)cfg_getopt(cfg, CONTEXT)->simple_value.ptr;
}

static void
complain(struct parse *p, int line, struct str text)
{
	if (p->why.p == NULL)
		p->why = line > 0
			     ? str_fmt(p->a, "%s:%d: %.*s", p->name, line,
				   STRF(text))
			     : str_fmt(p->a, "%s: %.*s", p->name, STRF(text));
}

static void on_error(cfg_t *cfg, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));
static void
on_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	char text[512];
	int n = vsnprintf(text, sizeof(text), fmt, ap);

	if (n > 0)
		complain(context(cfg), cfg->line,
		    str_n(text, MIN((size_t)n, sizeof(text) - 1)));
}

/*
 * Called for each value, in the order of the file, and once more at the brace
 * that closes a list.
 */
static int
on_value(cfg_t *cfg, cfg_opt_t *opt)
{
	struct parse *p = context(cfg);
	const struct conf_row *row = conf_rows;
	unsigned n = cfg_opt_size(opt);
	struct str v, why;
	size_t i;

	while (strcmp(row->name, opt->name) != 0)
		row++;
	i = (size_t)(row - conf_rows);
	v = n > 0 ? str_c(cfg_opt_getnstr(opt, n - 1)) : STR_NULL;
	if (p->line[i] != 0 && n <= 1 &&
	    !(conf_is_list(row) && str_eq(v, p->first[i]))) {
		complain(p, cfg->line,
		    str_fmt(p->a, "%s: is set already in line %d", row->name,
			p->line[i]));
		return -1;
	}
	if (p->line[i] == 0) {
		p->line[i] = cfg->line;
		p->first[i] = str_dup(p->a, v);
	}
	if (n == 0)
		return 0;
	if (n > CONF_LIST_MAX) {
		complain(p, cfg->line,
		    str_fmt(p->a, "%s: has more than %u values", row->name,
			CONF_LIST_MAX));
		return -1;
	}
	if (conf_value_check(p->a, row, v, &why) != RC_OK) {
		complain(p, cfg->line,
		    str_fmt(p->a, "%s: %.*s", row->name, STRF(why)));
		return -1;
	}
	return 0;
}

static void
set_default(struct arena *a, const struct conf_row *row, struct conf *c)
{
	struct str left = str_c(row->dflt), v[8];
	size_t n = 0;

	if (!conf_is_list(row)) {
		v[n++] = left;
	} else {
		while (left.n > 0) {
			assert(n < COUNT(v));
			v[n++] = str_word(&left);
		}
	}
	conf_value_set(a, row, c, v, n);
}

static void
set_values(struct box *b, cfg_t *cfg)
{
	for (size_t i = 0; i < conf_nrows; i++) {
		const struct conf_row *row = &conf_rows[i];
		cfg_opt_t *opt = cfg_getopt(cfg, row->name);
		struct str v[CONF_LIST_MAX];
		unsigned n = cfg_opt_size(opt);

		if (!(opt->flags & CFGF_MODIFIED)) {
			set_default(&b->a, row, &b->c);
			continue;
		}
		for (unsigned k = 0; k < n; k++)
			v[k] = str_c(cfg_opt_getnstr(opt, k));
		conf_value_set(&b->a, row, &b->c, v, n);
	}
}

static cfg_t *
make_cfg(struct parse *p)
{
	cfg_opt_t opts[CONF_COUNT_MAX + 2];
	cfg_opt_t end = CFG_END();
	cfg_t *cfg;

	for (size_t i = 0; i < conf_nrows; i++) {
		const struct conf_row *row = &conf_rows[i];
		cfg_opt_t one = CFG_STR(row->name, NULL, CFGF_NODEFAULT);
		cfg_opt_t list = CFG_STR_LIST(row->name, NULL, CFGF_NODEFAULT);

		opts[i] = conf_is_list(row) ? list : one;
		opts[i].validcb = on_value;
	}
	opts[conf_nrows] = (cfg_opt_t){ .name = CONTEXT,
		.type = CFGT_NONE,
		.flags = CFGF_NODEFAULT,
		.simple_value.ptr = (void **)p };
	opts[conf_nrows + 1] = end;
	cfg = cfg_init(opts, 0);
	if (cfg == NULL)
		panic("out of memory");
	cfg_set_error_function(cfg, on_error);
	return cfg;
}

static enum rc
check_text(struct parse *p, struct str text)
{
	size_t at = str_find(text, STR("${"));
	int line = 1;

	if (text.n > CONF_FILE_MAX)
		complain(p, 0, STR("is larger than 1 MiB"));
	else if (str_chr(text, '\0') < text.n)
		complain(p, 0, STR("holds a NUL byte"));
	else if (at < text.n) {
		for (size_t i = 0; i < at; i++)
			line += text.p[i] == '\n';
		complain(p, line, STR("\"${\" is not allowed"));
	}
	return p->why.p == NULL ? RC_OK : RC_BAD;
}

static enum rc
parse_into(struct parse *p, const char *text, struct box *b)
{
	const char *setting = NULL;
	cfg_t *cfg = make_cfg(p);
	struct str why;
	enum rc rc = RC_OK;

	if (cfg_parse_buf(cfg, text) != CFG_SUCCESS || p->why.p != NULL) {
		complain(p, 0, STR("cannot be parsed"));
		rc = RC_BAD;
	} else {
		set_values(b, cfg);
	}
	cfg_free(cfg);
	if (rc == RC_OK && conf_check(&b->a, &b->c, &setting, &why) != RC_OK) {
		size_t i = 0;

		while (strcmp(conf_rows[i].name, setting) != 0)
			i++;
		complain(p, p->line[i],
		    str_fmt(p->a, "%s: %.*s", setting, STRF(why)));
		rc = RC_BAD;
	}
	return rc;
}

enum rc
conf_parse(struct arena *a, const char *name, struct str text,
    const struct conf **out, struct str *why)
{
	struct parse p = { .a = a, .name = name };
	struct box *b;
	const char *ctext;
	enum rc rc = check_text(&p, text);

	if (rc == RC_OK)
		rc = str_cstr(a, text, &ctext);
	if (rc != RC_OK) {
		*why = p.why;
		return rc;
	}
	b = xcalloc(1, sizeof(*b));
	atomic_init(&b->refs, 1);
	rc = parse_into(&p, ctext, b);
	if (rc == RC_OK) {
		*out = &b->c;
		return RC_OK;
	}
	*why = p.why;
	arena_free(&b->a);
	xfree(b);
	return rc;
}

enum rc
conf_load(
    struct arena *a, const char *path, const struct conf **out, struct str *why)
{
	AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
	struct str text;

	if (fd < 0) {
		*why = str_fmt(a, "%s: %s", path, strerrordesc_np(errno));
		return RC_TEMP;
	}
	if (fd_read_file(a, fd, CONF_FILE_MAX, &text) != RC_OK) {
		*why = str_fmt(a, "%s: cannot be read, or is over 1 MiB", path);
		return RC_BAD;
	}
	return conf_parse(a, path, text, out, why);
}

const struct conf *
conf_ref(const struct conf *c)
{
	struct box *b = (struct box *)(uintptr_t)c;

	atomic_fetch_add(&b->refs, 1);
	return c;
}

void
conf_unref(const struct conf **c)
{
	struct box *b = (struct box *)(uintptr_t)*c;

	*c = NULL;
	if (b == NULL || atomic_fetch_sub(&b->refs, 1) != 1)
		return;
	arena_free(&b->a);
	xfree(b);
}
