/*
 * gw_size - how large a message may be, by groups of the directory: send-limit
 * of who has logged in, receive-limit of the recipients.
 *
 * The directory is asked only about a message that is larger than the least
 * limit there is, so most mail costs a comparison: when the client says a size
 * (MAIL, RCPT), and when the message turned out to be larger than it said.
 *
 * Threads    As the session; blocks until gw_dir_deadline.
 * Errors     A limit that cannot be found out is a 451, never a 552.
 */
#ifndef GW_SIZE_H
#define GW_SIZE_H

#include "gateway/gw_rules.h"
#include "lib/ipc.h"

/* What EHLO says: the most that anybody may send here. */
uint64_t gw_size_announced(const struct gw_smtp *s);
/* May they send as much as they say?  False: *out, the reply has been sent. */
bool gw_size_mail_ok(struct gw_smtp *s, uint64_t size, enum next *out);
/*
 * Targets that may not get tx.declared bytes become RC_DENY and `too_big`;
 * those of which nobody knows RC_TEMP.
 */
void gw_size_targets(struct gw_smtp *s, struct dir_target **v, size_t n);
/* The message is complete.  False: it was refused with *out. */
bool gw_size_message_ok(struct gw_smtp *s, enum next *out);
/* Lines of `gatepost check`: are there such groups? */
void gw_size_check(struct gw *gw, bool send, struct ipc_msg *out);

#endif
