/*
 * control.sock: an administrator asks, the processes answer, we put it
 * together.  A question waits for those that are up, for at most its
 * deadline; who does not answer is reported as silent.  Nothing blocks.
 * SIGHUP is the question of a reload without anybody who hears the answer.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/sup.h"
#include "supervisor/sup_client.h"

#define STATUS_MS  2000
#define CHECK_MS   60000
#define RELOAD_MS  10000
#define REPLY_MS   200
#define READ_CHUNK 1024u

static bool
is_reload(const struct sup_query *q)
{
	return q->pending && q->op == SUP_RELOAD;
}

static bool
reloading(const struct sup *s)
{
	bool any = is_reload(&s->hup);

	for (size_t k = 0; k < SUP_ADMINS_MAX; k++)
		any |= is_reload(&s->queries[k]);
	return any;
}

/*
 * Nobody hears the answer.  A reload goes on all the same: the processes are
 * at it, and the service manager waits for its end.
 */
static void
hang_up(struct sup_query *q)
{
	ipc_reader_free(&q->r);
	if (q->pending && q->op != SUP_RELOAD) {
		ipc_msg_free(&q->out);
		q->pending = false;
	}
	fd_close(&q->fd);
}

static void
answer(struct sup *s, struct sup_query *q, enum rc rc)
{
	q->pending = false;
	if (q->op == SUP_RELOAD && !reloading(s))
		sup_notify_reloaded(s);
	q->out.op = q->op;
	q->out.id = q->id;
	q->out.extra = (uint32_t)rc;
	if (q->fd >= 0 &&
	    ipc_send(q->fd, &q->out, deadline_in(REPLY_MS)) != RC_OK)
		hang_up(q);
	ipc_msg_free(&q->out);
}

static const char *
state_name(const struct sup_child *c)
{
	static const char *const names[] = { "down", "starting", "ready",
		"stopping" };

	/* One that closed is gone, whether it was buried or not. */
	return names[c->fd < 0 ? SUP_DOWN : c->state];
}

/* How its last life ended; "" in its first. */
static struct str
last_end(struct arena *a, const struct sup_child *c)
{
	if (c->restarts == 0)
		return STR("");
	if (WIFSIGNALED(c->status))
		return str_fmt(
		    a, "signal %s", sigabbrev_np(WTERMSIG(c->status)));
	return str_fmt(a, "status %d", WEXITSTATUS(c->status));
}

/* What we know ourselves; the group stays open for the child's part. */
static size_t
begin_process(struct sup_query *q, const struct sup_child *c)
{
	struct ipc_msg *m = &q->out;
	size_t at = ipc_begin(m, "process");
	AUTO_ARENA a = { 0 };

	ipc_put_str(m, "name", str_c(c->name));
	ipc_put_str(m, "role", str_c(c->role->name));
	ipc_put_str(m, "state", str_c(state_name(c)));
	ipc_put_str(m, "last_end", last_end(&a, c));
	ipc_put_u64(m, "pid", (uint64_t)c->pid);
	ipc_put_u64(m, "restarts", c->restarts);
	ipc_put_u64(m, "uptime_s",
	    c->pid > 0 ? (uint64_t)(now_ns() - c->started_at) / 1000000000 : 0);
	return at;
}

/* The fields of a child's answer, as they are. */
static void
put_fields(struct ipc_msg *out, const struct ipc_msg *from)
{
	struct str fields = str_from(buf_str(&from->b), IPC_HEADER);

	if (from->nfds > 0 || buf_add(&out->b, fields) != RC_OK)
		out->bad = true;
}

static void
put_absent(struct sup_query *q, const struct sup_child *c, const char *found)
{
	size_t at = begin_process(q, c);
	AUTO_ARENA a = { 0 };
	struct str end = last_end(&a, c);

	if (q->op == SUP_CHECK)
		proc_check_line(&q->out, PROC_FAIL, STR("is it running"),
		    str_fmt(&a, "%s%s%.*s", found,
			end.n > 0 ? "; it ended last with " : "", STRF(end)),
		    str_fmt(&a, "look for proc=%s in the log", c->name));
	ipc_end(&q->out, at);
}

static void
put_behind(struct sup *s, struct sup_query *q, const struct sup_child *c)
{
	log_warn(&s->log, "reload.behind", KVC("child", c->name));
	ipc_put_str(&q->out, "behind", str_c(c->name));
}

static void
finish_if_complete(struct sup *s, struct sup_query *q)
{
	if (!q->pending || q->nwaiting > 0)
		return;
	answer(s, q, RC_OK);
}

static void
ask_children(struct sup *s, struct sup_query *q, struct str address)
{
	uint16_t op = q->op == SUP_CHECK   ? PROC_CHECK
		      : q->op == SUP_UNBAN ? PROC_UNBAN
					   : PROC_STATUS;

	q->serial = ++s->serial;
	q->nwaiting = 0;
	for (size_t i = 0; i < s->nchildren; i++) {
		struct sup_child *c = &s->children[i];
		AUTO_MSG m;

		ipc_msg_init(&m, op);
		if (op == PROC_UNBAN)
			ipc_put_str(&m, "address", address);
		m.id = q->serial;
		q->waiting[i] = sup_child_up(c);
		if (!q->waiting[i]) {
			put_absent(q, c, "it is down");
			continue;
		}
		q->nwaiting++;
		sup_child_send(s, c, &m);
	}
	finish_if_complete(s, q);
}

/* New settings, which all have when the question is answered. */
static void
reload(struct sup *s, struct sup_query *q)
{
	AUTO_ARENA a = { 0 };
	struct str why = STR("");
	enum rc rc;

	sup_notify_reloading(s);
	rc = sup_reload(s, &a, &why);
	ipc_put_str(&q->out, "why", why);
	if (rc != RC_OK) {
		answer(s, q, rc);
		return;
	}
	q->serial = ++s->serial;
	q->nwaiting = 0;
	for (size_t i = 0; i < s->nchildren; i++) {
		q->waiting[i] = sup_reload_send(s, &s->children[i], q->serial);
		q->nwaiting += q->waiting[i];
	}
	finish_if_complete(s, q);
}

void
sup_admin_hup(struct sup *s)
{
	struct sup_query *q = &s->hup;

	if (q->pending) /* this one is newer */
		ipc_msg_free(&q->out);
	*q = (struct sup_query){ .fd = -1, .pending = true, .op = SUP_RELOAD };
	ipc_msg_init(&q->out, SUP_RELOAD);
	q->dl = deadline_in(RELOAD_MS);
	reload(s, q);
}

static void
on_question(struct sup *s, struct sup_query *q, struct ipc_msg *m)
{
	struct ipc_in in;
	uint32_t max = m->op == SUP_CHECK    ? CHECK_MS
		       : m->op == SUP_RELOAD ? RELOAD_MS
					     : STATUS_MS;

	ipc_msg_init(&q->out, m->op);
	q->pending = true;
	q->op = m->op;
	q->id = m->id;
	/* The answer needs a little of the asker's time. */
	q->dl = deadline_in(MIN(m->extra - m->extra / 8, max));
	switch (m->op) {
	case SUP_STATUS:
	case SUP_CHECK:
	case SUP_UNBAN:
		ipc_in_init(&in, m);
		ask_children(s, q, ipc_str_or(&in, "address", STR("")));
		return;
	case SUP_RELOAD:
		reload(s, q);
		return;
	default:
		answer(s, q, RC_BAD);
	}
}

void
sup_admin_accept(struct sup *s)
{
	struct ucred peer = { 0 };
	socklen_t n = sizeof(peer);
	struct sup_query *q = NULL;
	AUTO_FD fd = accept4(s->admin_fd, NULL, NULL, SOCK_CLOEXEC);
	struct epoll_event ev = { .events = EPOLLIN };

	if (fd < 0)
		return;
	for (size_t i = 0; i < SUP_ADMINS_MAX && q == NULL; i++)
		if (s->queries[i].fd < 0 && !s->queries[i].pending)
			q = &s->queries[i];
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) < 0 ||
	    (peer.uid != 0 && peer.uid != geteuid()) || q == NULL) {
		log_warn(&s->log, "control.denied", KVU("uid", peer.uid),
		    KVC("why", q == NULL ? "too many" : "not root"));
		return;
	}
	*q = (struct sup_query){ .fd = take(&fd) };
	ipc_reader_init(&q->r, READ_CHUNK);
	ev.data.ptr = q;
	if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, q->fd, &ev) < 0)
		panic("epoll_ctl: errno %d", errno);
}

void
sup_admin_event(struct sup *s, struct sup_query *q)
{
	bool more = false;
	enum rc rc;

	if (q->fd < 0)
		return;
	rc = ipc_reader_fill(&q->r, q->fd, MSG_DONTWAIT, &more);
	if (rc == RC_TEMP && errno == EAGAIN)
		return;
	while (rc == RC_OK && ipc_reader_ready(&q->r)) {
		AUTO_MSG m;

		ipc_msg_init(&m, 0);
		rc = ipc_reader_next(&q->r, &m);
		if (rc == RC_OK && q->pending)
			rc = RC_BAD; /* one question at a time */
		if (rc == RC_OK)
			on_question(s, q, &m);
		if (q->fd < 0)
			return;
	}
	if (rc != RC_OK)
		hang_up(q);
}

static void
give_up(struct sup *s, struct sup_query *q, size_t i, const char *found)
{
	q->waiting[i] = false;
	q->nwaiting--;
	if (q->op != SUP_RELOAD) /* its next life begins with what is new */
		put_absent(q, &s->children[i], found);
}

static void
tick(struct sup *s, struct sup_query *q)
{
	if (!q->pending || !deadline_over(q->dl))
		return;
	for (size_t i = 0; i < s->nchildren; i++) {
		if (!q->waiting[i])
			continue;
		if (q->op == SUP_RELOAD)
			put_behind(s, q, &s->children[i]);
		give_up(s, q, i, "it does not answer");
	}
	finish_if_complete(s, q);
}

void
sup_admin_tick(struct sup *s)
{
	for (size_t k = 0; k < SUP_ADMINS_MAX; k++)
		tick(s, &s->queries[k]);
	tick(s, &s->hup);
}

/* What a process said becomes its part of the answer. */
static void
put_reply(struct sup *s, struct sup_query *q, const struct sup_child *c,
    struct ipc_msg *m)
{
	size_t at, group;

	if (q->op == SUP_RELOAD) {
		if (m->extra != RC_OK)
			put_behind(s, q, c);
		return;
	}
	at = begin_process(q, c);
	if (q->op != SUP_CHECK) {
		group = ipc_begin(&q->out, "numbers");
		put_fields(&q->out, m);
		ipc_end(&q->out, group);
	} else {
		put_fields(&q->out, m);
	}
	ipc_end(&q->out, at);
}

static void
take_reply(struct sup *s, struct sup_query *q, const struct sup_child *c,
    struct ipc_msg *m)
{
	size_t i = (size_t)(c - s->children);

	if (!q->pending || q->serial != m->id || !q->waiting[i])
		return;
	q->waiting[i] = false;
	q->nwaiting--;
	put_reply(s, q, c, m);
	finish_if_complete(s, q);
}

void
sup_admin_reply(struct sup *s, struct sup_child *c, struct ipc_msg *m)
{
	for (size_t k = 0; k < SUP_ADMINS_MAX; k++)
		take_reply(s, &s->queries[k], c, m);
	take_reply(s, &s->hup, c, m);
}

static void
forget(struct sup *s, struct sup_query *q, const struct sup_child *c)
{
	size_t i = (size_t)(c - s->children);

	if (!q->pending || !q->waiting[i])
		return;
	give_up(s, q, i, "it died when asked");
	finish_if_complete(s, q);
}

void
sup_admin_forget(struct sup *s, struct sup_child *c)
{
	for (size_t k = 0; k < SUP_ADMINS_MAX; k++)
		forget(s, &s->queries[k], c);
	forget(s, &s->hup, c);
}
