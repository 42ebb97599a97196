/*
 * gw_rules - what the site's rules do to a session's sender and recipients.
 *
 * Ownership  Results live in the arena of the unit or of the transaction, as
 *            said, or belong to the session's rules.
 * Threads    As the session; gw_rules_ask and gw_rules_step block.
 * Errors     Names of results are those of dir_rcpts.
 */
#ifndef GW_RULES_H
#define GW_RULES_H

#include "directory/dir_resolve_client.h"
#include "gateway/gw_session.h"

/*
 * Whom a recipient stands for, in the arena of the transaction.  RC_OK: itself
 * or what rules or aliases say (*mapped); RC_NOENT: a local name that nobody
 * has.
 */
MUST_CHECK enum rc gw_rules_targets(struct gw_smtp *s, const struct addr *rcpt,
    struct dir_target **out, size_t *out_n, bool *mapped);
/*
 * Ask the directory about all that are not foreign: once, and once more about
 * what stands for those it does not know (subaddress, catch-all).
 * `authenticated` as in dir_rcpts.
 */
void gw_rules_ask(
    struct gw_smtp *s, struct dir_target **v, size_t n, bool authenticated);
/* Everything goes into one mailbox. */
bool gw_rules_captures(const struct gw_smtp *s);
/* Note whom a captured message was for. */
void gw_rules_captured(struct gw_smtp *s, struct str address);
/* Is this domain the machine itself, for somebody who is on it? */
bool gw_rules_here(const struct gw_smtp *s, struct str domain);

/* The envelope's sender after the maps; *from and *text are replaced. */
void gw_rules_sender(struct gw_smtp *s, struct addr *from, struct str *text);
/*
 * What the canonical maps change in the header of the message; nothing if
 * there are none, or if they are not for it.
 */
void gw_rules_header(
    struct gw_smtp *s, struct str header, struct mail_patches *out);
uint64_t gw_rules_size_max(const struct gw_smtp *s, const struct addr *from);
/* May a local user say that? */
enum rc gw_rules_local_sender(const struct gw_smtp *s, struct str address);

/*
 * Is there room for the blind copies of one more recipient?  If not, the
 * sender is asked to send to them in another message.
 */
bool gw_rules_room(struct gw_smtp *s, const struct gw_rcpt *r);
/* Step of gw_commit: blind copies, and whom a captured message was for. */
bool gw_rules_step(struct gw_smtp *s, enum next *out);

#endif
