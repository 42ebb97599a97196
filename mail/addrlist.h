/*
 * addrlist - address lists of header fields (From, To, Cc, ...).
 *
 * Formats    RFC 5322 sections 3.4 and 4.4, read tolerantly: comments, groups,
 *            quoted strings, obsolete routes, white space around dots, a
 *            missing domain or a stray byte lose as little as possible.  A
 *            comment behind an address serves as its name when it has no other
 *            (RFC 822 habit).  Encoded words are left raw.
 * Result     What ENVELOPE wants (RFC 3501 section 7.4.2): `p == NULL` is NIL.
 *            A group starts with an entry of kind MAIL_GROUP_START (mailbox is
 *            the group's name, host NIL) and ends with MAIL_GROUP_END (all
 *            NIL).  In a MAIL_MAILBOX, mailbox and host are never NIL; what
 *            is missing is the empty slice.
 * Ownership  Slices live in the arena.
 * Threads    Pure functions.
 * Errors     mail_addrlist_parse cannot fail.  mail_senders_* are for access
 *            decisions: RC_BAD whenever two readers could read the field
 *            differently, RC_NOENT when there is no From field.
 * Limits     MAIL_ADDRLIST_MAX entries; what is more is dropped (`truncated`),
 *            by mail_addrlist_parse only.  Comments nest at most 32 deep.
 */
#ifndef MAIL_ADDRLIST_H
#define MAIL_ADDRLIST_H

#include "mail/addr.h"

#define MAIL_ADDRLIST_MAX 4096

enum mail_entry_kind { MAIL_MAILBOX, MAIL_GROUP_START, MAIL_GROUP_END };

struct mail_entry {
	enum mail_entry_kind kind;
	struct str name;    /* display name, quotes removed */
	struct str adl;     /* source route "@a,@b" */
	struct str mailbox; /* local part, quotes removed */
	struct str host;    /* domain as written, without comments */
	/* In `value`, of a mailbox: local part to domain; '<' to '>'.  No
	 * spec if another address in its place would be read otherwise. */
	struct str spec, angle;
};

struct mail_addrlist {
	struct mail_entry *v;
	size_t n;
	bool truncated;
};

/* `value` is raw (folds allowed) or unfolded. */
void mail_addrlist_parse(
    struct arena *a, struct str value, struct mail_addrlist *out);

/* The same with each entry told as it is read; false: that is enough. */
typedef bool mail_addrlist_each(void *ctx, const struct mail_entry *e);
void mail_addrlist_walk(
    struct arena *a, struct str value, mail_addrlist_each *each, void *ctx);

/*
 * Every mailbox of one From (or Sender) value, strictly by RFC 5322
 * section 3.4 with RFC 5321 limits on the addr-spec; at least one, no group.
 */
MUST_CHECK enum rc mail_senders_parse(
    struct arena *a, struct str value, struct addr **out, size_t *out_n);
/*
 * The same for the From of a header block; more than one From field, or a line
 * that could be read as one, is RC_BAD.
 */
MUST_CHECK enum rc mail_senders_of(
    struct arena *a, struct str block, struct addr **out, size_t *out_n);

#endif
