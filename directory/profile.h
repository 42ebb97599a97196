/*
 * profile - which attribute of an entry says what: Active Directory ("ad") or
 * OpenLDAP, 389 and FreeIPA ("rfc"); the settings attr_* override.
 *
 * Ownership  A schema lives in the arena it was made in and borrows the
 *            configuration's strings.
 * Threads    Immutable.
 */
#ifndef DIRECTORY_PROFILE_H
#define DIRECTORY_PROFILE_H

#include "conf/conf.h"

enum dir_role {
	DIR_R_ID,         /* objectGUID, entryUUID */
	DIR_R_CLASS,      /* objectClass */
	DIR_R_ALIAS,      /* addresses; they win over mail */
	DIR_R_MAIL,       /* addresses; they win over UPN */
	DIR_R_UPN,        /* userPrincipalName */
	DIR_R_LOGIN,      /* sAMAccountName, uid */
	DIR_R_PRINCIPAL,  /* krbPrincipalName */
	DIR_R_CONTROL,    /* userAccountControl */
	DIR_R_EXPIRES,    /* accountExpires, FILETIME */
	DIR_R_EXPIRE_DAY, /* shadowExpire, days since 1970 */
	DIR_R_EXPIRE_GT,  /* krbPrincipalExpiration, generalized time */
	DIR_R_LOCKED,     /* pwdAccountLockedTime */
	DIR_R_LOCKOUT,    /* lockoutTime, FILETIME; for explain only */
	DIR_R_NSLOCK,     /* nsAccountLock: TRUE */
	DIR_R_PW_CHANGED, /* pwdLastSet, pwdChangedTime */
	DIR_R_ROUTE,      /* targetAddress, mailRoutingAddress */
	DIR_R_SERVER,     /* homeMDB, msExchHomeServerName: elsewhere */
	DIR_R_HOST,       /* mailHost: elsewhere unless it is our name */
	DIR_R_REMOTE,     /* msExchRecipientTypeDetails */
	DIR_R_SID,        /* objectSid */
	DIR_R_PRIMARY,    /* primaryGroupID */
	DIR_R_QUOTA_KB,   /* quotas by unit */
	DIR_R_QUOTA_B,
	DIR_R_QUOTA_MB,
	DIR_R_MEMBER_DN, /* asked for when a group is expanded */
	DIR_R_MEMBER_UID,
	DIR_R_MEMBER_MAIL,
};

struct dir_role_attr {
	enum dir_role role;
	const char *attr;
};

#define DIR_ATTRS_MAX 64u

struct dir_schema {
	bool ad;
	struct dir_role_attr attr[DIR_ATTRS_MAX];
	size_t n;
	/* Attributes of an ordinary look-up, and those of a group's members. */
	const char *fetch[DIR_ATTRS_MAX + 1];
	const char *members[DIR_ATTRS_MAX + 1];
};

void dir_schema_init(struct dir_schema *s, const struct conf *conf);
/* The attribute's role; false: none of ours. */
bool dir_schema_role(
    const struct dir_schema *s, struct str attr, enum dir_role *out);
/* Next attribute of a role behind *at (start with 0), or NULL. */
const char *dir_schema_next(
    const struct dir_schema *s, enum dir_role role, size_t *at);

#endif
