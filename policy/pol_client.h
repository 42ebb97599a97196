/*
 * pol_client - may this message come in, and what does it get to carry?
 *
 * The policy process evaluates SPF, DKIM, DMARC and the site's header checks.
 * It changes nothing: it says which fields to put before the message and
 * which bytes of the header to leave out, and the gateway does it.
 *
 * Ownership  Slices that come out live in `a`.
 * Threads    Any worker; blocks until dl.  The start form calls back on the
 *            client's own thread, which must not block.
 * Errors     RC_OK *out is filled.  RC_BAD malformed.  RC_TEMP no answer; the
 *            message is then taken without verdict (policy_down = accept, the
 *            default) or answered 4xx: a crash of policy never stops mail.
 * Limits     POL_EDITS_MAX bytes of fields, POL_CUTS_MAX cuts.
 */
#ifndef POLICY_POL_CLIENT_H
#define POLICY_POL_CLIENT_H

#include "lib/ipc.h"

#define POL_EDITS_MAX (64u << 10)
#define POL_CUTS_MAX  256u

struct pol_client;
struct pol_client *pol_client_new(
    const struct log *log, const char *path, unsigned max_conns);
void pol_client_free(struct pol_client **p);

enum pol_action {
	POL_ACCEPT = 1,
	POL_JUNK,    /* deliver to the Junk mailbox */
	POL_HOLD,    /* keep in the queue for an administrator */
	POL_REJECT,  /* 5xx with `status` and `text` */
	POL_DEFER,   /* 4xx likewise */
	POL_DISCARD, /* say 250 and drop it (a header check wants so) */
};

struct pol_check {
	struct str sid;
	struct str client_ip; /* "192.0.2.1", "2001:db8::1" */
	struct str helo;
	struct str from;        /* return path, "" is null */
	struct str submitter;   /* authenticated account id, "" if none: only
				   the header checks then apply */
	const struct str *rcpt; /* addresses as accepted */
	size_t nrcpt;
	struct str inline_data; /* the body, or */
	int fd;                 /* sealed memfd or spool file; -1: inline */
	uint64_t size;
	int64_t received_at;
};

struct pol_cut {
	uint64_t off, len; /* whole header fields of the body, in order */
};

struct pol_verdict {
	enum pol_action action;
	struct str status; /* "5.7.1"; REJECT and DEFER */
	struct str text;   /* for the client, one line of ASCII */
	struct str why;    /* for log, trace and report */
	struct str edits;  /* fields to put before the message, CRLF each */
	struct pol_cut *cut;
	size_t ncut;
	/* For log and report: "pass", "fail", ... as in RFC 8601. */
	struct str spf, dkim, dmarc;
};

MUST_CHECK enum rc pol_check(struct pol_client *p, struct arena *a,
    const struct pol_check *in, struct deadline dl, struct pol_verdict *out);
void pol_check_start(struct pol_client *p, const struct pol_check *in,
    struct deadline dl,
    void (*done)(void *arg, enum rc rc, const struct pol_verdict *out),
    void *arg);

#endif
