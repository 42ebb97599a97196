/*
 * GSSAPI without a layer (max_ssf 0): the client's connection has TLS.
 *
 * The plug-in cuts the realm off a name when it is Kerberos' default realm,
 * and only then; a name without a realm proves nothing, so it is put back.
 * (SASL_GSS_PEER_NAME would have the whole name, but version 2.1.28 does not
 * set it on this side.)
 */
#include <gnutls/crypto.h>
#include <krb5.h>
#include <pthread.h>
#include <sasl/sasl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uthash.h>

#include "directory/sasl.h"

#define HANDLE_LEN 32u

struct exchange {
	UT_hash_handle hh;
	unsigned char raw[HANDLE_LEN];
	int64_t until_ns;
	sasl_conn_t *conn;
	bool ticket;
	struct arena a;
	struct str service;
	struct str client_ip;
};

struct dir_sasls {
	pthread_mutex_t lock;
	struct log log;
	const struct conf *conf;
	bool gssapi;
	struct arena a;
	struct str realm;     /* Kerberos' default; empty if it has none */
	struct exchange *all; /* oldest first */
};

static void *
mutex_new(void)
{
	pthread_mutex_t *m = xmalloc(sizeof(*m));

	pthread_mutex_init(m, NULL);
	return m;
}

static int
mutex_lock(void *m)
{
	return pthread_mutex_lock(m) ? SASL_FAIL : SASL_OK;
}

static int
mutex_unlock(void *m)
{
	return pthread_mutex_unlock(m) ? SASL_FAIL : SASL_OK;
}

static void
mutex_free(void *m)
{
	pthread_mutex_destroy(m);
	xfree(m);
}

/* Everything is said here, so that no file of the system is read. */
static int
get_option(void *ctx, const char *plugin, const char *option,
    const char **result, unsigned *len)
{
	(void)ctx, (void)plugin;
	if (strcmp(option, "mech_list") == 0)
		*result = "GSSAPI";
	else if (strcmp(option, "log_level") == 0)
		*result = "0";
	else
		return SASL_FAIL;
	if (len != NULL)
		*len = (unsigned)strlen(*result);
	return SASL_OK;
}

/* Who may act as whom is decided by account ids, in the service. */
static int
allow_any(sasl_conn_t *conn, void *ctx, const char *asked, unsigned nasked,
    const char *auth, unsigned nauth, const char *realm, unsigned nrealm,
    struct propctx *props)
{
	(void)conn, (void)ctx, (void)asked, (void)nasked, (void)auth;
	(void)nauth, (void)realm, (void)nrealm, (void)props;
	return SASL_OK;
}

static int
no_log(void *ctx, int level, const char *message)
{
	(void)ctx, (void)level, (void)message;
	return SASL_OK;
}

typedef int (*sasl_fn)(void); /* Cyrus SASL's own callback type is this */

static const sasl_callback_t callbacks[] = {
	{ SASL_CB_GETOPT, (sasl_fn)(void (*)(void))get_option, NULL },
	{ SASL_CB_PROXY_POLICY, (sasl_fn)(void (*)(void))allow_any, NULL },
	{ SASL_CB_LOG, (sasl_fn)(void (*)(void))no_log, NULL },
	{ SASL_CB_LIST_END, NULL, NULL },
};

static void
environment(const char *name, const char *value)
{
	if (value != NULL && value[0] != '\0')
		setenv(name, value, 1);
}

void
dir_sasl_setup(const struct log *log, const struct conf *conf)
{
	/* libldap reads ldap.conf and LDAP... variables otherwise. */
	environment("LDAPNOINIT", "1");
	environment("KRB5_CONFIG", conf->krb5_config);
	environment("KRB5_KTNAME", conf->keytab);
	environment("KRB5_CLIENT_KTNAME",
	    conf->ldap_keytab && conf->ldap_keytab[0] ? conf->ldap_keytab
						      : conf->keytab);
	environment("KRB5CCNAME", "MEMORY:gatepost");
	/* TLS keeps replays out; a cache file would need a writable place. */
	environment("KRB5RCACHENAME", "none:");
	sasl_set_mutex(mutex_new, mutex_lock, mutex_unlock, mutex_free);
	if (sasl_client_init(NULL) != SASL_OK ||
	    sasl_server_init(callbacks, "gatepost") != SASL_OK)
		log_error(log, "sasl.init", KVC("why", "it did not start"));
}

static struct str
default_realm(struct arena *a)
{
	struct str out = STR("");
	krb5_context ctx;
	char *realm = NULL;

	if (krb5_init_context(&ctx) != 0)
		return out;
	if (krb5_get_default_realm(ctx, &realm) == 0) {
		out = str_dup(a, str_c(realm));
		krb5_free_default_realm(ctx, realm);
	}
	krb5_free_context(ctx);
	return out;
}

struct dir_sasls *
dir_sasls_new(const struct log *log, const struct conf *conf)
{
	struct dir_sasls *s = xcalloc(1, sizeof(*s));
	const char **mech = sasl_global_listmech();
	bool plugin = false;

	pthread_mutex_init(&s->lock, NULL);
	s->log = *log;
	s->conf = conf_ref(conf);
	for (; mech != NULL && *mech != NULL; mech++)
		plugin |= strcmp(*mech, "GSSAPI") == 0;
	s->gssapi = plugin && conf->keytab && conf->keytab[0];
	s->realm = default_realm(&s->a);
	if (!plugin && conf->keytab && conf->keytab[0])
		log_error(log, "sasl.no_gssapi",
		    KVC("install", "libsasl2-modules-gssapi-mit"));
	return s;
}

static void
exchange_free(struct exchange *e)
{
	sasl_dispose(&e->conn);
	arena_free(&e->a);
	xfree(e);
}

void
dir_sasls_free(struct dir_sasls **sp)
{
	struct dir_sasls *s = *sp;

	*sp = NULL;
	if (s == NULL)
		return;
	while (s->all != NULL) {
		struct exchange *e = s->all;

		HASH_DELETE(hh, s->all, e);
		exchange_free(e);
	}
	conf_unref(&s->conf);
	arena_free(&s->a);
	pthread_mutex_destroy(&s->lock);
	xfree(s);
}

struct str
dir_sasls_mechs(const struct dir_sasls *s)
{
	return s->gssapi ? STR("GSSAPI") : STR("");
}

/* Back into the table until the client answers. */
static struct str
park(struct dir_sasls *s, struct arena *a, struct exchange *e)
{
	struct str handle;
	int64_t now = now_ns();

	if (gnutls_rnd(GNUTLS_RND_KEY, e->raw, HANDLE_LEN) < 0)
		panic("no random bytes");
	handle = str_hex(a, str_n(e->raw, HANDLE_LEN));
	pthread_mutex_lock(&s->lock);
	while (s->all != NULL && (s->all->until_ns <= now ||
				     HASH_COUNT(s->all) >= DIR_SASL_MAX)) {
		struct exchange *old = s->all;

		HASH_DELETE(hh, s->all, old);
		exchange_free(old);
	}
	HASH_ADD(hh, s->all, raw, HANDLE_LEN, e);
	pthread_mutex_unlock(&s->lock);
	return handle;
}

static struct exchange *
fetch(struct dir_sasls *s, struct arena *a, struct str handle)
{
	struct exchange *e = NULL;
	struct str raw;

	if (str_unhex(a, handle, &raw) != RC_OK || raw.n != HANDLE_LEN)
		return NULL;
	pthread_mutex_lock(&s->lock);
	HASH_FIND(hh, s->all, raw.p, HANDLE_LEN, e);
	if (e != NULL)
		HASH_DELETE(hh, s->all, e);
	pthread_mutex_unlock(&s->lock);
	if (e != NULL && e->until_ns <= now_ns()) {
		exchange_free(e);
		return NULL;
	}
	return e;
}

static struct str
property(struct arena *a, sasl_conn_t *conn, int which)
{
	const void *v = NULL;

	if (sasl_getprop(conn, which, &v) != SASL_OK || v == NULL)
		return STR("");
	return str_dup(a, str_c(v));
}

static struct str
whole_principal(const struct dir_sasls *s, struct arena *a, struct str name)
{
	if (name.n == 0 || str_chr(name, '@') < name.n)
		return name;
	if (s->realm.n == 0)
		return STR("");
	return str_fmt(a, "%.*s@%.*s", STRF(name), STRF(s->realm));
}

static enum rc
failed(struct dir_sasls *s, struct exchange *e, int code)
{
	/* Not being able to read our own keys is nobody's fault but ours. */
	bool ours = access(s->conf->keytab, R_OK) != 0 || code == SASL_NOMEM ||
		    code == SASL_TRYAGAIN || code == SASL_UNAVAIL;

	LOG_AT(&s->log, ours ? LOG_ERROR : LOG_INFO, "login.gssapi_failed",
	    KVC("detail", sasl_errdetail(e->conn)), KV("service", e->service),
	    KV("client", e->client_ip));
	exchange_free(e);
	return ours ? RC_TEMP : RC_DENY;
}

static enum rc
outcome(struct dir_sasls *s, struct arena *a, struct exchange *e, int code,
    const char *msg, unsigned nmsg, struct dir_sasl_out *out)
{
	struct dir_sasl_out x = { .ticket = e->ticket };
	struct str auth;

	if (code != SASL_OK && code != SASL_CONTINUE)
		return failed(s, e, code);
	x.challenge = str_dup(a, str_n(msg, msg ? nmsg : 0));
	x.service = str_dup(a, e->service);
	x.client_ip = str_dup(a, e->client_ip);
	if (code == SASL_CONTINUE) {
		x.handle = park(s, a, e);
		*out = x;
		return RC_OK;
	}
	x.done = true;
	auth = property(a, e->conn, SASL_AUTHUSER);
	x.principal = whole_principal(s, a, auth);
	x.authzid = property(a, e->conn, SASL_USERNAME);
	if (str_eq(auth, x.authzid) || str_eq(x.principal, x.authzid))
		x.authzid = STR("");
	if (x.principal.n == 0)
		return failed(s, e, SASL_FAIL);
	exchange_free(e);
	*out = x;
	return RC_OK;
}

static struct exchange *
exchange_new(struct dir_sasls *s, const struct dir_login *in)
{
	const sasl_security_properties_t none = { .max_ssf = 0 };
	struct exchange *e = xcalloc(1, sizeof(*e));
	const char *service;

	e->until_ns = now_ns() + DIR_SASL_S * 1000000000ll;
	e->ticket = in->ticket;
	e->service = str_dup(&e->a, in->service);
	e->client_ip = str_dup(&e->a, in->client_ip);
	if (str_cstr(&e->a, in->service, &service) != RC_OK ||
	    sasl_server_new(service, s->conf->hostname, NULL, NULL, NULL,
		callbacks, 0, &e->conn) != SASL_OK ||
	    sasl_setprop(e->conn, SASL_SEC_PROPS, &none) != SASL_OK) {
		exchange_free(e);
		return NULL;
	}
	return e;
}

enum rc
dir_sasls_start(struct dir_sasls *s, struct arena *a, struct str mech,
    const struct dir_login *in, bool has_initial, struct str initial,
    struct dir_sasl_out *out)
{
	struct exchange *e;
	const char *msg = NULL;
	unsigned nmsg = 0;
	int code;

	if (!s->gssapi || !str_ieq(mech, STR("GSSAPI")) ||
	    initial.n > DIR_SASL_MSG_MAX)
		return RC_BAD;
	e = exchange_new(s, in);
	if (e == NULL)
		return RC_TEMP;
	code = sasl_server_start(e->conn, "GSSAPI",
	    has_initial ? (initial.p ? initial.p : "") : NULL,
	    (unsigned)initial.n, &msg, &nmsg);
	return outcome(s, a, e, code, msg, nmsg, out);
}

enum rc
dir_sasls_step(struct dir_sasls *s, struct arena *a, struct str handle,
    struct str response, struct dir_sasl_out *out)
{
	struct exchange *e = fetch(s, a, handle);
	const char *msg = NULL;
	unsigned nmsg = 0;
	int code;

	if (e == NULL)
		return RC_BAD;
	if (response.n > DIR_SASL_MSG_MAX)
		return failed(s, e, SASL_BADPROT);
	code = sasl_server_step(e->conn, response.p ? response.p : "",
	    (unsigned)response.n, &msg, &nmsg);
	return outcome(s, a, e, code, msg, nmsg, out);
}

void
dir_sasls_cancel(struct dir_sasls *s, struct str handle)
{
	AUTO_ARENA a = { 0 };
	struct exchange *e = fetch(s, &a, handle);

	if (e != NULL)
		exchange_free(e);
}
