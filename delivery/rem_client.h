/*
 * rem_client - have the remote process carry a message to another server.
 *
 * One call is one transaction: one message, one next hop, some recipients.
 * remote finds the hosts (MX), connects or reuses a connection, speaks SMTP or
 * LMTP, and says what became of each recipient.  It keeps no queue; whoever
 * asks decides when to try again.
 *
 * Ownership  Slices that come out live as long as the callback or in `a`.
 * Threads    The start form calls back on the client's own thread, which must
 *            not block.  The blocking form is for tools and tests.
 * Errors     RC_OK every result is filled.  RC_BAD malformed.  RC_TEMP no
 *            answer: not known whether it was sent; asking again with the same
 *            id attaches to what runs, or gives the first result, for
 *            REM_REMEMBER_S.
 * Limits     REM_RCPTS_MAX recipients; REM_REPLY_MAX bytes of a server's reply
 *            are kept.
 */
#ifndef DELIVERY_REM_CLIENT_H
#define DELIVERY_REM_CLIENT_H

#include "lib/ipc.h"

#define REM_RCPTS_MAX  100u
#define REM_REPLY_MAX  1024u
#define REM_REMEMBER_S 600u

struct rem_client;
struct rem_client *rem_client_new(
    const struct log *log, const char *path, unsigned max_conns);
void rem_client_free(struct rem_client **r);

/* RFC 3461 section 4.1: NOTIFY; none of them: as if it were not given. */
enum rem_notify {
	REM_NOTIFY_NEVER = 1,
	REM_NOTIFY_SUCCESS = 2,
	REM_NOTIFY_FAILURE = 4,
	REM_NOTIFY_DELAY = 8,
};
enum rem_ret { REM_RET_NONE, REM_RET_FULL, REM_RET_HDRS };

struct rem_rcpt {
	struct str address;
	unsigned notify;  /* enum rem_notify */
	struct str orcpt; /* as given (xtext), "" none */
};

struct rem_message {
	struct str id;  /* up to 64 bytes: this attempt */
	struct str qid; /* queue id, for logs */
	/*
	 * The next hop: "mx:DOMAIN" (RFC 5321 section 5.1),
	 * "smtp:HOST:PORT" (no MX lookup; [v6] in brackets),
	 * "lmtp:HOST:PORT" or "lmtp:/path" (RFC 2033).
	 */
	struct str hop;
	struct str from; /* return path, "" is null */
	const struct rem_rcpt *to;
	size_t nto;
	struct str envid; /* xtext as given, "" none */
	enum rem_ret ret;
	struct str prefix;      /* put before the body: trace and edits */
	struct str inline_data; /* the body, or */
	int fd;                 /* sealed memfd or spool file; -1: inline */
	uint64_t size;          /* of the body */
};

struct rem_result {
	enum rc rc;        /* RC_OK taken; RC_DENY refused for good; RC_TEMP */
	unsigned code;     /* reply code, 0: none was given */
	struct str status; /* "5.1.1"; always set */
	/* One line: the server's words, the code first as it came, or ours. */
	struct str reply;
	bool from_server;   /* the reply is the server's (DSN: smtp;) */
	bool dsn_passed_on; /* it announced DSN: notices are its business */
};

struct rem_outcome {
	struct str host, ip; /* who was spoken to, "" nobody */
	struct str tls;      /* "TLS1.3 AES_256_GCM", "" in clear */
	uint64_t ms;         /* how long it took */
	/* Nobody could be reached: other messages need not try at once. */
	bool hop_down;
	struct rem_result *to; /* nto of them, in order */
	size_t nto;
};

MUST_CHECK enum rc rem_send(struct rem_client *r, struct arena *a,
    const struct rem_message *in, struct deadline dl, struct rem_outcome *out);
void rem_send_start(struct rem_client *r, const struct rem_message *in,
    struct deadline dl,
    void (*done)(void *arg, enum rc rc, const struct rem_outcome *out),
    void *arg);

#endif
