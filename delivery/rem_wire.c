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

	if (get_limited(in, "address", MAIL_ADDR_TEXT_MAX, &out->address) ||
	    get_limited(in, "orcpt", REM_XTEXT_MAX, &out->orcpt) ||
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

static enum rc
get_body(struct ipc_in *in, struct rem_message *out)
{
	enum rc rc = ipc_get_str(in, "body", &out->inline_data);

	if (rc == RC_OK)
		return out->inline_data.n <= REM_INLINE_MAX &&
			       out->inline_data.n == out->size
			   ? RC_OK
			   : RC_BAD;
	if (ipc_get_fd(in, "body_fd", &out->fd) == RC_OK)
		return RC_OK;
	out->fd = -1;
	return RC_BAD;
}

enum rc
rem_get_message(struct ipc_in *in, struct arena *a, struct rem_message *out)
{
	uint64_t ret;

	*out = (struct rem_message){ .fd = -1 };
	if (get_limited(in, "id", REM_ID_MAX, &out->id) ||
	    get_limited(in, "qid", REM_ID_MAX, &out->qid) ||
	    get_limited(in, "hop", REM_HOP_MAX, &out->hop) ||
	    get_limited(in, "from", MAIL_ADDR_TEXT_MAX, &out->from) ||
	    get_limited(in, "envid", REM_XTEXT_MAX, &out->envid) ||
	    get_limited(in, "prefix", REM_PREFIX_MAX, &out->prefix) ||
	    ipc_get_u64(in, "ret", &ret) != RC_OK || ret > REM_RET_HDRS ||
	    ipc_get_u64(in, "size", &out->size) != RC_OK)
		return RC_BAD;
	out->ret = (enum rem_ret)ret;
	if (out->id.n == 0 || get_rcpts(in, a, out) != RC_OK ||
	    (out->from.n > 0 && !address_ok(a, out->from)))
		return RC_BAD;
	if (get_body(in, out) != RC_OK || ipc_in_done(in) != RC_OK) {
		fd_close(&out->fd);
		return RC_BAD;
	}
	return RC_OK;
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
	    get_limited(in, "status", STATUS_MAX, &out->status) ||
	    get_limited(in, "reply", REM_REPLY_MAX, &out->reply) ||
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
	if (get_limited(in, "host", REM_HOP_MAX, &got.host) ||
	    get_limited(in, "ip", REM_HOP_MAX, &got.ip) ||
	    get_limited(in, "tls", TLS_MAX, &got.tls) ||
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
