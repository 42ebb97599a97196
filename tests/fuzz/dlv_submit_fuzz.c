/*
 * The fields of a submit, as a gateway in foreign hands could send them: what
 * is taken is within the limits, each account gets at most one copy, and every
 * prefix is a header.
 */
#include "conf/conf.h"
#include "delivery/dlv_people.h"
#include "delivery/dlv_route.h"
#include "delivery/dlv_wire.h"
#include "lib/ipc_impl.h"
#include "mail/header.h"
#include "mail/meta.h"
#include "tests/fuzz/fuzz.h"

bool
log_on(const struct log *l, enum log_level level)
{
	(void)l;
	(void)level;
	return false;
}

void
log_write(const struct log *l, enum log_level level, const char *event,
    const struct log_kv *kv, size_t nkv)
{
	(void)l;
	(void)level;
	(void)event;
	(void)kv;
	(void)nkv;
}

/* A group of two, one of whom cannot be looked up. */
enum rc
dir_expand(struct dir_client *d, struct arena *a, struct str group_id,
    struct deadline dl, struct dir_rcpt **out, size_t *out_n)
{
	(void)d;
	(void)dl;
	*out = arena_calloc(a, 2, sizeof(**out));
	(*out)[0] = (struct dir_rcpt){
		.rc = RC_OK,
		.kind = DIR_USER,
		.id = group_id,
		.address = STR("m@example.org"),
	};
	(*out)[1] = (struct dir_rcpt){ .rc = RC_TEMP };
	*out_n = 2;
	return RC_OK;
}

/* Somebody asked about again: here, gone, elsewhere, or not known. */
enum rc
dir_by_id(struct dir_client *d, struct arena *a, struct str id,
    struct deadline dl, struct dir_rcpt *out)
{
	static const enum rc answers[] = { RC_OK, RC_NOENT, RC_DENY, RC_TEMP };
	char c = id.n ? id.p[id.n - 1] : 0;

	(void)d;
	(void)a;
	(void)dl;
	*out = (struct dir_rcpt){
		.rc = answers[(unsigned char)c % COUNT(answers)],
		.kind = (unsigned char)c & 4 ? DIR_ELSEWHERE : DIR_USER,
		.id = id,
		.address = STR("m@example.org"),
		.route = STR("m@old.example.net"),
	};
	return out->rc;
}

static const struct conf conf = {
	.hops_max = 3,
	.queue_retry_min_s = 1,
	.queue_retry_max_s = 10,
	.queue_lifetime_s = 100,
};

static void
check_prefix(struct str prefix)
{
	struct mail_header_iter it = { prefix };
	struct mail_field f;
	size_t n = 0;

	while (mail_header_next(&it, &f))
		n += f.whole.n;
	PROMISE(n == prefix.n);
}

static void
check_plan(struct arena *a, const struct dlv_plan *p)
{
	struct dlv_people once;
	bool new;

	dlv_people_init(&once, a);
	for (size_t i = 0; i < p->nto; i++) {
		PROMISE(dlv_people_add(
			    &once, p->to[i].account, STR(""), &new) == RC_OK &&
			new);
		check_prefix(p->to[i].prefix);
		PROMISE(str_has_prefix(p->to[i].prefix, STR("Return-Path: <")));
	}
	for (size_t i = 0; i < p->nqueue; i++) {
		struct dlv_people seen;
		struct dlv_entry e;

		dlv_people_init(&seen, a);
		PROMISE(dlv_entry_get(p->queue[i].data, &e) == RC_OK);
		PROMISE(dlv_people_load(&seen, e.people) == RC_OK);
		PROMISE(p->queue[i].rcpt.n > 0 && p->queue[i].reason.n > 0);
		if (p->queue[i].kind != DIR_GROUP)
			check_prefix(p->queue[i].prefix);
	}
}

static void
submit(const struct log *log, struct arena *a, const struct dlv_submit *m)
{
	AUTO_BUF meta = { 0 };
	struct mail_meta decoded;
	struct dlv_scan scan;
	struct dlv_plan p;

	PROMISE(m->id.n == DLV_SUBMIT_ID_LEN && m->nto > 0);
	PROMISE(m->fd < 0 && m->inline_data.n == m->size);
	buf_init(&meta, MAIL_META_MAX);
	if (dlv_plan_init(&p, a, log, &conf, m->from, m->trace, 0, 7) != RC_OK)
		return;
	if (dlv_scan(log, a, m, &meta, &scan) != RC_OK)
		return;
	PROMISE(mail_meta_decode(a, buf_str(&meta), &decoded) == RC_OK);
	PROMISE(decoded.size == m->edits.n + m->size);
	if (dlv_route(&p, NULL, m, &scan, deadline_in(1000)) == RC_OK)
		check_plan(a, &p);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct log log = { 0 };
	AUTO_MSG m = { 0 };
	AUTO_ARENA a = { 0 };
	struct dlv_submit in;
	struct ipc_in fields;

	ipc_msg_init(&m, DLV_OP_SUBMIT);
	if (buf_add(&m.b, str_n(data, size)) == RC_OK &&
	    ipc_seal(&m) == RC_OK && ipc_open(&m) == RC_OK) {
		ipc_in_init(&fields, &m);
		if (dlv_get_submit(&fields, &a, &in) == RC_OK)
			submit(&log, &a, &in);
	}
	return 0;
}
