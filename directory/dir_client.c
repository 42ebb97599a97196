/*
 * The client's half of the directory's IPC: every call is one frame there and
 * one back.  What carries a password is wiped before it is freed.
 */
#include <string.h>

#include "directory/wire.h"

struct dir_client {
	struct ipc_client *ipc;
};

struct dir_client *
dir_client_new(const struct log *log, const char *path, unsigned max_conns)
{
	struct dir_client *d = xcalloc(1, sizeof(*d));

	d->ipc = ipc_client_new(log, "directory", path, max_conns);
	return d;
}

void
dir_client_free(struct dir_client **dp)
{
	struct dir_client *d = *dp;

	*dp = NULL;
	if (d == NULL)
		return;
	ipc_client_free(&d->ipc);
	xfree(d);
}

/* A reply that is not what it should be is no answer. */
static enum rc
done(struct ipc_in *in, enum rc rc)
{
	return rc == RC_OK && ipc_in_done(in) == RC_OK ? RC_OK : RC_TEMP;
}

static void
wipe(struct ipc_msg *m)
{
	if (m->b.p != NULL)
		explicit_bzero(m->b.p, m->b.n);
}

enum rc
dir_rcpts(struct dir_client *d, struct arena *a, const struct str *addresses,
    size_t n, bool authenticated, struct deadline dl, struct dir_rcpt *out)
{
	AUTO_MSG req = { 0 }, reply = { 0 };
	struct ipc_in in, group;
	struct dir_rcpt *v;
	size_t pos = 0, got = 0;

	if (n == 0 || n > DIR_RCPTS_MAX)
		return RC_BAD;
	ipc_msg_init(&req, DIR_OP_RCPTS);
	for (size_t i = 0; i < n; i++)
		ipc_put_str(&req, "address", addresses[i]);
	ipc_put_u64(&req, "authenticated", authenticated);
	if (ipc_call(d->ipc, &req, dl, &reply) != RC_OK)
		return RC_TEMP;
	v = arena_calloc(a, n, sizeof(*v));
	ipc_in_init(&in, &reply);
	while (ipc_next_group(&in, "rcpt", &pos, &group) == RC_OK) {
		if (got == n ||
		    dir_wire_get_rcpt(&group, a, &v[got++]) != RC_OK)
			return RC_TEMP;
	}
	if (got != n || done(&in, RC_OK) != RC_OK)
		return RC_TEMP;
	memcpy(out, v, n * sizeof(*v));
	return RC_OK;
}

enum rc
dir_expand(struct dir_client *d, struct arena *a, struct str group_id,
    struct deadline dl, struct dir_rcpt **out, size_t *out_n)
{
	AUTO_MSG req = { 0 }, reply = { 0 };
	AUTO_FD fd = -1;
	struct ipc_in in;
	struct str packed;
	enum rc rc;

	ipc_msg_init(&req, DIR_OP_EXPAND);
	ipc_put_str(&req, "id", group_id);
	if ((rc = ipc_call(d->ipc, &req, dl, &reply)) != RC_OK)
		return rc == RC_NOENT ? RC_NOENT : RC_TEMP;
	ipc_in_init(&in, &reply);
	if (ipc_get_fd(&in, "members", &fd) != RC_OK || !fd_is_sealed(fd) ||
	    fd_read_file(a, fd, DIR_EXPANSION_MAX, &packed) != RC_OK)
		return RC_TEMP;
	return dir_wire_unpack(a, packed, out, out_n) == RC_OK ? RC_OK
							       : RC_TEMP;
}

enum rc
dir_by_id(struct dir_client *d, struct arena *a, struct str id,
    struct deadline dl, struct dir_rcpt *out)
{
	AUTO_MSG req = { 0 }, reply = { 0 };
	struct ipc_in in, group;
	struct dir_rcpt x;
	size_t pos = 0;

	ipc_msg_init(&req, DIR_OP_BY_ID);
	ipc_put_str(&req, "id", id);
	if (ipc_call(d->ipc, &req, dl, &reply) != RC_OK)
		return RC_TEMP;
	ipc_in_init(&in, &reply);
	if (ipc_next_group(&in, "rcpt", &pos, &group) != RC_OK ||
	    dir_wire_get_rcpt(&group, a, &x) != RC_OK ||
	    done(&in, RC_OK) != RC_OK || x.rc == RC_TEMP)
		return RC_TEMP;
	*out = x;
	return RC_OK;
}

static void
put_login(struct ipc_msg *m, const struct dir_login *in)
{
	ipc_put_str(m, "name", in->name);
	ipc_put_str(m, "authzid", in->authzid);
	ipc_put_str(m, "service", in->service);
	ipc_put_str(m, "client", in->client_ip);
	ipc_put_u64(m, "ticket", in->ticket);
}

/* RC_OK and RC_DENY are answers; anything else is "could not find out". */
static enum rc
verdict(enum rc rc)
{
	return rc == RC_OK || rc == RC_DENY ? rc : RC_TEMP;
}

enum rc
dir_login_password(struct dir_client *d, struct arena *a,
    const struct dir_login *in, struct deadline dl, struct dir_account *out)
{
	AUTO_MSG req = { 0 }, reply = { 0 };
	struct dir_account x;
	struct ipc_in rd;
	enum rc rc;

	ipc_msg_init(&req, DIR_OP_LOGIN);
	put_login(&req, in);
	ipc_put_str(&req, "password", in->password);
	rc = verdict(ipc_call(d->ipc, &req, dl, &reply));
	wipe(&req);
	if (rc != RC_OK)
		return rc;
	ipc_in_init(&rd, &reply);
	dir_wire_get_account(&rd, a, &x);
	if (x.id.n != DIR_ID_LEN || done(&rd, RC_OK) != RC_OK)
		return RC_TEMP;
	*out = x;
	return RC_OK;
}

static enum rc
sasl_call(struct dir_client *d, struct arena *a, struct ipc_msg *req,
    struct deadline dl, struct dir_sasl *out)
{
	AUTO_MSG reply = { 0 };
	struct dir_sasl x = { 0 };
	struct ipc_in in;
	enum rc rc = ipc_call(d->ipc, req, dl, &reply);

	if (rc != RC_OK)
		return rc == RC_BAD ? RC_BAD : verdict(rc);
	ipc_in_init(&in, &reply);
	x.done = ipc_u64_or(&in, "done", 0) != 0;
	x.handle = str_dup(a, ipc_str_or(&in, "handle", STR("")));
	x.challenge = str_dup(a, ipc_str_or(&in, "challenge", STR("")));
	dir_wire_get_account(&in, a, &x.account);
	if (done(&in, RC_OK) != RC_OK ||
	    (x.done && x.account.id.n != DIR_ID_LEN))
		return RC_TEMP;
	*out = x;
	return RC_OK;
}

enum rc
dir_sasl_start(struct dir_client *d, struct arena *a, struct str mech,
    const struct dir_login *in, bool has_initial, struct str initial,
    struct deadline dl, struct dir_sasl *out)
{
	AUTO_MSG req = { 0 };

	ipc_msg_init(&req, DIR_OP_SASL_START);
	put_login(&req, in);
	ipc_put_str(&req, "mech", mech);
	if (has_initial)
		ipc_put_str(&req, "initial", initial);
	return sasl_call(d, a, &req, dl, out);
}

enum rc
dir_sasl_step(struct dir_client *d, struct arena *a, struct str handle,
    struct str response, struct deadline dl, struct dir_sasl *out)
{
	AUTO_MSG req = { 0 };

	ipc_msg_init(&req, DIR_OP_SASL_STEP);
	ipc_put_str(&req, "handle", handle);
	ipc_put_str(&req, "response", response);
	return sasl_call(d, a, &req, dl, out);
}

void
dir_sasl_cancel(struct dir_client *d, struct str handle)
{
	AUTO_MSG req = { 0 }, reply = { 0 };

	ipc_msg_init(&req, DIR_OP_SASL_CANCEL);
	ipc_put_str(&req, "handle", handle);
	/* Should this not arrive, the exchange ends after 60 s by itself. */
	(void)!ipc_call(d->ipc, &req, deadline_in(1000), &reply);
}

static enum rc
text_call(struct dir_client *d, struct arena *a, struct ipc_msg *req,
    struct deadline dl, const char *field, struct str *out)
{
	AUTO_MSG reply = { 0 };
	struct ipc_in in;
	struct str s;
	enum rc rc = ipc_call(d->ipc, req, dl, &reply);

	if (rc != RC_OK)
		return rc;
	ipc_in_init(&in, &reply);
	if (ipc_get_str(&in, field, &s) != RC_OK || done(&in, RC_OK) != RC_OK)
		return RC_TEMP;
	*out = str_dup(a, s);
	return RC_OK;
}

enum rc
dir_sasl_mechs(
    struct dir_client *d, struct arena *a, struct deadline dl, struct str *out)
{
	AUTO_MSG req = { 0 };

	ipc_msg_init(&req, DIR_OP_SASL_MECHS);
	return text_call(d, a, &req, dl, "mechs", out) == RC_OK ? RC_OK
								: RC_TEMP;
}

enum rc
dir_ticket_redeem(struct dir_client *d, struct arena *a, struct str ticket,
    struct str service, struct deadline dl, struct dir_account *out)
{
	AUTO_MSG req = { 0 }, reply = { 0 };
	struct dir_account x;
	struct ipc_in in;
	enum rc rc;

	ipc_msg_init(&req, DIR_OP_TICKET);
	ipc_put_str(&req, "ticket", ticket);
	ipc_put_str(&req, "service", service);
	rc = verdict(ipc_call(d->ipc, &req, dl, &reply));
	wipe(&req);
	if (rc != RC_OK)
		return rc;
	ipc_in_init(&in, &reply);
	dir_wire_get_account(&in, a, &x);
	if (x.id.n != DIR_ID_LEN || done(&in, RC_OK) != RC_OK)
		return RC_TEMP;
	*out = x;
	return RC_OK;
}

enum rc
dir_may_send(struct dir_client *d, struct str id, const struct str *addresses,
    size_t n, struct deadline dl, enum rc *verdicts)
{
	AUTO_MSG req = { 0 }, reply = { 0 };
	struct ipc_in in;
	struct str s;

	if (n == 0 || n > DIR_RCPTS_MAX)
		return RC_BAD;
	ipc_msg_init(&req, DIR_OP_MAY_SEND);
	ipc_put_str(&req, "id", id);
	for (size_t i = 0; i < n; i++)
		ipc_put_str(&req, "address", addresses[i]);
	if (ipc_call(d->ipc, &req, dl, &reply) != RC_OK)
		return RC_TEMP;
	ipc_in_init(&in, &reply);
	/* One letter for each address: y or n. */
	if (ipc_get_str(&in, "verdicts", &s) != RC_OK || s.n != n ||
	    done(&in, RC_OK) != RC_OK)
		return RC_TEMP;
	for (size_t i = 0; i < n; i++)
		verdicts[i] = s.p[i] == 'y' ? RC_OK : RC_DENY;
	return RC_OK;
}

/* One letter for each verdict: y, n, ? or, of a group that is not there, -. */
static enum rc
letter(char c)
{
	return c == 'y'   ? RC_OK
	       : c == 'n' ? RC_DENY
	       : c == '-' ? RC_NOENT
			  : RC_TEMP;
}

static void
put_members(struct ipc_msg *m, const struct str *ids, size_t n,
    const struct str *groups, size_t ngroup)
{
	ipc_msg_init(m, DIR_OP_MEMBERS);
	for (size_t i = 0; i < n; i++)
		ipc_put_str(m, "id", ids[i]);
	for (size_t k = 0; k < ngroup; k++)
		ipc_put_str(m, "group", groups[k]);
}

enum rc
dir_members(struct dir_client *d, const struct str *ids, size_t n,
    const struct str *groups, size_t ngroup, struct deadline dl, enum rc *out)
{
	AUTO_MSG req = { 0 }, reply = { 0 };
	struct ipc_in in;
	struct str s;

	if (n == 0 || n > DIR_RCPTS_MAX || ngroup == 0 ||
	    ngroup > DIR_MEMBER_GROUPS_MAX)
		return RC_BAD;
	put_members(&req, ids, n, groups, ngroup);
	if (ipc_call(d->ipc, &req, dl, &reply) != RC_OK)
		return RC_TEMP;
	ipc_in_init(&in, &reply);
	if (ipc_get_str(&in, "verdicts", &s) != RC_OK || s.n != n * ngroup ||
	    done(&in, RC_OK) != RC_OK)
		return RC_TEMP;
	for (size_t i = 0; i < s.n; i++)
		out[i] = letter(s.p[i]);
	return RC_OK;
}

enum rc
dir_groups(struct dir_client *d, struct arena *a, const struct str *groups,
    size_t ngroup, struct deadline dl, enum rc *out, struct str *why)
{
	AUTO_MSG req = { 0 }, reply = { 0 };
	struct ipc_in in;
	struct str s, text;
	size_t pos = 0, n = 0;

	if (ngroup == 0 || ngroup > DIR_MEMBER_GROUPS_MAX)
		return RC_BAD;
	put_members(&req, NULL, 0, groups, ngroup);
	if (ipc_call(d->ipc, &req, dl, &reply) != RC_OK)
		return RC_TEMP;
	ipc_in_init(&in, &reply);
	if (ipc_get_str(&in, "groups", &s) != RC_OK || s.n != ngroup)
		return RC_TEMP;
	while (ipc_next_str(&in, "why", &pos, &text) == RC_OK && n < ngroup)
		why[n++] = str_dup(a, text);
	if (n != ngroup || done(&in, RC_OK) != RC_OK)
		return RC_TEMP;
	for (size_t k = 0; k < ngroup; k++)
		out[k] = letter(s.p[k]);
	return RC_OK;
}

enum rc
dir_explain(struct dir_client *d, struct arena *a, struct str kind,
    struct str arg, struct deadline dl, struct str *out)
{
	AUTO_MSG req = { 0 };

	ipc_msg_init(&req, DIR_OP_EXPLAIN);
	ipc_put_str(&req, "kind", kind);
	ipc_put_str(&req, "arg", arg);
	return text_call(d, a, &req, dl, "text", out);
}
