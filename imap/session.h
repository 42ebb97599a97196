/*
 * session - one client of imap, and what the commands need of it.
 *
 * A command runs as: parse and start (the handler of its table row), zero or
 * more steps (large output and long searches go in pieces), then the news of
 * the mailbox (sync), then the tagged reply.
 *
 * Ownership  netd owns the connection, the session everything below.  `mem`
 *            lives as long as the command, `unit` as long as one step; a
 *            cursor that holds more than memory registers `drop`.
 * Threads    One owner at a time (netd.h).
 * Limits     The ones below; none of them is a setting.
 */
#ifndef IMAP_SESSION_H
#define IMAP_SESSION_H

#include "conf/conf.h"
#include "directory/dir_client.h"
#include "imap/account.h"
#include "imap/flags.h"
#include "imap/gather.h"
#include "imap/mechs.h"
#include "imap/out.h"
#include "imap/set.h"
#include "imap/view.h"
#include "imap/watch.h"
#include "lib/inflight.h"
#include "store/reader.h"

#define IMAP_TAG_MAX     255u
#define IMAP_ERRORS_MAX  50u         /* BAD commands in a row, then BYE */
#define IMAP_LITERAL_MAX (32u << 10) /* of a command other than APPEND */
#define IMAP_DISCARD_MAX (1u << 30)  /* of a LITERAL+ that is refused */
#define IMAP_BATCH       256u        /* rows looked at in one step */
#define IMAP_BACKEND_MS  30000
#define IMAP_UNIT_NS     (10 * 1000000) /* then others get the worker */
#define IMAP_CAPABILITIES                                                      \
	"IMAP4rev1 LITERAL+ ID IDLE UNSELECT UIDPLUS MOVE NAMESPACE "          \
	"CHILDREN SPECIAL-USE LIST-EXTENDED"

/* What all sessions share. */
struct imap_daemon {
	const struct log *log;
	const struct conf *conf; /* of the sessions to come; see main.c */
	struct dir_client *dir;
	struct store_client *store;
	struct store_reader *reader;
	struct imap_accounts *accounts;
	struct imap_watches *watches;
	struct imap_spool *spool; /* imap/upload.h */
	struct inflight *inflight;
	struct imap_mechs mechs;
	/* A reference to the settings now. */
	const struct conf *(*conf_get)(struct imap_daemon *d);
};

enum imap_phase {
	PH_NEW = 1,      /* the preamble has not come */
	PH_AUTH = 2,     /* authenticated, nothing selected */
	PH_SELECTED = 4, /* box is not NULL */
	PH_LOGOUT = 8,
};
#define PH_ANY (PH_AUTH | PH_SELECTED)

struct imap_session;

/* What a handler or a step says. */
enum imap_step {
	STEP_DONE, /* the reply is set */
	STEP_MORE, /* call cur.step, when there is room for output */
	STEP_IDLE, /* wait for input or news (IDLE) */
};

enum imap_command_flag {
	CMD_UID = 1,       /* may have UID before it */
	CMD_NUMBERS = 2,   /* no EXPUNGE meanwhile, unless UID (7.4.1) */
	CMD_RW = 4,        /* not after EXAMINE */
	CMD_NO_SYNC = 8,   /* no news before the reply */
	CMD_NO_ARGS = 16,  /* nothing behind the name */
	CMD_UID_ONLY = 32, /* only with UID before it */
	CMD_STREAM = 64,   /* its last literal goes past the command (APPEND) */
	CMD_READS = 128,   /* reads messages: watched (poison.c) */
};

struct imap_command {
	struct str name;
	unsigned phases;
	unsigned flags;
	enum imap_step (*run)(struct imap_session *s, struct imap_parse *args);
};

/* The command that runs. */
struct imap_cur {
	const struct imap_command *cmd; /* NULL: none */
	struct str tag;
	bool uid;
	bool syncing; /* its own work is done */
	enum imap_step (*step)(struct imap_session *s);
	void (*drop)(struct imap_session *s); /* once, however it ends */
	void *state;
	struct str reply;                /* "OK ...", set before STEP_DONE */
	unsigned char work[INFLIGHT_ID]; /* names it, if watched */
};

/* How far the news of the selected mailbox have been told. */
struct imap_sync {
	enum { SYNC_NONE, SYNC_NEW, SYNC_FLAGS } stage;
	uint64_t modseq;   /* of the snapshot that is being told */
	uint32_t uidnext;  /* likewise */
	uint32_t old_next; /* UIDs from here are new, not changed */
	uint32_t next_uid; /* where this stage goes on */
};

struct imap_box {
	uint64_t id;
	uint32_t uidvalidity;
	bool readonly;
	uint64_t flags_hash; /* of the FLAGS response last sent */
	uint64_t own_modseq; /* a change of ours, told already */
	uint32_t exists;     /* as the client believes */
	struct view view;
	struct imap_sync sync;
	struct imap_watch watch;
};

struct pop3;        /* imap/pop3.h */
struct imap_append; /* imap/cmd_append.c */
struct imap_spool;  /* imap/upload.h */

struct imap_session {
	struct imap_daemon *d;
	struct netd_conn *c;
	const struct conf *conf;
	struct log log;
	enum imap_phase phase;
	unsigned errors;
	const struct imap_account *account;
	struct imap_box *box;
	struct imap_gather in;
	struct imap_out out;
	struct arena mem, unit;
	struct store_view *rv; /* see imap_view_of_store */
	struct imap_cur cur;
	struct pop3 *pop3;          /* not NULL: it speaks POP3 */
	struct imap_append *append; /* an upload that is under way */
	struct str refused;         /* reply for a command being skipped */
	char *idle_tag;             /* IDLE is running */
	bool news;                  /* in IDLE: something may have changed */
	bool closing;
	bool abort;
};

/*
 * engine.c
 */
extern const struct netd_ops imap_session_ops;
const struct imap_command *imap_command_find(struct str name);
/* The command in s->in is complete: run it. */
enum next imap_engine_run(struct imap_session *s);
/* Go on with what runs; with nothing running says what to wait for. */
enum next imap_engine_pump(struct imap_session *s);
/* The command in s->in cannot be run: tagged BAD or NO with this text. */
enum next imap_engine_refuse(struct imap_session *s, struct str reply);
/*
 * May the command whose beginning is in s->in be run?  STR_NULL, or the reply
 * that says why not.
 */
MUST_CHECK struct str imap_engine_precheck(
    struct imap_session *s, const struct imap_command **out);
/* Release what the command holds. */
void imap_engine_drop(struct imap_session *s);
/* "* BYE text"; the session closes behind it. */
void imap_bye(struct imap_session *s, struct str text);

/*
 * poison.c: commands that read messages are entered in the table of what is
 * in flight (lib/inflight.h) while a worker runs them.
 */
struct imap_flight {
	bool entered;
	unsigned slot;
};
/* Name the command that begins with `line`; false: it is poison. */
MUST_CHECK bool imap_poison_name(struct imap_session *s, struct str line);
void imap_poison_enter(struct imap_session *s, struct imap_flight *f);
void imap_poison_leave(struct imap_session *s, struct imap_flight *f);
void imap_poison_report(const struct log *log, struct inflight *table);

/*
 * reply.c: what handlers say.  All return STEP_DONE.
 */
enum imap_step imap_ok(struct imap_session *s, const char *text);
enum imap_step imap_no(struct imap_session *s, const char *text);
enum imap_step imap_bad(struct imap_session *s, const char *text);
/* A back-end's answer that is not RC_OK, as a response code and a text. */
enum imap_step imap_fail(struct imap_session *s, enum rc rc);
struct str imap_fail_text(enum rc rc);

struct deadline imap_deadline(void);
/* The store as it is now; ended by the engine after each unit. */
MUST_CHECK enum rc imap_view_of_store(
    struct imap_session *s, struct store_view **out);
void imap_view_drop(struct imap_session *s);
/* The selected mailbox's row; memory of `a`. */
MUST_CHECK enum rc imap_box_row(
    struct imap_session *s, struct arena *a, struct store_mailbox *out);
/* Mailbox by name, for commands; RC_NOENT if there is none. */
MUST_CHECK enum rc imap_box_find(
    struct imap_session *s, struct str name, struct store_mailbox *out);
/* A mailbox argument; false is a BAD or NO that is set already. */
MUST_CHECK bool imap_arg_mailbox(
    struct imap_session *s, struct imap_parse *p, struct str *out);
/* A sequence set, resolved; false: the reply is set. */
MUST_CHECK bool imap_arg_set(
    struct imap_session *s, struct imap_parse *p, struct uid_set *out);
void imap_deselect(struct imap_session *s);

/*
 * sync.c: tell what has changed in the selected mailbox.
 */
MUST_CHECK enum imap_step imap_sync_step(struct imap_session *s, bool expunge);
/* A change of our own, told as it was made: do not tell it again. */
void imap_sync_own(struct imap_box *box, uint64_t modseq);
/* "* FLAGS (...)" when a keyword has come since it was said last. */
void imap_sync_tell_keywords(
    struct imap_session *s, const struct store_mailbox *mb);
/* "* n FETCH (FLAGS (...))", with the UID for UID commands. */
void imap_sync_tell_flags(struct imap_session *s,
    const struct store_mailbox *mb, const struct store_row *row, bool uid);

/*
 * cmd_append.c: the upload.
 */
/*
 * The last literal of an APPEND is announced.  RC_OK: it is the message and
 * will be taken by imap_append_chunk; RC_NOENT: it is another argument;
 * RC_BAD: refused, *why says so.
 */
MUST_CHECK enum rc imap_append_begin(
    struct imap_session *s, const struct imap_literal *lit, struct str *why);
void imap_append_chunk(struct imap_session *s, struct str data);
void imap_append_free(struct imap_session *s);

/* The handlers. */
#define IMAP_HANDLER(name)                                                     \
	enum imap_step name(struct imap_session *s, struct imap_parse *args)
IMAP_HANDLER(imap_cmd_append);
IMAP_HANDLER(imap_cmd_capability);
IMAP_HANDLER(imap_cmd_close);
IMAP_HANDLER(imap_cmd_copy);
IMAP_HANDLER(imap_cmd_create);
IMAP_HANDLER(imap_cmd_delete);
IMAP_HANDLER(imap_cmd_examine);
IMAP_HANDLER(imap_cmd_expunge);
IMAP_HANDLER(imap_cmd_fetch);
IMAP_HANDLER(imap_cmd_id);
IMAP_HANDLER(imap_cmd_idle);
IMAP_HANDLER(imap_cmd_list);
IMAP_HANDLER(imap_cmd_logout);
IMAP_HANDLER(imap_cmd_lsub);
IMAP_HANDLER(imap_cmd_move);
IMAP_HANDLER(imap_cmd_namespace);
IMAP_HANDLER(imap_cmd_noop);
IMAP_HANDLER(imap_cmd_rename);
IMAP_HANDLER(imap_cmd_search);
IMAP_HANDLER(imap_cmd_select);
IMAP_HANDLER(imap_cmd_status);
IMAP_HANDLER(imap_cmd_store);
IMAP_HANDLER(imap_cmd_subscribe);
IMAP_HANDLER(imap_cmd_unselect);
IMAP_HANDLER(imap_cmd_unsubscribe);

/* In cmd_expunge.c: all that carry \Deleted and that the session knows. */
MUST_CHECK enum rc imap_expunge_all(struct imap_session *s);
/* In cmd_idle.c: the line that ends IDLE. */
enum next imap_idle_line(struct imap_session *s, struct str line);
void imap_idle_stop(struct imap_session *s);

#endif
