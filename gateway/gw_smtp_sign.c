/*
 * Our DKIM signatures on what people and machines of ours send, by the domain
 * of the author.
 *
 * They cover what we added ourselves (Date, Message-ID), so they are made last
 * and put first.  A domain without keys goes unsigned.  If the signer does not
 * answer, the client is asked to come again: unsigned mail of a domain that
 * publishes p=reject would be refused elsewhere, and for good.
 */
#include "gateway/gw_session.h"

#define SIGN_MS      10000
#define SIGN_PER_MIB 250 /* ms: a slow machine with two keys */

bool
gw_sign(struct gw_smtp *s, enum next *out)
{
	struct gw_tx *tx = &s->tx;
	struct str fields = STR("");
	const struct sgn_message m = {
		.domain = tx->author,
		.edits = tx->edits,
		.inline_data =
		    tx->body.fd < 0 ? buf_str(&tx->body.head) : STR(""),
		.fd = tx->body.fd,
		.size = tx->body.size,
	};
	int64_t ms = SIGN_MS + (int64_t)(m.size >> 20) * SIGN_PER_MIB;

	if (s->gw->sgn == NULL || s->conf->dkim_dir[0] == '\0')
		return true;
	switch (sgn_sign(s->gw->sgn, &s->unit, &m, deadline_in(ms), &fields)) {
	case RC_OK:
		tx->edits = str_cat(&tx->a, fields, tx->edits);
		return true;
	case RC_NOENT:
		return true;
	case RC_BAD:
		log_info(s->log, "sign.malformed", KV("domain", tx->author));
		/* A machine cannot mend its mail; unsigned it may do. */
		if (!s->submission)
			return true;
		*out = gw_no(s, 550, "5.6.0",
		    "The message is malformed and cannot be signed");
		return false;
	case RC_DENY:
	case RC_TEMP:
	default:
		log_error(s->log, "sign.defer", KV("domain", tx->author),
		    KV("account", s->account.login));
		*out = gw_no(s, 451, "4.7.5", "Cannot sign the message now");
		return false;
	}
}
