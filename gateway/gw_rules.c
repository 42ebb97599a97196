/*
 * The order for a recipient: a captured message has no other; then, from a
 * local user to this machine, the aliases; else the map, and what else
 * dir_resolve does.
 *
 * A blind copy is a recipient that the sender never hears of: NOTIFY=NEVER.
 * It is the administrator's will and not the sender's, so a group that takes no
 * mail of strangers takes it.  If it cannot be sent, the message is deferred,
 * since such copies are often kept by law; only if there is no such address, it
 * goes without.
 */
#include <string.h>

#include "gateway/gw_rules.h"
#include "mail/route.h"

#define CAPTURED_MAX 200u /* that are named in the message */
#define BCC_MAX      DLV_COPIES_MAX

static const struct mail_rules *
rules_of(const struct gw_smtp *s)
{
	return gw_site_rules(s->site);
}

bool
gw_rules_here(const struct gw_smtp *s, struct str domain)
{
	if (!s->local)
		return false;
	if (str_ieq(domain, str_c(s->conf->hostname)) ||
	    str_ieq(domain, STR("localhost")))
		return true;
	/* In a domain of ours the names are the directory's. */
	return domain.n > 0 && str_ieq(domain, s->gw->node) &&
	       !conf_is_local_domain(s->conf, domain);
}

static void
one_target(struct gw_smtp *s, struct str address, struct dir_target **out,
    size_t *out_n)
{
	*out = arena_calloc(&s->tx.a, 1, sizeof(**out));
	(*out)[0] = dir_target_of(s->conf, address);
	*out_n = 1;
}

static bool
is_here(void *ctx, struct str domain)
{
	return gw_rules_here(ctx, domain);
}

/* Who gets what is for a user without an alias: root's alias, postmaster. */
static struct str
keeper(struct gw_smtp *s, struct str name)
{
	struct mail_alias_to *to;
	size_t n;
	bool cut;

	if (!str_ieq(name, STR("root")) &&
	    mail_aliases_expand(gw_site_aliases(s->site), &s->tx.a, STR("root"),
		is_here, s, &to, &n, &cut) == RC_OK)
		for (size_t i = 0; i < n; i++)
			if (to[i].address.n > 0)
				return to[i].address;
	return str_c(s->conf->postmaster);
}

/* A name that no alias goes on from; RC_NOENT: nobody has it. */
static enum rc
local_name(struct gw_smtp *s, struct str name, struct str *out)
{
	struct addr x = { name, str_c(s->conf->hostname) };

	if (gw_site_has_user(s->site, name) || str_ieq(name, STR("root")) ||
	    str_ieq(name, STR("postmaster"))) {
		*out = keeper(s, name);
		return RC_OK;
	}
	if (!conf_is_local_domain(s->conf, x.domain))
		return RC_NOENT;
	*out = mail_addr_text(&s->tx.a, &x);
	return RC_OK;
}

static enum rc
local_targets(
    struct gw_smtp *s, struct str name, struct dir_target **out, size_t *out_n)
{
	struct mail_alias_to *to;
	struct str address;
	size_t n, k = 0;
	bool cut;

	if (mail_aliases_expand(gw_site_aliases(s->site), &s->tx.a, name,
		is_here, s, &to, &n, &cut) != RC_OK) {
		if (local_name(s, name, &address) != RC_OK)
			return RC_NOENT;
		one_target(s, address, out, out_n);
		return RC_OK;
	}
	if (cut)
		log_warn(s->log, "alias.loop", KV("name", name));
	*out = arena_calloc(&s->tx.a, n, sizeof(**out));
	for (size_t i = 0; i < n; i++) {
		address = to[i].address;
		if (address.n == 0 &&
		    local_name(s, to[i].name, &address) != RC_OK)
			log_warn(s->log, "alias.nobody", KV("name", name),
			    KV("target", to[i].name));
		else
			(*out)[k++] = dir_target_of(s->conf, address);
	}
	*out_n = k;
	return k > 0 ? RC_OK : RC_NOENT;
}

bool
gw_rules_captures(const struct gw_smtp *s)
{
	return mail_rules_capture(rules_of(s)).n > 0;
}

void
gw_rules_captured(struct gw_smtp *s, struct str address)
{
	struct gw_tx *tx = &s->tx;

	if (tx->captured == NULL)
		tx->captured =
		    arena_calloc(&tx->a, CAPTURED_MAX, sizeof(*tx->captured));
	if (tx->ncaptured < CAPTURED_MAX)
		tx->captured[tx->ncaptured++] = address;
	else
		log_info(s->log, "capture.more", KV("to", address));
}

static struct dir_resolve
resolver(struct gw_smtp *s, bool authenticated)
{
	return (struct dir_resolve){
		.dir = s->gw->dir,
		.conf = s->conf,
		.rules = rules_of(s),
		.a = &s->unit,
		.authenticated = authenticated,
		.timeout_ms = (int)s->conf->directory_timeout_ms,
	};
}

enum rc
gw_rules_targets(struct gw_smtp *s, const struct addr *rcpt,
    struct dir_target **out, size_t *out_n, bool *mapped)
{
	const struct dir_resolve r = resolver(s, s->authenticated);

	*mapped = true;
	if (gw_rules_captures(s)) {
		one_target(s, mail_rules_capture(rules_of(s)), out, out_n);
		return RC_OK;
	}
	if (gw_rules_here(s, rcpt->domain))
		return local_targets(s, rcpt->local, out, out_n);
	*mapped = dir_resolve_map(&r, &s->tx.a, rcpt, out, out_n) == RC_OK;
	if (!*mapped)
		one_target(s, mail_addr_text(&s->tx.a, rcpt), out, out_n);
	return RC_OK;
}

void
gw_rules_ask(
    struct gw_smtp *s, struct dir_target **v, size_t n, bool authenticated)
{
	const struct dir_resolve r = resolver(s, authenticated);

	dir_resolve_ask(&r, v, n);
}

/*
 * Whom bounces of a local user's mail go to: nobody delivers to user@hostname
 * unless that is one of our domains.
 */
static void
local_sender(struct gw_smtp *s, struct addr *from, struct str *text)
{
	struct dir_target *to;
	struct addr x;
	size_t n;

	if (!gw_rules_here(s, from->domain) ||
	    conf_is_local_domain(s->conf, from->domain))
		return;
	*text = str_c(s->conf->postmaster);
	if (local_targets(s, from->local, &to, &n) == RC_OK)
		*text = to[0].address;
	if (mail_addr_parse(&s->tx.a, *text, &x) == RC_OK)
		*from = x;
}

static enum rc
map_header(void *ctx, bool sender, const struct addr *x, struct str *out)
{
	struct gw_smtp *s = ctx;
	const struct mail_rules *r = rules_of(s);
	struct addr base;
	enum rc rc;

	if (!sender && gw_rules_captures(s))
		return RC_NOENT;
	rc = mail_rules_header(r, &s->unit, sender, x, out);
	/* Without the detail only where the envelope does so, too. */
	if (rc == RC_NOENT && !sender &&
	    mail_subaddress(&s->unit, x, s->conf->subaddress, &base) == RC_OK)
		rc = mail_rules_header(r, &s->unit, sender, &base, out);
	return rc;
}

/* A stranger's header stays, or their signature would break. */
void
gw_rules_header(struct gw_smtp *s, struct str header, struct mail_patches *out)
{
	*out = (struct mail_patches){ NULL, 0, 0 };
	if (mail_rules_has_header_map(rules_of(s)) &&
	    (s->submission || gw_sender_is_relay(s)))
		mail_rewrite(&s->unit, header, map_header, s, out);
}

/*
 * The map is for mail of our own; a stranger's sender stays, so that SPF is
 * asked about who really sent it.
 */
void
gw_rules_sender(struct gw_smtp *s, struct addr *from, struct str *text)
{
	struct addr x;
	struct str to;

	if (text->n == 0 || !(s->submission || conf_is_relay_client(s->conf,
						   netd_peer_ip(s->c))))
		return;
	if (mail_rules_sender(rules_of(s), &s->tx.a, from, &to) != RC_OK) {
		local_sender(s, from, text);
		return;
	}
	if (mail_addr_parse(&s->tx.a, to, &x) != RC_OK)
		return;
	*text = to;
	*from = x;
}

uint64_t
gw_rules_size_max(const struct gw_smtp *s, const struct addr *from)
{
	return mail_rules_size_limit(
	    rules_of(s), from, s->conf->message_size_max);
}

enum rc
gw_rules_local_sender(const struct gw_smtp *s, struct str address)
{
	AUTO_ARENA a = { 0 };
	struct addr x;

	if (gw_site_trusts(s->site, s->uid))
		return RC_OK;
	if (s->user.n == 0)
		return RC_TEMP;
	if (mail_addr_parse(&a, address, &x) != RC_OK)
		return RC_DENY;
	return gw_rules_here(s, x.domain) && str_ieq(x.local, s->user)
		   ? RC_OK
		   : RC_DENY;
}

static void
add_copy(void *ctx, struct str address)
{
	struct gw_copies *c = ctx;

	for (size_t i = 0; i < c->n; i++)
		if (str_ieq(c->v[i], address))
			return;
	if (c->n == BCC_MAX)
		c->too_many = true;
	else
		c->v[c->n++] = address;
}

/* By the address as given and by the person's main one. */
static void
copies_to(struct gw_smtp *s, struct gw_copies *c, const struct gw_rcpt *r)
{
	const struct mail_rules *rules = rules_of(s);
	struct arena *a = &s->unit;
	struct addr x, base;

	if (mail_addr_parse(a, r->address, &x) == RC_OK) {
		mail_rules_bcc_to(rules, &x, add_copy, c);
		if (mail_subaddress(a, &x, s->conf->subaddress, &base) == RC_OK)
			mail_rules_bcc_to(rules, &base, add_copy, c);
	}
	if (r->primary.n > 0 && mail_addr_parse(a, r->primary, &x) == RC_OK)
		mail_rules_bcc_to(rules, &x, add_copy, c);
}

/* Those of the message itself and of its recipients so far. */
static struct gw_copies *
copies_of(struct gw_smtp *s)
{
	struct gw_tx *tx = &s->tx;
	struct gw_copies *c = tx->copies;

	if (c != NULL)
		return c;
	tx->copies = c = arena_calloc(&tx->a, 1, sizeof(*c));
	c->v = arena_calloc(&tx->a, BCC_MAX, sizeof(c->v[0]));
	mail_rules_bcc(rules_of(s), add_copy, c);
	if (tx->from.n > 0)
		mail_rules_bcc_from(rules_of(s), &tx->from_addr, add_copy, c);
	for (size_t i = 0; i < tx->nrcpt; i++)
		copies_to(s, c, &tx->rcpt[i]);
	return c;
}

/*
 * One whose copies find no room goes into the sender's next transaction.  The
 * first has nothing to make room for: that is a mistake in the rules, which
 * the end of the message tells.
 */
bool
gw_rules_room(struct gw_smtp *s, const struct gw_rcpt *r)
{
	struct gw_copies *c;
	bool full;
	size_t before;

	if (!mail_rules_has_bcc(rules_of(s)))
		return true;
	c = copies_of(s);
	before = c->n;
	full = c->too_many;
	copies_to(s, c, r);
	if (!c->too_many || s->tx.nrcpt == 0)
		return true;
	c->n = before;
	c->too_many = full;
	return false;
}

static bool
is_rcpt(const struct gw_tx *tx, struct str address)
{
	for (size_t i = 0; i < tx->nrcpt; i++)
		if (str_ieq(tx->rcpt[i].address, address))
			return true;
	return false;
}

/* False: it cannot be sent now, so neither can the message. */
static bool
take_copy(struct gw_smtp *s, const struct dir_target *t)
{
	struct mail_route route;
	struct str why = t->is.why;
	enum rc rc = t->is.rc;

	if (rc == RC_OK && t->is.kind == DIR_ELSEWHERE &&
	    mail_route(&s->unit, s->conf, t->address, t->is.route, &route) !=
		RC_OK) {
		rc = RC_TEMP;
		why = STR("no route to this recipient's system");
	}
	if (rc == RC_OK) {
		gw_rcpt_add(s, &(struct gw_rcpt){ .address = t->address,
				   .kind = t->is.kind,
				   .dir_id = t->is.id,
				   .route = t->is.route,
				   .notify = REM_NOTIFY_NEVER });
		return true;
	}
	log_warn(s->log, "bcc.refused", KV("to", t->address),
	    KVC("rc", rc_name(rc)), KV("why", why));
	return rc == RC_NOENT;
}

static bool
copies(struct gw_smtp *s)
{
	const struct gw_copies *c = copies_of(s);
	struct dir_target *v[BCC_MAX];
	bool all = true;
	size_t n = 0, one;

	if (c->too_many) {
		log_error(s->log, "bcc.too_many", KV("from", s->tx.from),
		    KV("to", s->tx.rcpt[0].address), KVU("max", BCC_MAX));
		return false;
	}
	for (size_t i = 0; i < c->n; i++)
		if (!is_rcpt(&s->tx, c->v[i]))
			one_target(s, c->v[i], &v[n++], &one);
	if (n > 0)
		gw_rules_ask(s, v, n, true);
	for (size_t i = 0; i < n && all; i++)
		all = take_copy(s, v[i]);
	return all;
}

/* X-Original-To of everybody, folded, behind what is in the edits already. */
static enum rc
name_captured(struct gw_smtp *s)
{
	struct gw_tx *tx = &s->tx;
	AUTO_BUF b = { 0 };
	enum rc rc;

	buf_init(&b, 128u << 10);
	rc = buf_add(&b, tx->edits);
	for (size_t i = 0; i < tx->ncaptured && rc == RC_OK; i++)
		rc = buf_fmt(
		    &b, "X-Original-To: %.*s\r\n", STRF(tx->captured[i]));
	if (rc == RC_OK)
		tx->edits = str_dup(&tx->a, buf_str(&b));
	return rc;
}

bool
gw_rules_step(struct gw_smtp *s, enum next *out)
{
	bool captures = gw_rules_captures(s);

	if (captures && s->tx.ncaptured > 0 && name_captured(s) != RC_OK) {
		*out = gw_refuse(s, 451, "4.3.0", "Cannot complete the header");
		return false;
	}
	if (captures || !mail_rules_has_bcc(rules_of(s)) || copies(s))
		return true;
	*out = gw_refuse(s, 451, "4.3.0", "Cannot look up a recipient now");
	return false;
}
