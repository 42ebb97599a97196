/*
 * entry - what the rules know about one entry, whatever server it is from.
 *
 * Missing optional attributes count as absent.  `known` is false when an
 * attribute is missing that every readable entry has (AD: objectGUID, and
 * userAccountControl of a user; rfc: entryUUID): such an entry is unknown,
 * never "enabled".
 *
 * Ownership  Slices are those of the raw entry or live in the arena.
 * Threads    Pure functions.
 */
#ifndef DIRECTORY_ENTRY_H
#define DIRECTORY_ENTRY_H

#include "directory/profile.h"
#include "directory/backend.h"

enum dir_class { DIR_C_OTHER, DIR_C_USER, DIR_C_GROUP, DIR_C_CONTACT };

/* Which attribute a claim on an address goes through; lower wins. */
enum dir_claim {
	DIR_CLAIM_ALIAS,
	DIR_CLAIM_MAIL,
	DIR_CLAIM_UPN,
	DIR_CLAIM_NONE,
};

struct dir_entry {
	struct str dn;
	struct str id; /* canonical; empty if unreadable */
	enum dir_class class;
	bool computer;
	bool known;
	struct str missing; /* the attribute that made it unknown */
	/* addresses as written, without "smtp:" */
	struct str *alias;
	struct str *alias_attr; /* the attribute that holds each of them */
	size_t naliases;
	struct str *mail;
	size_t nmails;
	struct str marked; /* "SMTP:" */
	struct str upn;
	struct str login;
	struct str principal;
	struct str pw_changed;
	bool disabled;
	bool locked; /* until somebody unlocks it */
	bool expires;
	int64_t expires_at; /* UNIX seconds */
	struct str lockout; /* AD: when it was locked, FILETIME; "0" not */
	struct str route;   /* where mail for it goes instead */
	struct str route_attr;
	struct str server; /* what says that its mailbox is elsewhere */
	struct str server_attr;
	struct str mail_host;
	uint64_t remote_type;
	bool has_rid;
	uint32_t rid;
	bool has_quota;
	uint64_t quota;
};

void dir_entry_read(struct arena *a, const struct dir_schema *s,
    const struct dir_raw *raw, struct dir_entry *out);
/* An address attribute's value: "smtp:" in any case cut off; false: other
   kinds of address ("X500:", "sip:"). */
bool dir_address_value(struct str v, struct str *out, bool *primary);
/* *attr: the attribute that makes the claim. */
enum dir_claim dir_entry_claims(const struct dir_schema *s,
    const struct dir_entry *e, struct str address, struct str *attr);
const char *dir_class_name(enum dir_class c);

#endif
