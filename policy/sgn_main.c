/*
 * gatepost-signer: holds the DKIM keys and signs with them, and does nothing
 * else.  It reads its key directory and talks to nobody outside.  See
 * gatepost-signer(8).
 */
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "conf/conf.h"
#include "lib/proc.h"
#include "lib/rpcd.h"
#include "policy/sgn_ring.h"
#include "policy/sgn_sign.h"
#include "policy/sgn_wire.h"

#define RPC_CONNS 256u

struct daemon {
	struct proc proc;
	struct rpcd *rpcd;
	pthread_mutex_t lock; /* ring */
	struct sgn_ring *ring;
	_Atomic uint64_t signed_, nokey, failed;
};

static struct sgn_ring *
ring_of(struct daemon *dm)
{
	struct sgn_ring *r;

	pthread_mutex_lock(&dm->lock);
	r = sgn_ring_ref(dm->ring);
	pthread_mutex_unlock(&dm->lock);
	return r;
}

static void
ring_set(struct daemon *dm, struct sgn_ring *ring)
{
	struct sgn_ring *old;

	pthread_mutex_lock(&dm->lock);
	old = dm->ring;
	dm->ring = ring;
	pthread_mutex_unlock(&dm->lock);
	sgn_ring_unref(&old);
}

/* The active keys, or the one of that name, of a domain in the ring. */
static size_t
choose(const struct sgn_ring_domain *d, struct str only,
    struct sgn_signer out[SGN_SELECTORS_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < d->d.n; i++)
		if (only.n > 0 ? str_eq(only, d->signers[i].selector)
			       : d->d.v[i].sel.state == SGN_ACTIVE)
			out[n++] = d->signers[i];
	return n;
}

static enum rc
sign(struct daemon *dm, struct rpcd_req *r, struct sgn_message *m)
{
	struct sgn_signer keys[SGN_SELECTORS_MAX];
	struct sgn_ring *ring = ring_of(dm);
	const struct sgn_ring_domain *d = NULL;
	enum rc rc = sgn_ring_find(ring, m->domain, &d);
	struct str fields;
	size_t n = 0;

	if (rc == RC_OK && (n = choose(d, STR(""), keys)) == 0)
		rc = RC_NOENT;
	if (rc == RC_OK) {
		m->domain = d->d.name;
		rc = sgn_sign_message(
		    &dm->proc.log, &r->a, keys, n, m, now_unix(), &fields);
	} else if (rc == RC_TEMP) {
		log_error(&dm->proc.log, "dkim.refuse", KV("domain", m->domain),
		    KV("error",
			d != NULL ? d->d.why : STR("dkim_dir cannot be read")));
	}
	if (rc == RC_OK)
		ipc_put_str(&r->out, "fields", fields);
	sgn_ring_unref(&ring);
	return rc;
}

static enum rc
on_sign(struct daemon *dm, struct rpcd_req *r)
{
	struct sgn_message m;
	enum rc rc = sgn_get_message(&r->in, &m);

	if (rc == RC_OK)
		rc = sign(dm, r, &m);
	fd_close(&m.fd);
	atomic_fetch_add(rc == RC_OK      ? &dm->signed_
			 : rc == RC_NOENT ? &dm->nokey
					  : &dm->failed,
	    1);
	return rc;
}

static enum rc
on_try(struct daemon *dm, struct rpcd_req *r)
{
	struct sgn_signer key[SGN_SELECTORS_MAX];
	struct sgn_ring *ring = ring_of(dm);
	const struct sgn_ring_domain *d = NULL;
	struct sgn_trial t;
	struct str result;
	enum rc rc = sgn_get_trial(&r->in, &t);

	/* The administrator's question, not a gateway's. */
	if (rc == RC_OK && r->uid != 0 && r->uid != geteuid())
		rc = RC_DENY;
	if (rc == RC_OK && t.selector.n == 0)
		rc = RC_BAD;
	if (rc == RC_OK)
		rc = sgn_ring_find(ring, t.domain, &d);
	if (rc == RC_OK && choose(d, t.selector, key) == 0)
		rc = RC_NOENT;
	if (rc == RC_OK)
		rc = sgn_try_key(
		    &dm->proc.log, &r->a, key, d->d.name, t.record, &result);
	if (rc == RC_OK)
		ipc_put_str(&r->out, "result", result);
	sgn_ring_unref(&ring);
	return rc;
}

static enum rpcd_next
handle(void *ctx, struct rpcd_req *r, enum rc *rc)
{
	struct daemon *dm = ctx;

	*rc = RC_BAD;
	if (r->op == SGN_OP_SIGN)
		*rc = on_sign(dm, r);
	else if (r->op == SGN_OP_TEST)
		*rc = on_try(dm, r);
	return RPCD_REPLY;
}

static void
on_reload(void *ctx, const struct conf *conf, struct ipc_in *in)
{
	struct daemon *dm = ctx;

	(void)in;
	(void)conf; /* another dkim_dir is out of the sandbox's reach */
	ring_set(dm, sgn_ring_load(&dm->proc.log, dm->ring->dir, geteuid()));
}

static void
on_status(void *ctx, struct ipc_msg *out)
{
	struct daemon *dm = ctx;
	struct sgn_ring *ring = ring_of(dm);

	ipc_put_u64(out, "domains", ring->n);
	ipc_put_u64(out, "keys_active", sgn_ring_keys(ring, SGN_ACTIVE));
	ipc_put_u64(out, "keys_new", sgn_ring_keys(ring, SGN_NEW));
	ipc_put_u64(out, "signed", dm->signed_);
	ipc_put_u64(out, "without_key", dm->nokey);
	ipc_put_u64(out, "failed", dm->failed);
	sgn_ring_unref(&ring);
}

static struct str
active_text(struct arena *a, const struct sgn_domain *d)
{
	struct str out = STR("");

	for (size_t i = 0; i < d->n; i++) {
		const struct sgn_key *k = &d->v[i];

		if (k->sel.state != SGN_ACTIVE)
			continue;
		out = str_fmt(a, "%.*s%s%.*s (%s, %u bits)", STRF(out),
		    out.n > 0 ? ", " : "", STRF(k->sel.name),
		    sgn_alg_name(k->pub.alg), k->pub.bits);
	}
	return out;
}

static void
check_domain(struct ipc_msg *out, const struct sgn_ring_domain *d)
{
	AUTO_ARENA a = { 0 };
	struct str tried = str_fmt(&a, "DKIM keys of %.*s", STRF(d->d.name));
	struct str found = active_text(&a, &d->d);

	if (d->rc != RC_OK)
		proc_check_line(out, PROC_FAIL, tried, d->d.why,
		    STR("correct the file, then: gatepost reload; until then "
			"mail of this domain is deferred"));
	else if (found.n == 0)
		proc_check_line(out, PROC_UNPROVEN, tried,
		    STR("none is active"),
		    STR("gatepost dkim rotate --finish"));
	else
		proc_check_line(out, PROC_GOOD, tried, found, STR(""));
}

static void
on_check(void *ctx, struct ipc_msg *out)
{
	struct daemon *dm = ctx;
	struct sgn_ring *ring = ring_of(dm);
	AUTO_ARENA a = { 0 };
	struct str tried = str_fmt(&a, "read DKIM keys in %s", ring->dir);

	if (ring->rc != RC_OK)
		proc_check_line(out, PROC_FAIL, tried, STR("cannot be read"),
		    STR("it must belong to the signer's user; if it was made "
			"since the start, restart"));
	else if (ring->n == 0)
		proc_check_line(out, PROC_GOOD, STR("DKIM keys"),
		    STR("there are none: mail goes out unsigned (see gatepost "
			"dkim)"),
		    STR(""));
	for (size_t i = 0; i < ring->n; i++)
		check_domain(out, &ring->v[i]);
	sgn_ring_unref(&ring);
}

static void
on_stop(void *ctx, struct deadline dl)
{
	struct daemon *dm = ctx;

	rpcd_stop(&dm->rpcd, dl);
	if (deadline_over(dl))
		_exit(0); /* somebody still signs */
}

int
main(int argc, char **argv)
{
	struct daemon dm = { 0 };
	struct rpcd_conf rpc = { 0 };
	const char *read[2] = { NULL, NULL };
	const struct proc_hooks hooks = {
		.reload = on_reload,
		.status = on_status,
		.check = on_check,
		.stop = on_stop,
		.ctx = &dm,
	};
	int status;

	proc_begin(&dm.proc, argc, argv);
	if (dm.proc.conf->dkim_dir[0] != '\0')
		read[0] = dm.proc.conf->dkim_dir;
	proc_confine(&dm.proc, &(struct sandbox){ .read = read });
	pthread_mutex_init(&dm.lock, NULL);
	dm.ring =
	    sgn_ring_load(&dm.proc.log, dm.proc.conf->dkim_dir, geteuid());
	rpc = (struct rpcd_conf){
		.name = "signer",
		.listen_fd = proc_take_fd(&dm.proc, "rpc"),
		.workers = dm.proc.conf->workers,
		.max_conns = RPC_CONNS,
		.handle = handle,
		.ctx = &dm,
	};
	rpc.uids = proc_peer_uids(&dm.proc, &rpc.nuids);
	dm.rpcd = rpcd_start(&dm.proc.log, &rpc);
	status = proc_run(&dm.proc, &hooks);
	sgn_ring_unref(&dm.ring);
	return status;
}
