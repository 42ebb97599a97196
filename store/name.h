/*
 * name - names of mailboxes: what is allowed, INBOX, the default folders.
 *
 * Threads  Pure functions.
 * Limits   STORE_NAME_MAX bytes, NAME_DEPTH_MAX levels.
 */
#ifndef STORE_NAME_H
#define STORE_NAME_H

#include "store/store_client.h"

#define NAME_DEPTH_MAX 32u

/*
 * UTF-8 without control characters, no empty level; "inbox" as the first
 * level in any case becomes "INBOX".  RC_BAD.
 */
MUST_CHECK enum rc name_normal(
    struct arena *a, struct str name, struct str *out);
/* RC_BAD: no atom that can be a keyword. */
MUST_CHECK enum rc name_keyword_check(struct str keyword);
/* The name one level up, or empty. */
struct str name_parent(struct str name);

/* 0 is none. */
struct name_folder {
	struct str name, special_use;
};
#define NAME_SPECIALS 6u
extern const struct name_folder name_folders[NAME_SPECIALS];

#endif
