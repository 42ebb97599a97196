/*
 * sup_client - ask the supervisor how the house is.
 *
 * Ownership  What comes out lives in `a`.
 * Threads    Any; each call makes its own connection.
 * Errors     RC_NOENT: no supervisor is running (or not for this run_dir);
 *            RC_DENY: the socket belongs to somebody else; RC_BAD: a reload
 *            was refused (*why says it); RC_TEMP: no answer before dl.
 */
#ifndef SUPERVISOR_SUP_CLIENT_H
#define SUPERVISOR_SUP_CLIENT_H

#include "lib/ipc.h"
#include "lib/proc.h"

enum sup_op { SUP_STATUS = 1, SUP_RELOAD, SUP_CHECK, SUP_UNBAN };

struct sup_number {
	struct str name;
	uint64_t value;
};

/* A client that is shut out, or one that is near a limit. */
struct sup_ban {
	struct str who;
	uint64_t left_s;
};
struct sup_busy {
	struct str who, what;
	uint64_t percent;
};

struct sup_process {
	struct str name;  /* "mx", "imap.0" */
	struct str role;  /* "mx", "imap" */
	struct str state; /* "ready", "starting", "stopping", "down" */
	uint64_t pid;     /* 0: down */
	uint64_t restarts;
	uint64_t uptime_s;
	struct str last_end; /* "", "status 78", "signal ABRT" */
	struct sup_number *numbers;
	size_t nnumbers;
	struct sup_ban *bans;
	size_t nbans;
	struct sup_busy *busy;
	size_t nbusy;
};

MUST_CHECK enum rc sup_status(struct arena *a, const char *run_dir,
    struct deadline dl, struct sup_process **out, size_t *out_n);

struct sup_line {
	struct str process;
	enum proc_grade grade;
	struct str tried, found, todo;
};

/* Processes that are down give a line that says so. */
MUST_CHECK enum rc sup_check(struct arena *a, const char *run_dir,
    struct deadline dl, struct sup_line **out, size_t *out_n);

/*
 * RC_OK: the processes have the new settings, but for those that *behind
 * names ("mx imap.1", usually empty); *why names settings that need a
 * restart, or is empty.  RC_BAD: *why is what is wrong, nothing changed.
 */
MUST_CHECK enum rc sup_reload_ask(struct arena *a, const char *run_dir,
    struct deadline dl, struct str *why, struct str *behind);

/* Let the client in again; how many processes had shut it out. */
MUST_CHECK enum rc sup_unban(struct arena *a, const char *run_dir,
    struct str address, struct deadline dl, uint64_t *out_lifted);

#endif
