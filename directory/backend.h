/*
 * backend - where entries come from: an LDAP server or an LDIF file.
 *
 * Everything above this interface sees raw entries (a DN and attributes) and
 * asks with LDAP filters, so that both back-ends follow the same rules and
 * the rules can be tested without a server.
 *
 * Ownership  Answers live in the arena of the call.
 * Threads    Any worker; a back-end locks inside.
 * Errors     search: RC_OK, and each query has its own rc (RC_OK with any
 *            number of entries, RC_NOENT the base does not exist, RC_TEMP);
 *            RC_TEMP as a whole: no usable back-end before `dl`.
 * Limits     A query gives at most `max` entries; `more` says it had others.
 */
#ifndef DIRECTORY_BACKEND_H
#define DIRECTORY_BACKEND_H

#include "lib/ipc.h"

#define DIR_ENTRY_ATTRS 128u /* attributes of one entry in an answer */

struct dir_attr {
	struct str name; /* as the server writes it, options included */
	struct str *v;
	size_t n;
};

struct dir_raw {
	struct str dn;
	struct dir_attr *attr;
	size_t nattr;
};

enum dir_scope { DIR_BASE, DIR_SUBTREE };

struct dir_query {
	struct str base; /* empty: the configured base */
	enum dir_scope scope;
	struct str filter;        /* empty: there is none; RC_TEMP */
	const char *const *attrs; /* NULL at the end */
	size_t max;
	bool paged; /* may be long: fetch it page by page */
	/* the answer */
	enum rc rc;
	struct dir_raw *found;
	size_t nfound;
	bool more;
};

/* Why a password was not accepted; names for the log: dir_bind_name(). */
enum dir_bind_why {
	DIR_BIND_OK,
	DIR_BIND_WRONG_PASSWORD, /* AD 52e */
	DIR_BIND_NO_ACCOUNT,     /* 525 */
	DIR_BIND_HOURS,          /* 530 */
	DIR_BIND_WORKSTATION,    /* 531 */
	DIR_BIND_PW_EXPIRED,     /* 532 */
	DIR_BIND_DISABLED,       /* 533 */
	DIR_BIND_EXPIRED,        /* 701 */
	DIR_BIND_MUST_CHANGE,    /* 773 */
	DIR_BIND_LOCKED,         /* 775 */
	DIR_BIND_REFUSED,        /* refused for another reason */
	DIR_BIND_NO_TLS,         /* nothing was sent */
	DIR_BIND_UNAVAILABLE,    /* no answer in time */
};

const char *dir_bind_name(enum dir_bind_why why);
/* AD's sub-code for a reason of that name ("52e"), or "". */
const char *dir_bind_code(const char *name);
/* RC_OK, RC_DENY or RC_TEMP. */
enum rc dir_bind_rc(enum dir_bind_why why);

struct dir_backend;

struct dir_backend_ops {
	enum rc (*search)(struct dir_backend *b, struct arena *a,
	    struct dir_query *q, size_t n, struct deadline dl);
	/* The password is never empty. */
	enum dir_bind_why (*bind)(struct dir_backend *b, struct str dn,
	    struct str password, struct deadline dl);
	void (*status)(struct dir_backend *b, struct ipc_msg *out);
	/* Lines of `gatepost check`; may block for seconds. */
	void (*check)(struct dir_backend *b, struct ipc_msg *out);
	void (*free)(struct dir_backend *b);
};

struct dir_backend {
	const struct dir_backend_ops *ops;
	/* Values of one attribute in one answer; 0: the server decides. */
	size_t max_range;
};

static inline enum rc
dir_search(struct dir_backend *b, struct arena *a, struct dir_query *q,
    size_t n, struct deadline dl)
{
	return b->ops->search(b, a, q, n, dl);
}

/* The attribute of that name (case-blind), or NULL. */
const struct dir_attr *dir_raw_attr(const struct dir_raw *e, struct str name);

#endif
