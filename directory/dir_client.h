/*
 * dir_client - ask the directory process about people.
 *
 * An account is known by its id: objectGUID or entryUUID in canonical lower
 * case text (36 characters); the ldif back-end has entryUUID as well.
 *
 * Ownership  Every slice in an *out lives in `a` and dies with it.
 * Threads    Any worker may call; each call borrows its own connection and
 *            blocks until `dl`: never from a reactor.
 * Errors     RC_TEMP: no usable answer before dl; the caller says 4xx or
 *            NO [UNAVAILABLE].  *out is untouched unless RC_OK, except
 *            where said.
 */
#ifndef DIR_CLIENT_H
#define DIR_CLIENT_H

#include "lib/ipc.h"

#define DIR_ID_LEN            36u
#define DIR_RCPTS_MAX         1000u   /* addresses in one call */
#define DIR_MEMBER_GROUPS_MAX 50u     /* groups in one call of dir_members */
#define DIR_MEMBERS_MAX       100000u /* of one group, expanded */

struct dir_client;

struct dir_client *dir_client_new(
    const struct log *log, const char *path, unsigned max_conns);
void dir_client_free(struct dir_client **d);

enum dir_kind {
	DIR_USER = 1,  /* has a local mailbox */
	DIR_GROUP,     /* id and dn name the group; expand at delivery */
	DIR_ELSEWHERE, /* its mailbox is on another system (see route) */
};

/* What one recipient address is. */
struct dir_rcpt {
	/*
	 * RC_OK; RC_NOENT no such address; RC_DENY it exists and may not
	 * receive this (`why` says more); RC_BAD not an address of our
	 * domains; RC_TEMP could not find out, or two entries claim it.
	 */
	enum rc rc;
	enum dir_kind kind;
	struct str id;
	struct str address; /* primary address of the entry, canonical */
	struct str route;   /* DIR_ELSEWHERE: targetAddress or server */
	struct str why;     /* for logs and explain; never for clients */
	bool has_quota;
	uint64_t quota; /* bytes */
};

/*
 * Recipients of one transaction, one call.  `authenticated`: groups that are
 * not open take mail from authenticated senders only.  RC_OK: every out[i]
 * has its own rc; RC_TEMP: none has.
 */
MUST_CHECK enum rc dir_rcpts(struct dir_client *d, struct arena *a,
    const struct str *addresses, size_t n, bool authenticated,
    struct deadline dl, struct dir_rcpt *out);

/*
 * The people in a group, nested, each account once; members elsewhere have
 * kind DIR_ELSEWHERE, those that cannot receive have rc RC_DENY.  RC_NOENT:
 * the group is gone.
 */
MUST_CHECK enum rc dir_expand(struct dir_client *d, struct arena *a,
    struct str group_id, struct deadline dl, struct dir_rcpt **out,
    size_t *out_n);

/* The account behind an id as a recipient (retries of the queue). */
MUST_CHECK enum rc dir_by_id(struct dir_client *d, struct arena *a,
    struct str id, struct deadline dl, struct dir_rcpt *out);

/* Someone who has authenticated. */
struct dir_account {
	struct str id;
	struct str address; /* primary address, may be empty */
	struct str login;   /* canonical login name, for logs */
	struct str ticket;  /* 64 hex digits, single use, 30 s; if asked for */
};

struct dir_login {
	struct str name; /* as typed: UPN, sAMAccountName, DOMAIN\user,
			    mail address */
	struct str password;
	struct str authzid; /* "" or must resolve to the same account */
	struct str service; /* "imap", "smtp", "pop" */
	struct str client_ip;
	bool ticket; /* issue one */
};

/*
 * RC_OK; RC_DENY wrong name or password, or the account may not log in (the
 * client is told the same words for all of these); RC_TEMP.
 */
MUST_CHECK enum rc dir_login_password(struct dir_client *d, struct arena *a,
    const struct dir_login *in, struct deadline dl, struct dir_account *out);

/*
 * SASL mechanisms that the directory process runs (GSSAPI; PLAIN and LOGIN
 * are decoded by the gateway).  The exchange's state stays there, named by
 * `handle`, for at most 60 s.
 */
struct dir_sasl {
	bool done; /* account is valid; challenge may hold a last
		      server message */
	struct str handle;
	struct str challenge; /* raw bytes */
	struct dir_account account;
};

MUST_CHECK enum rc dir_sasl_start(struct dir_client *d, struct arena *a,
    struct str mech, const struct dir_login *in /* no name, password */,
    bool has_initial, struct str initial, struct deadline dl,
    struct dir_sasl *out);
MUST_CHECK enum rc dir_sasl_step(struct dir_client *d, struct arena *a,
    struct str handle, struct str response, struct deadline dl,
    struct dir_sasl *out);
/* The client gave up. */
void dir_sasl_cancel(struct dir_client *d, struct str handle);
/* Mechanisms on offer, space separated, e.g. "GSSAPI" or "". */
MUST_CHECK enum rc dir_sasl_mechs(
    struct dir_client *d, struct arena *a, struct deadline dl, struct str *out);

/* Exchange a ticket (imap); RC_DENY unknown, used, late, wrong service. */
MUST_CHECK enum rc dir_ticket_redeem(struct dir_client *d, struct arena *a,
    struct str ticket, struct str service, struct deadline dl,
    struct dir_account *out);

/* May this account send as each of these?  verdicts[i]: RC_OK or RC_DENY. */
MUST_CHECK enum rc dir_may_send(struct dir_client *d, struct str id,
    const struct str *addresses, size_t n, struct deadline dl,
    enum rc *verdicts);

/*
 * Who of these accounts, contacts or groups is in which of these groups, also
 * through other groups?  A group is named by its DN or by its mail address.
 * out[i * ngroup + k]: RC_OK i is in k, RC_DENY it is not, RC_NOENT there is no
 * such group, RC_TEMP that could not be found out.
 */
MUST_CHECK enum rc dir_members(struct dir_client *d, const struct str *ids,
    size_t n, const struct str *groups, size_t ngroup, struct deadline dl,
    enum rc *out);
/* Is there such a group?  RC_OK, RC_NOENT, RC_TEMP; why[k] in `a`. */
MUST_CHECK enum rc dir_groups(struct dir_client *d, struct arena *a,
    const struct str *groups, size_t ngroup, struct deadline dl, enum rc *out,
    struct str *why);

/*
 * Every step that leads to the answer, one line each (query, entry,
 * attribute, rule); kind is "rcpt" or "login".
 */
MUST_CHECK enum rc dir_explain(struct dir_client *d, struct arena *a,
    struct str kind, struct str arg, struct deadline dl, struct str *out);

#endif
