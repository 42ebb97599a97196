/*
 * ldap_result is asked for one message id at a time and gives a whole answer
 * (LDAP_MSG_ALL): libldap keeps what arrives for the others meanwhile.  A
 * link whose answer did not come is thrown away, so a late answer can never
 * be taken for another question's.
 */
#include <string.h>

#include <sys/time.h>

#include "directory/ldap_search.h"

struct batch {
	const struct log *log;
	struct dir_link *l;
	const char *base;
	struct arena *a;
	struct deadline dl;
	enum dir_fate *fate;
};

/* What an answer's code means for the query and for the link. */
static enum rc
meaning(const struct batch *b, const struct dir_query *q, int code)
{
	char *diag = NULL;

	switch (code) {
	case LDAP_SUCCESS:
	case LDAP_SIZELIMIT_EXCEEDED:
	case LDAP_PARTIAL_RESULTS:
		return RC_OK;
	case LDAP_NO_SUCH_OBJECT:
	case LDAP_INVALID_DN_SYNTAX:
	case LDAP_REFERRAL: /* another domain's: not in our view */
		return RC_NOENT;
	case LDAP_SERVER_DOWN:
	case LDAP_CONNECT_ERROR:
	case LDAP_UNAVAILABLE:
	case LDAP_OPERATIONS_ERROR: /* AD: "a successful bind must be ..." */
		*b->fate = DIR_LINK_BROKEN;
		break;
	default:
		break;
	}
	ldap_get_option(b->l->ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &diag);
	log_warn(b->log, "ldap.search_failed",
	    KVC("why", ldap_err2string(code)), KVC("server_says", diag),
	    KV("filter", q->filter));
	ldap_memfree(diag);
	return RC_TEMP;
}

static enum rc
read_entry(const struct batch *b, LDAPMessage *m, struct dir_raw *out)
{
	struct berval name, attr, *vals = NULL;
	struct dir_attr tmp[DIR_ENTRY_ATTRS];
	BerElement *ber = NULL;
	size_t n = 0;
	int rc;

	if (b->a->used > DIR_LDAP_ARENA_MAX)
		return RC_TEMP;
	rc = ldap_get_dn_ber(b->l->ld, m, &ber, &name);
	if (rc == LDAP_SUCCESS)
		out->dn = str_dup(b->a, str_n(name.bv_val, name.bv_len));
	while (rc == LDAP_SUCCESS &&
	       (rc = ldap_get_attribute_ber(b->l->ld, m, ber, &attr, &vals)) ==
		   LDAP_SUCCESS &&
	       attr.bv_val != NULL) {
		struct dir_attr *t = &tmp[n];
		size_t nv = 0;

		while (vals != NULL && vals[nv].bv_val != NULL)
			nv++;
		if (n == DIR_ENTRY_ATTRS) {
			ldap_memfree(vals);
			rc = LDAP_DECODING_ERROR;
			break;
		}
		n++;
		t->name = str_dup(b->a, str_n(attr.bv_val, attr.bv_len));
		t->v = arena_calloc(b->a, nv + 1, sizeof(*t->v));
		t->n = nv;
		for (size_t i = 0; i < nv; i++)
			t->v[i] = str_dup(
			    b->a, str_n(vals[i].bv_val, vals[i].bv_len));
		ldap_memfree(vals);
	}
	ber_free(ber, 0);
	if (rc != LDAP_SUCCESS)
		return RC_TEMP;
	out->attr = arena_calloc(b->a, n + 1, sizeof(*out->attr));
	memcpy(out->attr, tmp, n * sizeof(*tmp));
	out->nattr = n;
	return RC_OK;
}

/* Entries of one answer, behind those of earlier pages. */
static enum rc
take_entries(const struct batch *b, struct dir_query *q, LDAPMessage *res)
{
	int count = ldap_count_entries(b->l->ld, res);
	struct dir_raw *v;

	if (count < 0)
		return RC_TEMP;
	if (q->nfound + (size_t)count > q->max) {
		count = (int)(q->max - q->nfound);
		q->more = true;
	}
	v = arena_calloc(b->a, q->nfound + (size_t)count + 1, sizeof(*v));
	if (q->nfound)
		memcpy(v, q->found, q->nfound * sizeof(*v));
	q->found = v;
	for (LDAPMessage *m = ldap_first_entry(b->l->ld, res);
	     m != NULL && count > 0; m = ldap_next_entry(b->l->ld, m), count--)
		if (read_entry(b, m, &q->found[q->nfound++]) != RC_OK)
			return RC_TEMP;
	return RC_OK;
}

static int
send_query(const struct batch *b, const struct dir_query *q,
    LDAPControl **controls, int *msgid)
{
	/* libldap copies nothing it would change; its API lacks const. */
	char **attrs = (char **)(uintptr_t)q->attrs;
	const char *base;
	AUTO_ARENA a = { 0 };

	/* libldap would take it as "(objectClass=*)". */
	if (q->filter.n == 0)
		return LDAP_FILTER_ERROR;
	if (q->base.n == 0)
		base = b->base;
	else if (str_cstr(&a, q->base, &base) != RC_OK)
		return LDAP_INVALID_DN_SYNTAX;
	return ldap_search_ext(b->l->ld, base,
	    q->scope == DIR_BASE ? LDAP_SCOPE_BASE : LDAP_SCOPE_SUBTREE,
	    q->filter.p, attrs, 0, controls, NULL, NULL,
	    q->paged || q->scope == DIR_BASE ? 0 : (int)q->max + 1, msgid);
}

/* One whole answer; NULL: none, and *fate says why. */
static LDAPMessage *
await(const struct batch *b, int msgid)
{
	int left = deadline_left_ms(b->dl);
	struct timeval tv = { left / 1000, left % 1000 * 1000 };
	LDAPMessage *res = NULL;
	int rc = ldap_result(b->l->ld, msgid, LDAP_MSG_ALL, &tv, &res);

	if (rc == 0)
		*b->fate = DIR_LINK_MUTE;
	else if (rc < 0)
		*b->fate = DIR_LINK_BROKEN;
	return rc > 0 ? res : NULL;
}

static void
finish(const struct batch *b, struct dir_query *q, LDAPMessage *res, int *code)
{
	*code = LDAP_DECODING_ERROR;
	if (ldap_parse_result(b->l->ld, res, code, NULL, NULL, NULL, NULL, 0) !=
	    LDAP_SUCCESS) {
		*b->fate = DIR_LINK_BROKEN;
		return;
	}
	q->rc = meaning(b, q, *code);
	if (q->rc == RC_OK)
		q->rc = take_entries(b, q, res);
	if (*code == LDAP_SIZELIMIT_EXCEEDED)
		q->more = true;
}

static void
collect(const struct batch *b, struct dir_query *q, int msgid)
{
	LDAPMessage *res = await(b, msgid);
	int code;

	if (res == NULL)
		return;
	finish(b, q, res, &code);
	ldap_msgfree(res);
}

/* The next page's cookie; false: that was the last one. */
static bool
cookie_of(const struct batch *b, LDAPMessage *res, struct berval *cookie)
{
	LDAPControl **got = NULL, *page;
	ber_int_t estimate;
	bool more = false;
	int code;

	ber_memfree(cookie->bv_val);
	*cookie = (struct berval){ 0 };
	if (ldap_parse_result(b->l->ld, res, &code, NULL, NULL, NULL, &got,
		0) != LDAP_SUCCESS)
		return false;
	page = ldap_control_find(LDAP_CONTROL_PAGEDRESULTS, got, NULL);
	if (page != NULL && ldap_parse_pageresponse_control(b->l->ld, page,
				&estimate, cookie) == LDAP_SUCCESS)
		more = cookie->bv_len > 0;
	ldap_controls_free(got);
	return more;
}

/* Page by page; a cookie belongs to its connection. */
static void
search_paged(const struct batch *b, struct dir_query *q)
{
	struct berval cookie = { 0 };
	bool more = true;

	while (more && *b->fate == DIR_LINK_GOOD) {
		LDAPControl *page = NULL, *controls[2] = { NULL, NULL };
		LDAPMessage *res = NULL;
		int msgid, code = LDAP_SUCCESS;

		q->rc = RC_TEMP;
		if (ldap_create_page_control(b->l->ld, DIR_LDAP_PAGE, &cookie,
			0, &page) != LDAP_SUCCESS)
			break;
		controls[0] = page;
		code = send_query(b, q, controls, &msgid);
		ldap_control_free(page);
		if (code == LDAP_FILTER_ERROR)
			break;
		if (code != LDAP_SUCCESS) {
			*b->fate = DIR_LINK_BROKEN;
			break;
		}
		if ((res = await(b, msgid)) == NULL)
			break;
		finish(b, q, res, &code);
		more = cookie_of(b, res, &cookie);
		ldap_msgfree(res);
		/* An open cookie on a link in use would keep server state. */
		if (q->rc != RC_OK || q->more) {
			if (more)
				*b->fate = DIR_LINK_BROKEN;
			break;
		}
	}
	ber_memfree(cookie.bv_val);
}

static void
reset(struct dir_query *q)
{
	q->rc = RC_TEMP;
	q->found = NULL;
	q->nfound = 0;
	q->more = false;
}

void
dir_ldap_search(const struct log *log, struct dir_link *l, const char *base,
    struct arena *a, struct dir_query *q, size_t n, struct deadline dl,
    enum dir_fate *fate)
{
	struct batch b = { log, l, base, a, dl, fate };
	int msgid[DIR_LDAP_WINDOW];
	size_t sent = 0, done = 0;

	*fate = DIR_LINK_GOOD;
	for (size_t i = 0; i < n; i++)
		reset(&q[i]);
	while (done < n && *fate == DIR_LINK_GOOD) {
		int code = LDAP_SUCCESS;

		if (sent < n && sent - done < DIR_LDAP_WINDOW &&
		    !q[sent].paged) {
			code = send_query(
			    &b, &q[sent], NULL, &msgid[sent % DIR_LDAP_WINDOW]);
			if (code == LDAP_INVALID_DN_SYNTAX ||
			    code == LDAP_FILTER_ERROR) {
				q[sent].rc = meaning(&b, &q[sent], code);
				msgid[sent % DIR_LDAP_WINDOW] = -1;
			} else if (code != LDAP_SUCCESS) {
				*fate = DIR_LINK_BROKEN;
			}
			sent++;
			continue;
		}
		if (sent == done) {
			search_paged(&b, &q[sent++]);
			done++;
			continue;
		}
		if (msgid[done % DIR_LDAP_WINDOW] >= 0)
			collect(&b, &q[done], msgid[done % DIR_LDAP_WINDOW]);
		done++;
	}
}
