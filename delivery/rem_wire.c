/*
 * One place knows the field names, so that the two sides cannot drift.
 * Addresses are checked as addresses: they end up in commands.
 */
#include "delivery/rem_wire.h"
#include "delivery/rem_hop.h"
#include "mail/addr.h"

#define STATUS_MAX 12u
#define TLS_MAX    64u

void
rem_put_message(struct ipc_msg *m, const struct rem_message *in)
{
	ipc_put_str(m, "id", in->id);
	ipc_put_str(m, "qid", in->qid);
	ipc_put_str(m, "hop", in->hop);
	ipc_put_str(m, "from", in->from);
	for (size_t i = 0; i < in->nto; i++) {
		size_t at = ipc_begin(m, "to");

		ipc_put_str(m, "address", in->to[i].address);
		ipc_put_u64(m, "notify", in->to[i].notify);
		ipc_put_str(m, "orcpt", in->to[i].orcpt);
		ipc_end(m, at);
	}
	ipc_put_str(m, "envid", in->envid);
	ipc_put_u64(m, "ret", in->ret);
	ipc_put_str(m, "prefix", in->prefix);
	ipc_put_u64(m, "size", in->size);
	ipc_put_body(m, in->fd, in->inline_data);
}

static bool
address_ok(struct arena *a, struct str s)
{
	struct addr x;

	return mail_addr_parse(a, s, &x) == RC_OK;
}

static enum rc
get_rcpt(struct ipc_in *in, struct arena *a, struct rem_rcpt *out)
{
	uint64_t notify;

	if (ipc_get_str_max(in, "address", MAIL_ADDR_TEXT_MAX, &out->address) ||
	    ipc_get_str_max(in, "orcpt", REM_XTEXT_MAX, &out->orcpt) ||
	    ipc_get_u64(in, "notify", &notify) != RC_OK)
		return RC_BAD;
	if (notify > (REM_NOTIFY_NEVER | REM_NOTIFY_SUCCESS |
			 REM_NOTIFY_FAILURE | REM_NOTIFY_DELAY))
		return RC_BAD;
	out->notify = (unsigned)notify;
	return address_ok(a, out->address) ? RC_OK : RC_BAD;
}

static enum rc
get_rcpts(struct ipc_in *in, struct arena *a, struct rem_message *out)
{
	struct rem_rcpt *to = arena_calloc(a, REM_RCPTS_MAX, sizeof(*to));
	struct ipc_in group;
	size_t pos = 0, n = 0;

	while (ipc_next_group(in, "to", &pos, &group) == RC_OK)
		if (n == REM_RCPTS_MAX || get_rcpt(&group, a, &to[n++]))
			return RC_BAD;
	out->to = to;
	out->nto = n;
	return n > 0 ? RC_OK : RC_BAD;
}

enum rc
rem_get_message(struct ipc_in *in, struct arena *a, struct rem_message *out)
{
	uint64_t ret;

	*out = (struct rem_message){ .fd = -1 };
	if (ipc_get_str_max(in, "id", REM_ID_MAX, &out->id) ||
	    ipc_get_str_max(in, "qid", REM_ID_MAX, &out->qid) ||
	    ipc_get_str_max(in, "hop", REM_HOP_MAX, &out->hop) ||
	    ipc_get_str_max(in, "from", MAIL_ADDR_TEXT_MAX, &out->from) ||
	    ipc_get_str_max(in, "envid", REM_XTEXT_MAX, &out->envid) ||
	    ipc_get_str_max(in, "prefix", REM_PREFIX_MAX, &out->prefix) ||
	    ipc_get_u64(in, "ret", &ret) != RC_OK || ret > REM_RET_HDRS ||
	    ipc_get_u64(in, "size", &out->size) != RC_OK)
		return RC_BAD;
	out->ret = (enum rem_ret)ret;
	if (out->id.n == 0 || get_rcpts(in, a, out) != RC_OK ||
	    (out->from.n > 0 && !address_ok(a, out->from)))
		return RC_BAD;
	return ipc_get_body(
	    in, out->size, REM_INLINE_MAX, &out->inline_data, &out->fd);
}

void
rem_put_outcome(struct ipc_msg *m, const struct rem_outcome *in)
{
	ipc_put_str(m, "host", in->host);
	ipc_put_str(m, "ip", in->ip);
	ipc_put_str(m, "tls", in->tls);
	ipc_put_u64(m, "ms", in->ms);
	ipc_put_u64(m, "hop_down", in->hop_down);
	for (size_t i = 0; i < in->nto; i++) {
		const struct rem_result *r = &in->to[i];
		size_t at = ipc_begin(m, "to");

		ipc_put_u64(m, "rc", r->rc);
		ipc_put_u64(m, "code", r->code);
		ipc_put_str(m, "status", r->status);
		ipc_put_str(m, "reply", r->reply);
		ipc_put_u64(m, "from_server", r->from_server);
		ipc_put_u64(m, "dsn", r->dsn_passed_on);
		ipc_end(m, at);
	}
}

static enum rc
get_result(struct ipc_in *in, struct rem_result *out)
{
	uint64_t rc, code, from_server, dsn;

	if (ipc_get_u64(in, "rc", &rc) != RC_OK || rc > RC_TEMP ||
	    ipc_get_u64(in, "code", &code) != RC_OK || code > 599 ||
	    ipc_get_str_max(in, "status", STATUS_MAX, &out->status) ||
	    ipc_get_str_max(in, "reply", REM_REPLY_MAX, &out->reply) ||
	    ipc_get_u64(in, "from_server", &from_server) != RC_OK ||
	    ipc_get_u64(in, "dsn", &dsn) != RC_OK)
		return RC_BAD;
	out->rc = (enum rc)rc;
	out->code = (unsigned)code;
	out->from_server = from_server != 0;
	out->dsn_passed_on = dsn != 0;
	return out->status.n > 0 ? RC_OK : RC_BAD;
}

enum rc
rem_get_outcome(struct ipc_in *in, struct arena *a, struct rem_outcome *out)
{
	struct rem_outcome got = { 0 };
	struct ipc_in group;
	uint64_t down;
	size_t pos = 0;

	got.to = arena_calloc(a, REM_RCPTS_MAX, sizeof(*got.to));
	if (ipc_get_str_max(in, "host", REM_HOP_MAX, &got.host) ||
	    ipc_get_str_max(in, "ip", REM_HOP_MAX, &got.ip) ||
	    ipc_get_str_max(in, "tls", TLS_MAX, &got.tls) ||
	    ipc_get_u64(in, "ms", &got.ms) != RC_OK ||
	    ipc_get_u64(in, "hop_down", &down) != RC_OK)
		return RC_BAD;
	got.hop_down = down != 0;
	while (ipc_next_group(in, "to", &pos, &group) == RC_OK)
		if (got.nto == REM_RCPTS_MAX ||
		    get_result(&group, &got.to[got.nto++]) != RC_OK)
			return RC_BAD;
	if (got.nto == 0 || ipc_in_done(in) != RC_OK)
		return RC_BAD;
	*out = got;
	return RC_OK;
}
