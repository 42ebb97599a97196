/* gatepost-directory: the only process that knows the directory. */
#include <sysexits.h>

#include "directory/dir_service.h"
#include "directory/sasl.h"

#define PEERS_MAX 256u

/* The folder of a file, so that a file put in its place is seen too. */
static const char *
folder(struct arena *a, const char *path)
{
	struct str s = str_c(path);
	size_t at = str_rchr(s, '/');

	if (s.n == 0 || at == s.n)
		return NULL;
	return str_dup(a, at ? str_sub(s, 0, at) : STR("/")).p;
}

static void
confine(struct proc *p)
{
	const struct conf *c = p->conf;
	AUTO_ARENA a = { 0 };
	/* Name service, Kerberos and SASL modules, certificates. */
	const char *const all[] = { "/etc", "/lib", "/lib64", "/usr/lib",
		"/usr/share", "/run/systemd/resolve", "/dev/urandom",
		folder(&a, c->krb5_config), folder(&a, c->ldif_file),
		folder(&a, c->ldap_ca_file), folder(&a, c->keytab),
		folder(&a, c->ldap_keytab), folder(&a, c->ldap_password_file) };
	const char *read[COUNT(all) + 1];
	size_t n = 0;

	for (size_t i = 0; i < COUNT(all); i++)
		if (all[i] != NULL)
			read[n++] = all[i];
	read[n] = NULL;
	proc_confine(p, &(struct sandbox){ .read = read, .inet = true });
}

struct run {
	struct dir_service *service;
	struct rpcd *rpcd;
};

static void
on_reload(void *ctx, const struct conf *conf, struct ipc_in *in)
{
	dir_service_reload(((struct run *)ctx)->service, conf, in);
}

static void
on_status(void *ctx, struct ipc_msg *out)
{
	dir_service_status(((struct run *)ctx)->service, out);
}

static void
on_check(void *ctx, struct ipc_msg *out)
{
	dir_service_check(((struct run *)ctx)->service, out);
}

static void
on_stop(void *ctx, struct deadline dl)
{
	rpcd_stop(&((struct run *)ctx)->rpcd, dl);
}

int
main(int argc, char **argv)
{
	struct proc p = { 0 };
	struct run run = { 0 };
	struct rpcd_conf rc = { .name = "directory",
		.max_conns = PEERS_MAX,
		.handle = dir_service_handle };
	const struct proc_hooks hooks = { .reload = on_reload,
		.status = on_status,
		.check = on_check,
		.stop = on_stop,
		.ctx = &run };
	int status;

	proc_begin(&p, argc, argv);
	dir_sasl_setup(&p.log, p.conf);
	rc.listen_fd = proc_take_fd(&p, "rpc");
	rc.uids = proc_peer_uids(&p, &rc.nuids);
	confine(&p);
	run.service = dir_service_new(&p.log, p.conf);
	if (run.service == NULL)
		return EX_CONFIG;
	rc.workers = p.conf->workers;
	rc.ctx = run.service;
	if (rc.listen_fd >= 0)
		run.rpcd = rpcd_start(&p.log, &rc);
	status = proc_run(&p, &hooks);
	dir_service_free(&run.service);
	return status;
}
