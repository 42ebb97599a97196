/* Records are written by offset: telling is on the way of every message. */
#include <string.h>

#include "track/trk_wire.h"

#define REC(field) offsetof(struct trk_event, field)
const size_t trk_texts[TRK_NTEXTS] = { REC(sid), REC(qid), REC(message_id),
	REC(client_ip), REC(from), REC(rcpt), REC(host), REC(code), REC(text) };

static char *
put_int(char *p, uint64_t v, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		p[i] = (char)(unsigned char)(v >> 8 * i);
	return p + bytes;
}

static uint64_t
get_int(const char *p, size_t bytes)
{
	uint64_t v = 0;

	for (size_t i = bytes; i-- > 0;)
		v = v << 8 | (unsigned char)p[i];
	return v;
}

size_t
trk_record_put(char *p, const struct trk_event *e)
{
	char *q = p + 4;

	*q++ = (char)e->kind;
	q = put_int(q, (uint64_t)e->at_ms, 8);
	q = put_int(q, e->size, 8);
	q = put_int(q, e->nrcpt, 8);
	for (size_t i = 0; i < TRK_NTEXTS; i++) {
		const struct str *s =
		    (const void *)((const char *)e + trk_texts[i]);
		size_t n = MIN(s->n, (size_t)TRK_TEXT_MAX);

		if (n == 0)
			continue;
		*q++ = (char)(i + 1);
		q = put_int(q, n, 2);
		memcpy(q, s->p, n);
		q += n;
	}
	put_int(p, (uint64_t)(q - p - 4), 4);
	return (size_t)(q - p);
}

static enum rc
get_texts(struct str in, struct trk_event *out)
{
	while (in.n > 0) {
		size_t number = (unsigned char)in.p[0], n;

		if (in.n < 3)
			return RC_BAD;
		n = (size_t)get_int(in.p + 1, 2);
		if (n > TRK_TEXT_MAX || n > in.n - 3)
			return RC_BAD;
		if (number >= 1 && number <= TRK_NTEXTS)
			*(struct str *)(void *)((char *)out +
						trk_texts[number - 1]) =
			    str_n(in.p + 3, n);
		in = str_from(in, 3 + n);
	}
	return RC_OK;
}

enum rc
trk_record_get(struct str *in, struct trk_event *out)
{
	struct str rec;
	size_t n;

	if (in->n == 0)
		return RC_NOENT;
	if (in->n < 4)
		return RC_BAD;
	n = (size_t)get_int(in->p, 4);
	if (n < TRK_RECORD_HEAD || n > TRK_RECORD_MAX - 4 || n > in->n - 4)
		return RC_BAD;
	rec = str_sub(*in, 4, n);
	*in = str_from(*in, 4 + n);
	*out = (struct trk_event){
		.kind = (enum trk_kind)(unsigned char)rec.p[0],
		.at_ms = (int64_t)get_int(rec.p + 1, 8),
		.size = get_int(rec.p + 9, 8),
		.nrcpt = get_int(rec.p + 17, 8),
	};
	/* What a database has for numbers. */
	if (out->size > INT64_MAX || out->nrcpt > INT64_MAX)
		return RC_BAD;
	return get_texts(str_from(rec, TRK_RECORD_HEAD), out);
}

enum rc
trk_records_check(struct str in, size_t *out_n)
{
	struct trk_event e;
	size_t n = 0;
	enum rc rc;

	while ((rc = trk_record_get(&in, &e)) == RC_OK)
		n++;
	if (rc != RC_NOENT)
		return RC_BAD;
	*out_n = n;
	return RC_OK;
}

void
trk_put_batch(struct ipc_msg *m, const struct trk_batch *in)
{
	ipc_put_str(m, "client", in->client);
	ipc_put_u64(m, "seq", in->seq);
	ipc_put_u64(m, "dropped", in->dropped);
	ipc_skippable(m);
	ipc_put_str(m, "events", in->events);
}

enum rc
trk_get_batch(struct ipc_in *in, struct trk_batch *out)
{
	*out = (struct trk_batch){ 0 };
	if (ipc_get_str(in, "client", &out->client) != RC_OK ||
	    ipc_get_u64(in, "seq", &out->seq) != RC_OK ||
	    ipc_get_str(in, "events", &out->events) != RC_OK)
		return RC_BAD;
	out->dropped = ipc_u64_or(in, "dropped", 0);
	if (out->client.n != TRK_CLIENT_ID || out->seq > INT64_MAX ||
	    out->events.n > TRK_BATCH_BYTES + TRK_RECORD_MAX ||
	    trk_records_check(out->events, &out->n) != RC_OK ||
	    out->n > TRK_BATCH_EVENTS)
		return RC_BAD;
	return ipc_in_done(in);
}

void
trk_put_find(struct ipc_msg *m, const struct trk_find *in)
{
	ipc_put_str(m, "id", in->id);
	ipc_put_str(m, "message_id", in->message_id);
	ipc_put_str(m, "from", in->from);
	ipc_put_str(m, "to", in->to);
	ipc_put_i64(m, "since", in->since_ms);
	ipc_put_i64(m, "until", in->until_ms);
	ipc_put_u64(m, "before", in->before);
	ipc_put_u64(m, "limit", in->limit);
}

enum rc
trk_get_find(struct ipc_in *in, struct trk_find *out)
{
	*out = (struct trk_find){
		.id = ipc_str_or(in, "id", STR("")),
		.message_id = ipc_str_or(in, "message_id", STR("")),
		.from = ipc_str_or(in, "from", STR("")),
		.to = ipc_str_or(in, "to", STR("")),
		.before = ipc_u64_or(in, "before", 0),
		.limit = ipc_u64_or(in, "limit", TRK_PAGE),
	};
	if (ipc_get_i64(in, "since", &out->since_ms) != RC_OK ||
	    ipc_get_i64(in, "until", &out->until_ms) != RC_OK ||
	    out->id.n > TRK_TEXT_MAX || out->message_id.n > TRK_TEXT_MAX ||
	    out->from.n > TRK_TEXT_MAX || out->to.n > TRK_TEXT_MAX ||
	    out->before > INT64_MAX || out->limit == 0 || out->limit > TRK_PAGE)
		return RC_BAD;
	return ipc_in_done(in);
}

void
trk_put_row(struct ipc_msg *m, const struct trk_row *in)
{
	size_t at = ipc_begin(m, "row");

	ipc_put_u64(m, "table", (uint64_t)in->table);
	ipc_put_u64(m, "kind", in->kind);
	ipc_put_u64(m, "slot", in->slot);
	ipc_put_u64(m, "n", in->n);
	ipc_put_u64(m, "nrcpt", in->nrcpt);
	ipc_put_u64(m, "bytes", in->bytes);
	ipc_put_str(m, "who", in->who);
	ipc_put_str(m, "text", in->text);
	ipc_end(m, at);
}

enum rc
trk_get_row(struct ipc_in *in, struct trk_row *out)
{
	uint64_t table;

	*out = (struct trk_row){ 0 };
	if (ipc_get_u64(in, "table", &table) != RC_OK ||
	    ipc_get_u64(in, "kind", &out->kind) != RC_OK ||
	    ipc_get_u64(in, "n", &out->n) != RC_OK || table < TRK_BY_KIND ||
	    table > TRK_BY_RCPT)
		return RC_BAD;
	out->table = (enum trk_table)table;
	out->slot = ipc_u64_or(in, "slot", 0);
	out->nrcpt = ipc_u64_or(in, "nrcpt", 0);
	out->bytes = ipc_u64_or(in, "bytes", 0);
	out->who = ipc_str_or(in, "who", STR(""));
	out->text = ipc_str_or(in, "text", STR(""));
	return RC_OK;
}
