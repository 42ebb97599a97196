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
	ipc_put_body(m, in->fd, in->inline_data);
}

enum rc
sgn_get_message(struct ipc_in *in, struct sgn_message *out)
{
	*out = (struct sgn_message){ .fd = -1 };
	if (ipc_get_str_max(in, "domain", SGN_NAME_MAX, &out->domain) ||
	    ipc_get_str_max(in, "edits", SGN_EDITS_MAX, &out->edits) ||
	    ipc_get_u64(in, "size", &out->size) != RC_OK)
		return RC_BAD;
	return ipc_get_body(
	    in, out->size, SGN_INLINE_MAX, &out->inline_data, &out->fd);
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
	if (ipc_get_str_max(in, "domain", SGN_NAME_MAX, &out->domain) ||
	    ipc_get_str_max(in, "selector", SGN_NAME_MAX, &out->selector) ||
	    ipc_get_str_max(in, "record", SGN_RECORD_MAX, &out->record) ||
	    ipc_in_done(in) != RC_OK)
		return RC_BAD;
	return RC_OK;
}
