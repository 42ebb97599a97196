/*
 * sup - the supervisor's state and its parts.
 *
 * gatepostd binds ports and sockets, opens keys and certificates, starts the
 * processes and starts them again.  It reads nothing from the network.
 *
 * Ownership  struct sup owns everything; parts borrow it.
 * Threads    One.
 * Errors     At the start: a line in the log and RC_BAD.  Later nothing is
 *            fatal: what cannot be done is logged and tried again.
 * Limits     SUP_CHILDREN_MAX processes, SUP_LISTENERS_MAX sockets,
 *            SUP_ADMINS_MAX administrators at a time.
 */
#ifndef SUPERVISOR_SUP_H
#define SUPERVISOR_SUP_H

#include <sys/types.h>

#include "conf/conf.h"
#include "lib/ipc_impl.h"
#include "lib/proc.h"

#define SUP_CHILDREN_MAX  80u
#define SUP_LISTENERS_MAX 64u
#define SUP_PAIRS_MAX     8u
#define SUP_ADMINS_MAX    8u
#define SUP_TICKETS       64u
#define SUP_KEY           32u

/* A kind of process; the table is in sup_roles.c. */
struct sup_role {
	const char *name;
	const char *program;
	const char *service; /* its IPC socket, or NULL */
	bool tls;            /* gets certificates */
	bool master_key;
	bool rules;               /* gets the rules */
	bool local;               /* gets aliases and users of the machine */
	bool kerberos;            /* gets the environment of libkrb5 */
	const char *peers;        /* roles that talk to it */
	const char *listeners[8]; /* names of TCP listeners */
	unsigned stop_rank;       /* stopped in this order */
};

struct sup_user {
	uid_t uid;
	gid_t gid;
	gid_t groups[PROC_GROUPS_MAX];
	size_t ngroups;
};

enum sup_state {
	SUP_DOWN,  /* starts at restart_at */
	SUP_BEGUN, /* has not said that it is ready */
	SUP_READY,
	SUP_STOPPING,
};

struct sup_child {
	const struct sup_role *role;
	unsigned instance;
	char name[32]; /* "mx", "imap.1" */
	struct sup_user user;
	enum sup_state state;
	pid_t pid;
	int fd; /* control socket */
	struct ipc_reader r;
	int inflight_fd;    /* kept over its lives (lib/inflight.h) */
	int64_t started_at; /* monotonic ns */
	int64_t restart_at;
	unsigned restarts;
	int delay_ms; /* before the next start */
	int status;   /* of the last exit, as waitpid gives it */
	bool cut;     /* killed at a stop, because it had not begun */
};

struct sup_listener {
	const char *name;  /* "listen.smtp" */
	const char *field; /* the same in the start frame, or "proxy.smtp" */
	int fd;
};

struct sup_creds {
	int cert[SUP_PAIRS_MAX], key[SUP_PAIRS_MAX]; /* sealed memfds */
	size_t n;
};

/* Files that are read here for those who cannot; sealed memfds. */
struct sup_files {
	int rules, aliases, users;
};

/* An administrator's question, or a SIGHUP, that children have to answer. */
struct sup_query {
	int fd; /* -1: nobody hears the answer */
	struct ipc_reader r;
	bool pending;
	uint16_t op;
	uint32_t id;
	unsigned serial; /* id of the frames to the children */
	bool waiting[SUP_CHILDREN_MAX];
	unsigned nwaiting;
	struct ipc_msg out;
	struct deadline dl;
};

/* What the service manager was told last; sup_notify.c. */
struct sup_notify {
	int fd;     /* -1: there is none */
	bool ready; /* all have served once */
	bool owed;  /* READY has to be said (again) */
	size_t up;
	int64_t every_ns, next_ns; /* watchdog; 0: not wanted */
};

struct sup {
	struct log log;
	struct sup_notify notify;
	struct log_sink *sink;
	const char *conf_path;
	const char *libexec;
	const struct conf *conf;
	int conf_fd;   /* sealed memfd with the dump */
	int log_fd;    /* dup of what the sink writes to */
	int syslog_fd; /* -1: none */
	struct arena a;
	struct sup_child children[SUP_CHILDREN_MAX];
	size_t nchildren;
	struct sup_listener listeners[SUP_LISTENERS_MAX];
	size_t nlisteners;
	int rpc_fd[SUP_CHILDREN_MAX]; /* by role index */
	struct sup_creds creds;
	struct sup_files files;
	unsigned char tickets[SUP_TICKETS];
	int key_fd; /* sealed memfd with the master key */
	bool same_user;
	bool trial;  /* for `gatepost check`: no TCP, log on stderr */
	gid_t group; /* of sockets and directories that all may reach */
	int epoll_fd, signal_fd, admin_fd;
	struct sup_query queries[SUP_ADMINS_MAX];
	struct sup_query hup; /* the reload of the last SIGHUP */
	unsigned serial;
	bool stopping, failed;
	struct deadline stop_dl;
	unsigned stop_rank;
};

extern const struct sup_role sup_roles[];
extern const size_t sup_nroles;

/* sup_users.c: who everybody is; who may talk to whom. */
MUST_CHECK enum rc sup_users(struct sup *s);
MUST_CHECK enum rc sup_user_of(
    struct sup *s, const struct sup_role *role, struct sup_user *out);
void sup_put_user(struct sup *s, const struct sup_child *c, struct ipc_msg *m);

/* sup_dirs.c: directories, the master key, capabilities. */
MUST_CHECK enum rc sup_dirs(struct sup *s);
MUST_CHECK enum rc sup_master_key(struct sup *s);
MUST_CHECK enum rc sup_drop_caps(struct sup *s);

/* sup_listen.c */
MUST_CHECK enum rc sup_listen_tcp(struct sup *s);
MUST_CHECK enum rc sup_listen_ipc(struct sup *s);
/* sendmail.sock, which every user of the machine may open. */
MUST_CHECK enum rc sup_listen_local(struct sup *s);
MUST_CHECK enum rc sup_write_ports(struct sup *s);
/* A listening UNIX socket under run_dir; -1 is logged. */
int sup_listen_unix(struct sup *s, const char *name, mode_t mode);

/* sup_tls.c: certificates as memfds; makes one if none is set. */
MUST_CHECK enum rc sup_creds_load(
    struct sup *s, const struct conf *c, struct sup_creds *out);
void sup_creds_free(struct sup_creds *c);
void sup_put_creds(struct sup *s, struct ipc_msg *m);
/* sup_files.c: rules, aliases, users of the machine. */
MUST_CHECK enum rc sup_files_load(struct sup *s, struct arena *a,
    const struct conf *c, struct sup_files *out, struct str *why);
void sup_files_free(struct sup_files *f);
void sup_put_files(
    struct sup *s, const struct sup_role *role, struct ipc_msg *m);
/* sup_cert.c: a self-signed pair (PEM) for a host name. */
MUST_CHECK enum rc sup_cert_make(
    struct arena *a, const char *host, struct str *cert, struct str *key);

/* sup_child.c */
void sup_children_init(struct sup *s);
void sup_children_tick(struct sup *s); /* start what is due */
void sup_children_reap(struct sup *s);
void sup_child_event(struct sup *s, struct sup_child *c);
void sup_child_send(struct sup *s, struct sup_child *c, struct ipc_msg *m);
/* It serves, and can be asked. */
bool sup_child_up(const struct sup_child *c);
/* SIGKILL at the end, SUP_DOWN all: the stop is complete. */
void sup_stop_tick(struct sup *s);
void sup_stop_begin(struct sup *s);
bool sup_stop_done(const struct sup *s);

/* sup_start.c: the frame a child starts with. */
void sup_put_start(struct sup *s, struct sup_child *c, struct ipc_msg *m);
void sup_exec(struct sup *s, const struct sup_child *c, int control)
    __attribute__((noreturn));

/* sup_reload.c: what was wrong or what needs a restart, as a line.  The
 * processes know of it only after sup_reload_send, which says whether an
 * answer with that id will come: those that are down, or closed and about to
 * be, start with it. */
MUST_CHECK enum rc sup_reload(struct sup *s, struct arena *a, struct str *why);
bool sup_reload_send(struct sup *s, struct sup_child *c, uint32_t id);
MUST_CHECK enum rc sup_open_log(
    struct sup *s, const struct conf *c, int *out_fd);
/* A socket to the syslog daemon; -1: none is wanted. */
int sup_open_syslog(struct sup *s, const struct conf *c);

/* sup_notify.c: the service manager, if there is one. */
void sup_notify_open(struct sup *s);
void sup_notify_close(struct sup *s);
void sup_notify_tick(struct sup *s);
int64_t sup_notify_due(const struct sup *s); /* monotonic ns */
/* Each that begins; the end of the last of those that overlap. */
void sup_notify_reloading(struct sup *s);
void sup_notify_reloaded(struct sup *s);
void sup_notify_stop(struct sup *s);

/* sup_admin.c: control.sock, and SIGHUP. */
void sup_admin_hup(struct sup *s);
void sup_admin_accept(struct sup *s);
void sup_admin_event(struct sup *s, struct sup_query *q);
void sup_admin_tick(struct sup *s);
void sup_admin_reply(struct sup *s, struct sup_child *c, struct ipc_msg *m);
/* That child will not answer any more. */
void sup_admin_forget(struct sup *s, struct sup_child *c);

#endif
