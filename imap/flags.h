/*
 * flags - message flags between the wire and the store's bits.
 *
 * Ownership  Keyword names point into the command.
 * Threads    Pure functions.
 * Limits     IMAP_KEYWORDS_MAX keywords in one command, IMAP_KEYWORD_LEN_MAX
 *            bytes each.
 */
#ifndef IMAP_FLAGS_H
#define IMAP_FLAGS_H

#include "imap/out.h"
#include "imap/parse.h"
#include "store/reader.h"

#define IMAP_KEYWORDS_MAX    56u
#define IMAP_KEYWORD_LEN_MAX 255u

struct imap_flags {
	uint64_t system;
	struct str kw[IMAP_KEYWORDS_MAX];
	size_t nkw;
};

/* flag-list: "(" [flag *(SP flag)] ")". */
MUST_CHECK bool imap_flags_parse_list(
    struct imap_parse *p, struct imap_flags *out);
/* The same, or flags without parentheses (STORE). */
MUST_CHECK bool imap_flags_parse(struct imap_parse *p, struct imap_flags *out);

/* "(\Seen $Forwarded)" of one message. */
void imap_flags_print(struct imap_out *o, const struct store_mailbox *mb,
    uint64_t flags, bool recent);
/* "* FLAGS (...)" and "* OK [PERMANENTFLAGS (...)]". */
void imap_flags_announce(
    struct imap_out *o, const struct store_mailbox *mb, bool readonly);
/* Changes when a keyword comes to the mailbox. */
uint64_t imap_flags_hash(const struct store_mailbox *mb);
/* The bit of a keyword, 0 if the mailbox does not know it. */
uint64_t imap_flags_keyword(const struct store_mailbox *mb, struct str name);

#endif
