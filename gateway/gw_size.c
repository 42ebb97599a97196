/*
 * A message is as large as the smaller one of what its sender may send and what
 * all its recipients may get.  A group is a recipient like a person: what its
 * members may get by themselves does not count for what the group gets, as in
 * Exchange.  Blind copies by rule have no limit.
 *
 * The client's word about the size is only for an early answer: the bytes that
 * came are what counts in the end.
 */
#include "gateway/gw_size.h"

_Static_assert(MAIL_SIZE_GROUPS_MAX <= DIR_MEMBER_GROUPS_MAX,
    "all groups of a rule are one question");

/*
 * The limit of each of n accounts; 0: nobody knows.  `ids` may have empty ones,
 * which stand for nobody in the directory: `most`.
 */
static void
limits_of(struct gw_smtp *s, const struct mail_size_limits *l,
    const struct str *ids, size_t n, uint64_t most, uint64_t *out)
{
	struct str *q = arena_calloc(&s->unit, n, sizeof(*q));
	enum rc *is = arena_calloc(&s->unit, n * l->n, sizeof(*is));
	size_t nq = 0, at = 0;

	for (size_t i = 0; i < n; i++)
		if (ids[i].n > 0)
			q[nq++] = ids[i];
	for (size_t i = 0; i < nq && l->n > 0; i += DIR_RCPTS_MAX) {
		size_t some = MIN(nq - i, DIR_RCPTS_MAX);

		if (dir_members(s->gw->dir, q + i, some, l->group, l->n,
			gw_dir_deadline(s), is + i * l->n) == RC_OK)
			continue;
		for (size_t k = i * l->n; k < (i + some) * l->n; k++)
			is[k] = RC_TEMP;
	}
	for (size_t i = 0; i < n; i++) {
		out[i] = most;
		if (ids[i].n > 0 && mail_size_limit_of(l, is + at++ * l->n,
					most, &out[i]) != RC_OK)
			out[i] = 0;
	}
}

/* Those of people who log in; programs of the machine have no account. */
static const struct mail_size_limits *
send_limits(const struct gw_smtp *s)
{
	return s->submission && !s->local
		   ? mail_rules_send_limits(gw_site_rules(s->site))
		   : NULL;
}

/* Whom a captured message was for does not count. */
static const struct mail_size_limits *
receive_limits(const struct gw_smtp *s)
{
	return gw_rules_captures(s)
		   ? NULL
		   : mail_rules_receive_limits(gw_site_rules(s->site));
}

uint64_t
gw_size_announced(const struct gw_smtp *s)
{
	const struct mail_size_limits *l = send_limits(s);
	uint64_t most = s->conf->message_size_max;

	return l != NULL ? mail_size_limit_most(l, most) : most;
}

/* May who has logged in send that much?  RC_DENY: `limit` is all they may. */
static enum rc
sender(struct gw_smtp *s, uint64_t size, uint64_t *limit)
{
	const struct mail_size_limits *l = send_limits(s);
	uint64_t most = s->conf->message_size_max;

	if (l == NULL || size <= mail_size_limit_least(l, most))
		return RC_OK;
	limits_of(s, l, &s->account.id, 1, most, limit);
	if (*limit == 0)
		return RC_TEMP;
	if (size <= *limit)
		return RC_OK;
	log_info(s->log, "size.refuse", KV("account", s->account.login),
	    KVU("size", size), KVU("limit", *limit));
	return RC_DENY;
}

typedef enum next refuse(
    struct gw_smtp *, int code, const char *status, const char *text);

static bool
sender_ok(struct gw_smtp *s, uint64_t size, refuse *no, enum next *out)
{
	uint64_t limit = 0;

	switch (sender(s, size, &limit)) {
	case RC_OK:
		return true;
	case RC_DENY:
		*out = no(s, 552, "5.3.4",
		    str_fmt(&s->unit, "You may send up to %llu bytes",
			(unsigned long long)limit)
			.p);
		return false;
	default:
		*out =
		    no(s, 451, "4.3.0", "Cannot look up your size limit now");
		return false;
	}
}

bool
gw_size_mail_ok(struct gw_smtp *s, uint64_t size, enum next *out)
{
	return sender_ok(s, size, gw_no, out);
}

static bool
needs_limit(const struct dir_target *t)
{
	return !t->foreign && t->is.rc == RC_OK && t->is.id.n > 0;
}

void
gw_size_targets(struct gw_smtp *s, struct dir_target **v, size_t n)
{
	const struct mail_size_limits *l = receive_limits(s);
	uint64_t most = s->conf->message_size_max, *limit;
	struct str *ids;

	if (l == NULL || s->tx.declared <= mail_size_limit_least(l, most))
		return;
	ids = arena_calloc(&s->unit, n, sizeof(*ids));
	limit = arena_calloc(&s->unit, n, sizeof(*limit));
	for (size_t i = 0; i < n; i++)
		if (needs_limit(v[i]))
			ids[i] = v[i]->is.id;
	limits_of(s, l, ids, n, most, limit);
	for (size_t i = 0; i < n; i++) {
		if (ids[i].n == 0 || limit[i] >= s->tx.declared)
			continue;
		v[i]->too_big = limit[i] > 0;
		v[i]->is.rc = limit[i] > 0 ? RC_DENY : RC_TEMP;
		v[i]->is.why = limit[i] > 0
				   ? str_fmt(&s->unit, "receive-limit is %llu",
					 (unsigned long long)limit[i])
				   : STR("receive-limit is not known");
	}
}

struct no {
	int code;
	const char *status, *text;
};

/* Who stands behind a recipient is no stranger's business. */
static struct no
no_to(struct gw_smtp *s, const struct gw_rcpt *r, uint64_t limit)
{
	struct str who = s->authenticated ? r->address : STR("A recipient");

	if (limit == 0)
		return (struct no){ 451, "4.3.0",
			"Cannot look up a recipient's size limit now" };
	log_info(s->log, "size.refuse", KV("to", r->address),
	    KVU("size", s->tx.body.size), KVU("limit", limit));
	return (struct no){ 552, "5.2.3",
		str_fmt(&s->unit, "%.*s may receive up to %llu bytes",
		    STRF(who), (unsigned long long)limit)
		    .p };
}

/* One answer for all: what is not known, if there is anything. */
static bool
all_ok(struct gw_smtp *s, const uint64_t *limit, enum next *out)
{
	const struct gw_tx *tx = &s->tx;
	size_t least = 0;
	struct no no;

	for (size_t i = 1; i < tx->nrcpt; i++)
		if (limit[i] < limit[least])
			least = i;
	if (limit[least] >= tx->body.size)
		return true;
	no = no_to(s, &tx->rcpt[least], limit[least]);
	*out = gw_refuse(s, no.code, no.status, no.text);
	return false;
}

/*
 * LMTP: an answer for each RCPT.  All that a RCPT stands for is refused if it
 * is too much for one of them; the others get the message.
 */
static bool
each_ok(struct gw_smtp *s, const uint64_t *limit, enum next *out)
{
	struct gw_tx *tx = &s->tx;
	struct no no = { 0, NULL, NULL };
	size_t n = 0;

	for (size_t i = 0; i < tx->nrcpt; i++) {
		if (limit[i] >= tx->body.size || gw_final_set(s, &tx->rcpt[i]))
			continue;
		no = no_to(s, &tx->rcpt[i], limit[i]);
		gw_final_add(s, &tx->rcpt[i], no.code, no.status, no.text);
	}
	for (size_t i = 0; i < tx->nrcpt; i++)
		if (!gw_final_set(s, &tx->rcpt[i]))
			tx->rcpt[n++] = tx->rcpt[i];
	if (n < tx->nrcpt)
		tx->copies = NULL; /* looked for anew */
	tx->nrcpt = n;
	if (n > 0)
		return true;
	gw_tx_reset(s);
	*out = gw_reply(s, no.code, no.status, no.text);
	return false;
}

static bool
recipients_ok(struct gw_smtp *s, enum next *out)
{
	const struct mail_size_limits *l = receive_limits(s);
	uint64_t most = s->conf->message_size_max, *limit;
	struct gw_tx *tx = &s->tx;
	struct str *ids;

	if (l == NULL || tx->body.size <= mail_size_limit_least(l, most))
		return true;
	ids = arena_calloc(&s->unit, tx->nrcpt, sizeof(*ids));
	limit = arena_calloc(&s->unit, tx->nrcpt, sizeof(*limit));
	for (size_t i = 0; i < tx->nrcpt; i++)
		ids[i] = tx->rcpt[i].dir_id;
	limits_of(s, l, ids, tx->nrcpt, most, limit);
	return s->lmtp ? each_ok(s, limit, out) : all_ok(s, limit, out);
}

bool
gw_size_message_ok(struct gw_smtp *s, enum next *out)
{
	/* Up to there everybody was asked about. */
	return s->tx.body.size <= s->tx.declared ||
	       (sender_ok(s, s->tx.body.size, gw_refuse, out) &&
		   recipients_ok(s, out));
}
