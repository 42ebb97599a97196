/* The administrator's half of the stub: a frame and its answer. */
#include "track/trk_wire.h"

struct trk_ask {
	struct ipc_client *ipc;
};

struct trk_ask *
trk_ask_new(const struct log *log, const char *path)
{
	struct trk_ask *t = xcalloc(1, sizeof(*t));

	t->ipc = ipc_client_new(log, "track", path, 1);
	return t;
}

void
trk_ask_free(struct trk_ask **t)
{
	if (*t == NULL)
		return;
	ipc_client_free(&(*t)->ipc);
	xfree(*t);
	*t = NULL;
}

/* An answer that cannot be read is none. */
static enum rc
read_events(
    struct ipc_in *in, struct arena *a, struct trk_event **out, size_t *out_n)
{
	struct str records;
	struct trk_event *v;
	size_t n;

	if (ipc_get_str(in, "events", &records) != RC_OK)
		return RC_TEMP;
	records = str_dup(a, records);
	if (trk_records_check(records, &n) != RC_OK || n > TRK_PAGE)
		return RC_TEMP;
	v = arena_calloc(a, n + 1, sizeof(*v));
	for (size_t i = 0; i < n; i++)
		if (trk_record_get(&records, &v[i]) != RC_OK)
			return RC_TEMP;
	*out = v;
	*out_n = n;
	return RC_OK;
}

enum rc
trk_ask_find(struct trk_ask *t, struct arena *a, const struct trk_find *find,
    struct deadline dl, struct trk_event **out, size_t *out_n,
    uint64_t *out_next)
{
	AUTO_MSG req = { 0 }, reply = { 0 };
	struct ipc_in in;
	enum rc rc;

	ipc_msg_init(&req, TRK_OP_FIND);
	trk_put_find(&req, find);
	rc = ipc_call(t->ipc, &req, dl, &reply);
	if (rc != RC_OK)
		return rc;
	ipc_in_init(&in, &reply);
	*out_next = ipc_u64_or(&in, "next", 0);
	rc = read_events(&in, a, out, out_n);
	return rc == RC_OK && ipc_in_done(&in) != RC_OK ? RC_TEMP : rc;
}

enum rc
trk_ask_steps(struct trk_ask *t, struct arena *a, struct str qid,
    struct str sid, uint64_t from, struct deadline dl, struct trk_event **out,
    size_t *out_n)
{
	AUTO_MSG req = { 0 }, reply = { 0 };
	struct ipc_in in;
	enum rc rc;

	ipc_msg_init(&req, TRK_OP_STEPS);
	ipc_put_str(&req, "qid", qid);
	ipc_put_str(&req, "sid", sid);
	ipc_put_u64(&req, "from", from);
	rc = ipc_call(t->ipc, &req, dl, &reply);
	if (rc != RC_OK)
		return rc;
	ipc_in_init(&in, &reply);
	rc = read_events(&in, a, out, out_n);
	return rc == RC_OK && ipc_in_done(&in) != RC_OK ? RC_TEMP : rc;
}

static enum rc
read_rows(
    struct ipc_in *in, struct arena *a, struct trk_row **out, size_t *out_n)
{
	struct trk_row *v = NULL;
	size_t n = 0, pos = 0, room = 0;
	struct ipc_in one;

	while (ipc_next_group(in, "row", &pos, &one) == RC_OK) {
		if (n == TRK_ROWS_MAX)
			return RC_TEMP;
		if (n == room) {
			struct trk_row *more;

			room = room ? 2 * room : 64;
			more = arena_calloc(a, room, sizeof(*more));
			for (size_t i = 0; i < n; i++)
				more[i] = v[i];
			v = more;
		}
		if (trk_get_row(&one, &v[n]) != RC_OK)
			return RC_TEMP;
		v[n].who = str_dup(a, v[n].who);
		v[n].text = str_dup(a, v[n].text);
		n++;
	}
	*out = v;
	*out_n = n;
	return RC_OK;
}

enum rc
trk_ask_report(struct trk_ask *t, struct arena *a, int64_t since_ms,
    int64_t until_ms, int64_t slot_ms, uint64_t top, struct deadline dl,
    struct trk_row **out, size_t *out_n)
{
	AUTO_MSG req = { 0 }, reply = { 0 };
	struct ipc_in in;
	enum rc rc;

	ipc_msg_init(&req, TRK_OP_REPORT);
	ipc_put_i64(&req, "since", since_ms);
	ipc_put_i64(&req, "until", until_ms);
	ipc_put_i64(&req, "slot", slot_ms);
	ipc_put_u64(&req, "top", top);
	rc = ipc_call(t->ipc, &req, dl, &reply);
	if (rc != RC_OK)
		return rc;
	ipc_in_init(&in, &reply);
	rc = read_rows(&in, a, out, out_n);
	return rc == RC_OK && ipc_in_done(&in) != RC_OK ? RC_TEMP : rc;
}
