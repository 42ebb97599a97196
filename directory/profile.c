#include <string.h>

#include "directory/profile.h"

static const struct dir_role_attr ad[] = {
	{ DIR_R_ID, "objectGUID" },
	{ DIR_R_CLASS, "objectClass" },
	{ DIR_R_ALIAS, "proxyAddresses" },
	{ DIR_R_MAIL, "mail" },
	{ DIR_R_UPN, "userPrincipalName" },
	{ DIR_R_LOGIN, "sAMAccountName" },
	{ DIR_R_CONTROL, "userAccountControl" },
	{ DIR_R_EXPIRES, "accountExpires" },
	{ DIR_R_PW_CHANGED, "pwdLastSet" },
	{ DIR_R_LOCKOUT, "lockoutTime" },
	{ DIR_R_ROUTE, "targetAddress" },
	{ DIR_R_SERVER, "homeMDB" },
	{ DIR_R_SERVER, "msExchHomeServerName" },
	{ DIR_R_REMOTE, "msExchRecipientTypeDetails" },
	{ DIR_R_SID, "objectSid" },
	{ DIR_R_PRIMARY, "primaryGroupID" },
	{ DIR_R_QUOTA_KB, "mDBOverHardQuotaLimit" },
	{ DIR_R_MEMBER_DN, "member" },
};

static const struct dir_role_attr rfc[] = {
	{ DIR_R_ID, "entryUUID" },
	{ DIR_R_CLASS, "objectClass" },
	{ DIR_R_ALIAS, "mailAlternateAddress" },
	{ DIR_R_ALIAS, "mailLocalAddress" },
	{ DIR_R_ALIAS, "gosaMailAlternateAddress" },
	{ DIR_R_MAIL, "mail" },
	{ DIR_R_LOGIN, "uid" },
	{ DIR_R_PRINCIPAL, "krbPrincipalName" },
	{ DIR_R_EXPIRE_DAY, "shadowExpire" },
	{ DIR_R_EXPIRE_GT, "krbPrincipalExpiration" },
	{ DIR_R_LOCKED, "pwdAccountLockedTime" },
	{ DIR_R_NSLOCK, "nsAccountLock" },
	{ DIR_R_PW_CHANGED, "pwdChangedTime" },
	{ DIR_R_ROUTE, "mailRoutingAddress" },
	{ DIR_R_HOST, "mailHost" },
	{ DIR_R_QUOTA_B, "mailQuotaSize" },
	{ DIR_R_QUOTA_MB, "gosaMailQuota" },
	{ DIR_R_MEMBER_DN, "member" },
	{ DIR_R_MEMBER_DN, "uniqueMember" },
	{ DIR_R_MEMBER_UID, "memberUid" },
	{ DIR_R_MEMBER_MAIL, "rfc822MailMember" },
	{ DIR_R_MEMBER_MAIL, "mgrpRFC822MailMember" },
};

static void
add(struct dir_schema *s, enum dir_role role, const char *attr)
{
	if (s->n == DIR_ATTRS_MAX)
		panic("more than %u attributes", DIR_ATTRS_MAX);
	s->attr[s->n++] = (struct dir_role_attr){ role, attr };
}

/* The setting that replaces a role's attributes, or NULL. */
static const char *
override(const struct conf *c, enum dir_role role)
{
	const char *v = role == DIR_R_MAIL        ? c->attr_mail
			: role == DIR_R_LOGIN     ? c->attr_login
			: role == DIR_R_MEMBER_DN ? c->attr_member
						  : NULL;

	return v != NULL && v[0] != '\0' ? v : NULL;
}

void
dir_schema_init(struct dir_schema *s, const struct conf *conf)
{
	bool is_ad = conf->directory_profile == CONF_AD;
	const struct dir_role_attr *row = is_ad ? ad : rfc;
	size_t n = is_ad ? COUNT(ad) : COUNT(rfc), nf = 0, nm = 0;
	bool done[DIR_R_MEMBER_MAIL + 1] = { false };

	*s = (struct dir_schema){ .ad = is_ad };
	for (size_t i = 0; i < n; i++) {
		enum dir_role role = row[i].role;
		const char *own = override(conf, role);

		if (role == DIR_R_ALIAS && conf->attr_alias.n) {
			for (size_t k = 0;
			     k < conf->attr_alias.n && !done[role]; k++)
				add(s, role, conf->attr_alias.v[k]);
		} else if (own != NULL) {
			if (!done[role])
				add(s, role, own);
		} else {
			add(s, role, row[i].attr);
		}
		done[role] = true;
	}
	for (size_t i = 0; i < s->n; i++) {
		enum dir_role role = s->attr[i].role;

		if (role == DIR_R_MEMBER_DN || role == DIR_R_MEMBER_UID ||
		    role == DIR_R_MEMBER_MAIL)
			s->members[nm++] = s->attr[i].attr;
		else
			s->fetch[nf++] = s->attr[i].attr;
	}
}

bool
dir_schema_role(const struct dir_schema *s, struct str attr, enum dir_role *out)
{
	for (size_t i = 0; i < s->n; i++)
		if (str_ieq(attr, str_c(s->attr[i].attr))) {
			*out = s->attr[i].role;
			return true;
		}
	return false;
}

const char *
dir_schema_next(const struct dir_schema *s, enum dir_role role, size_t *at)
{
	while (*at < s->n) {
		const struct dir_role_attr *row = &s->attr[(*at)++];

		if (row->role == role)
			return row->attr;
	}
	return NULL;
}
