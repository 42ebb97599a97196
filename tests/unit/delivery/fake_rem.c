#include <string.h>

#include "tests/unit/delivery/fake.h"
#include "tests/unit/delivery/fake_rem.h"

void
fake_rem_init(struct rem_client *r)
{
	*r = (struct rem_client){ 0 };
	pthread_mutex_init(&r->lock, NULL);
}

void
fake_rem_free(struct rem_client *r)
{
	arena_free(&r->a);
	pthread_mutex_destroy(&r->lock);
}

size_t
fake_rem_count(struct rem_client *r)
{
	size_t n;

	pthread_mutex_lock(&r->lock);
	n = r->nsent;
	pthread_mutex_unlock(&r->lock);
	return n;
}

static struct rem_result
result_of(struct str address, bool *down)
{
	struct rem_result r = {
		.rc = RC_OK,
		.code = 250,
		.status = STR("2.0.0"),
		.reply = STR("250 2.0.0 Ok: queued"),
		.from_server = true,
	};

	if (str_has_prefix(address, STR("no@")))
		return (struct rem_result){ .rc = RC_DENY,
			.code = 550,
			.status = STR("5.1.1"),
			.reply = STR("550 5.1.1 No such user"),
			.from_server = true };
	if (str_has_prefix(address, STR("later@")))
		return (struct rem_result){ .rc = RC_TEMP,
			.code = 451,
			.status = STR("4.3.0"),
			.reply = STR("451 4.3.0 Not now"),
			.from_server = true };
	if (str_has_prefix(address, STR("down@"))) {
		*down = true;
		return (struct rem_result){ .rc = RC_TEMP,
			.status = STR("4.4.1"),
			.reply = STR("connection refused") };
	}
	if (str_has_prefix(address, STR("wordy"))) {
		static const char words[1000] = { [0 ... 999] = 'w' };

		return (struct rem_result){ .rc = RC_TEMP,
			.code = 450,
			.status = STR("4.2.0"),
			.reply = str_n(words, sizeof(words)),
			.from_server = true };
	}
	r.dsn_passed_on = str_has_prefix(address, STR("dsn@"));
	return r;
}

void
fake_rem_answer(struct rem_client *r, size_t i, enum rc rc)
{
	struct fake_sent *s = &r->sent[i];
	AUTO_ARENA a = { 0 };
	struct rem_outcome out = { .host = STR("mx.example.net"),
		.ip = STR("192.0.2.1") };

	assert_false(s->answered);
	s->answered = true;
	out.to = arena_calloc(&a, s->nto, sizeof(*out.to));
	out.nto = s->nto;
	for (size_t k = 0; k < s->nto; k++)
		out.to[k] = result_of(s->m.to[k].address, &out.hop_down);
	s->done(s->arg, rc, rc == RC_OK ? &out : NULL);
}

void
rem_send_start(struct rem_client *r, const struct rem_message *in,
    struct deadline dl,
    void (*done)(void *arg, enum rc rc, const struct rem_outcome *out),
    void *arg)
{
	struct fake_sent *s;
	struct rem_rcpt *to;
	enum rc rc = RC_OK;
	bool silent;
	size_t i;

	pthread_mutex_lock(&r->lock);
	assert_true(r->nsent < FAKE_SENDS);
	i = r->nsent++;
	s = &r->sent[i];
	to = arena_calloc(&r->a, in->nto, sizeof(*to));
	for (size_t k = 0; k < in->nto; k++)
		to[k].address = str_dup(&r->a, in->to[k].address);
	*s = (struct fake_sent){
		.id = str_dup(&r->a, in->id),
		.hop = str_dup(&r->a, in->hop),
		.from = str_dup(&r->a, in->from),
		.prefix = str_dup(&r->a, in->prefix),
		.body = str_dup(&r->a, in->inline_data),
		.address = to[0].address,
		.orcpt = str_dup(&r->a, in->to[0].orcpt),
		.envid = str_dup(&r->a, in->envid),
		.notify = in->to[0].notify,
		.nto = in->nto,
		.ms = deadline_left_ms(dl),
		.done = done,
		.arg = arg,
	};
	s->m.to = to;
	silent = r->silent;
	if (r->mute > 0) {
		r->mute--;
		rc = RC_TEMP;
	}
	pthread_mutex_unlock(&r->lock);
	if (!silent)
		fake_rem_answer(r, i, rc);
}

enum rc
sgn_sign(struct sgn_client *s, struct arena *a, const struct sgn_message *in,
    struct deadline dl, struct str *out)
{
	(void)dl;
	s->asked++;
	assert_true(in->size > 0);
	if (s->rc != RC_OK)
		return s->rc;
	if (!str_ieq(in->domain, str_c(s->domain)))
		return RC_NOENT;
	*out = str_fmt(a, "DKIM-Signature: d=%.*s\r\n", STRF(in->domain));
	return RC_OK;
}
