/*
 * One place knows the field names, so that the two sides cannot drift.  The
 * getters check every length: a gateway may have been taken over.
 */
#include "delivery/dlv_wire.h"
#include "mail/addr.h"

void
dlv_put_submit(struct ipc_msg *m, const struct dlv_submit *in)
{
	ipc_put_str(m, "id", in->id);
	ipc_put_str(m, "from", in->from);
	ipc_put_str(m, "submitter", in->submitter);
	ipc_put_str(m, "sid", in->sid);
	ipc_put_str(m, "client_ip", in->client_ip);
	for (size_t i = 0; i < in->nto; i++) {
		size_t at = ipc_begin(m, "to");

		ipc_put_str(m, "address", in->to[i].address);
		ipc_put_u64(m, "kind", in->to[i].kind);
		ipc_put_str(m, "dir_id", in->to[i].dir_id);
		if (in->to[i].route.n > 0)
			ipc_put_str(m, "route", in->to[i].route);
		if (in->to[i].notify != 0)
			ipc_put_u64(m, "notify", in->to[i].notify);
		if (in->to[i].orcpt.n > 0)
			ipc_put_str(m, "orcpt", in->to[i].orcpt);
		ipc_end(m, at);
	}
	ipc_put_str(m, "trace", in->trace);
	ipc_put_str(m, "edits", in->edits);
	ipc_put_u64(m, "size", in->size);
	ipc_put_i64(m, "received_at", in->received_at);
	ipc_put_u64(m, "asked_ms", in->asked_ms);
	if (in->junk)
		ipc_put_u64(m, "junk", 1);
	if (in->hold)
		ipc_put_u64(m, "hold", 1);
	if (in->envid.n > 0)
		ipc_put_str(m, "envid", in->envid);
	if (in->ret != REM_RET_NONE)
		ipc_put_u64(m, "ret", in->ret);
	ipc_put_body(m, in->fd, in->inline_data);
}

/* One line of printable ASCII, as it is handed on to other servers. */
static enum rc
get_xtext(struct ipc_in *in, const char *name, size_t max, struct str *out)
{
	*out = ipc_str_or(in, name, STR(""));
	for (size_t i = 0; i < out->n; i++) {
		if (out->p[i] <= ' ' || out->p[i] > '~')
			return RC_BAD;
	}
	return out->n <= max ? RC_OK : RC_BAD;
}

/* RFC 3461 section 4.1: NEVER stands alone. */
static bool
notify_ok(uint64_t notify)
{
	return (notify & REM_NOTIFY_NEVER) ? notify == REM_NOTIFY_NEVER
					   : notify < 2 * REM_NOTIFY_DELAY;
}

static enum rc
get_rcpt(struct ipc_in *in, struct dlv_rcpt *out)
{
	uint64_t kind, notify = ipc_u64_or(in, "notify", 0);

	if (ipc_get_str_max(in, "address", MAIL_ADDR_TEXT_MAX, &out->address) ||
	    ipc_get_str_max(in, "dir_id", DIR_ID_LEN, &out->dir_id) ||
	    ipc_get_u64(in, "kind", &kind) != RC_OK)
		return RC_BAD;
	if (out->address.n == 0 || kind < DIR_USER || kind > DIR_ELSEWHERE)
		return RC_BAD;
	out->kind = (enum dir_kind)kind;
	out->route = ipc_str_or(in, "route", STR(""));
	if (out->route.n > DLV_ROUTE_MAX || !notify_ok(notify))
		return RC_BAD;
	out->notify = (unsigned)notify;
	return get_xtext(in, "orcpt", DLV_ORCPT_MAX, &out->orcpt);
}

static enum rc
get_rcpts(struct ipc_in *in, struct arena *a, struct dlv_submit *out)
{
	struct dlv_rcpt *to;
	struct ipc_in group;
	size_t pos = 0, n = 0;

	while (ipc_next_group(in, "to", &pos, &group) == RC_OK)
		n++;
	if (n == 0 || n > DIR_RCPTS_MAX + DLV_COPIES_MAX)
		return RC_BAD;
	to = arena_calloc(a, n, sizeof(*to));
	pos = 0;
	for (size_t i = 0; i < n; i++) {
		if (ipc_next_group(in, "to", &pos, &group) != RC_OK ||
		    get_rcpt(&group, &to[i]) != RC_OK)
			return RC_BAD;
	}
	out->to = to;
	out->nto = n;
	return RC_OK;
}

enum rc
dlv_get_submit(struct ipc_in *in, struct arena *a, struct dlv_submit *out)
{
	uint64_t ret;

	*out = (struct dlv_submit){ .fd = -1 };
	if (ipc_get_str_max(in, "id", DLV_SUBMIT_ID_LEN, &out->id) ||
	    ipc_get_str_max(in, "from", MAIL_ADDR_TEXT_MAX, &out->from) ||
	    ipc_get_str_max(in, "submitter", DIR_ID_LEN, &out->submitter) ||
	    ipc_get_str_max(in, "sid", DLV_SID_MAX, &out->sid) ||
	    ipc_get_str_max(in, "client_ip", DLV_IP_MAX, &out->client_ip) ||
	    ipc_get_str_max(in, "trace", DLV_TRACE_MAX, &out->trace) ||
	    ipc_get_str_max(in, "edits", DLV_EDITS_MAX, &out->edits) ||
	    ipc_get_u64(in, "size", &out->size) != RC_OK ||
	    ipc_get_i64(in, "received_at", &out->received_at) != RC_OK)
		return RC_BAD;
	out->asked_ms = ipc_u64_or(in, "asked_ms", 0);
	out->junk = ipc_u64_or(in, "junk", 0) != 0;
	out->hold = ipc_u64_or(in, "hold", 0) != 0;
	ret = ipc_u64_or(in, "ret", REM_RET_NONE);
	if (ret > REM_RET_HDRS ||
	    get_xtext(in, "envid", DLV_ENVID_MAX, &out->envid) != RC_OK)
		return RC_BAD;
	out->ret = (enum rem_ret)ret;
	if (out->id.n != DLV_SUBMIT_ID_LEN || get_rcpts(in, a, out) != RC_OK)
		return RC_BAD;
	return ipc_get_body(
	    in, out->size, DLV_INLINE_MAX, &out->inline_data, &out->fd);
}

void
dlv_put_submitted(struct ipc_msg *m, const struct dlv_submitted *in)
{
	ipc_put_str(m, "queue_id", in->queue_id);
	ipc_put_u64(m, "delivered", in->delivered);
	ipc_put_u64(m, "queued", in->queued);
}

enum rc
dlv_get_submitted(struct ipc_in *in, struct dlv_submitted *out)
{
	struct dlv_submitted got = { 0 };

	if (ipc_get_str_max(in, "queue_id", DLV_QUEUE_ID_MAX, &got.queue_id) ||
	    ipc_get_u64(in, "delivered", &got.delivered) != RC_OK ||
	    ipc_get_u64(in, "queued", &got.queued) != RC_OK ||
	    ipc_in_done(in) != RC_OK)
		return RC_BAD;
	*out = got;
	return RC_OK;
}
