/*
 * One place knows the field names.  The getters check every length: a gateway
 * may have been taken over.
 */
#include "policy/sgn_wire.h"

void
sgn_put_message(struct ipc_msg *m, const struct sgn_message *in)
{
	ipc_put_str(m, "domain", in->domain);
	ipc_put_str(m, "edits", in->edits);
	ipc_put_u64(m, "size", in->size);
	if (in->fd >= 0)
		ipc_put_fd(m, "body_fd", in->fd);
	else
		ipc_put_str(m, "body", in->inline_data);
}

static enum rc
get_limited(struct ipc_in *in, const char *name, size_t max, struct str *out)
{
	enum rc rc = ipc_get_str(in, name, out);

	return rc == RC_OK && out->n <= max ? RC_OK : RC_BAD;
}

static enum rc
get_body(struct ipc_in *in, struct sgn_message *out)
{
	enum rc rc = ipc_get_str(in, "body", &out->inline_data);

	if (rc == RC_OK)
		return out->inline_data.n <= SGN_INLINE_MAX &&
			       out->inline_data.n == out->size
			   ? RC_OK
			   : RC_BAD;
	if (ipc_get_fd(in, "body_fd", &out->fd) == RC_OK)
		return RC_OK;
	out->fd = -1;
	return RC_BAD;
}

enum rc
sgn_get_message(struct ipc_in *in, struct sgn_message *out)
{
	*out = (struct sgn_message){ .fd = -1 };
	if (get_limited(in, "domain", SGN_NAME_MAX, &out->domain) ||
	    get_limited(in, "edits", SGN_EDITS_MAX, &out->edits) ||
	    ipc_get_u64(in, "size", &out->size) != RC_OK)
		return RC_BAD;
	if (get_body(in, out) != RC_OK || ipc_in_done(in) != RC_OK) {
		fd_close(&out->fd);
		return RC_BAD;
	}
	return RC_OK;
}

void
sgn_put_trial(struct ipc_msg *m, const struct sgn_trial *in)
{
	ipc_put_str(m, "domain", in->domain);
	ipc_put_str(m, "selector", in->selector);
	ipc_put_str(m, "record", in->record);
}

enum rc
sgn_get_trial(struct ipc_in *in, struct sgn_trial *out)
{
	*out = (struct sgn_trial){ 0 };
	if (get_limited(in, "domain", SGN_NAME_MAX, &out->domain) ||
	    get_limited(in, "selector", SGN_NAME_MAX, &out->selector) ||
	    get_limited(in, "record", SGN_RECORD_MAX, &out->record) ||
	    ipc_in_done(in) != RC_OK)
		return RC_BAD;
	return RC_OK;
}
