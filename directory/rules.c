/*
 * The trace lines say every fact that decided, because an administrator who
 * asks "why" gets exactly these (see explain.c).
 */
#include "directory/rules.h"
#include "mail/addr.h"

/* msExchRecipientTypeDetails of mailboxes and people on another system. */
static const uint64_t remote_types[] = {
	64,            /* MailContact */
	128,           /* MailUser */
	2147483648u,   /* RemoteUserMailbox */
	8589934592u,   /* RemoteRoomMailbox */
	17179869184u,  /* RemoteEquipmentMailbox */
	34359738368u,  /* RemoteSharedMailbox */
	274877906944u, /* RemoteTeamMailbox */
};

bool
dir_is_local(const struct dir_rules *r, struct arena *a, struct str addr)
{
	struct addr x;

	return mail_addr_parse(a, addr, &x) == RC_OK &&
	       conf_is_local_domain(r->conf, x.domain);
}

static struct str
first_local(
    const struct dir_rules *r, struct arena *a, const struct str *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (dir_is_local(r, a, v[i]))
			return v[i];
	return STR("");
}

/* The address that the entry is known by, within the accepted domains. */
static struct str
primary(const struct dir_rules *r, struct arena *a, const struct dir_entry *e)
{
	struct str s = first_local(r, a, &e->marked, 1);
	struct addr x;

	/* Without a marked one, mail is the primary address by custom. */
	if (s.n == 0)
		s = first_local(r, a, e->mail, e->nmails);
	if (s.n == 0)
		s = first_local(r, a, e->alias, e->naliases);
	if (s.n == 0 && e->class == DIR_C_USER)
		s = first_local(r, a, &e->upn, 1);
	if (s.n == 0 || mail_addr_parse(a, s, &x) != RC_OK)
		return STR("");
	return mail_addr_text(a, &x);
}

static bool
is_remote_type(uint64_t t)
{
	for (size_t i = 0; i < COUNT(remote_types); i++)
		if (remote_types[i] == t)
			return true;
	return false;
}

/* Why the mailbox is on another system; empty: it is here. */
static struct str
elsewhere(const struct dir_rules *r, struct arena *a, const struct dir_entry *e,
    struct str *route)
{
	*route = e->route.n ? e->route : e->server;
	if (e->route.n)
		return str_fmt(a, "%.*s routes its mail to %.*s",
		    STRF(e->route_attr), STRF(e->route));
	if (e->server.n)
		return str_fmt(a, "%.*s says that its mailbox is on %.*s",
		    STRF(e->server_attr), STRF(e->server));
	if (is_remote_type(e->remote_type))
		return str_fmt(a, "msExchRecipientTypeDetails %llu is remote",
		    (unsigned long long)e->remote_type);
	if (e->mail_host.n &&
	    !str_ieq(e->mail_host, str_c(r->conf->hostname))) {
		*route = e->mail_host;
		return str_fmt(a, "its mail host is %.*s", STRF(e->mail_host));
	}
	if (e->class == DIR_C_CONTACT) {
		*route = e->nmails ? e->mail[0] : STR("");
		return STR("it is a contact");
	}
	return STR("");
}

/* Why the account may not log in, in a word for the log, and in full. */
static struct str
login_bar(const struct dir_rules *r, const struct dir_entry *e)
{
	struct dir_trace *t = r->trace;

	if (e->class != DIR_C_USER)
		return STR("not_a_person");
	if (e->computer)
		return STR("computer_account");
	if (e->disabled) {
		TRACE(t, "  %s says that the account is disabled",
		    r->schema->ad ? "userAccountControl" : "nsAccountLock");
		return STR("account_disabled");
	}
	if (e->locked) {
		TRACE(t, "  pwdAccountLockedTime says that it is locked");
		return STR("account_locked");
	}
	if (e->expires && e->expires_at <= r->now) {
		TRACE(t, "  %s says that the account has expired",
		    r->schema->ad ? "accountExpires"
				  : "shadowExpire or krbPrincipalExpiration");
		return STR("account_expired");
	}
	if (e->lockout.n && !str_eq(e->lockout, STR("0")))
		TRACE(t, "  lockoutTime is set: locked until the domain's "
			 "lockout duration is over");
	return STR("");
}

static void
verdict(struct dir_answer *out, enum rc rc, struct str why)
{
	out->r.rc = rc;
	out->r.why = why;
}

/* A person, or something like one. */
static void
rule_user(const struct dir_rules *r, struct arena *a, const struct dir_entry *e,
    struct dir_answer *out)
{
	struct str why = elsewhere(r, a, e, &out->r.route);

	/* Outside of our domains it is still known by an address. */
	if (out->r.address.n == 0 && e->nmails)
		out->r.address = str_lower(a, e->mail[0]);
	if (why.n) {
		out->r.kind = DIR_ELSEWHERE;
		if (out->login_bar.n == 0)
			out->login_bar = STR("mailbox_elsewhere");
		verdict(out, RC_OK, why);
	} else if (e->computer) {
		verdict(out, RC_DENY, STR("a computer has no mailbox"));
	} else if (e->nmails && !dir_is_local(r, a, out->r.address)) {
		/* A person of ours whose mail goes to a foreign address. */
		out->r.kind = DIR_ELSEWHERE;
		out->r.route = e->mail[0];
		verdict(out, RC_OK, STR("its address is not in our domains"));
	} else if (out->r.address.n == 0) {
		verdict(out, RC_DENY, STR("it has no address of our domains"));
	} else {
		verdict(out, RC_OK, STR(""));
	}
}

void
dir_rule_entry(const struct dir_rules *r, struct arena *a,
    const struct dir_entry *e, struct dir_answer *out)
{
	struct dir_answer x = { .r = { .kind = DIR_USER } };

	TRACE(r->trace, "entry: %.*s", STRF(e->dn));
	TRACE(r->trace, "  class %s, id %.*s", dir_class_name(e->class),
	    STRF(e->id));
	x.dn = e->dn;
	x.r.id = e->id;
	x.r.address = primary(r, a, e);
	x.login = e->login.n ? e->login : x.r.address;
	x.login_bar = login_bar(r, e);
	x.r.has_quota = e->has_quota;
	x.r.quota = e->quota;
	if (!e->known) {
		verdict(&x, RC_TEMP,
		    str_fmt(
			a, "attribute %.*s is not readable", STRF(e->missing)));
		log_warn(r->log, "entry.unreadable", KV("dn", e->dn),
		    KV("missing", e->missing));
	} else if (e->class == DIR_C_GROUP) {
		x.r.kind = DIR_GROUP;
		verdict(&x, RC_OK, STR(""));
	} else if (e->class == DIR_C_OTHER) {
		/* Public folders, dynamic lists: another system keeps them. */
		x.r.kind = DIR_ELSEWHERE;
		verdict(&x, RC_OK, STR("it is neither a person nor a group"));
	} else {
		rule_user(r, a, e, &x);
	}
	TRACE(r->trace, "  primary address %.*s", STRF(x.r.address));
	TRACE(r->trace, "  may receive: %s%s%.*s",
	    x.r.rc == RC_OK ? "yes" : rc_name(x.r.rc), x.r.why.n ? ", " : "",
	    STRF(x.r.why));
	TRACE(r->trace, "  may log in: %s%.*s", x.login_bar.n ? "no, " : "yes",
	    STRF(x.login_bar));
	*out = x;
}

/* Entries of the best claim, each id once; *n of them stay in v. */
static enum dir_claim
best_claim(const struct dir_rules *r, struct str address, struct dir_entry *v,
    size_t *n, struct str *through)
{
	enum dir_claim best = DIR_CLAIM_NONE;
	size_t keep = 0;

	for (size_t i = 0; i < *n; i++) {
		struct str attr;
		enum dir_claim c =
		    dir_entry_claims(r->schema, &v[i], address, &attr);
		bool again = false;

		TRACE(r->trace, "claim: %.*s through %.*s", STRF(v[i].dn),
		    STRF(attr));
		if (c > best || c == DIR_CLAIM_NONE)
			continue;
		if (c < best)
			keep = 0;
		best = c;
		*through = attr;
		for (size_t k = 0; k < keep; k++)
			again |= v[i].id.n && str_eq(v[k].id, v[i].id);
		if (!again)
			v[keep++] = v[i];
	}
	*n = keep;
	return best;
}

static void
two_claims(const struct dir_rules *r, struct arena *a, struct str address,
    const struct dir_entry *v, struct str through, struct dir_answer *out)
{
	*out = (struct dir_answer){ 0 };
	verdict(out, RC_TEMP,
	    str_fmt(a, "two entries claim it through %.*s: %.*s and %.*s",
		STRF(through), STRF(v[0].dn), STRF(v[1].dn)));
	log_error(r->log, "alarm.two_claims", KV("address", address),
	    KV("through", through), KV("dn", v[0].dn), KV("other", v[1].dn));
	TRACE(r->trace, "rule: two claims through the same attribute: "
			"nobody gets it until one is removed");
}

void
dir_rule_address(const struct dir_rules *r, struct arena *a, struct str address,
    const struct dir_query *q, struct dir_answer *out)
{
	struct dir_entry *v = arena_calloc(a, q->nfound + 1, sizeof(*v));
	size_t n = q->nfound;
	struct str through = STR("");
	enum dir_claim c;

	for (size_t i = 0; i < n; i++)
		dir_entry_read(a, r->schema, &q->found[i], &v[i]);
	*out = (struct dir_answer){ 0 };
	if (q->nfound == 0) {
		TRACE(r->trace, "rule: no entry has this address");
		verdict(out, RC_NOENT, STR("no entry has this address"));
		return;
	}
	c = best_claim(r, address, v, &n, &through);
	if (c == DIR_CLAIM_NONE || q->more) {
		/* Matched by the server, yet we may not see through what. */
		TRACE(r->trace, "rule: the address attribute of a matching "
				"entry is not readable, or too many match");
		verdict(out, RC_TEMP, STR("matching entries are not readable"));
		log_warn(r->log, "entry.unreadable", KV("address", address),
		    KV("dn", q->found[0].dn));
		return;
	}
	if (n > 1) {
		two_claims(r, a, address, v, through, out);
		return;
	}
	TRACE(r->trace, "rule: the claim through %.*s wins", STRF(through));
	dir_rule_entry(r, a, &v[0], out);
}

void
dir_rule_id(const struct dir_rules *r, struct arena *a, struct str id,
    const struct dir_query *q, struct dir_answer *out)
{
	struct dir_entry e;

	*out = (struct dir_answer){ 0 };
	for (size_t i = 0; i < q->nfound; i++) {
		dir_entry_read(a, r->schema, &q->found[i], &e);
		if (str_eq(e.id, id)) {
			dir_rule_entry(r, a, &e, out);
			return;
		}
	}
	verdict(out, RC_NOENT, STR("no entry has this id"));
}
