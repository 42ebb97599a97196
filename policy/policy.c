/*
 * A message that is being parsed is entered in the table that outlives the
 * process (lib/inflight.h), and taken out while it waits for the DNS: waiting
 * kills nobody, and many innocent messages wait.  What was entered at two
 * deaths is not parsed a third time; it gets a verdict that says so, and the
 * gateway takes it unchecked.  It is known by its content, since a sender's
 * next try is another session, and it is forgiven when the process has lived
 * for REST_S: deaths may have had another cause.
 *
 * Who has no turn in half of its time is answered 4xx (pol_queue.h): what is
 * left would not do for a check.
 */
#include <string.h>
#include <unistd.h>

#include "policy/pol_check.h"
#include "policy/pol_wire.h"
#include "policy/policy.h"

#define HEAD     4096 /* bytes that tell messages apart */
#define REST_S   3600
#define DNS_MS   20000 /* for all questions about one message */
#define SPARE_MS 1000  /* of the caller's time, to answer in */

#define WAITING_MAX 512u /* each may hold a descriptor */

struct job {
	struct pol_turn turn; /* first: it stands for the job */
	struct policy *p;
	struct rpcd_req *r;
	struct pol_check in;
	struct log log;
	char key[INFLIGHT_ID];
	unsigned slot;
	bool entered;
};

const struct conf *
policy_conf(struct policy *p)
{
	const struct conf *c;

	pthread_mutex_lock(&p->conf_lock);
	c = conf_ref(p->conf);
	pthread_mutex_unlock(&p->conf_lock);
	return c;
}

void
policy_conf_set(struct policy *p, const struct conf *conf)
{
	const struct conf *old;

	pthread_mutex_lock(&p->conf_lock);
	old = p->conf;
	p->conf = conf;
	pthread_mutex_unlock(&p->conf_lock);
	conf_unref(&old);
}

void
policy_rules_set(struct policy *p, const struct pol_rules *rules)
{
	const struct pol_rules *old;

	pthread_mutex_lock(&p->conf_lock);
	old = p->rules;
	p->rules = rules;
	pthread_mutex_unlock(&p->conf_lock);
	pol_rules_unref(&old);
}

static const struct pol_rules *
rules_of(struct policy *p)
{
	const struct pol_rules *r;

	pthread_mutex_lock(&p->conf_lock);
	r = pol_rules_ref(p->rules);
	pthread_mutex_unlock(&p->conf_lock);
	return r;
}

void *
policy_worker_init(void *ctx)
{
	struct policy *p = ctx;

	return pol_dkim_new(p->log);
}

void
policy_worker_free(void *ctx, void *worker)
{
	struct pol_dkim *d = worker;

	(void)ctx;
	pol_dkim_free(&d);
}

static void
make_key(struct job *j, const struct pol_check *in)
{
	struct str head = str_sub(in->inline_data, 0, HEAD);
	uint64_t v[2];
	char b[HEAD];

	if (in->fd >= 0) {
		ssize_t n = pread(in->fd, b, sizeof(b), 0);

		head = str_n(b, n > 0 ? (size_t)n : 0);
	}
	v[0] = str_hash(head);
	v[1] = str_hash(in->from) ^ in->size;
	memcpy(j->key, v, sizeof(v));
}

static enum rc
enter(struct job *j)
{
	enum rc rc = inflight_begin(
	    j->p->inflight, str_n(j->key, sizeof(j->key)), &j->slot);

	j->entered = rc == RC_OK;
	return rc == RC_DENY ? RC_DENY : RC_OK;
}

static void
leave(struct job *j)
{
	if (j->entered)
		inflight_end(j->p->inflight, j->slot);
	j->entered = false;
}

static void
ask(void *arg, struct arena *a, const struct dns_question *q, size_t n,
    struct deadline dl, struct dns_answer *out)
{
	struct job *j = arg;

	leave(j);
	resolver_ask_all(j->p->resolver, a, q, n, dl, out);
	/* It was no poison a moment ago, and no process has died since. */
	(void)enter(j);
}

static void
count(struct policy_counts *c, const struct pol_verdict *v)
{
	switch (v->action) {
	case POL_ACCEPT:
		c->accepted++;
		break;
	case POL_JUNK:
		c->junked++;
		break;
	case POL_HOLD:
		c->held++;
		break;
	case POL_REJECT:
		c->rejected++;
		break;
	case POL_DEFER:
		c->deferred++;
		break;
	case POL_DISCARD:
		c->discarded++;
		break;
	}
	c->spf_fail += str_eq(v->spf, STR("fail"));
	c->dkim_fail += str_eq(v->dkim, STR("fail"));
	c->dmarc_fail += str_eq(v->dmarc, STR("fail"));
	c->temperrors += str_eq(v->spf, STR("temperror")) ||
			 str_eq(v->dkim, STR("temperror")) ||
			 str_eq(v->dmarc, STR("temperror"));
}

static const char *
action_name(enum pol_action action)
{
	static const char *const names[] = { [POL_ACCEPT] = "accept",
		[POL_JUNK] = "junk",
		[POL_HOLD] = "hold",
		[POL_REJECT] = "reject",
		[POL_DEFER] = "defer",
		[POL_DISCARD] = "discard" };

	return names[action];
}

static void
log_verdict(const struct job *j, const struct pol_check *in,
    const struct pol_verdict *v)
{
	log_info(&j->log, "policy.verdict",
	    KVC("action", action_name(v->action)), KV("spf", v->spf),
	    KV("dkim", v->dkim), KV("dmarc", v->dmarc), KV("from", in->from),
	    KV("client", in->client_ip), KVU("size", in->size),
	    KVU("cuts", v->ncut), KV("why", v->why));
}

/* It was being parsed when the process died, twice. */
static void
take_poison(struct job *j, const struct pol_check *in, struct pol_verdict *v)
{
	struct policy *p = j->p;
	struct str key = str_n(j->key, sizeof(j->key));
	AUTO_ARENA a = { 0 };

	*v = (struct pol_verdict){ .action = POL_ACCEPT,
		.why = STR("policy died with it twice: not checked") };
	p->counts.poisoned++;
	log_error(&j->log, "poison", KV("id", str_hex(&a, key)),
	    KV("from", in->from), KV("client", in->client_ip),
	    KVU("size", in->size));
	if (now_ns() - p->started_ns >= (int64_t)REST_S * 1000000000)
		inflight_forget(p->inflight, key);
}

/* A refusal's words belong to the rules, which may go with the next reload. */
static void
hold_texts(struct arena *a, struct pol_verdict *v)
{
	v->text = str_dup(a, v->text);
}

static enum rc
check(struct job *j, struct rpcd_req *r, const struct pol_check *in,
    struct pol_verdict *v)
{
	const struct conf *conf = policy_conf(j->p);
	const struct pol_rules *rules = rules_of(j->p);
	int left = MAX(deadline_left_ms(r->dl) - SPARE_MS, 0);
	const struct pol_env env = { .log = &j->log,
		.dkim = r->worker,
		.ask = ask,
		.ask_arg = j,
		.headers = pol_rules_headers(rules),
		.hostname = str_dup(&r->a, str_c(conf->hostname)),
		.spf_engine = conf->spf_engine == CONF_SPF_LIBSPF2
				  ? POL_SPF_LIBSPF2
				  : POL_SPF_OWN,
		.spf_reject = conf->spf_fail == CONF_SPF_REJECT,
		.dmarc_reject = conf->dmarc_reject == CONF_DMARC_REJECT };
	enum rc rc;

	conf_unref(&conf);
	make_key(j, in);
	if (enter(j) == RC_DENY) {
		take_poison(j, in, v);
		pol_rules_unref(&rules);
		return RC_OK;
	}
	rc = pol_check_run(&env, &r->a, in, deadline_in(MIN(left, DNS_MS)), v);
	leave(j);
	hold_texts(&r->a, v);
	pol_rules_unref(&rules);
	return rc;
}

static enum rc
run(struct job *j)
{
	struct pol_verdict v;
	enum rc rc = check(j, j->r, &j->in, &v);

	fd_close(&j->in.fd);
	if (rc != RC_OK) {
		j->p->counts.failed++;
		return rc;
	}
	count(&j->p->counts, &v);
	log_verdict(j, &j->in, &v);
	pol_put_verdict(&j->r->out, &v);
	return RC_OK;
}

static void
answer_busy(struct job *j)
{
	const struct pol_verdict v = { .action = POL_DEFER,
		.status = STR("4.7.1"),
		.text = STR("Too busy to check the message now"),
		.why = STR("policy is busy") };

	fd_close(&j->in.fd);
	j->p->counts.busy++;
	log_warn(&j->log, "policy.busy", KV("from", j->in.from),
	    KV("client", j->in.client_ip), KVU("size", j->in.size));
	pol_put_verdict(&j->r->out, &v);
	rpcd_reply(j->r, RC_OK);
}

static void *
answer_late(void *arg)
{
	struct policy *p = arg;
	struct pol_turn *t, *next;

	while ((t = pol_queue_late(p->queue)) != NULL)
		for (; t != NULL; t = next) {
			next = t->next;
			answer_busy((struct job *)t);
		}
	return NULL;
}

/* This one, then those that had to wait.  A job is gone with its reply. */
static void
run_all(struct policy *p, struct job *j, void *worker)
{
	while (j != NULL) {
		struct rpcd_req *r = j->r;
		enum rc rc;

		r->worker = worker;
		rc = run(j);
		j = (struct job *)pol_queue_done(p->queue, &j->turn);
		rpcd_reply(r, rc);
	}
}

void
policy_queue_start(struct policy *p, unsigned workers)
{
	assert(workers > 1);
	p->queue = pol_queue_new(workers - 1, WAITING_MAX);
	if (pthread_create(&p->late, NULL, answer_late, p) != 0)
		panic("cannot start a thread");
}

void
policy_queue_stop(struct policy *p)
{
	struct pol_turn *t = pol_queue_stop(p->queue), *next;

	for (; t != NULL; t = next) {
		struct job *j = (struct job *)t;

		next = t->next;
		fd_close(&j->in.fd);
		rpcd_reply(j->r, RC_TEMP);
	}
	pthread_join(p->late, NULL);
}

enum rpcd_next
policy_handle(void *ctx, struct rpcd_req *r, enum rc *rc)
{
	struct policy *p = ctx;
	struct job *j = arena_calloc(&r->a, 1, sizeof(*j));

	*rc = RC_BAD;
	if (r->op != POL_OP_CHECK)
		return RPCD_REPLY;
	p->counts.checks++;
	*rc = pol_get_check(&r->in, &r->a, &j->in);
	if (*rc != RC_OK) {
		p->counts.failed++;
		log_error(p->log, "check.bad", KVU("pid", r->pid));
		return RPCD_REPLY;
	}
	j->p = p;
	j->r = r;
	j->log = log_with(p->log, "sid", j->in.sid);
	/* From here on another worker may have it, and have answered. */
	switch (pol_queue_enter(p->queue, j->in.client_ip,
	    deadline_in(deadline_left_ms(r->dl) / 2), &j->turn)) {
	case POL_TURN_RUN:
		run_all(p, j, r->worker);
		break;
	case POL_TURN_WAIT:
		break;
	case POL_TURN_BUSY:
		answer_busy(j);
		break;
	}
	return RPCD_LATER;
}

void
policy_report_deaths(struct policy *p)
{
	unsigned char id[INFLIGHT_ID];
	unsigned deaths;

	for (size_t i = 0; inflight_found(p->inflight, i, id, &deaths); i++) {
		AUTO_ARENA a = { 0 };

		log_warn(p->log, "inflight.died",
		    KV("id", str_hex(&a, str_n(id, sizeof(id)))),
		    KVU("deaths", deaths));
	}
}
