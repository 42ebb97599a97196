/*
 * gatepost-policy: SPF, DKIM and DMARC for what comes in.  It parses hostile
 * mail and hostile DNS answers, holds no key and no file, and may be killed at
 * any time.  See gatepost-policy(8).
 */
#include <unistd.h>

#include "conf/conf_dns.h"
#include "lib/proc.h"
#include "policy/policy.h"

#define RPC_CONNS 256u
/*
 * A worker that waits for a slow DNS server works on nothing else; a sender
 * chooses which servers we ask, so there have to be many.
 */
#define WORKERS_FACTOR 4u
#define CHECK_MS       5000

struct daemon {
	struct proc proc;
	struct policy policy;
	struct rpcd *rpcd;
};

static void
on_reload(void *ctx, const struct conf *conf, struct ipc_in *in)
{
	struct daemon *dm = ctx;
	const struct pol_rules *rules;

	if (pol_rules_load(dm->policy.log, in, &rules) == RC_OK)
		policy_rules_set(&dm->policy, rules);
	policy_conf_set(&dm->policy, conf_ref(conf));
}

static void
on_status(void *ctx, struct ipc_msg *out)
{
	struct daemon *dm = ctx;
	struct policy_counts *c = &dm->policy.counts;
	struct resolver_stats dns;

	resolver_stats(dm->policy.resolver, &dns);
	ipc_put_u64(out, "checks", c->checks);
	ipc_put_u64(out, "accepted", c->accepted);
	ipc_put_u64(out, "junked", c->junked);
	ipc_put_u64(out, "rejected", c->rejected);
	ipc_put_u64(out, "failed", c->failed);
	ipc_put_u64(out, "poisoned", c->poisoned);
	ipc_put_u64(out, "busy", c->busy);
	ipc_put_u64(out, "spf_fail", c->spf_fail);
	ipc_put_u64(out, "dkim_fail", c->dkim_fail);
	ipc_put_u64(out, "dmarc_fail", c->dmarc_fail);
	ipc_put_u64(out, "temperrors", c->temperrors);
	ipc_put_u64(out, "dns_asked", dns.asked);
	ipc_put_u64(out, "dns_cached", dns.cached);
	ipc_put_u64(out, "dns_timeouts", dns.timeouts);
	ipc_put_u64(out, "dns_failed", dns.failed);
}

/* Any answer proves a working DNS, a "no" as well. */
static void
on_check(void *ctx, struct ipc_msg *out)
{
	struct daemon *dm = ctx;
	const struct conf *conf = policy_conf(&dm->policy);
	struct str domain = str_c(conf->domains.v[0]);
	AUTO_ARENA a = { 0 };
	struct dns_answer answer;
	enum rc rc;

	rc = resolver_ask(dm->policy.resolver, &a, domain, DNS_MX,
	    deadline_in(CHECK_MS), &answer);
	proc_check_line(out, rc == RC_TEMP ? PROC_FAIL : PROC_GOOD,
	    str_fmt(&a, "policy asks the DNS for the MX of %.*s", STRF(domain)),
	    rc == RC_TEMP ? STR("no answer")
	    : rc == RC_OK ? STR("it answers")
			  : STR("it answers that there is none"),
	    rc == RC_TEMP ? STR("see dns_servers; or policy = no") : STR(""));
	conf_unref(&conf);
}

static void
on_stop(void *ctx, struct deadline dl)
{
	struct daemon *dm = ctx;

	policy_queue_stop(&dm->policy);
	rpcd_stop(&dm->rpcd, dl);
	/* Somebody still waits for the DNS: nothing of theirs has to be saved.
	 */
	if (deadline_over(dl))
		_exit(0);
}

static void
release(struct policy *p)
{
	pol_queue_free(&p->queue);
	resolver_free(&p->resolver);
	inflight_close(&p->inflight);
	conf_unref(&p->conf);
	pol_rules_unref(&p->rules);
}

static void
start(struct daemon *dm)
{
	struct proc *proc = &dm->proc;
	struct policy *p = &dm->policy;
	AUTO_FD inflight_fd = proc_take_fd(proc, "inflight");
	struct rpcd_conf rpc = {
		.name = "policy",
		.listen_fd = proc_take_fd(proc, "rpc"),
		.workers = proc->conf->workers * WORKERS_FACTOR,
		.max_conns = RPC_CONNS,
		.worker_init = policy_worker_init,
		.worker_free = policy_worker_free,
		.handle = policy_handle,
		.ctx = p,
	};

	rpc.uids = proc_peer_uids(proc, &rpc.nuids);
	policy_queue_start(p, rpc.workers);
	p->started_ns = now_ns();
	p->inflight = inflight_open(inflight_fd);
	policy_report_deaths(p);
	dm->rpcd = rpcd_start(p->log, &rpc);
}

int
main(int argc, char **argv)
{
	static const struct sandbox rules = { .inet = true };
	struct daemon dm = { 0 };
	struct policy *p = &dm.policy;
	struct resolver_conf dns;
	struct ipc_in in;
	const struct proc_hooks hooks = {
		.reload = on_reload,
		.status = on_status,
		.check = on_check,
		.stop = on_stop,
		.ctx = &dm,
	};
	int status;

	proc_begin(&dm.proc, argc, argv);
	p->log = &dm.proc.log;
	pthread_mutex_init(&p->conf_lock, NULL);
	p->conf = conf_ref(dm.proc.conf);
	ipc_in_init(&in, &dm.proc.start);
	if (pol_rules_load(p->log, &in, &p->rules) != RC_OK)
		return PROC_EX_CONFIG;
	dns = conf_dns(p->conf);
	p->resolver = resolver_new(p->log, &dns);
	if (p->resolver == NULL)
		return PROC_EX_CONFIG;
	proc_confine(&dm.proc, &rules);
	start(&dm);
	status = proc_run(&dm.proc, &hooks);
	release(p);
	return status;
}
