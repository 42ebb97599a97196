/*
 * query - the searches behind every question: one for each address, with a
 * filter over all address attributes and exactly the attributes needed.
 *
 * Ownership  Filters live in the arena.
 * Threads    Pure functions.
 */
#ifndef DIRECTORY_QUERY_H
#define DIRECTORY_QUERY_H

#include "directory/directory.h"

#define DIR_MATCHES_MAX 20u    /* entries that one name may match */
#define DIR_NAMES_MAX   100u   /* addresses of one entry in a filter */
#define DIR_PRIMARY_MAX 50000u /* people with one primary group */

/* Whatever may hold `address` (within the scope filter). */
struct dir_query dir_q_address(
    const struct dir *d, struct arena *a, struct str address);
/* The account or group with this id. */
struct dir_query dir_q_id(const struct dir *d, struct arena *a, struct str id);
/* One entry by DN; none if it is a person outside of the scope filter. */
struct dir_query dir_q_dn(const struct dir *d, struct arena *a, struct str dn);
/* People whose primary group has this RID: no group lists them in AD. */
struct dir_query dir_q_primary(
    const struct dir *d, struct arena *a, uint32_t rid);
/* Accounts by an attribute of `role`. */
struct dir_query dir_q_attr(
    const struct dir *d, struct arena *a, enum dir_role role, struct str value);
/* Is the entry a member of the group in `scope_group`?  One entry: yes. */
struct dir_query dir_q_in_scope(
    const struct dir *d, struct arena *a, struct str dn, struct str login);
/* AD: the same of any group, by the server's own walk. */
struct dir_query dir_q_in_chain(
    const struct dir *d, struct arena *a, struct str dn, struct str group);
/* AD: which of `n` accounts below ldap_base are in it?  Their ids. */
struct dir_query dir_q_ids_in_chain(const struct dir *d, struct arena *a,
    const struct str *id, size_t n, struct str group);
/* AD: the DN of whatever has this SID, by a base that a DC understands. */
struct dir_query dir_q_sid(struct arena *a, struct str sid);
/* Groups that name an entry as a member: by DN, login or an address. */
struct dir_query dir_q_above(const struct dir *d, struct arena *a,
    struct str dn, struct str login, const struct str *address, size_t n,
    size_t max);
/* Values of a group's member attributes; in AD those of `attr` from `from`
   on, else of all. */
struct dir_query dir_q_members(const struct dir *d, struct arena *a,
    struct str dn, const char *attr, size_t from);

/*
 * Terms of a filter; { 0 } is none.  They hold what the directory says, so
 * past DIR_FILTER_MAX there is no filter: an empty one, which every back-end
 * answers with RC_TEMP.
 */
struct dir_terms {
	struct buf b;
	bool over;
};
#define AUTO_TERMS CLEANUP(dir_terms_free) struct dir_terms

void dir_terms_free(struct dir_terms *t);
void dir_f_term(struct arena *a, struct dir_terms *t, const char *attr,
    struct str prefix, struct str value);
struct str dir_f_joined(
    struct arena *a, const char *op, const struct dir_terms *t);
/* The scope filter around an inner one; none if that is empty. */
struct str dir_f_scoped(
    const struct dir *d, struct arena *a, struct str filter);
void dir_q_trace(struct dir_trace *t, const struct dir_query *q);

#endif
