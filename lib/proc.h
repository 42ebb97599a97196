/*
 * proc - what every daemon does between exec and its first client.
 *
 * The supervisor execs a child with a control socket as descriptor 3 and
 * sends it one "start" frame: the configuration (a sealed memfd), listening
 * sockets, the IPC listening socket, certificates, keys, log file, the uid
 * and gid to become, the paths of the other services' IPC sockets.
 *
 *   proc_begin    read the start frame (deadline 10 s), parse the settings
 *   ... open what only the privileged may (nothing does so far) ...
 *   proc_confine  become the user, no_new_privs, landlock, seccomp
 *   ... start threads ...
 *   proc_run      say "ready", then serve the control socket until told to
 *                 stop, or the supervisor is gone
 *
 * It is implemented in conf/, which knows the settings.
 *
 * Threads    Begin and confine before any thread; proc_run on the main one.
 * Errors     Anything that fails before proc_run is logged and ends the
 *            process with EX_CONFIG (78, do not restart at once) or 1.
 */
#ifndef LIB_PROC_H
#define LIB_PROC_H

#include <sys/types.h>

#include "lib/ipc.h"
#include "lib/sandbox.h"

#define PROC_CONTROL_FD 3
#define PROC_GROUPS_MAX 32u
#define PROC_PEERS_MAX  16u
#define PROC_EX_CONFIG  78

struct conf;

struct proc {
	const char *role;  /* "mx", "access", "directory", ... */
	unsigned instance; /* imap.0, imap.1, ... */
	const struct conf *conf;
	struct log log;
	struct ipc_msg start; /* the frame; holds descriptors not taken */
	int conf_fd;
	bool same_user; /* all daemons share one uid */
	/* proc's own */
	struct log_sink *sink;
	struct ipc_in in; /* over start */
	struct arena a;
	uid_t uid; /* to become */
	gid_t gid;
	gid_t groups[PROC_GROUPS_MAX];
	size_t ngroups;
	uid_t peers[PROC_PEERS_MAX];
	size_t npeers;
};

/* Control operations (frames on descriptor 3). */
enum proc_op {
	PROC_START = 1, /* supervisor -> child */
	PROC_READY,     /* child -> supervisor */
	PROC_RELOAD,    /* new configuration, certificates, keys */
	PROC_STOP,      /* finish what runs, then exit 0 */
	PROC_STATUS,    /* answered with named numbers */
	PROC_CHECK,     /* answered with groups "line" */
	PROC_REPLY,
	PROC_UNBAN, /* "address"; answered with the number "lifted" */
};

struct proc_hooks {
	/* The new settings are valid; descriptors are in m.  May be NULL. */
	void (*reload)(void *ctx, const struct conf *conf, struct ipc_in *in);
	/* Put numbers: ipc_put_u64(out, "sessions", n).  May be NULL. */
	void (*status)(void *ctx, struct ipc_msg *out);
	/* Add lines by proc_check_line.  May block for seconds. */
	void (*check)(void *ctx, struct ipc_msg *out);
	/* An administrator lifts a ban: how many there were.  May be NULL. */
	uint64_t (*unban)(void *ctx, struct str address);
	/*
	 * Stop serving; return when done or at dl.  A check may still run: what
	 * it uses is freed after proc_run, which has waited for it.
	 */
	void (*stop)(void *ctx, struct deadline dl);
	void *ctx;
};

/* argv: [program, role]. */
void proc_begin(struct proc *p, int argc, char **argv);
/* Descriptors of the start frame, e.g. "listen.smtp"; -1 when none left. */
int proc_take_fd(struct proc *p, const char *name);
/* Path of a service's IPC socket ("directory", "store", "delivery", "imap"). */
const char *proc_ipc_path(const struct proc *p, const char *service);
/* Users of the roles that may talk to this one: uids for rpcd_conf. */
const uid_t *proc_peer_uids(const struct proc *p, size_t *n);
void proc_confine(struct proc *p, const struct sandbox *rules);
int proc_run(struct proc *p, const struct proc_hooks *hooks);

enum proc_grade { PROC_GOOD, PROC_UNPROVEN, PROC_FAIL };
/* One line of `gatepost check`: what was tried, found, and what to do. */
void proc_check_line(struct ipc_msg *out, enum proc_grade grade,
    struct str tried, struct str found, struct str todo);
/* The line that says whether a spool file can be made; who: "imap makes". */
void proc_check_spool(struct ipc_msg *out, const char *who, const char *dir);

#endif
