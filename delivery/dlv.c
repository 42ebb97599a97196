/* The requests by number; settings and rules, which a reload replaces. */
#include <sys/random.h>
#include <unistd.h>

#include "delivery/dlv.h"
#include "delivery/dlv_wire.h"

const struct conf *
dlv_conf(struct dlv *d)
{
	const struct conf *conf;

	pthread_mutex_lock(&d->conf_lock);
	conf = conf_ref(d->conf);
	pthread_mutex_unlock(&d->conf_lock);
	return conf;
}

void
dlv_conf_set(struct dlv *d, const struct conf *conf)
{
	const struct conf *old;

	pthread_mutex_lock(&d->conf_lock);
	old = d->conf;
	d->conf = conf_ref(conf);
	pthread_mutex_unlock(&d->conf_lock);
	conf_unref(&old);
	/* Routes may have changed. */
	if (d->queue != NULL)
		dlv_queue_reload(d->queue);
}

const struct mail_rules *
dlv_rules(struct dlv *d)
{
	const struct mail_rules *rules;

	pthread_mutex_lock(&d->conf_lock);
	rules = mail_rules_ref(d->rules);
	pthread_mutex_unlock(&d->conf_lock);
	return rules;
}

enum rc
dlv_rules_load(const struct log *log, const struct conf *conf,
    struct ipc_in *in, const struct mail_rules **out)
{
	struct str text = STR(""), why = STR("not a sealed file");
	AUTO_ARENA a = { 0 };
	AUTO_FD fd = -1;
	enum rc rc = RC_OK;

	if (ipc_get_fd(in, "rules", &fd) == RC_OK)
		rc = fd_read_sealed(&a, fd, RULES_BYTES_MAX, &text);
	if (rc == RC_OK)
		rc = mail_rules_parse(&a, conf->rules_file, text, out, &why);
	if (rc == RC_OK)
		return RC_OK;
	log_error(log, "rules.load", KV("error", why));
	return RC_BAD;
}

void
dlv_rules_set(struct dlv *d, const struct mail_rules *rules)
{
	const struct mail_rules *old;

	pthread_mutex_lock(&d->conf_lock);
	old = d->rules;
	d->rules = rules;
	pthread_mutex_unlock(&d->conf_lock);
	mail_rules_unref(&old);
}

uint32_t
dlv_random(void)
{
	uint32_t r = 0;

	/* Short of entropy only the jitter suffers. */
	if (getrandom(&r, sizeof(r), GRND_NONBLOCK) != (ssize_t)sizeof(r))
		r = (uint32_t)now_ns();
	return r;
}

static const struct op {
	uint16_t op;
	enum rc (*run)(struct dlv *d, struct rpcd_req *r);
} ops[] = {
	{ DLV_OP_QUEUE_LIST, dlv_on_list },
	{ DLV_OP_QUEUE_SHOW, dlv_on_show },
	{ DLV_OP_QUEUE_RETRY, dlv_on_retry },
	{ DLV_OP_QUEUE_DELETE, dlv_on_delete },
	{ DLV_OP_QUEUE_HOLD, dlv_on_hold },
	{ DLV_OP_QUEUE_RELEASE, dlv_on_release },
};

enum rpcd_next
dlv_handle(void *ctx, struct rpcd_req *r, enum rc *rc)
{
	struct dlv *d = ctx;

	/* The one that matters for speed, and the one that answers later. */
	if (r->op == DLV_OP_SUBMIT)
		return dlv_on_submit(d, r, rc);
	/* The queue is the administrator's: a gateway must not empty it. */
	if (r->uid != 0 && r->uid != geteuid()) {
		log_error(d->log, "queue.refused", KVU("uid", r->uid),
		    KVI("pid", r->pid), KVU("op", r->op));
		*rc = RC_DENY;
		return RPCD_REPLY;
	}
	*rc = RC_BAD;
	for (size_t i = 0; i < COUNT(ops); i++) {
		if (ops[i].op == r->op)
			*rc = ops[i].run(d, r);
	}
	return RPCD_REPLY;
}
