/*
 * Both sides are checked: a gateway may have been taken over, and policy parses
 * hostile mail all day, so what it wants put before a message has to be a
 * header, what it wants said one line, and what it wants cut out within the
 * message.
 */
#include "mail/addr.h"
#include "mail/header.h"
#include "policy/pol_wire.h"

void
pol_put_check(struct ipc_msg *m, const struct pol_check *in)
{
	ipc_put_str(m, "sid", in->sid);
	ipc_put_str(m, "client_ip", in->client_ip);
	ipc_put_str(m, "helo", in->helo);
	ipc_put_str(m, "from", in->from);
	ipc_put_str(m, "submitter", in->submitter);
	for (size_t i = 0; i < in->nrcpt; i++)
		ipc_put_str(m, "rcpt", in->rcpt[i]);
	ipc_put_u64(m, "size", in->size);
	ipc_put_i64(m, "received_at", in->received_at);
	ipc_put_body(m, in->fd, in->inline_data);
}

static enum rc
get_rcpts(struct ipc_in *in, struct arena *a, struct pol_check *out)
{
	struct str *v, one;
	size_t pos = 0, n = 0;

	while (ipc_next_str(in, "rcpt", &pos, &one) == RC_OK)
		n++;
	if (n > POL_RCPTS_MAX)
		return RC_BAD;
	v = arena_calloc(a, n, sizeof(*v));
	pos = 0;
	for (size_t i = 0; i < n; i++)
		if (ipc_next_str(in, "rcpt", &pos, &v[i]) != RC_OK ||
		    v[i].n > MAIL_ADDR_TEXT_MAX)
			return RC_BAD;
	out->rcpt = v;
	out->nrcpt = n;
	return RC_OK;
}

enum rc
pol_get_check(struct ipc_in *in, struct arena *a, struct pol_check *out)
{
	*out = (struct pol_check){ .fd = -1 };
	if (ipc_get_str_max(in, "sid", POL_SID_MAX, &out->sid) ||
	    ipc_get_str_max(in, "client_ip", POL_IP_MAX, &out->client_ip) ||
	    ipc_get_str_max(in, "helo", POL_HELO_MAX, &out->helo) ||
	    ipc_get_str_max(in, "from", MAIL_ADDR_TEXT_MAX, &out->from) ||
	    ipc_get_str_max(in, "submitter", POL_ID_MAX, &out->submitter) ||
	    ipc_get_u64(in, "size", &out->size) != RC_OK ||
	    ipc_get_i64(in, "received_at", &out->received_at) != RC_OK ||
	    get_rcpts(in, a, out) != RC_OK)
		return RC_BAD;
	return ipc_get_body(
	    in, out->size, POL_INLINE_MAX, &out->inline_data, &out->fd);
}

void
pol_put_verdict(struct ipc_msg *m, const struct pol_verdict *in)
{
	ipc_put_u64(m, "action", in->action);
	ipc_put_str(m, "status", in->status);
	ipc_put_str(m, "text", in->text);
	ipc_put_str(m, "why", in->why);
	ipc_put_str(m, "edits", in->edits);
	for (size_t i = 0; i < in->ncut; i++) {
		size_t at = ipc_begin(m, "cut");

		ipc_put_u64(m, "off", in->cut[i].off);
		ipc_put_u64(m, "len", in->cut[i].len);
		ipc_end(m, at);
	}
	ipc_put_str(m, "spf", in->spf);
	ipc_put_str(m, "dkim", in->dkim);
	ipc_put_str(m, "dmarc", in->dmarc);
}

static enum rc
get_cuts(
    struct ipc_in *in, struct arena *a, uint64_t size, struct pol_verdict *out)
{
	struct ipc_in group;
	size_t pos = 0, n = 0;
	uint64_t end = 0;

	while (ipc_next_group(in, "cut", &pos, &group) == RC_OK)
		n++;
	if (n > POL_CUTS_MAX)
		return RC_BAD;
	out->cut = arena_calloc(a, n, sizeof(*out->cut));
	out->ncut = n;
	pos = 0;
	for (size_t i = 0; i < n; i++) {
		struct pol_cut *c = &out->cut[i];

		if (ipc_next_group(in, "cut", &pos, &group) != RC_OK ||
		    ipc_get_u64(&group, "off", &c->off) != RC_OK ||
		    ipc_get_u64(&group, "len", &c->len) != RC_OK)
			return RC_BAD;
		if (c->off < end || c->off > size || c->len > size - c->off)
			return RC_BAD;
		end = c->off + c->len;
	}
	return RC_OK;
}

/* Printable ASCII: it goes into a reply. */
static bool
is_line(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < ' ' || s.p[i] > '~')
			return false;
	return true;
}

/* "5.7.1", of the class that the action needs. */
static bool
status_ok(struct str s, enum pol_action action)
{
	if (action != POL_REJECT && action != POL_DEFER)
		return true;
	if (s.n < 5 || s.n > 9 || s.p[0] != (action == POL_REJECT ? '5' : '4'))
		return false;
	for (size_t i = 1; i < s.n; i++)
		if (s.p[i] != '.' && !ascii_is_digit(s.p[i]))
			return false;
	return s.p[1] == '.';
}

/* Whole fields, each with a name, and nothing that ends the header. */
static bool
is_header(struct str s)
{
	struct mail_header_iter it = { s };
	struct mail_field f;
	size_t n = 0;

	while (mail_header_next(&it, &f)) {
		if (f.name.n == 0)
			return false;
		n += f.whole.n;
	}
	return n == s.n && (n == 0 || str_has_isuffix(s, STR("\r\n")));
}

enum rc
pol_get_verdict(
    struct ipc_in *in, struct arena *a, uint64_t size, struct pol_verdict *out)
{
	struct pol_verdict v = { 0 };
	uint64_t action;

	if (ipc_get_u64(in, "action", &action) != RC_OK ||
	    action < POL_ACCEPT || action > POL_DISCARD ||
	    ipc_get_str_max(in, "status", POL_TEXT_MAX, &v.status) ||
	    ipc_get_str_max(in, "text", POL_TEXT_MAX, &v.text) ||
	    ipc_get_str_max(in, "why", POL_TEXT_MAX, &v.why) ||
	    ipc_get_str_max(in, "edits", POL_EDITS_MAX, &v.edits) ||
	    ipc_get_str_max(in, "spf", POL_TEXT_MAX, &v.spf) ||
	    ipc_get_str_max(in, "dkim", POL_TEXT_MAX, &v.dkim) ||
	    ipc_get_str_max(in, "dmarc", POL_TEXT_MAX, &v.dmarc) ||
	    get_cuts(in, a, size, &v) != RC_OK || ipc_in_done(in) != RC_OK)
		return RC_BAD;
	v.action = (enum pol_action)action;
	if (!is_line(v.text) || !status_ok(v.status, v.action) ||
	    !is_header(v.edits))
		return RC_BAD;
	*out = v;
	return RC_OK;
}
