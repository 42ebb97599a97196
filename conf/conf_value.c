/*
 * Values by type: checking, storing, writing.  One switch each; everything
 * else goes by the table.
 */
#include <arpa/inet.h>
#include <string.h>

#include "conf/conf_table.h"
#include "lib/net.h"

static bool
is_host(struct str s)
{
	struct str label;

	if (s.n == 0 || s.n > 253)
		return false;
	while (str_split(&s, '.', &label)) {
		if (label.n == 0 || label.n > 63 || label.p[0] == '-' ||
		    label.p[label.n - 1] == '-')
			return false;
		for (size_t i = 0; i < label.n; i++)
			if (!ascii_is_alnum(label.p[i]) && label.p[i] != '-')
				return false;
	}
	return true;
}

static bool
is_url(struct str s)
{
	return (str_cut_iprefix(&s, STR("ldap://")) ||
		   str_cut_iprefix(&s, STR("ldaps://")) ||
		   str_cut_iprefix(&s, STR("ldapi://"))) &&
	       s.n > 0 && str_chr(s, ' ') == s.n;
}

enum rc
conf_listen_parse(struct str s, struct conf_listen *out)
{
	size_t colon = str_rchr(s, ':');
	struct str host = str_sub(s, 0, colon);
	struct str port = str_from(s, colon + 1);
	bool v6 = false;
	uint64_t n;

	if (colon == s.n || str_u64(port, 65535, &n) != RC_OK)
		return RC_BAD;
	if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']') {
		v6 = true;
		host = str_sub(host, 1, host.n - 2);
	}
	if (host.n == 0 || host.n > 45)
		return RC_BAD;
	for (size_t i = 0; i < host.n; i++) {
		char c = ascii_lower(host.p[i]);
		bool digit = ascii_is_digit(c) || c == '.';

		if (v6)
			digit = digit || c == ':' || (c >= 'a' && c <= 'f');
		if (!digit && !(host.n == 1 && c == '*' && !v6))
			return RC_BAD;
	}
	*out = (struct conf_listen){ host, v6, (uint16_t)n };
	return RC_OK;
}

/* An address as inet_pton takes it, and the port behind an '@'. */
static bool
is_server(struct str s)
{
	size_t at = str_rchr(s, '@');
	char text[INET6_ADDRSTRLEN];
	unsigned char v[16];
	uint64_t port;

	if (at < s.n &&
	    (str_u64(str_from(s, at + 1), 65535, &port) != RC_OK || port == 0))
		return false;
	if (at == 0 || at >= sizeof(text))
		return false;
	memcpy(text, s.p, at);
	text[at] = '\0';
	return inet_pton(AF_INET, text, v) == 1 ||
	       inet_pton(AF_INET6, text, v) == 1;
}

static enum rc
parse_size(struct str v, uint64_t *out)
{
	uint64_t unit = 1, n;

	if (v.n > 1 && !ascii_is_digit(v.p[v.n - 1])) {
		switch (ascii_lower(v.p[--v.n])) {
		case 'k':
			unit = 1u << 10;
			break;
		case 'm':
			unit = 1u << 20;
			break;
		case 'g':
			unit = 1u << 30;
			break;
		default:
			return RC_BAD;
		}
	}
	if (str_u64(v, UINT64_MAX / unit, &n) != RC_OK)
		return RC_BAD;
	*out = n * unit;
	return RC_OK;
}

/* Index of the word, or -1. */
static int
parse_word(const struct conf_row *row, struct str v)
{
	for (int i = 0; row->words[i] != NULL; i++)
		if (str_ieq(v, str_c(row->words[i])))
			return i;
	return -1;
}

/* 1, 0, or -1. */
static int
parse_bool(struct str v)
{
	static const struct str yes[] = { STR_INIT("yes"), STR_INIT("true"),
		STR_INIT("on") };
	static const struct str no[] = { STR_INIT("no"), STR_INIT("false"),
		STR_INIT("off") };

	for (size_t i = 0; i < COUNT(yes); i++) {
		if (str_ieq(v, yes[i]))
			return 1;
		if (str_ieq(v, no[i]))
			return 0;
	}
	return -1;
}

bool
conf_is_list(const struct conf_row *row)
{
	return row->type >= CONF_TEXTS;
}

static bool
in_range(const struct conf_row *row, uint64_t n)
{
	return n >= row->min && n <= row->max;
}

static struct str
words_of(struct arena *a, const struct conf_row *row)
{
	struct str all = STR("must be one of");

	for (size_t i = 0; row->words[i] != NULL; i++)
		all = str_fmt(
		    a, "%.*s%s %s", STRF(all), i > 0 ? "," : "", row->words[i]);
	return all;
}

enum rc
conf_value_check(
    struct arena *a, const struct conf_row *row, struct str v, struct str *why)
{
	struct conf_route route;
	struct conf_listen l;
	struct net net;
	uint64_t n;

	if (v.n > CONF_TEXT_MAX) {
		*why = str_fmt(a, "is longer than %u bytes", CONF_TEXT_MAX);
		return RC_BAD;
	}
	for (size_t i = 0; i < v.n; i++)
		if ((unsigned char)v.p[i] < 0x20 || v.p[i] == 0x7f) {
			*why = STR("holds a control character");
			return RC_BAD;
		}
	*why = STR_NULL;
	switch (row->type) {
	case CONF_TEXT:
		break;
	case CONF_TEXTS:
		if (v.n == 0)
			*why = STR("holds an empty value");
		break;
	case CONF_HOST:
	case CONF_HOSTS:
		if (!is_host(v))
			*why = STR("must be a host name like mail.example.org");
		break;
	case CONF_PATH:
		if (v.n > 0 && v.p[0] != '/')
			*why = STR("must be an absolute path");
		break;
	case CONF_PATHS:
		if (v.n == 0 || v.p[0] != '/')
			*why = STR("must be an absolute path");
		break;
	case CONF_WORD:
		if (parse_word(row, v) < 0)
			*why = words_of(a, row);
		break;
	case CONF_BOOL:
		if (parse_bool(v) < 0)
			*why = STR("must be yes or no");
		break;
	case CONF_NUMBER:
		if (str_u64(v, UINT32_MAX, &n) != RC_OK || !in_range(row, n))
			*why = str_fmt(a, "must be a number from %llu to %llu",
			    (unsigned long long)row->min,
			    (unsigned long long)row->max);
		break;
	case CONF_SIZE:
		if (parse_size(v, &n) != RC_OK || !in_range(row, n))
			*why = str_fmt(a,
			    "must be a size (as 50M) from %llu to %llu bytes",
			    (unsigned long long)row->min,
			    (unsigned long long)row->max);
		break;
	case CONF_LISTENS:
		if (conf_listen_parse(v, &l) != RC_OK)
			*why = STR("must be ADDRESS:PORT, [V6ADDRESS]:PORT "
				   "or *:PORT");
		break;
	case CONF_PLACES:
		if (v.n > 0 && v.p[0] == '/'
			? v.n > 100
			: conf_listen_parse(v, &l) != RC_OK)
			*why = STR("must be ADDRESS:PORT, or an absolute path "
				   "of at most 100 bytes");
		break;
	case CONF_URLS:
		if (!is_url(v))
			*why = STR("must be a URL like ldap://dc1.example.org");
		break;
	case CONF_NETS:
		if (net_parse(v, &net) != RC_OK)
			*why = STR("must be a network like 192.0.2.0/24 or "
				   "2001:db8::/32, or an address");
		break;
	case CONF_SERVERS:
		if (!is_server(v))
			*why = STR("must be an address like 192.0.2.53 or "
				   "192.0.2.53@5353");
		break;
	case CONF_ROUTES:
		if (conf_route_parse(v, &route) != RC_OK)
			*why = STR("must be KEY=HOP, as "
				   "*=smtp:relay.example.net:25");
		break;
	case CONF_PEERS:
		if (!conf_peer_ok(v))
			*why = STR("must be HOST:PORT or [V6ADDRESS]:PORT");
		break;
	}
	if (why->p == NULL)
		return RC_OK;
	*why = str_fmt(a, "%.*s, not \"%.*s\"", STRF(*why), STRF(v));
	return RC_BAD;
}

static const char *
copy(struct arena *a, const struct conf_row *row, struct str v)
{
	bool lower = row->type == CONF_HOST || row->type == CONF_HOSTS;

	v = str_fmt(a, "%.*s", STRF(v));
	for (char *p = (char *)(uintptr_t)v.p; lower && *p != '\0'; p++)
		*p = ascii_lower(*p);
	return v.p;
}

void
conf_value_set(struct arena *a, const struct conf_row *row, struct conf *c,
    const struct str *v, size_t n)
{
	void *at = (char *)c + row->offset;
	struct conf_list list = { .n = n };
	const char **items;
	uint64_t number = 0;

	switch (row->type) {
	case CONF_TEXT:
	case CONF_HOST:
	case CONF_PATH:
		*(const char **)at = copy(a, row, v[0]);
		return;
	case CONF_WORD:
		*(unsigned *)at = (unsigned)parse_word(row, v[0]);
		return;
	case CONF_BOOL:
		*(bool *)at = parse_bool(v[0]) == 1;
		return;
	case CONF_NUMBER:
		if (str_u64(v[0], UINT32_MAX, &number) != RC_OK)
			panic("%s: unchecked", row->name);
		*(unsigned *)at = (unsigned)number;
		return;
	case CONF_SIZE:
		if (parse_size(v[0], &number) != RC_OK)
			panic("%s: unchecked", row->name);
		*(uint64_t *)at = number;
		return;
	default:
		items = arena_calloc(a, n + 1, sizeof(*items));
		for (size_t i = 0; i < n; i++)
			items[i] = copy(a, row, v[i]);
		list.v = items;
		*(struct conf_list *)at = list;
	}
}

/* In single quotes nothing is expanded; only ' and \ need a backslash. */
static enum rc
put_quoted(struct buf *out, const char *text)
{
	enum rc rc = buf_add_char(out, '\'');

	for (; rc == RC_OK && *text != '\0'; text++) {
		if (*text == '\'' || *text == '\\')
			rc = buf_add_char(out, '\\');
		if (rc == RC_OK)
			rc = buf_add_char(out, *text);
	}
	return rc == RC_OK ? buf_add_char(out, '\'') : rc;
}

static enum rc
put_list(struct buf *out, const struct conf_list *list)
{
	enum rc rc = buf_add_char(out, '{');

	for (size_t i = 0; rc == RC_OK && i < list->n; i++) {
		if (i > 0)
			rc = buf_add(out, STR(", "));
		if (rc == RC_OK)
			rc = put_quoted(out, list->v[i]);
	}
	return rc == RC_OK ? buf_add_char(out, '}') : rc;
}

enum rc
conf_value_put(
    const struct conf_row *row, const struct conf *c, struct buf *out)
{
	const void *at = (const char *)c + row->offset;

	switch (row->type) {
	case CONF_TEXT:
	case CONF_HOST:
	case CONF_PATH:
		return put_quoted(out, *(const char *const *)at);
	case CONF_WORD:
		return buf_add(out, str_c(row->words[*(const unsigned *)at]));
	case CONF_BOOL:
		return buf_add(out, *(const bool *)at ? STR("yes") : STR("no"));
	case CONF_NUMBER:
		return buf_fmt(out, "%u", *(const unsigned *)at);
	case CONF_SIZE:
		return buf_fmt(
		    out, "%llu", (unsigned long long)*(const uint64_t *)at);
	default:
		return put_list(out, at);
	}
}
