/*
 * What track is told of a session.  The connection is told with the first
 * thing that happens in it, so that those who come and go cost nothing.
 */
#include "gateway/gw_session.h"

static void
tell(struct gw_smtp *s, struct trk_event *e)
{
	e->sid = netd_sid(s->c);
	e->client_ip = netd_peer_ip(s->c);
	/* A UNIX socket: nobody's address, and yet no notice of ours. */
	if (e->client_ip.n == 0)
		e->client_ip = STR("local");
	if (!s->tracked) {
		struct tls_info tls = { 0 };
		struct trk_event first = {
			.kind = TRK_CONNECT,
			.at_ms = s->opened_ms,
			.sid = e->sid,
			.client_ip = e->client_ip,
			.from = s->authenticated ? s->account.login : STR(""),
			.host = s->helo,
		};

		if (netd_is_tls(s->c)) {
			tls = netd_tls_info(s->c);
			first.text =
			    str_fmt(&s->unit, "%s %s", tls.version, tls.cipher);
		}
		trk_tell(s->gw->trk, &first);
		s->tracked = true;
	}
	trk_tell(s->gw->trk, e);
}

void
gw_track_accept(struct gw_smtp *s, struct str qid)
{
	const struct gw_tx *tx = &s->tx;
	struct trk_event e = {
		.kind = TRK_ACCEPT,
		/* Before what delivery did with it, as one reads it. */
		.at_ms = tx->handed_ms,
		.qid = qid,
		.from = tx->from,
		.rcpt = tx->nrcpt == 1 ? tx->rcpt[0].address : STR(""),
		.size = tx->body.size,
		.nrcpt = tx->nrcpt,
	};

	if (s->gw->trk != NULL)
		tell(s, &e);
}

void
gw_track_refuse(struct gw_smtp *s, struct str rcpt, int code,
    const char *status, const char *text)
{
	const struct gw_tx *tx = &s->tx;
	struct trk_event e = {
		.kind = code / 100 == 4 ? TRK_DEFER_IN : TRK_REJECT,
		.from = tx->from,
		.rcpt = rcpt,
		.text = str_c(text),
		.size = tx->body.size,
		.nrcpt = MAX(tx->nrcpt, 1u),
	};

	if (s->gw->trk == NULL)
		return;
	e.code = str_fmt(&s->unit, "%d %s", code, status);
	if (rcpt.n == 0 && tx->nrcpt == 1)
		e.rcpt = tx->rcpt[0].address;
	tell(s, &e);
}

void
gw_track_policy(struct gw_smtp *s, const struct pol_verdict *v)
{
	static const struct {
		enum pol_action action;
		const char *text;
	} names[] = {
		{ POL_REJECT, " reject: " },
		{ POL_DEFER, " defer: " },
		{ POL_DISCARD, " discard: " },
		{ POL_JUNK, " junk: " },
		{ POL_HOLD, " hold: " },
	};
	struct trk_event e = { .kind = TRK_POLICY };
	const char *action = v->why.n > 0 ? " " : "";

	if (s->gw->trk == NULL)
		return;
	for (size_t i = 0; i < COUNT(names); i++)
		if (names[i].action == v->action)
			action = names[i].text;
	e.text = str_fmt(&s->unit, "spf=%.*s dkim=%.*s dmarc=%.*s%s%.*s",
	    STRF(v->spf), STRF(v->dkim), STRF(v->dmarc), action, STRF(v->why));
	tell(s, &e);
}

enum next
gw_no(struct gw_smtp *s, int code, const char *status, const char *text)
{
	gw_track_refuse(s, STR(""), code, status, text);
	return gw_reply(s, code, status, text);
}

enum next
gw_refuse(struct gw_smtp *s, int code, const char *status, const char *text)
{
	gw_track_refuse(s, STR(""), code, status, text);
	gw_tx_reset(s);
	return gw_reply(s, code, status, text);
}
