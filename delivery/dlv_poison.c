/*
 * A submit counts as being worked on only while a worker reads and routes it:
 * waiting for the store's commit is not what kills a process, and hundreds of
 * innocent messages wait there.
 */
#include <string.h>
#include <unistd.h>

#include "delivery/dlv.h"
#include "delivery/dlv_poison.h"

#define HEAD 4096u /* bytes of the body that tell messages apart */

/*
 * Eight bytes at a time: str_hash over the same bytes was a tenth of all that
 * this process does for a message.  The multiplier is an odd constant with
 * well-spread bits (2^64 divided by the golden ratio).
 */
static uint64_t
fingerprint(struct str s)
{
	uint64_t h = s.n, w;

	while (s.n >= sizeof(w)) {
		memcpy(&w, s.p, sizeof(w));
		h = (h ^ w) * 0x9e3779b97f4a7c15u;
		h ^= h >> 32;
		s = str_from(s, sizeof(w));
	}
	return h ^ str_hash(s);
}

void
dlv_poison_submit(struct dlv_work *w, const struct dlv_submit *m)
{
	uint64_t v[2] = { 0, str_hash(m->from) ^ m->size };
	struct str head = str_sub(m->inline_data, 0, HEAD);
	char b[HEAD];

	*w = (struct dlv_work){ 0 };
	if (m->fd >= 0) {
		ssize_t n = pread(m->fd, b, sizeof(b), 0);

		head = str_n(b, n > 0 ? (size_t)n : 0);
	}
	v[0] = fingerprint(head);
	memcpy(w->bytes, v, sizeof(v));
	w->key = str_n(w->bytes, sizeof(w->bytes));
}

/* The log then shows the message id that everybody knows. */
void
dlv_poison_item(struct dlv_work *w, struct str message_id)
{
	AUTO_ARENA a = { 0 };
	struct str id;

	*w = (struct dlv_work){ 0 };
	if (str_unhex(&a, message_id, &id) != RC_OK)
		id = message_id;
	if (id.n > 0)
		memcpy(w->bytes, id.p, MIN(id.n, sizeof(w->bytes)));
	w->key = str_n(w->bytes, sizeof(w->bytes));
}

enum rc
dlv_poison_begin(struct dlv *d, struct dlv_work *w)
{
	enum rc rc = inflight_begin(d->inflight, w->key, &w->slot);

	w->entered = rc == RC_OK;
	return rc == RC_DENY ? RC_DENY : RC_OK;
}

void
dlv_poison_end(struct dlv *d, struct dlv_work *w)
{
	if (w->entered)
		inflight_end(d->inflight, w->slot);
	w->entered = false;
}

void
dlv_poison_forgive(struct dlv *d, struct str message_id)
{
	struct dlv_work w;

	dlv_poison_item(&w, message_id);
	inflight_forget(d->inflight, w.key);
}

void
dlv_poison_report(struct dlv *d)
{
	unsigned char id[INFLIGHT_ID];
	unsigned deaths;

	for (size_t i = 0; inflight_found(d->inflight, i, id, &deaths); i++) {
		AUTO_ARENA a = { 0 };

		log_warn(d->log, "inflight.died",
		    KV("id", str_hex(&a, str_n(id, sizeof(id)))),
		    KVU("deaths", deaths));
	}
}
