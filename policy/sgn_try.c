/*
 * A message of ours, signed with one key and shown to libopendkim with the
 * record that is published: the question of `gatepost dkim test`.
 */
#include <string.h>

#include "policy/sgn_sign.h"

/* Behind ours: it brings the system's MIN and MAX along. */
#include <opendkim/dkim.h>

static void *
lib_alloc(void *closure, size_t n)
{
	(void)closure;
	return xmalloc(n);
}

static void
lib_free(void *closure, void *p)
{
	(void)closure;
	xfree(p);
}

/* The library's question for a key, answered with the record at hand. */
static DKIM_CBSTAT
give_record(DKIM *dk, DKIM_SIGINFO *sig, u_char *buf, size_t n)
{
	const struct str *record = dkim_get_user_context(dk);

	(void)sig;
	if (record->n >= n)
		return DKIM_CBSTAT_ERROR;
	memcpy(buf, record->p, record->n);
	buf[record->n] = '\0';
	return DKIM_CBSTAT_CONTINUE;
}

static const char *
verify_with(DKIM *dk, struct str text)
{
	DKIM_SIGINFO *sig;
	DKIM_STAT stat = dkim_chunk(dk, (u_char *)(uintptr_t)text.p, text.n);
	const char *why;

	if (stat == DKIM_STAT_OK)
		stat = dkim_chunk(dk, NULL, 0);
	if (stat == DKIM_STAT_OK)
		stat = dkim_eom(dk, NULL);
	if (stat == DKIM_STAT_OK)
		return "good";
	sig = dkim_getsignature(dk);
	why = sig != NULL ? dkim_sig_geterrorstr(dkim_sig_geterror(sig)) : NULL;
	return why != NULL ? why : dkim_getresultstr(stat);
}

static struct str
verify(struct arena *a, struct str text, const struct str *record)
{
	DKIM_LIB *lib = dkim_init(lib_alloc, lib_free);
	DKIM_STAT stat;
	DKIM *dk = NULL;
	struct str out = STR("the library failed");

	if (lib != NULL &&
	    dkim_set_key_lookup(lib, give_record) == DKIM_STAT_OK)
		dk =
		    dkim_verify(lib, (const unsigned char *)"try", NULL, &stat);
	if (dk != NULL && dkim_set_user_context(
			      dk, (void *)(uintptr_t)record) == DKIM_STAT_OK)
		out = str_fmt(a, "%s", verify_with(dk, text));
	if (dk != NULL)
		dkim_free(dk);
	if (lib != NULL)
		dkim_close(lib);
	return out;
}

enum rc
sgn_try_key(const struct log *log, struct arena *a,
    const struct sgn_signer *key, struct str domain, struct str record,
    struct str *out)
{
	struct str text = str_fmt(a,
	    "From: postmaster@%.*s\r\nDate: Thu, 01 Jan 1970 00:00:00 +0000\r\n"
	    "Subject: a test of the DKIM key\r\n\r\nIt is never sent.\r\n",
	    STRF(domain));
	struct sgn_message m = {
		.domain = domain,
		.inline_data = text,
		.fd = -1,
		.size = text.n,
	};
	struct str fields;
	enum rc rc = sgn_sign_message(log, a, key, 1, &m, now_unix(), &fields);

	if (rc == RC_OK)
		*out = verify(a, str_cat(a, fields, text), &record);
	return rc;
}
