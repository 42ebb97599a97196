/*
 * The queue for an administrator: list, show, retry, delete.
 *
 * A change is one update of the store for each message, and the queue is poked
 * behind it.  The store refuses an update of entries that are gone by then or
 * were changed since they were read, so these need no lock against a try that
 * is under way: whoever comes second reads again.
 */
#include <string.h>
#include <sys/random.h>

#include "delivery/dlv.h"
#include "delivery/dlv_entry.h"
#include "delivery/dlv_json.h"
#include "delivery/dlv_track.h"
#include "delivery/dlv_wire.h"

#define PAGE       100u
#define BATCH      1000u      /* entries in one commit */
#define JSON_MAX   (4u << 20) /* of one page, before it is closed */
#define ENTRY_JSON 512u       /* about, without address and reason */

static enum rc
get_id(struct rpcd_req *r, const char *name, struct str *out)
{
	if (ipc_get_str(&r->in, name, out) != RC_OK ||
	    out->n > DLV_QUEUE_ID_MAX || ipc_in_done(&r->in) != RC_OK)
		return RC_BAD;
	return RC_OK;
}

static size_t
json_size(const struct store_queue_item *item)
{
	size_t n = ENTRY_JSON;

	/* A control byte becomes six characters. */
	for (size_t i = 0; i < item->nentries; i++)
		n += ENTRY_JSON + 6 * item->entries[i].rcpt.n +
		     6 * item->entries[i].reason.n;
	return n;
}

enum rc
dlv_on_list(struct dlv *d, struct rpcd_req *r)
{
	struct store_queue_item *item;
	size_t n, bytes = 0, i;
	int64_t now = now_unix();
	json_t *root, *messages;
	struct str after;
	enum rc rc = get_id(r, "after", &after);

	if (rc == RC_OK)
		rc = store_queue_list(
		    d->store, &r->a, after, PAGE, r->dl, &item, &n);
	if (rc != RC_OK)
		return rc;
	root = json_object();
	messages = json_array();
	for (i = 0; i < n && bytes < JSON_MAX; i++) {
		bytes += json_size(&item[i]);
		json_array_append_new(messages, dlv_json_item(&item[i], now));
	}
	json_object_set_new(root, "messages", messages);
	if (i > 0)
		json_object_set_new(root, "next",
		    json_stringn(
			item[i - 1].message_id.p, item[i - 1].message_id.n));
	ipc_put_str(&r->out, "json", dlv_json_text(&r->a, root));
	json_decref(root);
	return RC_OK;
}

enum rc
dlv_on_show(struct dlv *d, struct rpcd_req *r)
{
	struct store_queue_item item;
	struct str id;
	json_t *root;
	enum rc rc = get_id(r, "queue_id", &id);

	if (rc == RC_OK)
		rc = store_queue_get(d->store, &r->a, id, r->dl, &item);
	if (rc != RC_OK)
		return rc;
	root = dlv_json_item(&item, now_unix());
	json_object_set_new(root, "edits",
	    json_stringn(item.edits.p ? item.edits.p : "",
		str_is_utf8(item.edits) ? item.edits.n : 0));
	ipc_put_str(&r->out, "json", dlv_json_text(&r->a, root));
	json_decref(root);
	return RC_OK;
}

/* What is done to n entries of a message in one commit. */
struct change {
	struct dlv *d;
	struct rpcd_req *r;
	enum rc (*some)(struct change *c, struct arena *a,
	    const struct store_queue_item *item, size_t from, size_t n);
	uint64_t count; /* entries so far */
	uint64_t since; /* dlv_queue_mark, when it began */
};

static enum rc
update(struct change *c, struct store_queue_update *up)
{
	char op[16];
	enum rc rc;

	if (getrandom(op, sizeof(op), 0) != (ssize_t)sizeof(op))
		return RC_TEMP;
	up->op_id = str_n(op, sizeof(op));
	/* A try that ends between the commit and the poke reads it, too. */
	dlv_queue_poke(c->d->queue, up->message_id);
	rc = store_queue_update(c->d->store, up, c->r->dl);
	dlv_queue_poke(c->d->queue, up->message_id);
	if (rc == RC_TEMP)
		dlv_queue_doubt(c->d->queue);
	return rc;
}

/*
 * It is due now.  What was decided before it was held (a backup that was
 * restored) is not done again, and what has grown too old meanwhile gets its
 * time anew: somebody wants it tried.
 */
static void
go(struct change *c, struct store_queued *q)
{
	const struct conf *conf = dlv_conf(c->d);
	int64_t now = now_unix();
	struct dlv_entry e;

	q->state =
	    dlv_entry_get(q->data, &e) == RC_OK && e.action != DLV_NO_ACTION
		? DLV_DONE
		: DLV_READY;
	q->next_at = now;
	if (q->expires_at <= now)
		q->expires_at = now + (int64_t)conf->queue_lifetime_s;
	conf_unref(&conf);
}

/*
 * Who has just mended a hop does not want to wait until it would be tried by
 * itself.  Once for each command: one that is still dead is not tried anew for
 * every message of a long queue.
 */
static void
reach(struct change *c, const struct store_queue_update *up)
{
	const struct conf *conf = dlv_conf(c->d);
	struct str last = STR("");
	AUTO_ARENA a = { 0 };

	for (size_t i = 0; i < up->nset; i++) {
		struct str hop = dlv_plan_hop(&a, conf, &up->set[i]);

		if (hop.n > 0 && !str_eq(hop, last))
			dlv_queue_revive(c->d->queue, hop, c->since);
		last = hop;
	}
	conf_unref(&conf);
}

/* Everything that waits is due now. */
static enum rc
retry_some(struct change *c, struct arena *a,
    const struct store_queue_item *item, size_t from, size_t n)
{
	struct store_queued *set = arena_calloc(a, n, sizeof(*set));
	struct store_queue_update up = {
		.message_id = item->message_id,
		.set = set,
		.nset = n,
	};
	enum rc rc;

	for (size_t i = 0; i < n; i++) {
		set[i] = item->entries[from + i];
		if (set[i].state != DLV_DONE)
			go(c, &set[i]);
		else
			set[i].next_at = now_unix();
	}
	dlv_poison_forgive(c->d, item->message_id);
	dlv_entry_expect(a, item, &up);
	rc = update(c, &up);
	if (rc == RC_OK)
		reach(c, &up);
	return rc;
}

static enum rc
set_state(struct change *c, struct arena *a,
    const struct store_queue_item *item, size_t from, size_t n, bool hold)
{
	struct store_queued *set = arena_calloc(a, n, sizeof(*set));
	struct store_queue_update up = {
		.message_id = item->message_id,
		.set = set,
	};
	enum rc rc;

	for (size_t i = 0; i < n; i++) {
		const struct store_queued *q = &item->entries[from + i];
		struct store_queued *to = &set[up.nset];

		/* What is decided goes its way. */
		if (q->state == DLV_DONE || (!hold && q->state != DLV_HELD))
			continue;
		*to = *q;
		to->data = dlv_entry_held(a, q->data);
		to->state = DLV_HELD;
		to->reason = hold ? STR("held by an administrator")
				  : STR("released by an administrator");
		if (!hold)
			go(c, to);
		up.nset++;
	}
	if (up.nset == 0)
		return RC_OK;
	if (!hold)
		dlv_poison_forgive(c->d, item->message_id);
	log_warn(c->d->log, hold ? "queue.hold" : "queue.release",
	    KV("qid", item->message_id), KVU("entries", up.nset),
	    KVU("uid", c->r->uid));
	dlv_entry_expect(a, item, &up);
	rc = update(c, &up);
	if (rc == RC_OK && !hold)
		reach(c, &up);
	if (rc == RC_OK)
		dlv_track_update(c->d, NULL, &up);
	return rc;
}

static enum rc
hold_some(struct change *c, struct arena *a,
    const struct store_queue_item *item, size_t from, size_t n)
{
	return set_state(c, a, item, from, n, true);
}

static enum rc
release_some(struct change *c, struct arena *a,
    const struct store_queue_item *item, size_t from, size_t n)
{
	return set_state(c, a, item, from, n, false);
}

static enum rc
delete_some(struct change *c, struct arena *a,
    const struct store_queue_item *item, size_t from, size_t n)
{
	uint64_t *remove = arena_calloc(a, n, sizeof(*remove));
	struct store_queue_update up = {
		.message_id = item->message_id,
		.remove = remove,
		.nremove = n,
	};
	enum rc rc;

	for (size_t i = 0; i < n; i++)
		remove[i] = item->entries[from + i].id;
	rc = update(c, &up);
	if (rc == RC_OK)
		dlv_track_entries(c->d, TRK_DELETE, item, from, n);
	for (size_t i = 0; i < n && rc == RC_OK; i++)
		log_warn(c->d->log, "queue.delete", KV("qid", item->message_id),
		    KV("from", item->from),
		    KV("to", item->entries[from + i].rcpt),
		    KVU("uid", c->r->uid));
	return rc;
}

static enum rc
change_entries(
    struct change *c, struct arena *a, const struct store_queue_item *item)
{
	enum rc rc = RC_OK;

	for (size_t i = 0; i < item->nentries && rc == RC_OK; i += BATCH) {
		size_t n = MIN(item->nentries - i, BATCH);

		rc = c->some(c, a, item, i, n);
		if (rc == RC_OK)
			c->count += n;
	}
	return rc;
}

/* RC_NOENT: it was delivered or deleted while we were looking. */
static enum rc
change_item(
    struct change *c, struct arena *a, const struct store_queue_item *item)
{
	struct store_queue_item now = *item;
	uint64_t count = c->count;
	enum rc rc;

	while ((rc = change_entries(c, a, &now)) == RC_NOENT) {
		c->count = count;
		rc = store_queue_get(
		    c->d->store, a, item->message_id, c->r->dl, &now);
		if (rc != RC_OK)
			break;
	}
	return rc;
}

static enum rc
change_page(struct change *c, struct str after, char *last, size_t *last_n)
{
	struct store_queue_item *item;
	AUTO_ARENA a = { 0 };
	size_t n;
	enum rc rc =
	    store_queue_list(c->d->store, &a, after, PAGE, c->r->dl, &item, &n);

	*last_n = 0;
	for (size_t i = 0; i < n && rc == RC_OK; i++) {
		rc = change_item(c, &a, &item[i]);
		if (rc == RC_NOENT)
			rc = RC_OK;
	}
	if (rc == RC_OK && n > 0) {
		*last_n = MIN(item[n - 1].message_id.n, DLV_QUEUE_ID_MAX);
		memcpy(last, item[n - 1].message_id.p, *last_n);
	}
	return rc;
}

static enum rc
change_all(struct change *c)
{
	char last[DLV_QUEUE_ID_MAX];
	size_t n = 0;
	enum rc rc;

	do
		rc = change_page(c, str_n(last, n), last, &n);
	while (rc == RC_OK && n > 0);
	return rc;
}

static enum rc
change(struct change *c)
{
	struct store_queue_item item;
	struct rpcd_req *r = c->r;
	struct str id;
	enum rc rc = get_id(r, "queue_id", &id);

	if (rc != RC_OK)
		return rc;
	c->since = dlv_queue_mark(c->d->queue);
	if (id.n == 0 || str_eq(id, STR("all"))) {
		rc = change_all(c);
	} else {
		rc = store_queue_get(c->d->store, &r->a, id, r->dl, &item);
		if (rc == RC_OK)
			rc = change_item(c, &r->a, &item);
	}
	if (rc == RC_OK)
		ipc_put_u64(&r->out, "entries", c->count);
	return rc;
}

enum rc
dlv_on_retry(struct dlv *d, struct rpcd_req *r)
{
	return change(&(struct change){ .d = d, .r = r, .some = retry_some });
}

enum rc
dlv_on_delete(struct dlv *d, struct rpcd_req *r)
{
	return change(&(struct change){ .d = d, .r = r, .some = delete_some });
}

enum rc
dlv_on_hold(struct dlv *d, struct rpcd_req *r)
{
	return change(&(struct change){ .d = d, .r = r, .some = hold_some });
}

enum rc
dlv_on_release(struct dlv *d, struct rpcd_req *r)
{
	return change(&(struct change){ .d = d, .r = r, .some = release_some });
}
