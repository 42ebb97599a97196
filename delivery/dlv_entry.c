/* One table says which field has which tag; tags are never reused. */
#include <string.h>

#include "delivery/dlv_entry.h"

#define FORMAT_PEOPLE 1
#define FORMAT        2
#define HEAD          5u
#define DATA_MAX      (2u << 20)

static const struct field {
	uint8_t tag;
	bool number;
	size_t at;
} fields[] = {
#define NUMBER(tag, name)                                                      \
	{                                                                      \
		tag, true, offsetof(struct dlv_entry, name)                    \
	}
#define TEXT(tag, name)                                                        \
	{                                                                      \
		tag, false, offsetof(struct dlv_entry, name)                   \
	}
	NUMBER(1, notify),
	NUMBER(2, ret),
	TEXT(3, orcpt),
	TEXT(4, envid),
	TEXT(5, route),
	TEXT(6, people),
	NUMBER(7, warned),
	NUMBER(8, action),
	TEXT(9, hop),
	TEXT(10, host),
	TEXT(11, status),
	TEXT(12, reply),
	NUMBER(13, code),
	NUMBER(14, from_server),
	NUMBER(15, expired),
	NUMBER(16, tried_at),
	NUMBER(17, waits),
	NUMBER(18, junk),
};

static uint64_t
get_le(const char *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = n; i-- > 0;)
		v = v << 8 | (unsigned char)p[i];
	return v;
}

static void
put_le(char *p, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (char)(unsigned char)(v >> (8 * i));
}

static enum rc
set(struct dlv_entry *e, uint8_t tag, struct str v)
{
	for (size_t i = 0; i < COUNT(fields); i++) {
		void *at = (char *)e + fields[i].at;
		uint64_t n;

		if (fields[i].tag != tag)
			continue;
		if (!fields[i].number) {
			memcpy(at, &v, sizeof(v));
			return RC_OK;
		}
		if (v.n != 8)
			return RC_BAD;
		n = get_le(v.p, 8);
		memcpy(at, &n, sizeof(n));
		return RC_OK;
	}
	return RC_BAD;
}

enum rc
dlv_entry_get(struct str data, struct dlv_entry *out)
{
	struct dlv_entry e = { 0 };

	if (data.n > 0 && data.p[0] == FORMAT_PEOPLE) {
		e.people = data;
	} else if (data.n > 0) {
		if (data.p[0] != FORMAT)
			return RC_BAD;
		for (data = str_from(data, 1); data.n > 0;) {
			uint64_t n;

			if (data.n < HEAD)
				return RC_BAD;
			n = get_le(data.p + 1, 4);
			if (n > data.n - HEAD ||
			    set(&e, (uint8_t)data.p[0],
				str_sub(data, HEAD, (size_t)n)) != RC_OK)
				return RC_BAD;
			data = str_from(data, HEAD + (size_t)n);
		}
	}
	*out = e;
	return RC_OK;
}

static struct str
value(const struct dlv_entry *e, const struct field *f, char number[8])
{
	const void *at = (const char *)e + f->at;
	struct str v = STR("");
	uint64_t n;

	if (!f->number) {
		memcpy(&v, at, sizeof(v));
		return v;
	}
	memcpy(&n, at, sizeof(n));
	if (n == 0)
		return v;
	put_le(number, n, 8);
	return str_n(number, 8);
}

struct str
dlv_entry_put(struct arena *a, const struct dlv_entry *e)
{
	size_t n = 0;
	char number[8];
	char *p, *q;

	for (size_t i = 0; i < COUNT(fields); i++) {
		struct str v = value(e, &fields[i], number);

		n += v.n > 0 ? HEAD + v.n : 0;
	}
	if (n == 0)
		return STR("");
	assert(n < DATA_MAX);
	p = q = arena_alloc(a, n + 1);
	*q++ = FORMAT;
	for (size_t i = 0; i < COUNT(fields); i++) {
		struct str v = value(e, &fields[i], number);

		if (v.n == 0)
			continue;
		*q = (char)fields[i].tag;
		put_le(q + 1, v.n, 4);
		memcpy(q + HEAD, v.p, v.n);
		q += HEAD + v.n;
	}
	return str_n(p, (size_t)(q - p));
}

struct str
dlv_entry_held(struct arena *a, struct str data)
{
	struct dlv_entry e;

	if (dlv_entry_get(data, &e) != RC_OK || !e.waits)
		return data;
	e.waits = false;
	return dlv_entry_put(a, &e);
}

/* The entries are asked for in their order, more or less. */
static const struct store_queued *
entry_from(const struct store_queue_item *item, uint64_t id, size_t *at)
{
	for (size_t i = 0; i < item->nentries; i++) {
		size_t k = (*at + i) % item->nentries;

		if (item->entries[k].id != id)
			continue;
		*at = k + 1;
		return &item->entries[k];
	}
	return NULL;
}

void
dlv_entry_expect(struct arena *a, const struct store_queue_item *item,
    struct store_queue_update *up)
{
	struct store_expect *v =
	    arena_calloc(a, up->nset + up->nremove + 1, sizeof(*v));
	size_t n = 0, at = 0;

	for (size_t i = 0; i < up->nset + up->nremove; i++) {
		uint64_t id =
		    i < up->nset ? up->set[i].id : up->remove[i - up->nset];
		const struct store_queued *q = NULL;

		if (id != 0)
			q = entry_from(item, id, &at);
		if (q != NULL)
			v[n++] = (struct store_expect){ q->id, q->state,
				q->attempts };
	}
	up->expect = v;
	up->nexpect = n;
}
