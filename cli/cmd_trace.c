/*
 * gatepost trace: what happened to a message, from the connection to the
 * mailbox or the other server's reply.
 *
 * First the messages that fit, then the events of each.  A notice about a
 * message is a message of its own and follows it.
 */
#include <jansson.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/out.h"
#include "cli/when.h"
#include "track/trk_ask_client.h"

#define ASK_MS       15000
#define MESSAGES_MAX 100u
#define EVENTS_MAX   20000u
#define USAGE                                                                  \
	"trace [ID] [--message-id M] [--from A] [--to A] [--since T] "         \
	"[--until T]"

struct message {
	struct str qid, sid;
};

struct trace {
	struct cli *c;
	struct trk_ask *ask;
	struct message v[2 * MESSAGES_MAX]; /* notices come on top */
	size_t n;
	bool more;
	json_t *all;
};

static const char *const kinds[] = { NULL, "connect", "reject", "defer-in",
	"accept", "policy", "expand", "deliver", "queue", "send", "defer",
	"bounce", "hold", "delete", "forward" };

static const char *
kind_name(const struct trk_event *e)
{
	if (e->kind == TRK_ACCEPT && e->client_ip.n == 0)
		return "notice";
	return (unsigned)e->kind < COUNT(kinds) && kinds[e->kind] != NULL
		   ? kinds[e->kind]
		   : "unknown";
}

static void
piece(FILE *f, const char *before, struct str s, const char *behind)
{
	if (s.n == 0)
		return;
	fputs(before, f);
	out_text(f, s);
	fputs(behind, f);
}

/* A server's reply begins with its code, and has a status or not. */
static bool
says_code(const struct trk_event *e)
{
	struct str code = e->code, text = e->text;

	return code.n > 0 && str_eq(str_word(&code), str_word(&text));
}

static void
say_event(struct trace *t, const struct trk_event *e)
{
	FILE *f = t->c->out;
	AUTO_ARENA a = { 0 };

	fprintf(f, "  %.*s  %-8s", STRF(when_text(&a, e->at_ms)), kind_name(e));
	if (e->kind == TRK_CONNECT) {
		piece(f, " ", e->client_ip, "");
		piece(f, " helo ", e->host, "");
		piece(f, " as ", e->from, "");
		piece(f, " ", e->text, "");
		fputc('\n', f);
		return;
	}
	piece(f, " ", e->rcpt, "");
	piece(f, " host ", e->host, "");
	if (!says_code(e))
		piece(f, " ", e->code, "");
	piece(f, e->rcpt.n > 0 && e->code.n == 0 ? ": " : " ", e->text, "");
	if (e->kind == TRK_ACCEPT) {
		fputs(" from ", f);
		out_text(f, e->from.n > 0 ? e->from : STR("<>"));
		fprintf(f, ", %llu %s, %.*s", (unsigned long long)e->nrcpt,
		    e->nrcpt == 1 ? "recipient" : "recipients",
		    STRF(out_size(&a, e->size)));
		piece(f, ", as ", e->qid, "");
	} else {
		piece(f, " from ", e->from, "");
	}
	if (e->kind == TRK_EXPAND)
		fprintf(f, ": %llu members", (unsigned long long)e->nrcpt);
	else if (e->kind == TRK_DELIVER && e->nrcpt > 1)
		fprintf(f, ": %llu", (unsigned long long)e->nrcpt);
	fputc('\n', f);
}

static json_t *
string(struct str s)
{
	AUTO_ARENA a = { 0 };
	json_t *v = json_stringn(s.p ? s.p : "", s.n);

	if (v == NULL) {
		s = out_escape(&a, s);
		v = json_stringn(s.p, s.n);
	}
	return v;
}

static json_t *
event_json(const struct trk_event *e)
{
	const struct {
		const char *name;
		struct str s;
	} texts[] = { { "sid", e->sid }, { "qid", e->qid },
		{ "message_id", e->message_id }, { "client", e->client_ip },
		{ "from", e->from }, { "rcpt", e->rcpt }, { "host", e->host },
		{ "code", e->code }, { "text", e->text } };
	json_t *o = json_object();
	AUTO_ARENA a = { 0 };

	json_object_set_new(o, "time", string(when_json(&a, e->at_ms)));
	json_object_set_new(o, "event", json_string(kind_name(e)));
	for (size_t i = 0; i < COUNT(texts); i++)
		if (texts[i].s.n > 0)
			json_object_set_new(
			    o, texts[i].name, string(texts[i].s));
	if (e->size > 0)
		json_object_set_new(
		    o, "size", json_integer((json_int_t)e->size));
	if (e->nrcpt > 0)
		json_object_set_new(
		    o, "rcpts", json_integer((json_int_t)e->nrcpt));
	return o;
}

static void
add(struct trace *t, size_t max, struct str qid, struct str sid)
{
	struct arena *a = &t->c->a;

	for (size_t i = 0; i < t->n; i++)
		if (qid.n > 0 ? str_eq(t->v[i].qid, qid)
			      : t->v[i].qid.n == 0 && str_eq(t->v[i].sid, sid))
			return;
	if (t->n >= max) {
		t->more = true;
		return;
	}
	t->v[t->n++] = (struct message){ str_dup(a, qid),
		qid.n > 0 ? STR("") : str_dup(a, sid) };
}

static enum rc
find(struct trace *t, struct trk_find *f)
{
	uint64_t next = 0;

	f->limit = MESSAGES_MAX + 1;
	do {
		AUTO_ARENA a = { 0 };
		struct trk_event *v;
		size_t n;
		enum rc rc;

		f->before = next;
		rc = trk_ask_find(
		    t->ask, &a, f, deadline_in(ASK_MS), &v, &n, &next);
		if (rc != RC_OK)
			return rc;
		for (size_t i = 0; i < n; i++)
			add(t, MESSAGES_MAX, v[i].qid, v[i].sid);
	} while (next != 0 && !t->more);
	/* Found newest first, shown in the order of time. */
	for (size_t i = 0; i < t->n / 2; i++) {
		struct message m = t->v[i];

		t->v[i] = t->v[t->n - 1 - i];
		t->v[t->n - 1 - i] = m;
	}
	return t->n > 0 ? RC_OK : RC_NOENT;
}

static void
begin_message(struct trace *t, const struct message *m, json_t **events)
{
	json_t *o;

	if (t->c->json) {
		o = json_object();
		*events = json_array();
		json_object_set_new(o, "qid", string(m->qid));
		json_object_set_new(o, "sid", string(m->sid));
		json_object_set_new(o, "events", *events);
		json_array_append_new(t->all, o);
		return;
	}
	fputs(m->qid.n > 0 ? "message " : "not accepted, session ", t->c->out);
	out_text(t->c->out, m->qid.n > 0 ? m->qid : m->sid);
	fputc('\n', t->c->out);
}

static enum rc
show(struct trace *t, const struct message m)
{
	json_t *events = NULL;
	uint64_t from = 0;
	size_t n;

	begin_message(t, &m, &events);
	do {
		AUTO_ARENA a = { 0 };
		struct trk_event *v;
		enum rc rc = trk_ask_steps(t->ask, &a, m.qid, m.sid, from,
		    deadline_in(ASK_MS), &v, &n);

		if (rc != RC_OK)
			return rc;
		for (size_t i = 0; i < n; i++) {
			if (t->c->json)
				json_array_append_new(
				    events, event_json(&v[i]));
			else
				say_event(t, &v[i]);
			if (m.qid.n > 0 && v[i].kind == TRK_ACCEPT &&
			    str_eq(v[i].sid, m.qid))
				add(t, COUNT(t->v), v[i].qid, STR(""));
		}
		from += n;
	} while (n == TRK_PAGE && from < EVENTS_MAX);
	return RC_OK;
}

static enum rc
show_all(struct trace *t)
{
	enum rc rc = RC_OK;

	for (size_t i = 0; i < t->n && rc == RC_OK; i++) {
		if (i > 0 && !t->c->json)
			fputc('\n', t->c->out);
		rc = show(t, t->v[i]);
	}
	if (rc != RC_OK)
		return rc;
	if (t->c->json) {
		json_t *root = json_object();

		json_object_set(root, "messages", t->all);
		json_object_set_new(root, "more", json_boolean(t->more));
		json_dumpf(root, t->c->out, JSON_INDENT(2) | JSON_ENSURE_ASCII);
		fputc('\n', t->c->out);
		json_decref(root);
	} else if (t->more) {
		fputs("There are more; narrow it down by --since and "
		      "--until.\n",
		    t->c->out);
	}
	return RC_OK;
}

/* False: usage. */
static bool
options(struct cli *c, struct trk_find *f)
{
	int64_t now = now_unix(), since = 0, until = now + 86400;

	for (int i = 0; i < c->argc; i++) {
		struct str name = str_c(c->argv[i]), value;

		if (!str_has_prefix(name, STR("-")) && f->id.n == 0) {
			f->id = name;
			continue;
		}
		if (i + 1 == c->argc)
			return false;
		value = str_c(c->argv[++i]);
		if (str_eq(name, STR("--message-id")))
			f->message_id = value;
		else if (str_eq(name, STR("--from")))
			f->from = value;
		else if (str_eq(name, STR("--to")))
			f->to = value;
		else if (!(str_eq(name, STR("--since")) &&
			     when_parse(value, now, &since) == RC_OK) &&
			 !(str_eq(name, STR("--until")) &&
			     when_parse(value, now, &until) == RC_OK))
			return false;
	}
	f->since_ms = since * 1000;
	f->until_ms = until * 1000;
	return f->id.n <= TRK_TEXT_MAX && f->message_id.n <= TRK_TEXT_MAX &&
	       f->from.n <= TRK_TEXT_MAX && f->to.n <= TRK_TEXT_MAX &&
	       (f->id.n + f->message_id.n + f->from.n + f->to.n > 0 ||
		   since > 0);
}

enum cli_exit
cmd_trace(struct cli *c)
{
	struct trk_find f = { 0 };
	struct trace t = { .c = c };
	struct str m;
	enum rc rc;

	if (!options(c, &f))
		return cli_bad_usage(c, USAGE);
	m = f.message_id;
	/* The brackets belong to it, and shells make them hard to write. */
	if (m.n > 0 && m.p[0] != '<')
		f.message_id = str_fmt(&c->a, "<%.*s>", STRF(m));
	t.all = json_array();
	t.ask = trk_ask_new(&c->log, cli_socket(c, "track"));
	rc = find(&t, &f);
	if (rc == RC_OK)
		rc = show_all(&t);
	trk_ask_free(&t.ask);
	json_decref(t.all);
	return cli_answer(c, "trace", rc, "nothing is known of such a message");
}
