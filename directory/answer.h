/*
 * answer - what an address or an account is, as the rules see it: everything
 * a client may be told, and a little more.
 */
#ifndef DIRECTORY_ANSWER_H
#define DIRECTORY_ANSWER_H

#include "directory/dir_client.h"

struct dir_answer {
	struct dir_rcpt r; /* as if the sender were authenticated */
	struct str dn;
	struct str login;     /* canonical login name */
	struct str login_bar; /* why it may not log in; empty: it may */
	bool in_scope;        /* false: not decided (scope_group) */
	int64_t until_ns;     /* from the cache: its end there; else 0 */
};

/* A copy whose slices live in `a`. */
struct dir_answer dir_answer_dup(struct arena *a, const struct dir_answer *x);

#endif
