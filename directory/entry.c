/*
 * One pass over the attributes that came; each role has one reader.  Values
 * are hostile only as far as somebody may write to the directory, so all of
 * them are checked for form where they are used.
 */
#include "directory/ad_value.h"
#include "directory/entry.h"

#define FOREVER_LOCKED                                                         \
	"000001010000Z" /* pwdAccountLockedTime, draft-behera                  \
			 */

static const struct {
	struct str name;
	enum dir_class class;
} classes[] = {
	{ STR_INIT("group"), DIR_C_GROUP },
	{ STR_INIT("groupOfNames"), DIR_C_GROUP },
	{ STR_INIT("groupOfUniqueNames"), DIR_C_GROUP },
	{ STR_INIT("groupOfMembers"), DIR_C_GROUP },
	{ STR_INIT("posixGroup"), DIR_C_GROUP },
	{ STR_INIT("mailGroup"), DIR_C_GROUP },
	{ STR_INIT("nisMailAlias"), DIR_C_GROUP },
	{ STR_INIT("contact"), DIR_C_CONTACT },
	{ STR_INIT("user"), DIR_C_USER },
	{ STR_INIT("person"), DIR_C_USER },
	{ STR_INIT("organizationalPerson"), DIR_C_USER },
	{ STR_INIT("inetOrgPerson"), DIR_C_USER },
	{ STR_INIT("posixAccount"), DIR_C_USER },
	{ STR_INIT("account"), DIR_C_USER },
	{ STR_INIT("inetLocalMailRecipient"), DIR_C_USER },
	{ STR_INIT("mailRecipient"), DIR_C_USER },
	{ STR_INIT("qmailUser"), DIR_C_USER },
	{ STR_INIT("gosaMailAccount"), DIR_C_USER },
};

/* A group with mail routing classes is a group; a contact is no person. */
static void
read_class(struct dir_entry *e, const struct dir_attr *at)
{
	static const unsigned char weight[] = { [DIR_C_OTHER] = 0,
		[DIR_C_USER] = 1,
		[DIR_C_CONTACT] = 2,
		[DIR_C_GROUP] = 3 };

	for (size_t i = 0; i < at->n; i++) {
		if (str_ieq(at->v[i], STR("computer")))
			e->computer = true;
		for (size_t k = 0; k < COUNT(classes); k++)
			if (weight[classes[k].class] > weight[e->class] &&
			    str_ieq(at->v[i], classes[k].name))
				e->class = classes[k].class;
	}
}

bool
dir_address_value(struct str v, struct str *out, bool *primary)
{
	*primary = str_has_prefix(v, STR("SMTP:"));
	if (!str_cut_iprefix(&v, STR("smtp:"))) {
		/* "X400:", "sip:", ...: a colon before any '@' */
		if (str_chr(v, ':') < str_chr(v, '@'))
			return false;
	}
	*out = str_trim(v);
	return out->n > 0;
}

/* Appended to those of attributes read before. */
static void
read_aliases(struct arena *a, const struct dir_attr *at, struct dir_entry *e)
{
	size_t n = e->naliases;
	struct str *v = arena_calloc(a, n + at->n + 1, sizeof(*v));
	struct str *by = arena_calloc(a, n + at->n + 1, sizeof(*by));
	bool primary;

	for (size_t i = 0; i < n; i++) {
		v[i] = e->alias[i];
		by[i] = e->alias_attr[i];
	}
	for (size_t i = 0; i < at->n; i++) {
		if (!dir_address_value(at->v[i], &v[n], &primary))
			continue;
		if (primary && e->marked.n == 0)
			e->marked = v[n];
		by[n++] = at->name;
	}
	e->alias = v;
	e->alias_attr = by;
	e->naliases = n;
}

static void
read_mail(struct arena *a, const struct dir_attr *at, struct dir_entry *e)
{
	struct str *v = arena_calloc(a, e->nmails + at->n + 1, sizeof(*v));
	bool primary;

	for (size_t i = 0; i < e->nmails; i++)
		v[i] = e->mail[i];
	for (size_t i = 0; i < at->n; i++)
		e->nmails +=
		    dir_address_value(at->v[i], &v[e->nmails], &primary);
	e->mail = v;
}

static void
read_id(struct arena *a, const struct dir_schema *s, struct dir_entry *e,
    struct str v)
{
	enum rc rc = s->ad && v.n == 16 ? ad_guid_text(a, v, &e->id)
					: dir_uuid_canonical(a, v, &e->id);

	if (rc != RC_OK)
		e->id = STR("");
}

static void
expires(struct dir_entry *e, int64_t at)
{
	if (!e->expires || at < e->expires_at)
		e->expires_at = at;
	e->expires = true;
}

static void
read_quota(struct dir_entry *e, struct str v, uint64_t unit)
{
	uint64_t n;

	/* mailQuotaSize may carry a unit; "0" stands for "none" there. */
	if (str_u64(v, UINT64_MAX / (1u << 20), &n) != RC_OK || n == 0)
		return;
	e->has_quota = true;
	e->quota = n * unit;
}

/* Facts that a login depends on. */
static void
read_state(struct dir_entry *e, enum dir_role role, struct str v)
{
	uint64_t u;
	int64_t t;

	switch (role) {
	case DIR_R_CONTROL:
		if (str_u64(v, UINT32_MAX, &u) == RC_OK) {
			e->known = true;
			e->disabled |= (u & AD_UAC_DISABLED) != 0;
		}
		break;
	case DIR_R_EXPIRES:
		if (ad_time(v, &t))
			expires(e, t);
		break;
	case DIR_R_EXPIRE_DAY:
		if (str_u64(v, INT32_MAX, &u) == RC_OK && u > 0)
			expires(e, (int64_t)u * 86400);
		break;
	case DIR_R_EXPIRE_GT:
		if (dir_generalized_time(v, &t) == RC_OK)
			expires(e, t);
		break;
	case DIR_R_LOCKED:
		e->locked |= str_eq(v, STR(FOREVER_LOCKED));
		break;
	case DIR_R_NSLOCK:
		e->disabled |= str_ieq(v, STR("TRUE"));
		break;
	default:
		break;
	}
}

static void
read_routing(
    struct dir_entry *e, enum dir_role role, struct str attr, struct str v)
{
	bool primary;
	uint64_t u;

	switch (role) {
	case DIR_R_ROUTE:
		if (!dir_address_value(v, &e->route, &primary))
			e->route = v;
		e->route_attr = attr;
		break;
	case DIR_R_SERVER:
		if (e->server.n == 0) {
			e->server = v;
			e->server_attr = attr;
		}
		break;
	case DIR_R_HOST:
		e->mail_host = v;
		break;
	case DIR_R_REMOTE:
		if (str_u64(v, INT64_MAX, &u) == RC_OK)
			e->remote_type = u;
		break;
	case DIR_R_QUOTA_KB:
		read_quota(e, v, 1024);
		break;
	case DIR_R_QUOTA_B:
		read_quota(e, v, 1);
		break;
	case DIR_R_QUOTA_MB:
		read_quota(e, v, 1u << 20);
		break;
	default:
		break;
	}
}

static void
read_attr(struct arena *a, const struct dir_schema *s, struct dir_entry *e,
    enum dir_role role, const struct dir_attr *at)
{
	struct str v = at->v[0];

	switch (role) {
	case DIR_R_ID:
		read_id(a, s, e, v);
		break;
	case DIR_R_CLASS:
		read_class(e, at);
		break;
	case DIR_R_ALIAS:
		read_aliases(a, at, e);
		break;
	case DIR_R_MAIL:
		read_mail(a, at, e);
		break;
	case DIR_R_UPN:
		e->upn = v;
		break;
	case DIR_R_LOGIN:
		e->login = v;
		break;
	case DIR_R_PRINCIPAL:
		e->principal = v;
		break;
	case DIR_R_PW_CHANGED:
		e->pw_changed = v;
		break;
	case DIR_R_LOCKOUT:
		e->lockout = v;
		break;
	case DIR_R_SID:
		e->has_rid = ad_sid_rid(v, &e->rid) == RC_OK;
		break;
	default:
		read_state(e, role, v);
		read_routing(e, role, at->name, v);
	}
}

void
dir_entry_read(struct arena *a, const struct dir_schema *s,
    const struct dir_raw *raw, struct dir_entry *out)
{
	struct dir_entry e = { .dn = raw->dn };
	bool has_class = false;
	enum dir_role role;

	for (size_t i = 0; i < raw->nattr; i++) {
		const struct dir_attr *at = &raw->attr[i];

		if (at->n == 0 || !dir_schema_role(s, at->name, &role))
			continue;
		has_class |= role == DIR_R_CLASS;
		read_attr(a, s, &e, role, at);
	}
	if (e.class == DIR_C_USER && s->ad)
		e.missing = e.known ? STR("") : STR("userAccountControl");
	else
		e.known = true;
	if (e.id.n == 0) {
		e.known = false;
		e.missing = s->ad ? STR("objectGUID") : STR("entryUUID");
	}
	if (!has_class) {
		e.known = false;
		e.missing = STR("objectClass");
	}
	*out = e;
}

static struct str
attr_of(const struct dir_schema *s, enum dir_role role)
{
	size_t at = 0;

	return str_c(dir_schema_next(s, role, &at));
}

enum dir_claim
dir_entry_claims(const struct dir_schema *s, const struct dir_entry *e,
    struct str address, struct str *attr)
{
	for (size_t i = 0; i < e->naliases; i++)
		if (str_ieq(e->alias[i], address)) {
			*attr = e->alias_attr[i];
			return DIR_CLAIM_ALIAS;
		}
	*attr = attr_of(s, DIR_R_MAIL);
	for (size_t i = 0; i < e->nmails; i++)
		if (str_ieq(e->mail[i], address))
			return DIR_CLAIM_MAIL;
	*attr = attr_of(s, DIR_R_UPN);
	if (e->class == DIR_C_USER && str_ieq(e->upn, address))
		return DIR_CLAIM_UPN;
	*attr = STR("nothing that we can read");
	return DIR_CLAIM_NONE;
}

const char *
dir_class_name(enum dir_class c)
{
	static const char *const names[] = { [DIR_C_OTHER] = "other",
		[DIR_C_USER] = "user",
		[DIR_C_GROUP] = "group",
		[DIR_C_CONTACT] = "contact" };

	return names[c];
}
