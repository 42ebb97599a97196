/*
 * GSSAPI can take a ticket from a client keytab by itself, but into a memory
 * cache it does so once and says "Ticket expired" ten hours later.  It also
 * takes the first principal of the keytab only.  So the ticket is fetched
 * here; a new one replaces the old one in the cache in one step, when the old
 * one still has a while to live.
 */
#include <krb5.h>
#include <pthread.h>

#include "directory/ldap_kerberos.h"

#define MARGIN_S 600 /* renewed so long before the end, or at half-life */

struct dir_kerberos {
	pthread_mutex_t lock;
	struct log log;
	const struct conf *conf;
	int64_t renew, end; /* UNIX seconds; 0: no ticket yet */
};

/* What one fetch holds; freed as a whole. */
struct fetch {
	krb5_context ctx;
	krb5_keytab keytab;
	krb5_principal who;
	krb5_creds creds;
	krb5_ccache cache;
};

struct dir_kerberos *
dir_kerberos_new(const struct log *log, const struct conf *conf)
{
	struct dir_kerberos *k = xcalloc(1, sizeof(*k));

	pthread_mutex_init(&k->lock, NULL);
	k->log = *log;
	k->conf = conf_ref(conf);
	return k;
}

void
dir_kerberos_free(struct dir_kerberos **kp)
{
	struct dir_kerberos *k = *kp;

	*kp = NULL;
	if (k == NULL)
		return;
	conf_unref(&k->conf);
	pthread_mutex_destroy(&k->lock);
	xfree(k);
}

static const char *
keytab_name(const struct conf *c)
{
	return c->ldap_keytab && c->ldap_keytab[0] ? c->ldap_keytab : c->keytab;
}

static krb5_error_code
first_principal(struct fetch *f)
{
	krb5_keytab_entry e;
	krb5_kt_cursor at;
	krb5_error_code rc = krb5_kt_start_seq_get(f->ctx, f->keytab, &at);

	if (rc != 0)
		return rc;
	rc = krb5_kt_next_entry(f->ctx, f->keytab, &e, &at);
	if (rc == 0) {
		rc = krb5_copy_principal(f->ctx, e.principal, &f->who);
		krb5_free_keytab_entry_contents(f->ctx, &e);
	}
	krb5_kt_end_seq_get(f->ctx, f->keytab, &at);
	return rc;
}

static krb5_error_code
ask_kdc(const struct conf *c, struct fetch *f)
{
	const char *who = c->ldap_principal;
	krb5_error_code rc =
	    krb5_kt_resolve(f->ctx, keytab_name(c), &f->keytab);

	if (rc != 0)
		return rc;
	rc = who != NULL && who[0] != '\0'
		 ? krb5_parse_name(f->ctx, who, &f->who)
		 : first_principal(f);
	if (rc != 0)
		return rc;
	return krb5_get_init_creds_keytab(
	    f->ctx, &f->creds, f->who, f->keytab, 0, NULL, NULL);
}

/* Under the lock; memory only. */
static krb5_error_code
keep(struct dir_kerberos *k, struct fetch *f)
{
	krb5_error_code rc =
	    krb5_cc_resolve(f->ctx, DIR_KERBEROS_CACHE, &f->cache);
	int64_t now = now_unix(), end = (uint32_t)f->creds.times.endtime;

	if (rc == 0)
		rc = krb5_cc_initialize(f->ctx, f->cache, f->who);
	if (rc == 0)
		rc = krb5_cc_store_cred(f->ctx, f->cache, &f->creds);
	k->end = rc == 0 ? end : 0;
	k->renew = rc == 0 ? MAX(end - MARGIN_S, now + (end - now) / 2) : 0;
	return rc;
}

static void
fetch_free(struct fetch *f)
{
	if (f->cache != NULL)
		krb5_cc_close(f->ctx, f->cache);
	krb5_free_cred_contents(f->ctx, &f->creds);
	krb5_free_principal(f->ctx, f->who);
	if (f->keytab != NULL)
		krb5_kt_close(f->ctx, f->keytab);
	krb5_free_context(f->ctx);
}

static void
fetch(struct dir_kerberos *k)
{
	struct fetch f = { 0 };
	krb5_error_code rc = krb5_init_context(&f.ctx);
	const char *why;

	if (rc == 0)
		rc = ask_kdc(k->conf, &f);
	if (rc == 0) {
		pthread_mutex_lock(&k->lock);
		rc = keep(k, &f);
		pthread_mutex_unlock(&k->lock);
	}
	if (rc != 0) {
		why = krb5_get_error_message(f.ctx, rc);
		log_error(&k->log, "ldap.kerberos",
		    KVC("keytab", keytab_name(k->conf)),
		    KVC("principal", k->conf->ldap_principal), KVC("why", why));
		krb5_free_error_message(f.ctx, why);
	}
	if (f.ctx != NULL)
		fetch_free(&f);
}

bool
dir_kerberos_ready(struct dir_kerberos *k)
{
	bool renew, valid;

	pthread_mutex_lock(&k->lock);
	renew = now_unix() >= k->renew;
	pthread_mutex_unlock(&k->lock);
	if (renew)
		fetch(k);
	pthread_mutex_lock(&k->lock);
	valid = now_unix() < k->end;
	pthread_mutex_unlock(&k->lock);
	return valid;
}

void
dir_kerberos_doubt(struct dir_kerberos *k)
{
	pthread_mutex_lock(&k->lock);
	k->renew = 0;
	pthread_mutex_unlock(&k->lock);
}
