/*
 * A request's memory is the message's until it is answered, so nothing is
 * copied on the way in.
 */
#include <sys/stat.h>

#include "delivery/rem_service.h"
#include "delivery/rem_wire.h"

struct call {
	struct rpcd_req *req;
	struct rem_message in;
};

/*
 * A sealed memfd or a spool file; the latter may lie on a tmpfs, where the two
 * cannot be told apart.  It is only read at offsets: what somebody shortens or
 * alters is an error of that message and nothing worse.
 */
static bool
body_ok(const struct rem_message *in)
{
	struct stat st;

	return in->fd < 0 || (fstat(in->fd, &st) == 0 && S_ISREG(st.st_mode) &&
				 (uint64_t)st.st_size >= in->size);
}

static void
on_outcome(void *arg, enum rc rc, const struct rem_outcome *out)
{
	struct call *c = arg;
	struct rpcd_req *req = c->req;

	fd_close(&c->in.fd);
	if (rc == RC_OK)
		rem_put_outcome(&req->out, out);
	rpcd_reply(req, rc);
}

enum rpcd_next
rem_handle(void *ctx, struct rpcd_req *r, enum rc *rc)
{
	struct call *c;

	*rc = RC_BAD;
	if (r->op != REM_OP_SEND)
		return RPCD_REPLY;
	c = arena_calloc(&r->a, 1, sizeof(*c));
	c->req = r;
	if (rem_get_message(&r->in, &r->a, &c->in) != RC_OK)
		return RPCD_REPLY;
	if (!body_ok(&c->in)) {
		fd_close(&c->in.fd);
		return RPCD_REPLY;
	}
	rem_submit(ctx, &c->in, r->dl, on_outcome, c);
	return RPCD_LATER;
}
