#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include <sys/time.h>

#include <openldap.h>

#include "directory/ldap_conn.h"
#include "directory/ldap_dial.h"
#include "directory/ldap_kerberos.h"
#include "directory/ldap_url.h"

#define SYSTEM_CA      "/etc/ssl/certs/ca-certificates.crt"
#define NOWHERE        "ldapi://%2Fdev%2Fnull%2Fnowhere"
#define PASSWORD_MAX   4096u
#define SECPROPS_LAYER "minssf=56"
/* AD: "Sign or Seal are not allowed if TLS is used". */
#define SECPROPS_NONE "minssf=0,maxssf=0"

struct dir_target {
	struct arena a;
	struct log log;
	const struct conf *conf;
	struct dir_url url;
	enum dir_secure secure;
	bool login;
	const char *text; /* the URL libldap sees */
	const char *name;
	struct dir_dial *dial;
	struct dir_kerberos *kerberos; /* borrowed */
};

static enum dir_secure
security(const struct conf *c, const struct dir_url *u, bool login)
{
	if (u->scheme == DIR_URL_LDAPI)
		return DIR_LOCAL;
	if (u->scheme == DIR_URL_LDAPS)
		return DIR_LDAPS;
	if (!login && c->ldap_bind == CONF_BIND_GSSAPI)
		return DIR_PLAIN; /* sealed by Kerberos */
	return c->ldap_tls == CONF_TLS_LDAPS   ? DIR_LDAPS
	       : c->ldap_tls == CONF_TLS_START ? DIR_STARTTLS
					       : DIR_PLAIN;
}

struct dir_target *
dir_target_new(const struct log *log, const struct conf *conf,
    struct dir_kerberos *kerberos, const char *url, bool login)
{
	static const char *const how[] = { [DIR_PLAIN] = "",
		[DIR_STARTTLS] = " (StartTLS)",
		[DIR_LDAPS] = " (TLS)",
		[DIR_LOCAL] = "" };
	struct dir_target *t = xcalloc(1, sizeof(*t));

	t->log = *log;
	t->conf = conf_ref(conf);
	t->login = login;
	t->kerberos = kerberos;
	if (dir_url_read(&t->a, str_c(url), &t->url) != RC_OK) {
		log_error(log, "conf.bad", KVC("setting", "ldap_servers"),
		    KVC("url", url));
		dir_target_free(&t);
		return NULL;
	}
	t->secure = security(conf, &t->url, login);
	/* LDAPS on the other port of the same server. */
	if (t->secure == DIR_LDAPS && t->url.scheme == DIR_URL_LDAP)
		t->url.port = t->url.port == 389    ? 636
			      : t->url.port == 3268 ? 3269
						    : t->url.port;
	if (login && t->secure == DIR_PLAIN) {
		dir_target_free(&t);
		return NULL;
	}
	t->text = str_fmt(&t->a, "ldap://%.*s:%u",
	    STRF(t->secure == DIR_LOCAL ? STR("localhost") : t->url.host),
	    t->url.port)
		      .p;
	t->name = str_fmt(&t->a, "%s%s", t->secure == DIR_LOCAL ? url : t->text,
	    how[t->secure])
		      .p;
	t->dial = dir_dial_new(&t->url);
	return t;
}

void
dir_target_free(struct dir_target **tp)
{
	struct dir_target *t = *tp;

	*tp = NULL;
	if (t == NULL)
		return;
	dir_dial_free(&t->dial);
	conf_unref(&t->conf);
	arena_free(&t->a);
	xfree(t);
}

const char *
dir_target_name(const struct dir_target *t)
{
	return t->name;
}

static bool
set(LDAP *ld, int option, const void *value)
{
	return ldap_set_option(ld, option, value) == LDAP_OPT_SUCCESS;
}

/* LDAP_OPT_X_TLS_NEWCTX comes last, or the others are ignored. */
static bool
options(const struct dir_target *t, LDAP *ld, struct deadline dl)
{
	const char *ca = t->conf->ldap_ca_file;
	int v3 = LDAP_VERSION3, demand = LDAP_OPT_X_TLS_DEMAND, client = 0;
	int tls12 = LDAP_OPT_X_TLS_PROTOCOL_TLS1_2;
	int left = MAX(deadline_left_ms(dl), 1);
	struct timeval tv = { left / 1000, left % 1000 * 1000 };

	if (ca == NULL || ca[0] == '\0')
		ca = SYSTEM_CA;
	if (!set(ld, LDAP_OPT_PROTOCOL_VERSION, &v3) ||
	    !set(ld, LDAP_OPT_REFERRALS, LDAP_OPT_OFF) ||
	    !set(ld, LDAP_OPT_RESTART, LDAP_OPT_ON) ||
	    !set(ld, LDAP_OPT_NETWORK_TIMEOUT, &tv) ||
	    !set(ld, LDAP_OPT_TIMEOUT, &tv) ||
	    !set(ld, LDAP_OPT_X_SASL_NOCANON, LDAP_OPT_ON) ||
	    !set(ld, LDAP_OPT_X_SASL_SECPROPS,
		t->secure == DIR_PLAIN ? SECPROPS_LAYER : SECPROPS_NONE))
		return false;
	if (t->secure != DIR_STARTTLS && t->secure != DIR_LDAPS)
		return true;
	return set(ld, LDAP_OPT_X_TLS_CACERTFILE, ca) &&
	       set(ld, LDAP_OPT_X_TLS_REQUIRE_CERT, &demand) &&
	       set(ld, LDAP_OPT_X_TLS_PROTOCOL_MIN, &tls12) &&
	       set(ld, LDAP_OPT_X_TLS_NEWCTX, &client);
}

static int
nothing_to_say(LDAP *ld, unsigned flags, void *defaults, void *interact)
{
	(void)ld, (void)flags, (void)defaults, (void)interact;
	return LDAP_SUCCESS;
}

static int
bind_simple(const struct dir_target *t, LDAP *ld)
{
	AUTO_FD fd = open(t->conf->ldap_password_file, O_RDONLY | O_CLOEXEC);
	AUTO_ARENA a = { 0 };
	struct berval cred;
	struct str pw = STR("");
	int rc;

	if (fd < 0 || fd_read_file(&a, fd, PASSWORD_MAX, &pw) != RC_OK) {
		log_error(&t->log, "ldap.password_file",
		    KVC("file", t->conf->ldap_password_file), KVE(errno));
		return LDAP_LOCAL_ERROR;
	}
	while (pw.n && (pw.p[pw.n - 1] == '\n' || pw.p[pw.n - 1] == '\r'))
		pw.n--;
	/* An empty one would be an anonymous bind that "succeeds". */
	if (pw.n == 0)
		return LDAP_PARAM_ERROR;
	cred.bv_val = (char *)(uintptr_t)pw.p;
	cred.bv_len = pw.n;
	rc = ldap_sasl_bind_s(ld, t->conf->ldap_bind_dn, LDAP_SASL_SIMPLE,
	    &cred, NULL, NULL, NULL);
	explicit_bzero(cred.bv_val, cred.bv_len);
	return rc;
}

static int
bind_service(const struct dir_target *t, LDAP *ld, struct str *why)
{
	int rc;

	if (t->conf->ldap_bind == CONF_BIND_SIMPLE) {
		*why = STR("simple bind");
		return bind_simple(t, ld);
	}
	*why = STR("GSSAPI bind");
	if (!dir_kerberos_ready(t->kerberos))
		return LDAP_LOCAL_ERROR;
	rc = ldap_sasl_interactive_bind_s(ld, NULL, "GSSAPI", NULL, NULL,
	    LDAP_SASL_QUIET, nothing_to_say, NULL);
	if (rc != LDAP_SUCCESS)
		dir_kerberos_doubt(t->kerberos);
	return rc;
}

/* A socket that is connected to a handle that is ready. */
static int
prepare(
    const struct dir_target *t, LDAP *ld, struct deadline dl, struct str *why)
{
	int rc = LDAP_SUCCESS;

	*why = STR("options");
	if (!options(t, ld, dl))
		return LDAP_LOCAL_ERROR;
	*why = STR("TLS handshake");
	if (t->secure == DIR_STARTTLS)
		rc = ldap_start_tls_s(ld, NULL, NULL);
	else if (t->secure == DIR_LDAPS)
		rc = ldap_install_tls(ld);
	if (rc == LDAP_SUCCESS && !t->login)
		rc = bind_service(t, ld, why);
	return rc;
}

static struct str
failure(struct arena *a, LDAP *ld, struct str step, int rc)
{
	char *diag = NULL;
	struct str s;

	ldap_get_option(ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &diag);
	s = str_fmt(a, "%.*s: %s%s%s", STRF(step), ldap_err2string(rc),
	    diag && diag[0] ? ": " : "", diag ? diag : "");
	ldap_memfree(diag);
	return s;
}

enum rc
dir_conn_open(struct dir_target *t, struct arena *a, struct deadline dl,
    struct dir_link **out, struct str *why)
{
	AUTO_FD fd = -1;
	struct dir_link *l;
	struct str step = STR("");
	LDAP *ld = NULL;
	int rc, raw;

	*why = STR("");
	/* A password of ours in clear: only where nobody can listen. */
	if (t->secure == DIR_PLAIN && t->conf->ldap_bind == CONF_BIND_SIMPLE &&
	    !dir_dial_loopback(t->dial)) {
		*why = STR("nothing was sent: the setting ldap_tls is none");
		return RC_TEMP;
	}
	fd = dir_dial_connect(t->dial, a, dl, why);
	if (fd < 0)
		return RC_TEMP;
	raw = fd;
	rc = ldap_init_fd(fd,
	    t->secure == DIR_LOCAL ? LDAP_PROTO_IPC : LDAP_PROTO_TCP, t->text,
	    &ld);
	if (rc != LDAP_SUCCESS) {
		*why = str_c(ldap_err2string(rc));
		return RC_TEMP;
	}
	(void)take(&fd); /* libldap closes it */
	rc = prepare(t, ld, dl, &step);
	if (rc != LDAP_SUCCESS) {
		*why = failure(a, ld, step, rc);
		ldap_unbind_ext(ld, NULL, NULL);
		return RC_TEMP;
	}
	/*
	 * libldap would open a connection that it lost anew, without TLS and
	 * without asking; from here on its URI leads nowhere.
	 */
	if (!set(ld, LDAP_OPT_URI, NOWHERE)) {
		*why = STR("options");
		ldap_unbind_ext(ld, NULL, NULL);
		return RC_TEMP;
	}
	l = xcalloc(1, sizeof(*l));
	l->ld = ld;
	l->fd = raw;
	l->tls = t->secure == DIR_STARTTLS || t->secure == DIR_LDAPS;
	*out = l;
	return RC_OK;
}

bool
dir_conn_intact(const struct dir_link *l)
{
	int fd = -1;

	return ldap_get_option(l->ld, LDAP_OPT_DESC, &fd) == LDAP_OPT_SUCCESS &&
	       fd == l->fd && (!l->tls || ldap_tls_inplace(l->ld));
}

void
dir_conn_close(struct dir_link **lp)
{
	struct dir_link *l = *lp;

	*lp = NULL;
	if (l == NULL)
		return;
	ldap_unbind_ext(l->ld, NULL, NULL);
	xfree(l);
}
