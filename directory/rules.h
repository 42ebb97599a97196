/*
 * rules - who an address is, over entries: no network, no clock but `now`.
 *
 * 1. Among the entries that match, the higher attribute wins: aliases
 *    (proxyAddresses), then mail, then userPrincipalName.
 * 2. Two entries through the same attribute: RC_TEMP and an alarm.
 * 3. An entry without an attribute that every readable one has: RC_TEMP.
 * 4. A mailbox that is elsewhere is DIR_ELSEWHERE, never local.
 * 5. A disabled or expired account receives and may not log in.
 *
 * Ownership  Answers borrow from the entries or live in the arena.
 * Threads    Pure functions but for the log.
 */
#ifndef DIRECTORY_RULES_H
#define DIRECTORY_RULES_H

#include "directory/answer.h"
#include "directory/entry.h"
#include "directory/trace.h"

struct dir_rules {
	const struct conf *conf;
	const struct dir_schema *schema;
	const struct log *log;
	int64_t now; /* UNIX seconds */
	struct dir_trace *trace;
};

/* One of ours, whole and well-formed. */
bool dir_is_local(const struct dir_rules *r, struct arena *a, struct str addr);
/* What the entry is as a recipient and as an account. */
void dir_rule_entry(const struct dir_rules *r, struct arena *a,
    const struct dir_entry *e, struct dir_answer *out);
/* What `address` is, given all entries that match it. */
void dir_rule_address(const struct dir_rules *r, struct arena *a,
    struct str address, const struct dir_query *q, struct dir_answer *out);
/* What the id is, given all entries that match it. */
void dir_rule_id(const struct dir_rules *r, struct arena *a, struct str id,
    const struct dir_query *q, struct dir_answer *out);

#endif
