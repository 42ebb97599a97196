/*
 * The stub.  An answer that cannot be read is RC_TEMP: whether the message went
 * out is then unknown, and asking again with the same id tells.
 */
#include "delivery/rem_client.h"
#include "delivery/rem_wire.h"

struct rem_client {
	const struct log *log;
	struct ipc_client *ipc;
};

struct rem_client *
rem_client_new(const struct log *log, const char *path, unsigned max_conns)
{
	struct rem_client *r = xcalloc(1, sizeof(*r));

	r->log = log;
	r->ipc = ipc_client_new(log, "remote", path, max_conns);
	return r;
}

void
rem_client_free(struct rem_client **r)
{
	if (*r == NULL)
		return;
	ipc_client_free(&(*r)->ipc);
	xfree(*r);
	*r = NULL;
}

static enum rc
read_outcome(
    struct ipc_msg *reply, struct arena *a, size_t nto, struct rem_outcome *out)
{
	struct ipc_in in;

	ipc_in_init(&in, reply);
	if (rem_get_outcome(&in, a, out) != RC_OK || out->nto != nto)
		return RC_TEMP;
	return RC_OK;
}

enum rc
rem_send(struct rem_client *r, struct arena *a, const struct rem_message *in,
    struct deadline dl, struct rem_outcome *out)
{
	AUTO_MSG req = { 0 }, reply = { 0 };
	struct rem_outcome got;
	enum rc rc;

	ipc_msg_init(&req, REM_OP_SEND);
	rem_put_message(&req, in);
	rc = ipc_call(r->ipc, &req, dl, &reply);
	if (rc == RC_OK)
		rc = read_outcome(&reply, a, in->nto, &got);
	if (rc != RC_OK)
		return rc;
	got.host = str_dup(a, got.host);
	got.ip = str_dup(a, got.ip);
	got.tls = str_dup(a, got.tls);
	for (size_t i = 0; i < got.nto; i++) {
		got.to[i].status = str_dup(a, got.to[i].status);
		got.to[i].reply = str_dup(a, got.to[i].reply);
	}
	*out = got;
	return RC_OK;
}

struct started {
	void (*done)(void *arg, enum rc rc, const struct rem_outcome *out);
	void *arg;
	size_t nto;
};

static void
on_answer(void *arg, enum rc rc, struct ipc_msg *reply)
{
	struct started s = *(struct started *)arg;
	struct rem_outcome got = { 0 };
	AUTO_ARENA a = { 0 };

	xfree(arg);
	if (rc == RC_OK)
		rc = read_outcome(reply, &a, s.nto, &got);
	s.done(s.arg, rc, rc == RC_OK ? &got : NULL);
}

void
rem_send_start(struct rem_client *r, const struct rem_message *in,
    struct deadline dl,
    void (*done)(void *arg, enum rc rc, const struct rem_outcome *out),
    void *arg)
{
	struct started *s = xmalloc(sizeof(*s));
	AUTO_MSG req = { 0 };

	*s = (struct started){ done, arg, in->nto };
	ipc_msg_init(&req, REM_OP_SEND);
	rem_put_message(&req, in);
	ipc_start(r->ipc, &req, dl, on_answer, s);
}
