/*
 * The stub.  An answer that cannot be read is RC_TEMP, as no answer is: the
 * message is then taken or deferred by the setting policy_down, and never
 * refused.
 */
#include "policy/pol_client.h"
#include "policy/pol_wire.h"

struct pol_client {
	const struct log *log;
	struct ipc_client *ipc;
};

struct pol_client *
pol_client_new(const struct log *log, const char *path, unsigned max_conns)
{
	struct pol_client *p = xcalloc(1, sizeof(*p));

	p->log = log;
	p->ipc = ipc_client_new(log, "policy", path, max_conns);
	return p;
}

void
pol_client_free(struct pol_client **p)
{
	if (*p == NULL)
		return;
	ipc_client_free(&(*p)->ipc);
	xfree(*p);
	*p = NULL;
}

static enum rc
read_verdict(const struct log *log, struct ipc_msg *reply, struct arena *a,
    uint64_t size, struct pol_verdict *out)
{
	struct ipc_in in;

	ipc_in_init(&in, reply);
	if (pol_get_verdict(&in, a, size, out) == RC_OK)
		return RC_OK;
	log_error(log, "policy.answer", KVC("why", "malformed"));
	return RC_TEMP;
}

static void
keep(struct arena *a, struct pol_verdict *v)
{
	struct str *all[] = { &v->status, &v->text, &v->why, &v->edits, &v->spf,
		&v->dkim, &v->dmarc };

	for (size_t i = 0; i < COUNT(all); i++)
		*all[i] = str_dup(a, *all[i]);
}

enum rc
pol_check(struct pol_client *p, struct arena *a, const struct pol_check *in,
    struct deadline dl, struct pol_verdict *out)
{
	AUTO_MSG req = { 0 }, reply = { 0 };
	struct pol_verdict got;
	enum rc rc;

	ipc_msg_init(&req, POL_OP_CHECK);
	pol_put_check(&req, in);
	rc = ipc_call(p->ipc, &req, dl, &reply);
	if (rc == RC_OK)
		rc = read_verdict(p->log, &reply, a, in->size, &got);
	if (rc != RC_OK)
		return rc;
	keep(a, &got);
	*out = got;
	return RC_OK;
}

struct started {
	const struct log *log;
	uint64_t size;
	void (*done)(void *arg, enum rc rc, const struct pol_verdict *out);
	void *arg;
};

static void
on_answer(void *arg, enum rc rc, struct ipc_msg *reply)
{
	struct started s = *(struct started *)arg;
	struct pol_verdict got = { 0 };
	AUTO_ARENA a = { 0 };

	xfree(arg);
	if (rc == RC_OK)
		rc = read_verdict(s.log, reply, &a, s.size, &got);
	s.done(s.arg, rc, rc == RC_OK ? &got : NULL);
}

void
pol_check_start(struct pol_client *p, const struct pol_check *in,
    struct deadline dl,
    void (*done)(void *arg, enum rc rc, const struct pol_verdict *out),
    void *arg)
{
	struct started *s = xmalloc(sizeof(*s));
	AUTO_MSG req = { 0 };

	*s = (struct started){ p->log, in->size, done, arg };
	ipc_msg_init(&req, POL_OP_CHECK);
	pol_put_check(&req, in);
	ipc_start(p->ipc, &req, dl, on_answer, s);
}
