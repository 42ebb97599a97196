/* One frame there, one frame back; the lists are copied out of the answer. */
#include <errno.h>
#include <string.h>

#include "lib/ipc_impl.h"
#include "supervisor/sup_client.h"

static enum rc
ask(struct arena *a, const char *run_dir, enum sup_op op, struct str address,
    struct deadline dl, struct ipc_msg *reply)
{
	AUTO_FD fd = ipc_connect(str_fmt(a, "%s/control.sock", run_dir).p);
	AUTO_MSG req;
	enum rc rc;

	ipc_msg_init(reply, 0);
	ipc_msg_init(&req, (uint16_t)op);
	if (fd < 0)
		return errno == ENOENT || errno == ECONNREFUSED ? RC_NOENT
		       : errno == EACCES || errno == EPERM      ? RC_DENY
								: RC_TEMP;
	if (address.n > 0)
		ipc_put_str(&req, "address", address);
	req.id = 1;
	req.extra = (uint32_t)deadline_left_ms(dl);
	rc = ipc_send(fd, &req, dl);
	if (rc == RC_OK)
		rc = ipc_recv(fd, reply, dl);
	if (rc == RC_NOENT)
		return RC_DENY; /* it looked at us and hung up */
	if (rc != RC_OK || reply->extra > RC_TEMP)
		return RC_TEMP;
	return (enum rc)reply->extra;
}

static size_t
count(struct ipc_in *in, const char *name)
{
	struct ipc_in one;
	size_t pos = 0, n = 0;

	while (ipc_next_group(in, name, &pos, &one) == RC_OK)
		n++;
	return n;
}

static struct str
text(struct arena *a, struct ipc_in *in, const char *name)
{
	return str_dup(a, ipc_str_or(in, name, STR("")));
}

static void
take_limits(struct arena *a, struct ipc_in *in, struct sup_process *p)
{
	struct ipc_in one;
	size_t pos = 0;

	p->bans = arena_calloc(a, count(in, "ban"), sizeof(*p->bans));
	while (ipc_next_group(in, "ban", &pos, &one) == RC_OK)
		p->bans[p->nbans++] = (struct sup_ban){ text(a, &one, "who"),
			ipc_u64_or(&one, "left_s", 0) };
	p->busy = arena_calloc(a, count(in, "busy"), sizeof(*p->busy));
	for (pos = 0; ipc_next_group(in, "busy", &pos, &one) == RC_OK;)
		p->busy[p->nbusy++] = (struct sup_busy){ text(a, &one, "who"),
			text(a, &one, "what"), ipc_u64_or(&one, "percent", 0) };
}

static void
take_numbers(struct arena *a, struct ipc_in *in, struct sup_process *p)
{
	struct ipc_in group;
	size_t pos = 0, n = 0;
	struct str name;
	uint64_t value;

	if (ipc_next_group(in, "numbers", &pos, &group) != RC_OK)
		return;
	for (pos = 0; ipc_next_u64(&group, &pos, &name, &value) == RC_OK;)
		n++;
	p->numbers = arena_calloc(a, n, sizeof(*p->numbers));
	for (pos = 0; p->nnumbers < n &&
		      ipc_next_u64(&group, &pos, &name, &value) == RC_OK;)
		p->numbers[p->nnumbers++] =
		    (struct sup_number){ str_dup(a, name), value };
	take_limits(a, &group, p);
}

enum rc
sup_status(struct arena *a, const char *run_dir, struct deadline dl,
    struct sup_process **out, size_t *out_n)
{
	AUTO_MSG reply;
	enum rc rc = ask(a, run_dir, SUP_STATUS, STR(""), dl, &reply);
	struct ipc_in in, one;
	size_t pos = 0, n = 0;

	if (rc != RC_OK)
		return rc;
	ipc_in_init(&in, &reply);
	*out = arena_calloc(a, count(&in, "process"), sizeof(**out));
	while (ipc_next_group(&in, "process", &pos, &one) == RC_OK) {
		struct sup_process *p = &(*out)[n++];

		p->name = text(a, &one, "name");
		p->role = text(a, &one, "role");
		p->state = text(a, &one, "state");
		p->last_end = text(a, &one, "last_end");
		p->pid = ipc_u64_or(&one, "pid", 0);
		p->restarts = ipc_u64_or(&one, "restarts", 0);
		p->uptime_s = ipc_u64_or(&one, "uptime_s", 0);
		take_numbers(a, &one, p);
	}
	*out_n = n;
	return RC_OK;
}

enum rc
sup_check(struct arena *a, const char *run_dir, struct deadline dl,
    struct sup_line **out, size_t *out_n)
{
	AUTO_MSG reply;
	enum rc rc = ask(a, run_dir, SUP_CHECK, STR(""), dl, &reply);
	struct ipc_in in, proc, line;
	size_t pos = 0, n = 0, max = 0;

	if (rc != RC_OK)
		return rc;
	ipc_in_init(&in, &reply);
	while (ipc_next_group(&in, "process", &pos, &proc) == RC_OK)
		max += count(&proc, "line");
	*out = arena_calloc(a, max, sizeof(**out));
	pos = 0;
	while (ipc_next_group(&in, "process", &pos, &proc) == RC_OK) {
		struct str name = text(a, &proc, "name");
		size_t at = 0;

		while (n < max &&
		       ipc_next_group(&proc, "line", &at, &line) == RC_OK)
			(*out)[n++] = (struct sup_line){
				.process = name,
				.grade = (enum proc_grade)ipc_u64_or(
				    &line, "grade", PROC_FAIL),
				.tried = text(a, &line, "tried"),
				.found = text(a, &line, "found"),
				.todo = text(a, &line, "todo"),
			};
	}
	*out_n = n;
	return RC_OK;
}

enum rc
sup_reload_ask(struct arena *a, const char *run_dir, struct deadline dl,
    struct str *why, struct str *behind)
{
	AUTO_MSG reply;
	enum rc rc = ask(a, run_dir, SUP_RELOAD, STR(""), dl, &reply);
	struct ipc_in in;
	struct str name;
	size_t pos = 0;

	*behind = STR("");
	ipc_in_init(&in, &reply);
	*why = text(a, &in, "why");
	while (ipc_next_str(&in, "behind", &pos, &name) == RC_OK)
		*behind = str_fmt(a, "%.*s%s%.*s", STRF(*behind),
		    behind->n > 0 ? " " : "", STRF(name));
	return rc;
}

enum rc
sup_unban(struct arena *a, const char *run_dir, struct str address,
    struct deadline dl, uint64_t *out_lifted)
{
	AUTO_MSG reply;
	enum rc rc = ask(a, run_dir, SUP_UNBAN, address, dl, &reply);
	struct ipc_in in, proc, numbers;
	size_t pos = 0;

	if (rc != RC_OK)
		return rc;
	*out_lifted = 0;
	ipc_in_init(&in, &reply);
	while (ipc_next_group(&in, "process", &pos, &proc) == RC_OK) {
		size_t at = 0;

		if (ipc_next_group(&proc, "numbers", &at, &numbers) == RC_OK)
			*out_lifted += ipc_u64_or(&numbers, "lifted", 0);
	}
	return RC_OK;
}
