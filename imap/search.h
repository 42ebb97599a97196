/*
 * search - a SEARCH program (RFC 3501 section 6.4.4): parsed, then asked
 * about one message after the other.
 *
 * Ownership  The program lives in the parse's arena.
 * Threads    One owner at a time (needles keep state while they search).
 * Errors     imap_search_parse: RC_BAD syntax, RC_NOENT a charset that is not
 *            known (BADCHARSET).  imap_search_match: RC_OK and *out; RC_TEMP
 *            the message cannot be read now.
 * Limits     IMAP_SEARCH_KEYS_MAX keys, IMAP_SEARCH_DEPTH_MAX levels.
 */
#ifndef IMAP_SEARCH_H
#define IMAP_SEARCH_H

#include "imap/message.h"
#include "mail/search.h"

#define IMAP_SEARCH_KEYS_MAX  2000u
#define IMAP_SEARCH_DEPTH_MAX 50u

enum search_kind {
	SEARCH_ALL,
	SEARCH_FLAGS, /* (flags & mask) == want */
	SEARCH_RECENT,
	SEARCH_LARGER, /* number */
	SEARCH_SMALLER,
	SEARCH_BEFORE, /* day */
	SEARCH_ON,
	SEARCH_SINCE,
	SEARCH_UIDS,
	SEARCH_SENTBEFORE, /* day */
	SEARCH_SENTON,
	SEARCH_SENTSINCE,
	SEARCH_HEADER, /* field, needle */
	SEARCH_BODY,   /* needle */
	SEARCH_TEXT,
	SEARCH_KEYWORD, /* field; becomes SEARCH_FLAGS */
	SEARCH_NOT,     /* one child */
	SEARCH_OR,      /* two */
	SEARCH_AND,     /* any number */
};

struct search_key {
	enum search_kind kind;
	unsigned cost; /* 0: the row, 1: the envelope, 2: header, 3: body */
	struct search_key *child, *next;
	uint64_t mask, want;
	int64_t day;
	uint32_t number;
	struct str field;
	struct mail_needle *needle;
	struct uid_set uids;
};

/* What sets and keywords mean here. */
struct search_scope {
	const struct view *view;
	const struct store_mailbox *mb;
};

/* The rest of the command; *out is a SEARCH_AND. */
MUST_CHECK enum rc imap_search_parse(struct imap_parse *p,
    const struct search_scope *scope, struct search_key **out);

/* m is begun; *out says whether the message matches. */
MUST_CHECK enum rc imap_search_match(struct imap_session *s,
    const struct search_key *key, struct imap_message *m, bool *out);

/* imap/search_text.c: keys that read the message. */
MUST_CHECK enum rc imap_search_header(struct imap_session *s,
    const struct search_key *key, struct imap_message *m, bool *out);
MUST_CHECK enum rc imap_search_text(struct imap_session *s,
    const struct search_key *key, struct imap_message *m, bool *out);

#endif
