/*
 * Starting one process: the frame that it begins with, and the way from fork
 * to exec.  The child keeps 0, 1 (nothing), 2 (the log) and 3 (control).
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/sup.h"

#define EXIT_NO_EXEC 127

static void
put_listeners(struct sup *s, const struct sup_role *role, struct ipc_msg *m)
{
	for (size_t i = 0; i < COUNT(role->listeners); i++)
		for (size_t k = 0; role->listeners[i] && k < s->nlisteners; k++)
			if (strcmp(s->listeners[k].name, role->listeners[i]) ==
			    0)
				ipc_put_fd(m, s->listeners[k].field,
				    s->listeners[k].fd);
}

void
sup_put_start(struct sup *s, struct sup_child *c, struct ipc_msg *m)
{
	const struct sup_role *role = c->role;
	int rpc = s->rpc_fd[role - sup_roles];

	ipc_msg_init(m, PROC_START);
	ipc_put_str(m, "name", str_c(c->name));
	ipc_put_u64(m, "instance", c->instance);
	ipc_put_fd(m, "conf", s->conf_fd);
	ipc_put_fd(m, "log", s->log_fd);
	if (s->syslog_fd >= 0)
		ipc_put_fd(m, "syslog", s->syslog_fd);
	sup_put_user(s, c, m);
	if (rpc >= 0)
		ipc_put_fd(m, "rpc", rpc);
	put_listeners(s, role, m);
	if (role->tls)
		sup_put_creds(s, m);
	sup_put_files(s, role, m);
	if (role->master_key)
		ipc_put_fd(m, "master_key", s->key_fd);
	if (c->inflight_fd >= 0)
		ipc_put_fd(m, "inflight", c->inflight_fd);
}

/* Kerberos is told where its things are by the environment alone. */
static void
kerberos_environment(struct sup *s)
{
	const struct conf *c = s->conf;
	const char *client = c->ldap_keytab[0] ? c->ldap_keytab : c->keytab;

	if (c->krb5_config[0] != '\0')
		setenv("KRB5_CONFIG", c->krb5_config, 1);
	if (c->keytab[0] != '\0')
		setenv(
		    "KRB5_KTNAME", str_fmt(&s->a, "FILE:%s", c->keytab).p, 1);
	if (client[0] != '\0')
		setenv("KRB5_CLIENT_KTNAME",
		    str_fmt(&s->a, "FILE:%s", client).p, 1);
	setenv("KRB5CCNAME", "MEMORY:gatepost", 1);
	setenv("KRB5RCACHENAME", "none:", 1);
	setenv("LDAPNOINIT", "1", 1);
}

void
sup_exec(struct sup *s, const struct sup_child *c, int control)
{
	const char *path =
	    str_fmt(&s->a, "%s/%s", s->libexec, c->role->program).p;
	char *argv[] = { (char *)(uintptr_t)c->role->program,
		(char *)(uintptr_t)c->role->name, NULL };
	int null = open("/dev/null", O_RDWR);
	sigset_t none;

	/* Out of the way of the numbers that are given next. */
	control = fcntl(control, F_DUPFD, 10);
	if (null < 0 || control < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 ||
	    dup2(s->log_fd, 2) < 0 || dup2(control, PROC_CONTROL_FD) < 0)
		_exit(EXIT_NO_EXEC);
	close_range(PROC_CONTROL_FD + 1, ~0u, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (c->role->kerberos)
		kerberos_environment(s);
	execv(path, argv);
	_exit(EXIT_NO_EXEC);
}
