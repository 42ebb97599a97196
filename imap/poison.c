/*
 * The commands that make us read what strangers wrote (FETCH, SEARCH, APPEND)
 * are in the table of what is in flight while a worker runs a step of theirs,
 * and not while their output drains, so that an innocent command is seldom
 * there when the process dies.  A command is named by account, mailbox and its
 * own text: the client that tries it again is recognised.
 */
#include "imap/session.h"

#include <string.h>

static uint64_t
mix(uint64_t h, struct str s)
{
	return (h ^ str_hash(s)) * 0x9e3779b97f4a7c15u + (h >> 29);
}

bool
imap_poison_name(struct imap_session *s, struct str line)
{
	struct str text = str_from(line, s->cur.tag.n);
	uint64_t where = s->box == NULL ? 0 : s->box->id;
	uint64_t h[2];
	unsigned deaths;

	if ((s->cur.cmd->flags & CMD_READS) == 0)
		return true;
	h[0] = mix(mix(where, s->account->id), text);
	h[1] = mix(h[0], str_from(text, text.n / 2));
	static_assert(sizeof(h) == sizeof(s->cur.work), "an id is two hashes");
	memcpy(s->cur.work, h, sizeof(h));
	deaths = inflight_deaths(
	    s->d->inflight, str_n(s->cur.work, sizeof(s->cur.work)));
	if (deaths < INFLIGHT_FATAL)
		return true;
	log_error(&s->log, "imap.poison", KV("command", s->cur.cmd->name),
	    KV("account", s->account->id), KVU("mailbox", where),
	    KVU("deaths", deaths));
	return false;
}

void
imap_poison_enter(struct imap_session *s, struct imap_flight *f)
{
	f->entered =
	    s->cur.cmd != NULL && (s->cur.cmd->flags & CMD_READS) != 0 &&
	    inflight_begin(s->d->inflight,
		str_n(s->cur.work, sizeof(s->cur.work)), &f->slot) == RC_OK;
}

void
imap_poison_leave(struct imap_session *s, struct imap_flight *f)
{
	if (f->entered)
		inflight_end(s->d->inflight, f->slot);
	f->entered = false;
}

void
imap_poison_report(const struct log *log, struct inflight *table)
{
	unsigned char id[INFLIGHT_ID];
	unsigned deaths;

	for (size_t i = 0; inflight_found(table, i, id, &deaths); i++) {
		AUTO_ARENA a = { 0 };

		log_warn(log, "inflight.died",
		    KV("id", str_hex(&a, str_n(id, sizeof(id)))),
		    KVU("deaths", deaths));
	}
}
