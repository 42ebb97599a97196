#include <string.h>

#include "directory/member_list.h"

void
dir_strs_add(struct arena *a, struct dir_strs *s, struct str x)
{
	if (s->n == s->size) {
		size_t size = s->size ? s->size * 2 : 32;
		struct str *v = arena_calloc(a, size, sizeof(*v));

		if (s->n)
			memcpy(v, s->v, s->n * sizeof(*v));
		s->v = v;
		s->size = size;
	}
	s->v[s->n++] = x;
}

/* uniqueMember may carry an identifier: "dn#'0101'B" (RFC 4517 3.3.21). */
static struct str
without_uid(struct str dn)
{
	size_t at = str_rchr(dn, '#');

	if (at < dn.n && dn.n - at >= 4 && dn.p[at + 1] == '\'' &&
	    str_has_isuffix(dn, STR("'B")))
		return str_sub(dn, 0, at);
	return dn;
}

/* "member;range=0-1499": where to go on; 0: that was all. */
static enum rc
range_end(struct str name, size_t from, size_t n, size_t *next)
{
	size_t at = str_ifind(name, STR(";range="));
	struct str r = str_from(name, at + 7);
	uint64_t last;

	*next = 0;
	if (at == name.n)
		return RC_OK; /* a server that knows no ranges gave all */
	r = str_from(r, str_chr(r, '-') + 1);
	if (str_eq(r, STR("*")))
		return RC_OK;
	/* Without progress we would ask for ever. */
	if (str_u64(r, UINT32_MAX, &last) != RC_OK || n == 0 || last < from)
		return RC_TEMP;
	*next = (size_t)last + 1;
	return RC_OK;
}

static struct str
base_name(struct str attr)
{
	return str_sub(attr, 0, str_chr(attr, ';'));
}

static enum rc
gather(struct dir *d, struct arena *a, const struct dir_raw *e, size_t from,
    size_t max, struct dir_members *out, size_t *next)
{
	enum dir_role role;

	*next = 0;
	for (size_t i = 0; i < e->nattr; i++) {
		const struct dir_attr *at = &e->attr[i];
		struct dir_strs *to;

		if (!dir_schema_role(&d->schema, base_name(at->name), &role))
			continue;
		to = role == DIR_R_MEMBER_UID    ? &out->uid
		     : role == DIR_R_MEMBER_MAIL ? &out->mail
						 : &out->dn;
		if (at->n > max - MIN(max, to->n))
			return RC_BAD;
		for (size_t k = 0; k < at->n; k++)
			dir_strs_add(a, to,
			    str_dup(a, role == DIR_R_MEMBER_DN
					   ? without_uid(at->v[k])
					   : at->v[k]));
		if (at->n && range_end(at->name, from, at->n, next) != RC_OK)
			return RC_TEMP;
	}
	return RC_OK;
}

static enum rc
one_attr(struct dir *d, struct arena *a, struct str dn, const char *attr,
    size_t max, struct deadline dl, struct dir_members *out)
{
	size_t from = 0, next = 0;
	enum rc rc;

	do {
		AUTO_ARENA scratch = { 0 };
		struct dir_query q = dir_q_members(d, &scratch, dn, attr, from);

		if (dir_search(d->be, &scratch, &q, 1, dl) != RC_OK)
			return RC_TEMP;
		if (q.rc != RC_OK)
			return q.rc;
		if (q.nfound == 0)
			return RC_NOENT;
		rc = gather(d, a, &q.found[0], from, max, out, &next);
		from = next;
	} while (rc == RC_OK && next != 0);
	return rc;
}

enum rc
dir_member_list(struct dir *d, struct arena *a, struct str group_dn, size_t max,
    struct deadline dl, struct dir_members *out)
{
	const char *attr;
	enum rc rc;

	*out = (struct dir_members){ 0 };
	if (!d->schema.ad)
		return one_attr(d, a, group_dn, NULL, max, dl, out);
	for (size_t at = 0; (attr = dir_schema_next(
				 &d->schema, DIR_R_MEMBER_DN, &at)) != NULL;)
		if ((rc = one_attr(d, a, group_dn, attr, max, dl, out)) !=
		    RC_OK)
			return rc;
	return RC_OK;
}
