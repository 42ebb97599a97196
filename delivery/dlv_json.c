/* The names here are what scripts rely on: add, never rename. */
#include <string.h>

#include "delivery/dlv_client.h"
#include "delivery/dlv_json.h"

static json_t *
text(struct str s)
{
	json_t *v = s.n > 0 ? json_stringn(s.p, s.n) : json_string("");
	AUTO_ARENA a = { 0 };
	char *p;

	if (v != NULL)
		return v;
	p = arena_alloc(&a, s.n + 1);
	for (size_t i = 0; i < s.n; i++)
		p[i] = (unsigned char)s.p[i] < 0x80 ? s.p[i] : '?';
	return json_stringn(p, s.n);
}

static json_t *
kind_name(uint32_t kind)
{
	switch (kind) {
	case DIR_USER:
		return json_string("person");
	case DIR_GROUP:
		return json_string("group");
	case DIR_ELSEWHERE:
		return json_string("elsewhere");
	default:
		return json_string("unknown");
	}
}

static json_t *
state_name(uint32_t state)
{
	switch (state) {
	case DLV_READY:
		return json_string("ready");
	case DLV_HELD:
		return json_string("held");
	case DLV_POISON:
		return json_string("poison");
	case DLV_DONE:
		return json_string("done");
	default:
		return json_string("unknown");
	}
}

/* The first version wrote the code of a reply twice: "HOST: 451 451 TEXT". */
static struct str
code_once(struct arena *a, struct str reason)
{
	size_t at = str_find(reason, STR(": "));
	struct str code, text, rest = str_from(reason, at);
	uint64_t n;

	if (!str_cut_prefix(&rest, STR(": ")))
		return reason;
	text = rest;
	code = str_word(&text);
	rest = text;
	if (code.n != 3 || str_u64(code, 599, &n) != RC_OK ||
	    !str_eq(str_word(&rest), code))
		return reason;
	return str_fmt(
	    a, "%.*s: %.*s", STRF(str_sub(reason, 0, at)), STRF(text));
}

static json_t *
entry(const struct store_queued *q, int64_t now)
{
	AUTO_ARENA a = { 0 };
	json_t *o = json_object();

	json_object_set_new(o, "entry", json_integer((json_int_t)q->id));
	json_object_set_new(o, "rcpt", text(q->rcpt));
	json_object_set_new(o, "kind", kind_name(q->kind));
	json_object_set_new(o, "dir_id", text(q->dir_id));
	json_object_set_new(o, "state", state_name(q->state));
	json_object_set_new(o, "reason", text(code_once(&a, q->reason)));
	json_object_set_new(o, "attempts", json_integer(q->attempts));
	json_object_set_new(o, "next_at",
	    q->state == DLV_READY ? json_integer(q->next_at) : json_null());
	json_object_set_new(o, "expires_at", json_integer(q->expires_at));
	json_object_set_new(o, "expired", json_boolean(q->expires_at <= now));
	return o;
}

json_t *
dlv_json_item(const struct store_queue_item *item, int64_t now)
{
	json_t *o = json_object(), *entries = json_array();

	json_object_set_new(o, "id", text(item->message_id));
	json_object_set_new(o, "from", text(item->from));
	json_object_set_new(o, "submitter", text(item->submitter));
	json_object_set_new(o, "received_at", json_integer(item->received_at));
	json_object_set_new(o, "size", json_integer((json_int_t)item->size));
	for (size_t i = 0; i < item->nentries; i++)
		json_array_append_new(entries, entry(&item->entries[i], now));
	json_object_set_new(o, "entries", entries);
	return o;
}

struct str
dlv_json_text(struct arena *a, json_t *root)
{
	size_t n = json_dumpb(root, NULL, 0, JSON_COMPACT);
	char *p = arena_alloc(a, n + 1);

	n = json_dumpb(root, p, n, JSON_COMPACT);
	p[n] = '\0';
	return str_n(p, n);
}
