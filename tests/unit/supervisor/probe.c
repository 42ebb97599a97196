/*
 * Stands in for every daemon: starts as they do, answers what the supervisor
 * asks, and misbehaves on demand.  `attr_mail` says how: "ROLE:exit78",
 * "ROLE:mute" (never ready, never stops), "ROLE:crash" (each time), "ROLE:slow"
 * (does not answer a reload or a check for a while).
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conf/conf.h"
#include "lib/inflight.h"
#include "lib/proc.h"

int probe_main(int argc, char **argv);

struct probe {
	struct proc p;
	unsigned reloads, listeners, certs;
	bool rpc, key, tickets;
	unsigned files;
	struct inflight *f;
};

static bool
told(const struct proc *p, const char *what)
{
	AUTO_ARENA a = { 0 };

	return str_eq(
	    str_c(p->conf->attr_mail), str_fmt(&a, "%s:%s", p->role, what));
}

static void
on_reload(void *ctx, const struct conf *conf, struct ipc_in *in)
{
	struct probe *pr = ctx;
	int fd;

	pr->reloads++;
	pr->certs = 0;
	while (ipc_get_fd(in, "tls.cert", &fd) == RC_OK) {
		pr->certs++;
		fd_close(&fd);
	}
	if (told(&pr->p, "slow"))
		sleep(1);
	log_info(&pr->p.log, "probe.reload", KVU("hops", conf->hops_max));
}

static void
on_status(void *ctx, struct ipc_msg *out)
{
	struct probe *pr = ctx;

	ipc_put_u64(out, "reloads", pr->reloads);
	ipc_put_u64(out, "listeners", pr->listeners);
	ipc_put_u64(out, "certs", pr->certs);
	ipc_put_u64(out, "rpc", pr->rpc);
	ipc_put_u64(out, "master_key", pr->key);
	ipc_put_u64(out, "tickets", pr->tickets);
	ipc_put_u64(out, "files", pr->files);
	ipc_put_u64(out, "uid", geteuid());
}

static void
on_check(void *ctx, struct ipc_msg *out)
{
	struct probe *pr = ctx;
	FILE *f = fopen("/etc/passwd", "r");

	if (told(&pr->p, "slow"))
		sleep(1);
	log_info(&pr->p.log, "probe.checked");
	proc_check_line(out, f == NULL ? PROC_GOOD : PROC_FAIL,
	    STR("read /etc/passwd"), str_c(pr->p.role), STR("nothing"));
	if (f != NULL)
		fclose(f);
}

static void
on_stop(void *ctx, struct deadline dl)
{
	struct probe *pr = ctx;

	log_info(&pr->p.log, "probe.stop", KVI("ms", deadline_left_ms(dl)));
	if (told(&pr->p, "mute"))
		sleep(60);
}

static bool
take_one(struct proc *p, const char *name)
{
	int fd = proc_take_fd(p, name);
	bool got = fd >= 0;

	fd_close(&fd);
	return got;
}

int
probe_main(int argc, char **argv)
{
	static const char *const names[] = { "listen.smtp", "listen.submission",
		"listen.submissions", "listen.imap", "listen.imaps",
		"listen.pop3", "listen.pop3s", "listen.lmtp", "listen.local" };
	static const char *const files[] = { "rules", "aliases", "users" };
	static const struct sandbox rules = { 0 };
	struct probe pr = { 0 };
	struct str s;
	int status;

	proc_begin(&pr.p, argc, argv);
	pr.f = inflight_open(proc_take_fd(&pr.p, "inflight"));
	if (told(&pr.p, "exit78"))
		_exit(PROC_EX_CONFIG);
	for (size_t i = 0; i < COUNT(names); i++)
		while (take_one(&pr.p, names[i]))
			pr.listeners++;
	for (size_t i = 0; i < COUNT(files); i++)
		pr.files += take_one(&pr.p, files[i]);
	pr.rpc = take_one(&pr.p, "rpc");
	pr.key = take_one(&pr.p, "master_key");
	while (take_one(&pr.p, "tls.cert"))
		pr.certs++;
	pr.tickets =
	    ipc_get_str(&pr.p.in, "tls.tickets", &s) == RC_OK && s.n == 64;
	proc_confine(&pr.p, &rules);
	if (told(&pr.p, "crash")) {
		unsigned slot, deaths = inflight_deaths(pr.f, STR("poison"));

		log_info(&pr.p.log, "probe.deaths", KVU("n", deaths));
		if (inflight_begin(pr.f, STR("poison"), &slot) == RC_OK)
			kill(getpid(), SIGKILL);
		raise(SIGKILL);
	}
	if (told(&pr.p, "mute"))
		sleep(60);
	status = proc_run(&pr.p, &(struct proc_hooks){ .reload = on_reload,
				     .status = on_status,
				     .check = on_check,
				     .stop = on_stop,
				     .ctx = &pr });
	log_info(&pr.p.log, "probe.end");
	inflight_close(&pr.f);
	return status;
}
