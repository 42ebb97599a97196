/*
 * AD says why in the text of invalidCredentials; OpenLDAP in the password
 * policy control (draft-behera-ldap-password-policy), which is asked for as
 * not critical; 389 in the text of other codes.
 */
#include <sys/time.h>

#include "directory/ad_value.h"
#include "directory/ldap_bind.h"

static enum dir_bind_why
policy_error(LDAP *ld, LDAPControl **controls)
{
	LDAPControl *c = ldap_control_find(
	    LDAP_CONTROL_PASSWORDPOLICYRESPONSE, controls, NULL);
	LDAPPasswordPolicyError error = PP_noError;
	ber_int_t expire, grace;

	if (c == NULL || ldap_parse_passwordpolicy_control(
			     ld, c, &expire, &grace, &error) != LDAP_SUCCESS)
		return DIR_BIND_OK;
	switch (error) {
	case PP_passwordExpired:
		return DIR_BIND_PW_EXPIRED;
	case PP_accountLocked:
		return DIR_BIND_LOCKED;
	case PP_changeAfterReset:
		return DIR_BIND_MUST_CHANGE;
	default:
		return DIR_BIND_OK;
	}
}

static enum dir_bind_why
unwilling(struct str text)
{
	/* 389: "Account inactivated. Contact system administrator." */
	return str_ifind(text, STR("inactivated")) < text.n
		   ? DIR_BIND_DISABLED
		   : DIR_BIND_UNAVAILABLE;
}

static enum dir_bind_why
meaning(int code, struct str text, enum dir_bind_why policy)
{
	switch (code) {
	case LDAP_SUCCESS:
		return policy;
	case LDAP_INVALID_CREDENTIALS:
		return policy != DIR_BIND_OK ? policy : ad_bind_why(text);
	case LDAP_INAPPROPRIATE_AUTH: /* it has no password */
		return DIR_BIND_REFUSED;
	case LDAP_NO_SUCH_OBJECT:
		return DIR_BIND_NO_ACCOUNT;
	case LDAP_CONSTRAINT_VIOLATION: /* 389: too many tries */
		return DIR_BIND_LOCKED;
	case LDAP_UNWILLING_TO_PERFORM:
		return unwilling(text);
	case LDAP_CONFIDENTIALITY_REQUIRED:
	case LDAP_STRONG_AUTH_REQUIRED:
		return DIR_BIND_NO_TLS;
	default:
		return DIR_BIND_UNAVAILABLE;
	}
}

static enum dir_bind_why
read_answer(const struct log *log, LDAP *ld, LDAPMessage *res)
{
	LDAPControl **controls = NULL;
	char *text = NULL;
	enum dir_bind_why why;
	int code = LDAP_OTHER;

	if (ldap_parse_result(ld, res, &code, NULL, &text, NULL, &controls,
		0) != LDAP_SUCCESS)
		code = LDAP_DECODING_ERROR;
	why = meaning(code, str_c(text), policy_error(ld, controls));
	if (why != DIR_BIND_OK && why != DIR_BIND_WRONG_PASSWORD)
		log_info(log, "ldap.bind_refused",
		    KVC("why", dir_bind_name(why)), KVI("code", code),
		    KVC("server_says", text));
	ldap_controls_free(controls);
	ldap_memfree(text);
	return why;
}

enum dir_bind_why
dir_ldap_bind(const struct log *log, struct dir_link *l, struct str dn,
    struct str password, struct deadline dl, enum dir_fate *fate)
{
	static char policy_oid[] = LDAP_CONTROL_PASSWORDPOLICYREQUEST;
	LDAPControl policy = { policy_oid, { 0, NULL }, 0 };
	LDAPControl *controls[] = { &policy, NULL };
	struct berval cred = { password.n, (char *)(uintptr_t)password.p };
	int left = deadline_left_ms(dl), rc, msgid;
	struct timeval tv = { left / 1000, left % 1000 * 1000 };
	LDAPMessage *res = NULL;
	enum dir_bind_why why;
	AUTO_ARENA a = { 0 };
	const char *name;

	*fate = DIR_LINK_GOOD;
	/* Either empty would be an anonymous bind (RFC 4513 5.1.1, 5.1.2). */
	if (dn.n == 0 || password.n == 0 || str_cstr(&a, dn, &name) != RC_OK)
		return DIR_BIND_REFUSED;
	if (!dir_conn_intact(l) ||
	    ldap_sasl_bind(l->ld, name, LDAP_SASL_SIMPLE, &cred, controls, NULL,
		&msgid) != LDAP_SUCCESS) {
		*fate = DIR_LINK_BROKEN;
		return DIR_BIND_UNAVAILABLE;
	}
	rc = ldap_result(l->ld, msgid, LDAP_MSG_ALL, &tv, &res);
	if (rc <= 0) {
		*fate = rc == 0 ? DIR_LINK_MUTE : DIR_LINK_BROKEN;
		return DIR_BIND_UNAVAILABLE;
	}
	why = read_answer(log, l->ld, res);
	ldap_msgfree(res);
	return why;
}
