/*
 * Asks a running gatepost-remote: each line of the input is a message as JSON
 * (the fields of struct rem_message; "file" names the body, "text" is the
 * body itself, "blocking" uses the blocking form), each line of the output an
 * outcome.
 *
 *	rem_send SOCKET < messages
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "delivery/rem_client.h"

#define DEADLINE_MS 30000

struct tool {
	struct rem_client *rem;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned running;
};

struct call {
	struct tool *t;
	json_t *json;
	struct arena a;
	struct rem_message in;
};

static struct str
text_of(json_t *o, const char *key)
{
	json_t *v = json_object_get(o, key);

	return str_n(json_string_value(v), json_string_length(v));
}

static uint64_t
number_of(json_t *o, const char *key, uint64_t other)
{
	json_t *v = json_object_get(o, key);

	return json_is_integer(v) ? (uint64_t)json_integer_value(v) : other;
}

static json_t *
json_of(struct str s)
{
	return json_stringn(s.p ? s.p : "", s.n);
}

static void
show(struct call *c, enum rc rc, const struct rem_outcome *out)
{
	json_t *o = json_object(), *to = json_array();
	char *text;

	json_object_set_new(o, "id", json_of(c->in.id));
	json_object_set_new(o, "rc", json_string(rc_name(rc)));
	for (size_t i = 0; rc == RC_OK && i < out->nto; i++) {
		const struct rem_result *r = &out->to[i];
		json_t *x = json_object();

		json_object_set_new(x, "rc", json_string(rc_name(r->rc)));
		json_object_set_new(x, "code", json_integer(r->code));
		json_object_set_new(x, "status", json_of(r->status));
		json_object_set_new(x, "reply", json_of(r->reply));
		json_object_set_new(
		    x, "from_server", json_boolean(r->from_server));
		json_object_set_new(x, "dsn", json_boolean(r->dsn_passed_on));
		json_array_append_new(to, x);
	}
	json_object_set_new(o, "to", to);
	if (rc == RC_OK) {
		json_object_set_new(o, "host", json_of(out->host));
		json_object_set_new(o, "ip", json_of(out->ip));
		json_object_set_new(o, "tls", json_of(out->tls));
		json_object_set_new(o, "hop_down", json_boolean(out->hop_down));
		json_object_set_new(o, "ms", json_integer((json_int_t)out->ms));
	}
	text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	puts(text);
	fflush(stdout);
	xfree(text);
}

static void
on_outcome(void *arg, enum rc rc, const struct rem_outcome *out)
{
	struct call *c = arg;
	struct tool *t = c->t;

	pthread_mutex_lock(&t->lock);
	show(c, rc, out);
	fd_close(&c->in.fd);
	json_decref(c->json);
	arena_free(&c->a);
	xfree(c);
	t->running--;
	pthread_cond_signal(&t->changed);
	pthread_mutex_unlock(&t->lock);
}

static void
read_rcpts(struct call *c)
{
	json_t *list = json_object_get(c->json, "to");
	size_t n = json_array_size(list);
	struct rem_rcpt *to = arena_calloc(&c->a, n, sizeof(*to));

	for (size_t i = 0; i < n; i++) {
		json_t *r = json_array_get(list, i);

		to[i].address = text_of(r, "address");
		to[i].notify = (unsigned)number_of(r, "notify", 0);
		to[i].orcpt = text_of(r, "orcpt");
	}
	c->in.to = to;
	c->in.nto = n;
}

static bool
read_body(struct call *c)
{
	struct str path = text_of(c->json, "file");
	const char *name;
	struct stat st;

	c->in.fd = -1;
	c->in.inline_data = text_of(c->json, "text");
	c->in.size = c->in.inline_data.n;
	if (path.n == 0)
		return true;
	if (str_cstr(&c->a, path, &name) != RC_OK)
		return false;
	c->in.fd = open(name, O_RDONLY | O_CLOEXEC);
	if (c->in.fd < 0 || fstat(c->in.fd, &st) < 0)
		return false;
	c->in.size = number_of(c->json, "size", (uint64_t)st.st_size);
	return true;
}

static bool
start(struct tool *t, const char *line)
{
	struct call *c = xcalloc(1, sizeof(*c));
	struct rem_outcome out = { 0 };
	struct deadline dl;
	enum rc rc;

	c->t = t;
	c->json = json_loads(line, 0, NULL);
	if (c->json == NULL || !read_body(c))
		return false;
	c->in.id = text_of(c->json, "id");
	c->in.qid = text_of(c->json, "qid");
	c->in.hop = text_of(c->json, "hop");
	c->in.from = text_of(c->json, "from");
	c->in.envid = text_of(c->json, "envid");
	c->in.prefix = text_of(c->json, "prefix");
	c->in.ret = (enum rem_ret)number_of(c->json, "ret", 0);
	read_rcpts(c);
	dl = deadline_in(
	    (int64_t)number_of(c->json, "deadline_ms", DEADLINE_MS));
	pthread_mutex_lock(&t->lock);
	t->running++;
	pthread_mutex_unlock(&t->lock);
	if (json_is_true(json_object_get(c->json, "blocking"))) {
		rc = rem_send(t->rem, &c->a, &c->in, dl, &out);
		on_outcome(c, rc, &out);
	} else {
		rem_send_start(t->rem, &c->in, dl, on_outcome, c);
	}
	return true;
}

int
main(int argc, char **argv)
{
	struct log_sink *sink = log_sink_new(2, "rem_send", LOG_WARN);
	struct log log = { .sink = sink };
	struct tool t = { .lock = PTHREAD_MUTEX_INITIALIZER,
		.changed = PTHREAD_COND_INITIALIZER };
	char *line = NULL;
	size_t size = 0;
	int status = 0;

	if (argc != 2)
		return 64;
	json_set_alloc_funcs(xmalloc, xfree);
	t.rem = rem_client_new(&log, argv[1], 4);
	while (status == 0 && getline(&line, &size, stdin) > 0)
		if (!start(&t, line)) {
			fprintf(stderr, "bad message: %s", line);
			status = 1;
		}
	pthread_mutex_lock(&t.lock);
	while (t.running > 0)
		pthread_cond_wait(&t.changed, &t.lock);
	pthread_mutex_unlock(&t.lock);
	rem_client_free(&t.rem);
	log_sink_free(&sink);
	(free)(line); /* getline's */
	return status;
}
