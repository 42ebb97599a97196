/*
 * The lives of the processes.
 *
 * A process that dies is started again: at once the first time (a client
 * notices nothing but a pause, its connection waits in the listen queue),
 * then after 0.1 s, doubling to 5 s, until it has been up for half a minute.
 * Exit status 78 says that its configuration is wrong: it waits the longest,
 * or for a reload.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/sup.h"
#include "lib/inflight.h"

#define MS            INT64_C(1000000)
#define DELAY_MIN     100
#define DELAY_MAX     5000
#define UP_LONG_NS    (30000 * MS)
#define SEND_MS       500
#define READ_CHUNK    4096u
#define STOP_RANKS    5u
#define STOP_TOTAL_MS 15000

static void
add_child(
    struct sup *s, const struct sup_role *role, unsigned instance, bool several)
{
	struct sup_child *c = &s->children[s->nchildren++];

	assert(s->nchildren <= SUP_CHILDREN_MAX);
	*c = (struct sup_child){ .role = role, .instance = instance };
	c->fd = -1;
	c->inflight_fd = inflight_make();
	if (several)
		snprintf(
		    c->name, sizeof(c->name), "%s.%u", role->name, instance);
	else
		snprintf(c->name, sizeof(c->name), "%s", role->name);
}

void
sup_children_init(struct sup *s)
{
	for (size_t i = 0; i < sup_nroles; i++) {
		bool imap = strcmp(sup_roles[i].name, "imap") == 0;
		unsigned n = imap ? s->conf->imap_processes : 1;

		for (unsigned k = 0; k < n; k++)
			add_child(s, &sup_roles[i], k, imap);
	}
}

bool
sup_child_up(const struct sup_child *c)
{
	return c->state == SUP_READY && c->fd >= 0;
}

static void
hang_up(struct sup *s, struct sup_child *c)
{
	sup_admin_forget(s, c);
	if (c->fd < 0)
		return;
	ipc_reader_free(&c->r);
	fd_close(&c->fd); /* leaves the epoll set */
}

void
sup_child_send(struct sup *s, struct sup_child *c, struct ipc_msg *m)
{
	if (c->fd >= 0 && ipc_send(c->fd, m, deadline_in(SEND_MS)) == RC_OK)
		return;
	log_error(
	    &s->log, "child.send", KVC("child", c->name), KVU("op", m->op));
	/* It does not even read: the next life will. */
	if (c->pid > 0)
		kill(c->pid, SIGKILL);
}

static void
retry_later(struct sup_child *c, int ms)
{
	c->state = SUP_DOWN;
	c->restart_at = now_ns() + ms * MS;
}

/* Watch our end of the control socket and say what there is to know. */
static void
introduce(struct sup *s, struct sup_child *c, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };
	AUTO_MSG m;

	c->fd = fd;
	c->state = SUP_BEGUN;
	c->started_at = now_ns();
	ipc_reader_init(&c->r, READ_CHUNK);
	if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0)
		panic("epoll_ctl: errno %d", errno);
	sup_put_start(s, c, &m);
	sup_child_send(s, c, &m);
}

static void
start(struct sup *s, struct sup_child *c)
{
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		log_error(&s->log, "child.socket", KVE(errno));
		retry_later(c, DELAY_MAX);
		return;
	}
	pid = fork();
	if (pid == 0)
		sup_exec(s, c, pair[1]);
	fd_close(&pair[1]);
	if (pid < 0) {
		log_error(
		    &s->log, "child.fork", KVC("child", c->name), KVE(errno));
		fd_close(&pair[0]);
		retry_later(c, DELAY_MAX);
		return;
	}
	c->pid = pid;
	log_info(&s->log, "child.start", KVC("child", c->name), KVI("pid", pid),
	    KVU("restarts", c->restarts));
	introduce(s, c, pair[0]);
}

void
sup_children_tick(struct sup *s)
{
	int64_t now = now_ns();

	for (size_t i = 0; i < s->nchildren; i++) {
		struct sup_child *c = &s->children[i];

		if (c->state == SUP_DOWN && !s->stopping &&
		    now >= c->restart_at)
			start(s, c);
	}
}

static void
plan_restart(struct sup *s, struct sup_child *c)
{
	bool config =
	    WIFEXITED(c->status) && WEXITSTATUS(c->status) == PROC_EX_CONFIG;
	bool no_exec = WIFEXITED(c->status) && WEXITSTATUS(c->status) == 127;
	int wait = c->delay_ms;

	if (now_ns() - c->started_at > UP_LONG_NS)
		wait = 0;
	if (config || no_exec)
		wait = DELAY_MAX;
	c->delay_ms = MIN(MAX(wait * 2, DELAY_MIN), DELAY_MAX);
	c->restarts++;
	retry_later(c, wait);
	if (config && !s->stopping)
		log_error(&s->log, "child.config", KVC("child", c->name),
		    KVC("todo", "see its last lines, correct, reload"));
	if (no_exec)
		log_error(&s->log, "child.program", KVC("child", c->name),
		    KVC("program", c->role->program),
		    KVC("directory", s->libexec));
}

static void
on_exit_of(struct sup *s, struct sup_child *c, int status)
{
	bool clean = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	bool wanted = c->state == SUP_STOPPING && (c->cut || clean);
	enum log_level level = wanted ? LOG_INFO : LOG_ERROR;

	hang_up(s, c);
	c->status = status;
	if (WIFSIGNALED(status))
		LOG_AT(&s->log, level, "child.died", KVC("child", c->name),
		    KVI("pid", c->pid), KVU("signal", WTERMSIG(status)),
		    KVC("name", sigabbrev_np(WTERMSIG(status))),
		    KVU("up_ms", (now_ns() - c->started_at) / MS));
	else
		LOG_AT(&s->log, level, "child.exit", KVC("child", c->name),
		    KVI("pid", c->pid), KVU("status", WEXITSTATUS(status)),
		    KVU("up_ms", (now_ns() - c->started_at) / MS));
	c->pid = 0;
	if (wanted)
		c->state = SUP_DOWN;
	else
		plan_restart(s, c);
	if (s->stopping && !wanted)
		s->failed = true;
}

void
sup_children_reap(struct sup *s)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (size_t i = 0; i < s->nchildren; i++)
			if (s->children[i].pid == pid)
				on_exit_of(s, &s->children[i], status);
}

static void
on_frame(struct sup *s, struct sup_child *c, struct ipc_msg *m)
{
	if (m->op == PROC_READY && c->state == SUP_BEGUN) {
		c->state = SUP_READY;
		log_info(&s->log, "child.ready", KVC("child", c->name),
		    KVU("ms", (now_ns() - c->started_at) / MS));
	} else if (m->op == PROC_REPLY) {
		sup_admin_reply(s, c, m);
	}
}

void
sup_child_event(struct sup *s, struct sup_child *c)
{
	bool more = false;
	enum rc rc;

	if (c->fd < 0)
		return;
	rc = ipc_reader_fill(&c->r, c->fd, MSG_DONTWAIT, &more);
	if (rc == RC_TEMP && errno == EAGAIN)
		return;
	while (rc == RC_OK && ipc_reader_ready(&c->r)) {
		AUTO_MSG m;

		ipc_msg_init(&m, 0);
		rc = ipc_reader_next(&c->r, &m);
		if (rc == RC_OK)
			on_frame(s, c, &m);
	}
	if (rc == RC_OK)
		return;
	/* It closed, or talks nonsense: without control it is of no use. */
	if (rc == RC_BAD)
		log_error(&s->log, "child.frame", KVC("child", c->name));
	hang_up(s, c);
	if (c->pid > 0 && c->state != SUP_STOPPING)
		kill(c->pid, SIGKILL);
}

static bool
rank_is_down(const struct sup *s, unsigned rank)
{
	for (size_t i = 0; i < s->nchildren; i++)
		if (s->children[i].role->stop_rank == rank &&
		    s->children[i].pid > 0)
			return false;
	return true;
}

/* Ask those of a rank to finish; who is not ready has nothing to finish. */
static void
stop_rank(struct sup *s, unsigned rank)
{
	for (size_t i = 0; i < s->nchildren; i++) {
		struct sup_child *c = &s->children[i];
		AUTO_MSG m;

		ipc_msg_init(&m, PROC_STOP);
		if (c->role->stop_rank != rank || c->pid == 0)
			continue;
		if (c->state == SUP_BEGUN) {
			c->state = SUP_STOPPING;
			c->cut = true;
			kill(c->pid, SIGKILL);
			continue;
		}
		/* Leave something of the time to those who come later. */
		m.extra = (uint32_t)deadline_left_ms(s->stop_dl) / 2 + 1;
		c->state = SUP_STOPPING;
		sup_child_send(s, c, &m);
	}
}

void
sup_stop_begin(struct sup *s)
{
	if (s->stopping)
		return;
	log_info(&s->log, "stop", KVU("children", s->nchildren));
	s->stopping = true;
	s->stop_dl = deadline_in(STOP_TOTAL_MS);
	s->stop_rank = 0;
	stop_rank(s, 0);
}

void
sup_stop_tick(struct sup *s)
{
	if (!s->stopping)
		return;
	while (s->stop_rank < STOP_RANKS && rank_is_down(s, s->stop_rank))
		if (++s->stop_rank < STOP_RANKS)
			stop_rank(s, s->stop_rank);
	if (!deadline_over(s->stop_dl))
		return;
	for (size_t i = 0; i < s->nchildren; i++)
		if (s->children[i].pid > 0) {
			log_error(&s->log, "child.kill",
			    KVC("child", s->children[i].name));
			kill(s->children[i].pid, SIGKILL);
		}
	s->stop_dl = deadline_in(1000);
}

bool
sup_stop_done(const struct sup *s)
{
	return s->stopping && s->stop_rank == STOP_RANKS;
}
