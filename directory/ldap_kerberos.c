/*
 * GSSAPI takes the first principal of a client keytab by itself; another one
 * (ldap_principal) has to be named, and libldap cannot hand credentials to
 * Cyrus SASL before a bind.  So they are acquired here into the cache that
 * every later bind uses, which also renews them when they have run out.
 */
#include <gssapi/gssapi.h>
#include <gssapi/gssapi_ext.h>

#include "directory/ldap_kerberos.h"

#define CACHE      "MEMORY:gatepost"
#define LEAST_LEFT 60u /* seconds */

static void
report(const struct log *log, OM_uint32 minor, const char *what)
{
	gss_buffer_desc text = GSS_C_EMPTY_BUFFER;
	OM_uint32 m, more = 0;

	gss_display_status(
	    &m, minor, GSS_C_MECH_CODE, GSS_C_NO_OID, &more, &text);
	log_error(log, "ldap.kerberos", KVC("step", what),
	    KV("why", str_n(text.value, text.length)));
	gss_release_buffer(&m, &text);
}

static gss_name_t
name_of(const char *principal)
{
	gss_buffer_desc text = { str_c(principal).n,
		(void *)(uintptr_t)principal };
	gss_name_t name = GSS_C_NO_NAME;
	OM_uint32 minor;

	if (principal == NULL || principal[0] == '\0')
		return GSS_C_NO_NAME;
	if (gss_import_name(&minor, &text, GSS_C_NT_USER_NAME, &name) !=
	    GSS_S_COMPLETE)
		return GSS_C_NO_NAME;
	return name;
}

bool
dir_kerberos_ready(const struct log *log, const struct conf *conf)
{
	const char *keytab = conf->ldap_keytab && conf->ldap_keytab[0]
				 ? conf->ldap_keytab
				 : conf->keytab;
	gss_key_value_element_desc place[] = { { "client_keytab", keytab },
		{ "ccache", CACHE } };
	gss_key_value_set_desc store = { COUNT(place), place };
	gss_name_t name = name_of(conf->ldap_principal);
	gss_cred_id_t cred = GSS_C_NO_CREDENTIAL;
	OM_uint32 major, minor, m, left = 0;

	major = gss_acquire_cred_from(&minor, name, GSS_C_INDEFINITE,
	    GSS_C_NO_OID_SET, GSS_C_INITIATE, &store, &cred, NULL, NULL);
	if (major == GSS_S_COMPLETE)
		/* This is what fetches the ticket. */
		major = gss_inquire_cred(&minor, cred, NULL, &left, NULL, NULL);
	if (major != GSS_S_COMPLETE)
		report(log, minor, "acquire");
	gss_release_cred(&m, &cred);
	gss_release_name(&m, &name);
	return major == GSS_S_COMPLETE && left > LEAST_LEFT;
}
