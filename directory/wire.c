#include "directory/wire.h"

static void
put(struct ipc_msg *m, const char *name, struct str s)
{
	if (s.n)
		ipc_put_str(m, name, s);
}

void
dir_wire_put_rcpt(struct ipc_msg *m, const struct dir_rcpt *r)
{
	size_t at = ipc_begin(m, "rcpt");

	ipc_put_u64(m, "rc", r->rc);
	ipc_put_u64(m, "kind", r->kind);
	put(m, "id", r->id);
	put(m, "address", r->address);
	put(m, "route", r->route);
	put(m, "why", r->why);
	if (r->has_quota)
		ipc_put_u64(m, "quota", r->quota);
	ipc_end(m, at);
}

static bool
plausible(uint64_t rc, uint64_t kind)
{
	/* An answer other than RC_OK may come without a kind. */
	return rc <= RC_TEMP && kind <= DIR_ELSEWHERE &&
	       (rc != RC_OK || kind >= DIR_USER);
}

enum rc
dir_wire_get_rcpt(struct ipc_in *in, struct arena *a, struct dir_rcpt *out)
{
	uint64_t rc, kind, quota = 0;

	if (ipc_get_u64(in, "rc", &rc) != RC_OK ||
	    ipc_get_u64(in, "kind", &kind) != RC_OK || !plausible(rc, kind))
		return RC_BAD;
	*out = (struct dir_rcpt){ .rc = (enum rc)rc,
		.kind = (enum dir_kind)kind,
		.id = str_dup(a, ipc_str_or(in, "id", STR(""))),
		.address = str_dup(a, ipc_str_or(in, "address", STR(""))),
		.route = str_dup(a, ipc_str_or(in, "route", STR(""))),
		.why = str_dup(a, ipc_str_or(in, "why", STR(""))) };
	out->has_quota = ipc_get_u64(in, "quota", &quota) == RC_OK;
	out->quota = quota;
	return RC_OK;
}

void
dir_wire_put_account(struct ipc_msg *m, const struct dir_account *x)
{
	put(m, "id", x->id);
	put(m, "address", x->address);
	put(m, "login", x->login);
	put(m, "ticket", x->ticket);
}

void
dir_wire_get_account(
    struct ipc_in *in, struct arena *a, struct dir_account *out)
{
	*out = (struct dir_account){
		.id = str_dup(a, ipc_str_or(in, "id", STR(""))),
		.address = str_dup(a, ipc_str_or(in, "address", STR(""))),
		.login = str_dup(a, ipc_str_or(in, "login", STR(""))),
		.ticket = str_dup(a, ipc_str_or(in, "ticket", STR(""))),
	};
}

static enum rc
pack_int(struct buf *b, uint64_t v, size_t bytes)
{
	char out[8];

	for (size_t i = 0; i < bytes; i++)
		out[i] = (char)(v >> (8 * i) & 0xff);
	return buf_add(b, str_n(out, bytes));
}

enum rc
dir_wire_pack(struct buf *b, const struct dir_rcpt *r, size_t i, size_t n)
{
	struct str part[4];

	if (i == 0 && pack_int(b, n, 4) != RC_OK)
		return RC_BAD;
	if (i == n)
		return RC_OK;
	part[0] = r->id;
	part[1] = r->address;
	part[2] = r->route;
	part[3] = r->why;
	if (pack_int(b, r->rc, 1) != RC_OK ||
	    pack_int(b, r->kind, 1) != RC_OK ||
	    pack_int(b, r->has_quota, 1) != RC_OK ||
	    pack_int(b, r->quota, 8) != RC_OK)
		return RC_BAD;
	for (size_t k = 0; k < COUNT(part); k++)
		if (pack_int(b, part[k].n, 4) != RC_OK ||
		    buf_add(b, part[k]) != RC_OK)
			return RC_BAD;
	return RC_OK;
}

static enum rc
unpack_int(struct str *s, size_t bytes, uint64_t *out)
{
	*out = 0;
	if (s->n < bytes)
		return RC_BAD;
	for (size_t i = 0; i < bytes; i++)
		*out |= (uint64_t)(unsigned char)s->p[i] << (8 * i);
	*s = str_from(*s, bytes);
	return RC_OK;
}

static enum rc
unpack_one(struct str *s, struct dir_rcpt *out)
{
	struct str *const part[] = { &out->id, &out->address, &out->route,
		&out->why };
	uint64_t rc, kind, has, n;

	if (unpack_int(s, 1, &rc) != RC_OK ||
	    unpack_int(s, 1, &kind) != RC_OK ||
	    unpack_int(s, 1, &has) != RC_OK ||
	    unpack_int(s, 8, &out->quota) != RC_OK || !plausible(rc, kind))
		return RC_BAD;
	out->rc = (enum rc)rc;
	out->kind = (enum dir_kind)kind;
	out->has_quota = has != 0;
	for (size_t k = 0; k < COUNT(part); k++) {
		if (unpack_int(s, 4, &n) != RC_OK || n > s->n)
			return RC_BAD;
		*part[k] = str_sub(*s, 0, n);
		*s = str_from(*s, n);
	}
	return RC_OK;
}

enum rc
dir_wire_unpack(
    struct arena *a, struct str s, struct dir_rcpt **out, size_t *out_n)
{
	struct dir_rcpt *v;
	uint64_t n;

	if (unpack_int(&s, 4, &n) != RC_OK || n > DIR_MEMBERS_MAX)
		return RC_BAD;
	v = arena_calloc(a, n + 1, sizeof(*v));
	for (uint64_t i = 0; i < n; i++)
		if (unpack_one(&s, &v[i]) != RC_OK)
			return RC_BAD;
	if (s.n)
		return RC_BAD;
	*out = v;
	*out_n = n;
	return RC_OK;
}
