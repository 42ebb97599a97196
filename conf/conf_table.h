/*
 * conf_table - the one table of settings, and values by row.
 *
 * Ownership  Values are made in the arena that is passed.
 * Threads    Pure functions over a constant table.
 * Errors     RC_BAD with a text in *why that needs no freeing.
 */
#ifndef CONF_CONF_TABLE_H
#define CONF_CONF_TABLE_H

#include "conf/conf.h"

#define CONF_TEXT_MAX  1024u /* bytes of one value */
#define CONF_LIST_MAX  256u  /* values of one list */
#define CONF_FILE_MAX  (1u << 20)
#define CONF_COUNT_MAX 128u /* settings */

enum conf_type {
	CONF_TEXT,   /* const char * */
	CONF_HOST,   /* a host name, lower case */
	CONF_PATH,   /* absolute, or empty */
	CONF_WORD,   /* enum: one of `words` */
	CONF_BOOL,   /* bool */
	CONF_NUMBER, /* unsigned */
	CONF_SIZE,   /* uint64_t, with K, M, G */
	CONF_TEXTS,  /* struct conf_list ... */
	CONF_HOSTS,
	CONF_PATHS,
	CONF_LISTENS,
	CONF_PLACES,  /* as CONF_LISTENS, or an absolute path */
	CONF_URLS,    /* ldap://, ldaps://, ldapi:// */
	CONF_NETS,    /* lib/net.h: "192.0.2.0/24", "2001:db8::1" */
	CONF_SERVERS, /* addresses with @port or not */
	CONF_ROUTES,  /* conf_route_parse */
	CONF_PEERS,   /* HOST:PORT of other servers */
};

struct conf_row {
	const char *name;
	enum conf_type type;
	bool restart;     /* takes effect only after a restart */
	const char *dflt; /* lists: separated by spaces */
	uint64_t min, max;
	const char *const *words; /* ends with NULL */
	size_t offset;            /* in struct conf */
	const char *help;
};

extern const struct conf_row conf_rows[];
extern const size_t conf_nrows;

/* "host:port" or "[v6]:port" of another server. */
bool conf_peer_ok(struct str s);
bool conf_is_list(const struct conf_row *row);
/* Is this one value all right for the row? */
MUST_CHECK enum rc conf_value_check(
    struct arena *a, const struct conf_row *row, struct str v, struct str *why);
/* Store checked values: one, or those of a list. */
void conf_value_set(struct arena *a, const struct conf_row *row, struct conf *c,
    const struct str *v, size_t n);
/* The value as the file would have it. */
MUST_CHECK enum rc conf_value_put(
    const struct conf_row *row, const struct conf *c, struct buf *out);
/*
 * What no row can say alone.  On RC_BAD *setting is the one to name.
 * Computed defaults are filled in.
 */
MUST_CHECK enum rc conf_check(
    struct arena *a, struct conf *c, const char **setting, struct str *why);

#endif
