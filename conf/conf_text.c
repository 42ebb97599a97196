/* What is written from the table: the dump, the manual, differences. */
#include <string.h>

#include "conf/conf_table.h"

#define VALUE_MAX (CONF_LIST_MAX * (2 * CONF_TEXT_MAX + 8))

enum rc
conf_dump(const struct conf *c, struct buf *out)
{
	for (size_t i = 0; i < conf_nrows; i++) {
		const struct conf_row *row = &conf_rows[i];

		if (buf_fmt(out, "%s = ", row->name) != RC_OK ||
		    conf_value_put(row, c, out) != RC_OK ||
		    buf_fmt(out, " # default: %s\n",
			row->dflt[0] ? row->dflt : "empty") != RC_OK)
			return RC_BAD;
	}
	return RC_OK;
}

static const char *
type_name(const struct conf_row *row)
{
	static const char *const names[] = {
		[CONF_TEXT] = "text",
		[CONF_HOST] = "host name",
		[CONF_PATH] = "absolute path",
		[CONF_WORD] = "one of",
		[CONF_BOOL] = "yes or no",
		[CONF_NUMBER] = "number",
		[CONF_SIZE] = "size",
		[CONF_TEXTS] = "list of texts",
		[CONF_HOSTS] = "list of domains",
		[CONF_PATHS] = "list of absolute paths",
		[CONF_LISTENS] = "list of ADDRESS:PORT",
		[CONF_PLACES] = "list of ADDRESS:PORT or absolute paths",
		[CONF_URLS] = "list of URLs",
		[CONF_NETS] = "list of networks",
		[CONF_SERVERS] = "list of addresses",
		[CONF_ROUTES] = "list of KEY=HOP",
		[CONF_PEERS] = "list of HOST:PORT",
	};

	return names[row->type];
}

/* Text for roff: no line begins with a request, no backslash escapes. */
static enum rc
put_roff(struct buf *out, const char *text)
{
	enum rc rc = RC_OK;

	for (; rc == RC_OK && *text != '\0'; text++)
		rc = *text == '\\'  ? buf_add(out, STR("\\e"))
		     : *text == '-' ? buf_add(out, STR("\\-"))
				    : buf_add_char(out, *text);
	return rc;
}

static enum rc
put_kind(const struct conf_row *row, struct buf *out)
{
	enum rc rc = buf_fmt(out, "(%s", type_name(row));

	for (size_t i = 0; rc == RC_OK && row->words && row->words[i]; i++)
		rc = buf_fmt(out, "%s %s", i > 0 ? "," : "", row->words[i]);
	if (rc == RC_OK && (row->type == CONF_NUMBER || row->type == CONF_SIZE))
		rc = buf_fmt(out, " from %llu to %llu",
		    (unsigned long long)row->min, (unsigned long long)row->max);
	if (rc == RC_OK)
		rc = buf_add(out, STR("; default "));
	if (rc == RC_OK)
		rc = put_roff(out, row->dflt[0] ? row->dflt : "empty");
	if (rc == RC_OK && row->restart)
		rc = buf_add(out, STR("; restart"));
	return rc == RC_OK ? buf_add(out, STR(")\n")) : rc;
}

enum rc
conf_manual(struct buf *out)
{
	for (size_t i = 0; i < conf_nrows; i++) {
		const struct conf_row *row = &conf_rows[i];

		if (buf_fmt(out, ".It Ic %s\n", row->name) != RC_OK ||
		    put_kind(row, out) != RC_OK ||
		    put_roff(out, row->help) != RC_OK ||
		    buf_add_char(out, '\n') != RC_OK)
			return RC_BAD;
	}
	return RC_OK;
}

enum rc
conf_restart_needed(const struct conf *a, const struct conf *b, struct buf *out)
{
	AUTO_BUF x, y;
	enum rc rc = RC_OK;

	buf_init(&x, VALUE_MAX);
	buf_init(&y, VALUE_MAX);
	for (size_t i = 0; rc == RC_OK && i < conf_nrows; i++) {
		if (!conf_rows[i].restart)
			continue;
		buf_clear(&x);
		buf_clear(&y);
		if (conf_value_put(&conf_rows[i], a, &x) != RC_OK ||
		    conf_value_put(&conf_rows[i], b, &y) != RC_OK)
			return RC_BAD;
		if (!str_eq(buf_str(&x), buf_str(&y)))
			rc = buf_fmt(out, "%s ", conf_rows[i].name);
	}
	return rc;
}
