/*
 * gatepost-remote: carries mail to other servers.  See gatepost-remote(8).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "conf/conf_dns.h"
#include "delivery/rem.h"
#include "delivery/rem_service.h"
#include "lib/proc.h"

#define RPC_WORKERS  2u
#define RPC_CONNS    64u
#define PASSWORD_MAX 1024u
#define CA_MAX       (1u << 20)
#define CHECK_MS     5000
#define PROBE_MS     10000

struct daemon {
	struct proc proc;
	struct arena a; /* secrets and addresses, read once at the start */
	struct str password, ca;
	struct rem_ip *self;
	size_t nself;
	struct resolver *dns;
	struct rem *rem;
	struct rpcd *rpcd;
	pthread_mutex_t lock;    /* guards */
	const struct conf *conf; /* what a check goes by */
};

/* ---- settings */

static void
copy_smart_hosts(struct rem_conf *out, const struct conf *c)
{
	struct rem_smart *v =
	    arena_calloc(&out->a, c->smart_hosts.n, sizeof(*v));

	out->smart = v;
	for (size_t i = 0; i < c->smart_hosts.n; i++)
		if (rem_host_port(&out->a, str_c(c->smart_hosts.v[i]),
			&v[out->nsmart].host, &v[out->nsmart].port) == RC_OK)
			out->nsmart++;
}

/*
 * The UNIX sockets that somebody wrote into routes, and no others: a hop comes
 * from delivery, and what it says must not make us speak to any socket here.
 */
static void
copy_paths(struct rem_conf *out, const struct conf *c)
{
	struct str *v = arena_calloc(&out->a, c->routes.n, sizeof(*v));

	out->paths = v;
	for (size_t i = 0; i < c->routes.n; i++) {
		struct conf_route route;

		if (conf_route_parse(str_c(c->routes.v[i]), &route) == RC_OK &&
		    str_cut_prefix(&route.hop, STR("lmtp:")) &&
		    route.hop.p[0] == '/')
			v[out->npaths++] = str_dup(&out->a, route.hop);
	}
}

static struct rem_conf *
make_conf(const struct daemon *dm, const struct conf *c)
{
	struct rem_conf *out = xcalloc(1, sizeof(*out));

	out->refs = 1;
	out->helo = str_dup(&out->a, str_c(c->hostname));
	out->self = dm->self;
	out->nself = dm->nself;
	out->private_ok = c->outbound_private;
	out->max_conns = c->outbound_connections;
	copy_smart_hosts(out, c);
	copy_paths(out, c);
	out->user = str_dup(&out->a, str_c(c->smart_host_user));
	out->password = str_dup(&out->a, dm->password);
	out->smart_tls = (enum rem_smart_tls)c->smart_host_tls;
	out->ca = dm->ca;
	out->limits = rem_limits;
	return out;
}

/* ---- before the sandbox, with the rights that we were started with */

static enum rc
read_file(struct daemon *dm, const char *path, size_t max, struct str *out)
{
	AUTO_FD fd = -1;
	enum rc rc = RC_TEMP;

	if (path[0] == '\0')
		return RC_OK;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		rc = fd_read_file(&dm->a, fd, max, out);
	if (rc != RC_OK)
		log_error(&dm->proc.log, "remote.file", KVC("path", path),
		    KVE(errno));
	return rc;
}

static void
read_secrets(struct daemon *dm)
{
	const struct conf *c = dm->proc.conf;

	if (read_file(dm, c->smart_host_password_file, PASSWORD_MAX,
		&dm->password) != RC_OK ||
	    read_file(dm, c->smart_host_ca_file, CA_MAX, &dm->ca) != RC_OK)
		_exit(PROC_EX_CONFIG);
	while (dm->password.n > 0 &&
	       (dm->password.p[dm->password.n - 1] == '\n' ||
		   dm->password.p[dm->password.n - 1] == '\r'))
		dm->password.n--;
}

static bool
address_of(const struct sockaddr *sa, struct rem_ip *out)
{
	union {
		const struct sockaddr *sa;
		const struct sockaddr_in *in;
		const struct sockaddr_in6 *in6;
	} u = { sa };

	*out = (struct rem_ip){ 0 };
	if (sa != NULL && sa->sa_family == AF_INET) {
		memcpy(out->b, &u.in->sin_addr, 4);
	} else if (sa != NULL && sa->sa_family == AF_INET6) {
		out->v6 = true;
		memcpy(out->b, &u.in6->sin6_addr, 16);
	} else {
		return false;
	}
	return true;
}

/*
 * An MX that points to one of these is us.  Loopback is not among them: what
 * may be spoken to there is the business of outbound_private.
 */
static void
read_addresses(struct daemon *dm)
{
	struct ifaddrs *list = NULL, *i;
	size_t n = 0;

	if (dm->proc.conf->listen_smtp.n == 0 || getifaddrs(&list) < 0)
		return;
	for (i = list; i != NULL; i = i->ifa_next)
		n++;
	dm->self = arena_calloc(&dm->a, n, sizeof(*dm->self));
	for (i = list; i != NULL; i = i->ifa_next) {
		struct rem_ip ip;

		if (address_of(i->ifa_addr, &ip) && !rem_ip_is_loopback(&ip))
			dm->self[dm->nself++] = ip;
	}
	freeifaddrs(list);
}

/* ---- hooks */

static void
on_reload(void *ctx, const struct conf *conf, struct ipc_in *in)
{
	struct daemon *dm = ctx;

	(void)in;
	rem_configure(dm->rem, make_conf(dm, conf));
	pthread_mutex_lock(&dm->lock);
	conf_unref(&dm->conf);
	dm->conf = conf_ref(conf);
	pthread_mutex_unlock(&dm->lock);
}

static void
on_status(void *ctx, struct ipc_msg *out)
{
	struct daemon *dm = ctx;
	const struct rem_counts *c = rem_counts(dm->rem);

	ipc_put_u64(out, "calls", c->calls);
	ipc_put_u64(out, "repeated", c->repeated);
	ipc_put_u64(out, "running", c->jobs);
	ipc_put_u64(out, "connections", c->conns);
	ipc_put_u64(out, "idle", c->idle);
	ipc_put_u64(out, "connected", c->connected);
	ipc_put_u64(out, "reused", c->reused);
	ipc_put_u64(out, "tls", c->tls);
	ipc_put_u64(out, "sent", c->sent);
	ipc_put_u64(out, "deferred", c->deferred);
	ipc_put_u64(out, "refused", c->refused);
	ipc_put_u64(out, "unknown", c->unknown);
}

/* Our own domain has an MX or not, but DNS has to say so. */
static void
check_dns(struct daemon *dm, const struct conf *conf, struct ipc_msg *out)
{
	AUTO_ARENA a = { 0 };
	struct dns_answer got = { 0 };
	struct str domain = str_c(conf->domains.v[0]);
	enum rc rc = resolver_ask(
	    dm->dns, &a, domain, DNS_MX, deadline_in(CHECK_MS), &got);
	bool good = rc == RC_OK || rc == RC_NOENT;

	proc_check_line(out, good ? PROC_GOOD : PROC_FAIL,
	    str_fmt(&a, "remote asks the DNS for the MX of %.*s", STRF(domain)),
	    good ? str_fmt(&a, "%zu records", got.n) : STR("no answer"),
	    good ? STR("") : STR("see dns_servers and /etc/resolv.conf"));
}

/* Those of one check, which run side by side. */
struct probes {
	pthread_mutex_t lock; /* guards */
	pthread_cond_t changed;
	size_t running;
};

struct probe {
	struct probes *all;
	struct arena a;
	struct str host;
	struct rem_rcpt rcpt;
	struct rem_message m;
	enum rc rc;
	struct rem_outcome out;
	struct rem_result to;
};

static void
on_probed(void *arg, enum rc rc, const struct rem_outcome *out)
{
	struct probe *p = arg;

	pthread_mutex_lock(&p->all->lock);
	p->rc = rc;
	if (rc == RC_OK) {
		p->out.tls = str_dup(&p->a, out->tls);
		p->to = out->to[0];
		p->to.reply = str_dup(&p->a, out->to[0].reply);
	}
	p->all->running--;
	pthread_cond_signal(&p->all->changed);
	pthread_mutex_unlock(&p->all->lock);
}

static void
put_smart_host(struct probe *p, struct ipc_msg *out)
{
	struct str tried = str_fmt(&p->a, "smart host %.*s", STRF(p->host));
	struct str found = STR("no answer");

	if (p->rc == RC_OK && p->to.rc == RC_OK) {
		found = str_fmt(&p->a, "ready, %s%.*s, %s%.*s",
		    p->out.tls.n > 0 ? "by " : "without TLS", STRF(p->out.tls),
		    p->to.reply.n > 0 ? "logged in as " : "without a login",
		    STRF(p->to.reply));
		proc_check_line(out, PROC_GOOD, tried, found, STR(""));
		return;
	}
	if (p->rc == RC_OK)
		found = p->to.reply;
	proc_check_line(out, PROC_FAIL, tried, found,
	    STR("see smart_hosts, smart_host_user, smart_host_password_file, "
		"smart_host_tls and smart_host_ca_file"));
}

static void
start_probe(
    struct daemon *dm, struct probe *p, struct str host, struct deadline dl)
{
	p->host = host;
	p->m = (struct rem_message){
		.id = str_fmt(&p->a, "check %.*s", STRF(host)),
		.hop = str_fmt(&p->a, "smtp:%.*s", STRF(host)),
		.to = &p->rcpt,
		.nto = 1,
		.fd = -1,
	};
	rem_probe(dm->rem, &p->m, dl, on_probed, p);
}

/*
 * Do they take us, and as whom?  No mail is sent.  The end of a probe is the
 * job's: the loop answers each before the deadline, or at a stop.
 */
static void
check_smart_hosts(
    struct daemon *dm, const struct conf *conf, struct ipc_msg *out)
{
	AUTO_ARENA a = { 0 };
	size_t n = conf->smart_hosts.n;
	struct probes all = { PTHREAD_MUTEX_INITIALIZER,
		PTHREAD_COND_INITIALIZER, n };
	struct probe *v = arena_calloc(&a, n, sizeof(*v));
	struct deadline dl = deadline_in(PROBE_MS);

	for (size_t i = 0; i < n; i++) {
		v[i].all = &all;
		start_probe(dm, &v[i], str_c(conf->smart_hosts.v[i]), dl);
	}
	pthread_mutex_lock(&all.lock);
	while (all.running > 0)
		pthread_cond_wait(&all.changed, &all.lock);
	pthread_mutex_unlock(&all.lock);
	for (size_t i = 0; i < n; i++) {
		put_smart_host(&v[i], out);
		arena_free(&v[i].a);
	}
}

static void
on_check(void *ctx, struct ipc_msg *out)
{
	struct daemon *dm = ctx;
	const struct conf *conf;

	pthread_mutex_lock(&dm->lock);
	conf = conf_ref(dm->conf);
	pthread_mutex_unlock(&dm->lock);
	check_dns(dm, conf, out);
	check_smart_hosts(dm, conf, out);
	conf_unref(&conf);
}

static void
on_stop(void *ctx, struct deadline dl)
{
	struct daemon *dm = ctx;

	/* First the jobs: rpcd waits for their answers. */
	if (!rem_stop(dm->rem, dl))
		_exit(0);
	rpcd_stop(&dm->rpcd, dl);
}

static void
release(struct daemon *dm)
{
	rem_free(&dm->rem);
	resolver_free(&dm->dns);
	if (dm->password.n > 0)
		explicit_bzero(
		    (char *)(uintptr_t)dm->password.p, dm->password.n);
	arena_free(&dm->a);
	conf_unref(&dm->conf);
}

static void
start(struct daemon *dm)
{
	struct proc *p = &dm->proc;
	struct rpcd_conf rpc = {
		.name = "remote",
		.listen_fd = proc_take_fd(p, "rpc"),
		.workers = RPC_WORKERS,
		.max_conns = RPC_CONNS,
		.handle = rem_handle,
	};

	rpc.uids = proc_peer_uids(p, &rpc.nuids);
	dm->rem = rem_start(&p->log, make_conf(dm, p->conf), dm->dns);
	if (dm->rem == NULL)
		_exit(1);
	rpc.ctx = dm->rem;
	dm->rpcd = rpcd_start(&p->log, &rpc);
}

int
main(int argc, char **argv)
{
	static const struct sandbox rules = { .inet = true };
	struct daemon dm = { 0 };
	struct resolver_conf dns;
	const struct proc_hooks hooks = {
		.reload = on_reload,
		.status = on_status,
		.check = on_check,
		.stop = on_stop,
		.ctx = &dm,
	};
	int status;

	proc_begin(&dm.proc, argc, argv);
	pthread_mutex_init(&dm.lock, NULL);
	dm.conf = conf_ref(dm.proc.conf);
	read_secrets(&dm);
	read_addresses(&dm);
	dns = conf_dns(dm.proc.conf);
	dm.dns = resolver_new(&dm.proc.log, &dns);
	if (dm.dns == NULL)
		_exit(1);
	proc_confine(&dm.proc, &rules);
	start(&dm);
	status = proc_run(&dm.proc, &hooks);
	release(&dm);
	return status;
}
