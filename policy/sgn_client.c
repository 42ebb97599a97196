/* The stub.  An answer that cannot be read is RC_TEMP. */
#include "policy/sgn_client.h"
#include "policy/sgn_wire.h"

struct sgn_client {
	struct ipc_client *ipc;
};

struct sgn_client *
sgn_client_new(const struct log *log, const char *path, unsigned max_conns)
{
	struct sgn_client *s = xcalloc(1, sizeof(*s));

	s->ipc = ipc_client_new(log, "signer", path, max_conns);
	return s;
}

void
sgn_client_free(struct sgn_client **s)
{
	if (*s == NULL)
		return;
	ipc_client_free(&(*s)->ipc);
	xfree(*s);
	*s = NULL;
}

static enum rc
ask(struct sgn_client *s, struct arena *a, struct ipc_msg *req,
    const char *name, struct deadline dl, struct str *out)
{
	AUTO_MSG reply = { 0 };
	struct ipc_in in;
	struct str text;
	enum rc rc = ipc_call(s->ipc, req, dl, &reply);

	if (rc != RC_OK)
		return rc;
	ipc_in_init(&in, &reply);
	if (ipc_get_str(&in, name, &text) != RC_OK || ipc_in_done(&in) != RC_OK)
		return RC_TEMP;
	*out = str_dup(a, text);
	return RC_OK;
}

enum rc
sgn_sign(struct sgn_client *s, struct arena *a, const struct sgn_message *in,
    struct deadline dl, struct str *out)
{
	AUTO_MSG req = { 0 };

	ipc_msg_init(&req, SGN_OP_SIGN);
	sgn_put_message(&req, in);
	return ask(s, a, &req, "fields", dl, out);
}

enum rc
sgn_try(struct sgn_client *s, struct arena *a, const struct sgn_trial *in,
    struct deadline dl, struct str *out)
{
	AUTO_MSG req = { 0 };

	ipc_msg_init(&req, SGN_OP_TEST);
	sgn_put_trial(&req, in);
	return ask(s, a, &req, "result", dl, out);
}
