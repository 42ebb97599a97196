/*
 * view - which UID has which message number in this session.
 *
 * Message numbers change only when the client was told (EXPUNGE, EXISTS), so
 * a session keeps its own mapping: runs of consecutive UIDs, 12 bytes each,
 * and up to where it has followed the store.  A mailbox without holes is one
 * run however large it is.
 *
 * Ownership  imap_view_free releases; a zeroed view is empty.
 * Threads    One owner at a time.
 */
#ifndef IMAP_VIEW_H
#define IMAP_VIEW_H

#include "store/store_client.h"

struct view_run {
	uint32_t lo, hi; /* UIDs */
	uint32_t seq;    /* message number of lo */
};

struct view {
	struct view_run *v;
	size_t n, size;
	uint32_t uidnext;         /* UIDs below are in the runs or gone */
	uint64_t modseq;          /* flags told up to here */
	uint64_t expunged_modseq; /* expunges told up to here */
	struct uid_set recent;    /* \Recent in this session; owned */
};

void imap_view_free(struct view *v);
/* uid is above all that are in the view. */
void imap_view_add(struct view *v, uint32_t uid);
uint32_t imap_view_count(const struct view *v);
uint32_t imap_view_max_uid(const struct view *v); /* 0: empty */
/* 1 <= seq <= count. */
uint32_t imap_view_uid(const struct view *v, uint32_t seq);
/* 0: not in the view. */
uint32_t imap_view_seq(const struct view *v, uint32_t uid);
/* How many messages of the view have these UIDs (sorted, merged). */
uint32_t imap_view_count_in(const struct view *v, const struct uid_set *uids);
/*
 * Remove one run of UIDs; returns how many were there, and the message
 * number of the first: that many "* seq EXPUNGE" tell a client.
 */
uint32_t imap_view_remove(
    struct view *v, uint32_t lo, uint32_t hi, uint32_t *out_seq);

void imap_view_add_recent(struct view *v, uint32_t lo, uint32_t hi);
bool imap_view_is_recent(const struct view *v, uint32_t uid);
/* Messages of the view that are recent. */
uint32_t imap_view_recent(const struct view *v);

#endif
