/*
 * gatepost-gateway: what faces the Internet.  Role mx serves port 25, role
 * access submission and the logins of IMAP and POP3.  It can open no mailbox
 * and holds no directory password; all it may write is unnamed spool files.
 */
#include <limits.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "gateway/gw_guard.h"
#include "gateway/gw_imap.h"
#include "gateway/gw_pop3.h"
#include "gateway/gw_size.h"
#include "gateway/gw_smtp.h"
#include "gateway/gw_tls.h"
#include "lib/proc.h"

#define LISTENERS_MAX  64u
#define UNIT_MAX       (128u << 10)
#define BACKEND_CONNS  64u
#define LIMIT_ENTRIES  100000u /* some 250 bytes each */
#define LMTP_USERS_MAX 64u

struct main {
	struct gw gw;
	uid_t uids[LMTP_USERS_MAX]; /* lmtp_users */
	size_t nuids;
	bool mx; /* the role */
	struct netd *netd;
};

static const struct port {
	const char *role, *name, *proxy;
	enum gw_port tag;
	bool implicit_tls;
	const struct netd_ops *ops;
	struct str busy; /* nobody reads it where TLS comes first */
} ports[] = {
	{ "mx", "listen.smtp", "proxy.smtp", GW_MX, false, &gw_smtp_ops },
	{ "mx", "listen.lmtp", "proxy.lmtp", GW_LMTP, false, &gw_smtp_ops },
	{ "access", "listen.local", "proxy.local", GW_LOCAL, false,
	    &gw_smtp_ops, STR_INIT("421 4.3.2 Too many sessions\r\n") },
	{ "access", "listen.submission", "proxy.submission", GW_SUBMISSION,
	    false, &gw_smtp_ops, STR_INIT("421 4.3.2 Too many sessions\r\n") },
	{ "access", "listen.submissions", "proxy.submissions", GW_SUBMISSIONS,
	    true, &gw_smtp_ops },
	{ "access", "listen.imap", "proxy.imap", GW_IMAP, false, &gw_imap_ops,
	    STR_INIT("* BYE [UNAVAILABLE] Too many sessions\r\n") },
	{ "access", "listen.imaps", "proxy.imaps", GW_IMAPS, true,
	    &gw_imap_ops },
	{ "access", "listen.pop3", "proxy.pop3", GW_POP3, false, &gw_pop3_ops,
	    STR_INIT("-ERR [SYS/TEMP] Too many sessions\r\n") },
	{ "access", "listen.pop3s", "proxy.pop3s", GW_POP3S, true,
	    &gw_pop3_ops },
};

static void
on_reload(void *ctx, const struct conf *conf, struct ipc_in *in)
{
	struct main *m = ctx;
	const struct gw_site *site;
	struct tls_ctx *tls;

	if (gw_site_load(&m->gw.log, conf, in, &site) == RC_OK)
		gw_site_set(&m->gw, site);
	gw_conf_set(&m->gw, conf_ref(conf));
	if (gw_tls_load(&m->gw.log, in, &tls) == RC_OK) {
		netd_set_tls(m->netd, tls);
		tls_ctx_unref(&tls);
	}
}

static void
on_status(void *ctx, struct ipc_msg *out)
{
	struct main *m = ctx;
	uint64_t now, accepted, refused;

	netd_stats(m->netd, &now, &accepted, &refused);
	ipc_put_u64(out, "sessions", now);
	ipc_put_u64(out, "connections", accepted);
	ipc_put_u64(out, "connections_refused", refused);
	ipc_put_u64(out, "messages_accepted", m->gw.accepted);
	ipc_put_u64(out, "messages_deferred", m->gw.deferred);
	ipc_put_u64(out, "messages_refused", m->gw.refused);
	ipc_put_u64(out, "messages_unchecked", m->gw.unchecked);
	ipc_put_u64(out, "logins", m->gw.logins);
	ipc_put_u64(out, "login_failures", m->gw.login_failures);
	gw_guard_status(&m->gw, out);
}

static void
on_check(void *ctx, struct ipc_msg *out)
{
	struct main *m = ctx;

	proc_check_spool(out, "make", m->gw.spool_dir);
	gw_size_check(&m->gw, !m->mx, out);
}

static uint64_t
on_unban(void *ctx, struct str address)
{
	struct main *m = ctx;

	return gw_guard_lift(&m->gw, address);
}

static void
on_stop(void *ctx, struct deadline dl)
{
	struct main *m = ctx;

	netd_stop(&m->netd, dl);
}

static size_t
take_port(struct proc *p, struct gw *gw, const struct port *port, bool proxy,
    struct netd_listener *l, size_t n)
{
	const char *name = proxy ? port->proxy : port->name;
	int fd;

	while (n < LISTENERS_MAX && (fd = proc_take_fd(p, name)) >= 0)
		l[n++] = (struct netd_listener){ .fd = fd,
			.implicit_tls = port->implicit_tls,
			.ops = port->ops,
			.ctx = gw,
			.tag = port->tag,
			.busy = port->busy,
			.any_uid = port->tag == GW_LOCAL,
			.proxy = proxy };
	return n;
}

static size_t
take_listeners(struct proc *p, struct gw *gw, struct netd_listener *l)
{
	size_t n = 0;

	for (size_t i = 0; i < COUNT(ports); i++) {
		if (!str_eq(str_c(ports[i].role), str_c(p->role)))
			continue;
		n = take_port(p, gw, &ports[i], false, l, n);
		n = take_port(p, gw, &ports[i], true, l, n);
	}
	return n;
}

/* Before the sandbox closes: /etc/passwd is out of reach in it. */
static void
find_users(struct main *m, struct proc *p)
{
	const struct conf_list *names = &p->conf->lmtp_users;

	m->uids[m->nuids++] = getuid(); /* so that the list is never empty */
	for (size_t i = 0; i < names->n && m->nuids < COUNT(m->uids); i++) {
		const struct passwd *user = getpwnam(names->v[i]);

		if (user != NULL)
			m->uids[m->nuids++] = user->pw_uid;
	}
}

static struct netd *
serve(struct proc *p, struct main *m, struct tls_ctx *tls)
{
	struct netd_listener listeners[LISTENERS_MAX];
	const struct conf *conf = p->conf;
	bool mx = m->mx;
	AUTO_ARENA a = { 0 };
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	struct netd_conf nc = {
		.name = p->role,
		.reactors = (unsigned)MIN(MAX(cores, 1), 16),
		.workers = conf->workers,
		.max_sessions = mx ? conf->smtp_sessions_max
				   : conf->submission_sessions_max +
					 conf->imap_sessions_max,
		.max_per_source = conf->client_sessions_max,
		.admit = gw_guard_admit,
		.admit_ctx = &m->gw,
		.busy = mx ? str_fmt(&a, "421 4.3.2 %s Too many sessions\r\n",
				 conf->hostname)
			   : STR(""),
		.in_max = UNIT_MAX,
		.out_high = 64u << 10,
		.out_low = 16u << 10,
		.first_timeout_ms = 60000,
		.handshake_timeout_ms = 30000,
		.min_rate = 100,
		.listeners = listeners,
		.nlisteners = take_listeners(p, &m->gw, listeners),
		.tls = tls,
	};

	nc.max_per_source =
	    MIN(nc.max_per_source, MAX(nc.max_sessions / 4, 1u));
	nc.peer_uids = m->uids;
	nc.npeer_uids = m->nuids;
	if (net_list_parse(&a, conf->proxy_networks.v, conf->proxy_networks.n,
		&nc.proxy_from) != RC_OK)
		panic("proxy_networks: unchecked");
	return netd_start(&p->log, &nc);
}

int
main(int argc, char **argv)
{
	struct main m = { 0 };
	struct proc p;
	struct tls_ctx *tls = NULL;
	struct ipc_in in;
	AUTO_ARENA a = { 0 };
	const char *write[2] = { NULL, NULL };
	char node[HOST_NAME_MAX + 1];
	int status;

	proc_begin(&p, argc, argv);
	m.gw.log = p.log;
	m.gw.conf = conf_ref(p.conf);
	pthread_mutex_init(&m.gw.lock, NULL);
	m.mx = str_eq(str_c(p.role), STR("mx"));
	m.gw.limit = gw_limit_new(LIMIT_ENTRIES);
	m.gw.spool_dir = str_fmt(&a, "%s/spool", p.conf->run_dir).p;
	if (gethostname(node, sizeof(node)) == 0) {
		node[sizeof(node) - 1] = '\0';
		m.gw.node = str_c(node);
	}
	write[0] = m.gw.spool_dir;
	find_users(&m, &p);
	ipc_in_init(&in, &p.start);
	if (gw_site_load(&p.log, p.conf, &in, &m.gw.site) != RC_OK)
		return 78;
	if (gw_tls_load(&p.log, &in, &tls) == RC_BAD)
		return 78;
	proc_confine(&p, &(struct sandbox){ .write = write });

	m.gw.imap_path = proc_ipc_path(&p, "imap");
	m.gw.dir = dir_client_new(
	    &p.log, proc_ipc_path(&p, "directory"), BACKEND_CONNS);
	m.gw.dlv = dlv_client_new(
	    &p.log, proc_ipc_path(&p, "delivery"), BACKEND_CONNS);
	/* A signer that hangs must leave workers for everything else. */
	m.gw.sgn = sgn_client_new(
	    &p.log, proc_ipc_path(&p, "signer"), MAX(p.conf->workers / 2, 1u));
	m.gw.pol =
	    pol_client_new(&p.log, proc_ipc_path(&p, "policy"), BACKEND_CONNS);
	if (p.conf->track)
		m.gw.trk = trk_client_new(&p.log, proc_ipc_path(&p, "track"));
	m.netd = serve(&p, &m, tls);
	tls_ctx_unref(&tls);
	if (m.netd == NULL)
		return 1;
	status = proc_run(&p, &(struct proc_hooks){ .reload = on_reload,
				  .status = on_status,
				  .check = on_check,
				  .unban = on_unban,
				  .stop = on_stop,
				  .ctx = &m });
	dir_client_free(&m.gw.dir);
	dlv_client_free(&m.gw.dlv);
	sgn_client_free(&m.gw.sgn);
	pol_client_free(&m.gw.pol);
	gw_limit_free(&m.gw.limit);
	trk_client_free(&m.gw.trk);
	conf_unref(&m.gw.conf);
	gw_site_unref(&m.gw.site);
	return status;
}
