/*
 * DATA and BDAT.  The body is read to its true end whatever is wrong with it,
 * so that sender and receiver agree on what is a command (smuggling), and is
 * refused after that: a bare CR or LF with 550 5.6.0, too many bytes with
 * 552 5.3.4, or 5.2.3 if it is a recipient's limit, trouble of ours with 451.
 */
#include "gateway/gw_size.h"
#include "mail/smtp_syntax.h"

#define OVERSIZE_FACTOR 4u /* past that we do not read on politely */

enum next
gw_on_data(struct gw_smtp *s, struct str arg)
{
	(void)arg;
	mail_dot_init(&s->tx.dot);
	s->phase = PH_DATA;
	return gw_reply(s, 354, NULL, "End data with <CR><LF>.<CR><LF>");
}

/*
 * A unit ends where the message ends: run a copy of the decoder ahead, which
 * costs one memchr pass over bytes that are in the cache anyway.
 */
size_t
gw_data_frame(struct gw_smtp *s, struct str in)
{
	struct mail_dot d = s->tx.dot;
	struct str rest = str_sub(in, 0, 64u << 10), slice;
	size_t n = rest.n;

	while (mail_dot_next(&d, &rest, &slice))
		;
	s->tx.ends = d.done;
	return n - rest.n;
}

bool
gw_data_quick(const struct gw_smtp *s, size_t n)
{
	const struct gw_tx *tx = &s->tx;

	if (tx->body.fd >= 0 || tx->body.size + n > GW_BODY_INLINE)
		return false;
	return s->phase == PH_DATA ? !tx->ends : n < tx->bdat_left;
}

/* Keep it, unless the message is refused at its end anyway. */
static void
body_add(struct gw_smtp *s, struct str slice)
{
	struct gw_tx *tx = &s->tx;

	if (tx->too_big || tx->failed) {
		tx->body.size += slice.n;
		return;
	}
	if (tx->body.size + slice.n > tx->size_max) {
		uint64_t size = tx->body.size + slice.n;

		gw_body_reset(&tx->body);
		tx->body.size = size;
		tx->too_big = true;
	} else if (gw_body_add(&tx->body, slice) != RC_OK) {
		uint64_t size = tx->body.size + slice.n;

		gw_body_reset(&tx->body);
		tx->body.size = size;
		tx->failed = true;
	}
}

static bool
endless(const struct gw_smtp *s)
{
	return s->tx.body.size >
	       s->conf->message_size_max * OVERSIZE_FACTOR + (1u << 20);
}

/* The message is complete: refuse it or hand it over. */
static enum next
complete(struct gw_smtp *s, bool bare)
{
	enum next next;

	s->phase = PH_READY; /* for gw_tx_reset on each way out */
	s->finals.n = s->lmtp ? s->tx.taken : 1;
	if (bare) {
		log_info(s->log, "message.bare_line_end",
		    KV("from", s->tx.from), KV("client", netd_peer_ip(s->c)));
		return gw_refuse(s, 550, "5.6.0",
		    "Message has a bare CR or LF; lines end in CRLF");
	}
	if (s->tx.too_big)
		return gw_refuse(s, 552, "5.3.4", "Message size exceeds limit");
	if (!s->tx.failed && !gw_size_message_ok(s, &next))
		return next;
	if (s->tx.failed || gw_body_finish(&s->tx.body) != RC_OK)
		return gw_refuse(
		    s, 451, "4.3.0", "Cannot store the message now");
	if (!s->lmtp && !gw_guard_mail(s->gw, s->conf, s->c, gw_limited(s),
			    GW_LIMIT_RECIPIENTS, (uint32_t)s->tx.nrcpt))
		return gw_refuse(
		    s, 451, "4.7.1", "Too many recipients, try again later");
	return gw_commit(s);
}

enum next
gw_data_chunk(struct gw_smtp *s, struct str in)
{
	struct str slice;

	while (mail_dot_next(&s->tx.dot, &in, &slice))
		body_add(s, slice);
	if (s->tx.dot.done)
		return complete(s, s->tx.dot.crlf.bare);
	if (endless(s))
		return gw_reply(
		    s, 421, "4.3.4", "Message far too big, closing");
	return NEXT_INPUT;
}

/* After a whole chunk of BDAT (RFC 3030 section 2). */
static enum next
chunk_done(struct gw_smtp *s)
{
	struct gw_tx *tx = &s->tx;

	if (tx->bdat_refused) {
		tx->bdat_refused = false;
		gw_tx_reset(s);
		if (tx->bdat_early)
			s->phase = PH_START;
		return gw_reply(s, 503, "5.5.1", "BDAT needs MAIL and RCPT");
	}
	s->phase = PH_CHUNKS;
	if (!tx->bdat_last)
		return gw_reply(s, 250, "2.0.0", "Chunk received");
	/* The last line may lack its CRLF; we write it once, whole. */
	if (!tx->crlf.bare && !tx->crlf.cr && !tx->crlf.line_done)
		body_add(s, STR("\r\n"));
	return complete(s, tx->crlf.bare || tx->crlf.cr);
}

enum next
gw_bdat_chunk(struct gw_smtp *s, struct str in)
{
	struct gw_tx *tx = &s->tx;

	assert(in.n <= tx->bdat_left);
	tx->bdat_left -= in.n;
	if (!tx->bdat_refused) {
		mail_crlf_feed(&tx->crlf, in);
		body_add(s, in);
	}
	if (tx->bdat_left > 0)
		return endless(s) ? gw_reply(s, 421, "4.3.4",
					"Message far too big, closing")
				  : NEXT_INPUT;
	return chunk_done(s);
}

/*
 * BDAT is legal in any phase, because its bytes follow without waiting: when
 * it comes at the wrong time they are read and thrown away.
 */
enum next
gw_on_bdat(struct gw_smtp *s, struct str arg)
{
	struct gw_tx *tx = &s->tx;
	struct mail_bdat b;

	if (mail_bdat_parse(arg, UINT32_MAX, &b) != RC_OK) {
		gw_reply(s, 501, "5.5.4", "Bad size of BDAT, closing");
		return NEXT_CLOSE; /* what follows may not be commands */
	}
	tx->bdat_refused = !(s->phase & (PH_RCPT | PH_CHUNKS));
	tx->bdat_early = s->phase == PH_START;
	if (s->phase == PH_RCPT)
		mail_crlf_init(&tx->crlf);
	tx->bdat_left = b.size;
	tx->bdat_last = b.last;
	if (b.size == 0)
		return chunk_done(s);
	s->phase = PH_BDAT;
	return NEXT_INPUT;
}
