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

enum sup_op { SUP_STATUS = 1, SUP_RELOAD, SUP_CHECK };

struct sup_number {
	struct str name;
	uint64_t value;
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

/* RC_OK: *why names settings that need a restart, or is empty. */
MUST_CHECK enum rc sup_reload_ask(
    struct arena *a, const char *run_dir, struct deadline dl, struct str *why);

#endif
