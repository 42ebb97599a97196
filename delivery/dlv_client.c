/*
 * The stub: every call is one frame and its answer.  An answer that cannot be
 * read is RC_TEMP, because whether the message is durable is then unknown.
 */
#include "delivery/dlv_client.h"
#include "delivery/dlv_wire.h"

struct dlv_client {
	const struct log *log;
	struct ipc_client *ipc;
};

struct dlv_client *
dlv_client_new(const struct log *log, const char *path, unsigned max_conns)
{
	struct dlv_client *d = xcalloc(1, sizeof(*d));

	d->log = log;
	d->ipc = ipc_client_new(log, "delivery", path, max_conns);
	return d;
}

void
dlv_client_free(struct dlv_client **d)
{
	if (*d == NULL)
		return;
	ipc_client_free(&(*d)->ipc);
	xfree(*d);
	*d = NULL;
}

static enum rc
read_submitted(struct ipc_msg *reply, struct dlv_submitted *out)
{
	struct ipc_in in;

	ipc_in_init(&in, reply);
	return dlv_get_submitted(&in, out) == RC_OK ? RC_OK : RC_TEMP;
}

enum rc
dlv_submit(struct dlv_client *d, struct arena *a, const struct dlv_submit *in,
    struct deadline dl, struct dlv_submitted *out)
{
	AUTO_MSG req = { 0 }, reply = { 0 };
	struct dlv_submitted got;
	enum rc rc;

	ipc_msg_init(&req, DLV_OP_SUBMIT);
	dlv_put_submit(&req, in);
	rc = ipc_call(d->ipc, &req, dl, &reply);
	if (rc != RC_OK)
		return rc;
	rc = read_submitted(&reply, &got);
	if (rc != RC_OK)
		return rc;
	got.queue_id = str_dup(a, got.queue_id);
	*out = got;
	return RC_OK;
}

struct started {
	void (*done)(void *arg, enum rc rc, const struct dlv_submitted *out);
	void *arg;
};

static void
on_answer(void *arg, enum rc rc, struct ipc_msg *reply)
{
	struct started s = *(struct started *)arg;
	struct dlv_submitted got = { 0 };

	xfree(arg);
	if (rc == RC_OK)
		rc = read_submitted(reply, &got);
	s.done(s.arg, rc, rc == RC_OK ? &got : NULL);
}

void
dlv_submit_start(struct dlv_client *d, const struct dlv_submit *in,
    struct deadline dl,
    void (*done)(void *arg, enum rc rc, const struct dlv_submitted *out),
    void *arg)
{
	struct started *s = xmalloc(sizeof(*s));
	AUTO_MSG req = { 0 };

	*s = (struct started){ done, arg };
	ipc_msg_init(&req, DLV_OP_SUBMIT);
	dlv_put_submit(&req, in);
	ipc_start(d->ipc, &req, dl, on_answer, s);
}

/* Ask with one string, be answered with one string. */
static enum rc
ask_json(struct dlv_client *d, struct arena *a, enum dlv_op op, const char *key,
    struct str value, struct deadline dl, struct str *out)
{
	AUTO_MSG req = { 0 }, reply = { 0 };
	struct ipc_in in;
	struct str json;
	enum rc rc;

	ipc_msg_init(&req, (uint16_t)op);
	ipc_put_str(&req, key, value);
	rc = ipc_call(d->ipc, &req, dl, &reply);
	if (rc != RC_OK)
		return rc;
	ipc_in_init(&in, &reply);
	if (ipc_get_str(&in, "json", &json) != RC_OK ||
	    ipc_in_done(&in) != RC_OK)
		return RC_TEMP;
	*out = str_dup(a, json);
	return RC_OK;
}

static enum rc
ask_count(struct dlv_client *d, enum dlv_op op, struct str queue_id,
    struct deadline dl, uint64_t *out)
{
	AUTO_MSG req = { 0 }, reply = { 0 };
	struct ipc_in in;
	uint64_t n;
	enum rc rc;

	ipc_msg_init(&req, (uint16_t)op);
	ipc_put_str(&req, "queue_id", queue_id);
	rc = ipc_call(d->ipc, &req, dl, &reply);
	if (rc != RC_OK)
		return rc;
	ipc_in_init(&in, &reply);
	if (ipc_get_u64(&in, "entries", &n) != RC_OK ||
	    ipc_in_done(&in) != RC_OK)
		return RC_TEMP;
	*out = n;
	return RC_OK;
}

enum rc
dlv_queue_list_after(struct dlv_client *d, struct arena *a, struct str after,
    struct deadline dl, struct str *out_json)
{
	return ask_json(d, a, DLV_OP_QUEUE_LIST, "after", after, dl, out_json);
}

enum rc
dlv_queue_list(struct dlv_client *d, struct arena *a, struct deadline dl,
    struct str *out_json)
{
	return dlv_queue_list_after(d, a, STR(""), dl, out_json);
}

enum rc
dlv_queue_show(struct dlv_client *d, struct arena *a, struct str queue_id,
    struct deadline dl, struct str *out_json)
{
	return ask_json(
	    d, a, DLV_OP_QUEUE_SHOW, "queue_id", queue_id, dl, out_json);
}

enum rc
dlv_queue_retry(struct dlv_client *d, struct str queue_id, struct deadline dl,
    uint64_t *out_entries)
{
	return ask_count(d, DLV_OP_QUEUE_RETRY, queue_id, dl, out_entries);
}

enum rc
dlv_queue_delete(struct dlv_client *d, struct str queue_id, struct deadline dl,
    uint64_t *out_entries)
{
	return ask_count(d, DLV_OP_QUEUE_DELETE, queue_id, dl, out_entries);
}

enum rc
dlv_queue_hold(struct dlv_client *d, struct str queue_id, struct deadline dl,
    uint64_t *out_entries)
{
	return ask_count(d, DLV_OP_QUEUE_HOLD, queue_id, dl, out_entries);
}

enum rc
dlv_queue_release(struct dlv_client *d, struct str queue_id, struct deadline dl,
    uint64_t *out_entries)
{
	return ask_count(d, DLV_OP_QUEUE_RELEASE, queue_id, dl, out_entries);
}
