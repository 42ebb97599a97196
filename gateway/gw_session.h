/*
 * gw_session - the state of one SMTP client, shared by the gw_smtp_*.c files
 * and by nobody else.
 */
#ifndef GW_SESSION_H
#define GW_SESSION_H

#include "gateway/gw_body.h"
#include "gateway/gw_login.h"
#include "gateway/gw_smtp.h"
#include "mail/addr.h"
#include "mail/dot.h"

#define GW_RCPT_BATCH 100u /* pipelined RCPT lines in one unit */
#define GW_AUTH_TRIES 3u   /* failures in one session */

/* Where the dialogue stands; a bit each, so that a table row can list them. */
enum gw_phase {
	PH_START = 1, /* no EHLO yet */
	PH_READY = 2,
	PH_MAIL = 4,
	PH_RCPT = 8,
	PH_DATA = 16,     /* inside DATA */
	PH_BDAT = 32,     /* inside the bytes of a BDAT chunk */
	PH_CHUNKS = 64,   /* between BDAT chunks */
	PH_AUTH = 128,    /* the next line answers a challenge */
	PH_COMMIT = 256,  /* waits for delivery */
	PH_TARPIT = 512,  /* waits before a failed login is answered */
	PH_POLICY = 1024, /* waits for policy's verdict */
};
#define PH_TX   (PH_MAIL | PH_RCPT | PH_CHUNKS)
#define PH_IDLE (PH_START | PH_READY)
#define PH_ANY  (PH_IDLE | PH_TX)

struct gw_rcpt {
	struct str address; /* canonical */
	enum dir_kind kind;
	struct str dir_id;
	struct str primary; /* the main address of who that is */
	struct str route;
	unsigned notify; /* enum rem_notify */
	struct str orcpt;
	unsigned said; /* by which RCPT of tx.taken */
};

/* Addresses of blind copies, each once; they belong to the rules. */
struct gw_copies {
	struct str *v;
	size_t n;
	bool too_many;
};

/* One mail transaction; its arena is reset with it. */
struct gw_tx {
	struct arena a;
	struct addr from_addr;
	struct str from; /* canonical, "" is null */
	struct str envid;
	enum rem_ret ret;
	struct gw_rcpt *rcpt;
	size_t nrcpt, rcpt_size;
	size_t said;      /* RCPT, whatever was answered */
	unsigned taken;   /* RCPT that were answered 250 */
	int64_t asked_ns; /* when the first of them was looked up */
	struct gw_body body;
	struct mail_dot dot;
	struct mail_crlf crlf; /* BDAT */
	uint64_t bdat_left;
	bool bdat_last;
	bool bdat_refused;    /* read the chunk, then say 503 ... */
	bool bdat_early;      /* ... and wait for EHLO as before */
	bool ends;            /* the unit framed last ends the message */
	bool too_big, failed; /* read to the end, then refuse */
	uint64_t size_max;    /* set by MAIL */
	uint64_t declared;    /* SIZE= of MAIL, or 0 */
	struct str *captured; /* whom it was for (gw_rules) */
	size_t ncaptured;
	struct gw_copies *copies; /* NULL: not looked for yet */
	unsigned char id[16];
	struct str trace, edits;
	struct str author; /* its domain, to sign by; "" is not signed */
	bool junk, hold;   /* what policy wants done with it */
	struct str spf, dkim, dmarc; /* what it found, "" if not asked */
	int64_t received_at, handed_ms;
	size_t step; /* of gw_commit */
	unsigned tries;
	struct deadline dl;
};

/* An answer of delivery that may outlive its session. */
struct gw_pending;
/* The same of policy. */
struct gw_verdict;

/*
 * LMTP: how often the next reply is to be said, and what instead of it, where
 * that is not empty.  It outlives the transaction and the unit.
 */
struct gw_finals {
	unsigned n;
	struct str *own; /* n or NULL */
	struct arena a;
};

struct gw_smtp {
	struct gw *gw;
	const struct conf *conf;
	const struct gw_site *site;
	struct netd_conn *c;
	const struct log *log;
	bool submission;
	bool local;      /* a submission by a user of this machine ... */
	uid_t uid;       /* ... whose uid the kernel knows */
	struct str user; /* and whose name the site, or "" */
	bool lmtp;       /* RFC 2033: for people who are here, nobody else */
	struct gw_finals finals;
	enum gw_phase phase;
	bool esmtp;
	bool skipping;   /* an over-long line is being read */
	unsigned errors; /* since the last message that was accepted */
	unsigned auth_failures;
	struct arena a; /* lives from EHLO to EHLO */
	struct str helo;
	struct arena login; /* lives from AUTH to STARTTLS or the end */
	struct dir_account account;
	struct gw_guard_seat seat;
	bool authenticated;
	struct gw_login auth;
	struct arena unit; /* reset after each unit */
	struct gw_tx tx;
	struct gw_pending *pending;
	struct gw_verdict *verdict;
	int64_t opened_ms; /* unix */
	bool tracked;      /* its connection has been told to track */
};

/* gw_smtp.c */
/*
 * Reply with code, enhanced code (NULL: none) and text, count errors, and go
 * on.  The text holds no client bytes.
 */
enum next gw_reply(
    struct gw_smtp *s, int code, const char *status, const char *text);
/* LMTP: the reply after the message to the RCPT that r comes of; once each. */
void gw_final_add(struct gw_smtp *s, const struct gw_rcpt *r, int code,
    const char *status, const char *text);
bool gw_final_set(const struct gw_smtp *s, const struct gw_rcpt *r);
void gw_tx_reset(struct gw_smtp *s);
struct deadline gw_dir_deadline(const struct gw_smtp *s);
/* Whose limits count: an account's, a local user's; "": the address'. */
struct str gw_limited(const struct gw_smtp *s);

/* gw_smtp_rcpt.c */
/* Length of the pipelined RCPT lines at the start of `in`; 0: not one. */
size_t gw_rcpt_frame(struct str in);
enum next gw_on_rcpts(struct gw_smtp *s, struct str lines);
/* One more recipient; dir_id, route and primary are copied. */
void gw_rcpt_add(struct gw_smtp *s, const struct gw_rcpt *r);

/* gw_smtp_data.c */
enum next gw_on_data(struct gw_smtp *s, struct str arg);
enum next gw_on_bdat(struct gw_smtp *s, struct str arg);
size_t gw_data_frame(struct gw_smtp *s, struct str in);
/* It stays in memory and does not end the message. */
bool gw_data_quick(const struct gw_smtp *s, size_t n);
enum next gw_data_chunk(struct gw_smtp *s, struct str in);
enum next gw_bdat_chunk(struct gw_smtp *s, struct str in);

/* gw_smtp_commit.c */
enum next gw_commit(struct gw_smtp *s);
enum next gw_commit_wake(struct gw_smtp *s);
/* The answer is there and final. */
bool gw_commit_answered(const struct gw_smtp *s);
void gw_pending_drop(struct gw_smtp *s);

/*
 * gw_smtp_policy.c: may it come in?  True: go on with the next step; false:
 * *out is what to do now, and if that is to wait, gw_policy_wake is the same
 * question again.
 */
bool gw_policy_step(struct gw_smtp *s, enum next *out);
bool gw_policy_wake(struct gw_smtp *s, enum next *out);
void gw_verdict_drop(struct gw_smtp *s);

/*
 * gw_smtp_sender.c: may the submitter say this?  False: *out is what to do
 * next, the reply has been sent.
 */
bool gw_sender_from_ok(struct gw_smtp *s, struct str from, enum next *out);
bool gw_sender_header_ok(struct gw_smtp *s, enum next *out);
/*
 * From one of relay_networks, on port 25: it may say anything, and its mail is
 * completed and signed like a submission.
 */
bool gw_sender_is_relay(const struct gw_smtp *s);
/* From a gateway of ours that has checked what strangers gave it. */
bool gw_sender_is_front(const struct gw_smtp *s);
bool gw_sender_complete(struct gw_smtp *s, enum next *out);

/* gw_smtp_sign.c: likewise; puts our signatures before the edits. */
bool gw_sign(struct gw_smtp *s, enum next *out);

/*
 * gw_smtp_track.c: what is worth telling an administrator later.  Before
 * gw_tx_reset, because sender and size are the transaction's.
 */
void gw_track_accept(struct gw_smtp *s, struct str qid);
void gw_track_policy(struct gw_smtp *s, const struct pol_verdict *v);
/* Of a message, or of one recipient; 5xx for good, 4xx for now. */
void gw_track_refuse(struct gw_smtp *s, struct str rcpt, int code,
    const char *status, const char *text);
/* That and a reply; gw_refuse ends the transaction, too. */
enum next gw_no(
    struct gw_smtp *s, int code, const char *status, const char *text);
enum next gw_refuse(
    struct gw_smtp *s, int code, const char *status, const char *text);

/* gw_smtp_auth.c */
enum next gw_on_auth(struct gw_smtp *s, struct str arg);
enum next gw_auth_line(struct gw_smtp *s, struct str line);
/* Mechanisms to announce now, "" for none. */
struct str gw_auth_mechs(struct gw_smtp *s);
/* The answer to a failed login, after its delay. */
enum next gw_auth_wake(struct gw_smtp *s);
/* Forget a half-done exchange. */
void gw_auth_reset(struct gw_smtp *s);

#endif
