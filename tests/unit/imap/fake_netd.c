#include <string.h>

#include "imap/preamble.h"
#include "tests/unit/imap/fake.h"

struct netd_conn {
	struct fake_world *w;
	void *session;
	struct buf in, out, said;
	size_t room;
	bool closed, stopped;
	bool woken;
	enum next next;
};

struct netd_waker {
	struct netd_conn *c;
};

/*
 * The real one is imap/preamble.c; here "GP1 TICKET TAG" CRLF will do, or
 * "GPP TICKET +" CRLF for POP3.
 */
size_t
preamble_frame(struct str in)
{
	size_t n = str_find(in, STR("\r\n"));

	return n == in.n ? 0 : n + 2;
}

enum rc
preamble_parse(struct str in, struct preamble *out)
{
	struct str line = str_sub(in, 0, in.n - 2);

	bool pop = str_cut_prefix(&line, STR("GPP "));

	if (!pop && !str_cut_prefix(&line, STR("GP1 ")))
		return RC_BAD;
	*out = (struct preamble){ .service = pop ? STR("pop") : STR("imap"),
		.ticket = str_word(&line),
		.client = STR("192.0.2.1"),
		.tag = line,
		.sid = STR("abc") };
	return RC_OK;
}

enum rc
netd_write(struct netd_conn *c, struct str s)
{
	assert(s.n <= c->room);
	return buf_add(&c->out, s);
}

size_t
netd_out_room(struct netd_conn *c)
{
	return c->out.n >= c->room ? 0 : c->room - c->out.n;
}

const struct log *
netd_log(struct netd_conn *c)
{
	return &c->w->log;
}

void
netd_set_timeout(struct netd_conn *c, int ms)
{
	(void)c;
	assert(ms >= 600000);
}

void
netd_set_class(struct netd_conn *c, bool authenticated)
{
	(void)c;
	assert(authenticated);
}

struct netd_waker *
netd_waker(struct netd_conn *c)
{
	struct netd_waker *w = xcalloc(1, sizeof(*w));

	w->c = c;
	return w;
}

void
netd_waker_unref(struct netd_waker **w)
{
	xfree(*w);
	*w = NULL;
}

void
netd_wake(struct netd_waker *w)
{
	w->c->woken = true;
}

/* The peer reads everything at once. */
static void
drain(struct netd_conn *c)
{
	if (buf_add(&c->said, buf_str(&c->out)) != RC_OK)
		panic("fake: too much output");
	buf_clear(&c->out);
}

static void
give(struct netd_conn *c, enum netd_unit_kind kind, struct str data)
{
	struct netd_unit u = { kind, data };

	c->next = imap_session_ops.unit(c->session, c, &u);
	for (;;) {
		assert(c->w->views == 0); /* no view outlives a unit */
		drain(c);
		if (c->next != NEXT_DRAIN)
			break;
		u = (struct netd_unit){ .kind = UNIT_DRAINED };
		c->next = imap_session_ops.unit(c->session, c, &u);
	}
	if (c->next == NEXT_CLOSE || c->next == NEXT_ABORT)
		c->closed = true;
}

static void
run_input(struct netd_conn *c)
{
	size_t n;

	while (!c->closed && c->in.n > 0) {
		struct str data;

		n = imap_session_ops.frame(c->session, buf_str(&c->in));
		if (n == 0)
			return;
		/* copied, so that the sanitizer sees late uses */
		data.n = n;
		data.p = memcpy(xmalloc(n), c->in.p, n);
		buf_consume(&c->in, n);
		give(c, UNIT_DATA, data);
		xfree((char *)(uintptr_t)data.p);
	}
}

static void
connect_raw(struct fake_world *w, struct fake_client *cl, struct str preamble)
{
	struct netd_conn *c = xcalloc(1, sizeof(*c));

	c->w = w;
	c->room = 128u << 10;
	buf_init(&c->in, 16u << 20);
	buf_init(&c->out, 16u << 20);
	buf_init(&c->said, 64u << 20);
	c->session = imap_session_ops.open(&w->d, c);
	give(c, UNIT_OPEN, STR(""));
	*cl = (struct fake_client){ w, c };
	fake_send(cl, preamble, SIZE_MAX);
}

void
fake_connect_raw(struct fake_world *w, struct fake_client *cl)
{
	connect_raw(w, cl, STR("GP1 t1cket a0\r\n"));
}

void
fake_connect_pop(struct fake_world *w, struct fake_client *cl)
{
	connect_raw(w, cl, STR("GPP t1cket +\r\n"));
}

void
fake_connect(struct fake_world *w, struct fake_client *cl)
{
	fake_connect_raw(w, cl);
	buf_clear(&cl->c->said);
}

void
fake_disconnect(struct fake_client *cl)
{
	imap_session_ops.close(cl->c->session);
	buf_free(&cl->c->in);
	buf_free(&cl->c->out);
	buf_free(&cl->c->said);
	xfree(cl->c);
	cl->c = NULL;
}

/* Wakes that came meanwhile run when the session waits for them. */
static void
run_wakes(struct netd_conn *c)
{
	while (c->woken && !c->closed && c->next == NEXT_IDLE) {
		c->woken = false;
		give(c, UNIT_WAKE, STR(""));
	}
}

void
fake_send(struct fake_client *cl, struct str in, size_t piece)
{
	while (in.n > 0) {
		struct str part = str_sub(in, 0, piece);

		in = str_from(in, part.n);
		if (buf_add(&cl->c->in, part) != RC_OK)
			panic("fake: too much input");
		run_input(cl->c);
		run_wakes(cl->c);
	}
}

void
fake_event(struct fake_client *cl, enum netd_unit_kind kind)
{
	give(cl->c, kind, STR(""));
}

struct str
fake_said(struct fake_client *cl)
{
	struct str said;

	run_wakes(cl->c);
	said = str_dup(&cl->w->mem, buf_str(&cl->c->said));
	buf_clear(&cl->c->said);
	return said;
}

bool
fake_is_closed(const struct fake_client *cl)
{
	return cl->c->closed;
}

void
fake_set_room(struct fake_client *cl, size_t room)
{
	cl->c->room = room;
}

size_t
fake_idle_bytes(const struct fake_client *cl)
{
	const struct imap_session *s = cl->c->session;
	size_t n = sizeof(*s) + s->in.b.size + s->out.b.size + s->mem.used +
		   s->unit.used;

	if (s->box != NULL)
		n += sizeof(*s->box) +
		     s->box->view.size * sizeof(*s->box->view.v) +
		     s->box->view.recent.n * sizeof(*s->box->view.recent.v);
	return n;
}
