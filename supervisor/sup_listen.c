/*
 * Sockets.  They are bound once and handed to every life of a process, so
 * that clients wait in the queue of a process that restarts instead of being
 * refused.
 *
 * "*" means all addresses of both families, as two sockets (IPV6_V6ONLY); a
 * kernel without IPv6 has the one.  A port that is in use is tried for a few
 * seconds: the processes of a supervisor that was killed are just dying.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "supervisor/sup.h"

#define BACKLOG     1024
#define IN_USE_WAIT 3000

static const struct {
	const char *setting, *name, *proxy, *json;
	size_t offset;
} tcp[] = {
	{ "listen_smtp", "listen.smtp", "proxy.smtp", "smtp",
	    offsetof(struct conf, listen_smtp) },
	{ "listen_submission", "listen.submission", "proxy.submission",
	    "submission", offsetof(struct conf, listen_submission) },
	{ "listen_submissions", "listen.submissions", "proxy.submissions",
	    "submissions", offsetof(struct conf, listen_submissions) },
	{ "listen_imap", "listen.imap", "proxy.imap", "imap",
	    offsetof(struct conf, listen_imap) },
	{ "listen_imaps", "listen.imaps", "proxy.imaps", "imaps",
	    offsetof(struct conf, listen_imaps) },
	{ "listen_pop3", "listen.pop3", "proxy.pop3", "pop3",
	    offsetof(struct conf, listen_pop3) },
	{ "listen_pop3s", "listen.pop3s", "proxy.pop3s", "pop3s",
	    offsetof(struct conf, listen_pop3s) },
	{ "listen_lmtp", "listen.lmtp", "proxy.lmtp", "lmtp",
	    offsetof(struct conf, listen_lmtp) },
};

union address {
	struct sockaddr sa;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un un;
};

static socklen_t
address_len(const union address *a)
{
	return a->sa.sa_family == AF_INET6 ? sizeof(a->v6) : sizeof(a->v4);
}

/* One of the addresses that a setting stands for. */
static enum rc
address_of(const struct conf_listen *l, int family, union address *out)
{
	char host[64];

	memset(out, 0, sizeof(*out));
	out->sa.sa_family = (sa_family_t)family;
	if (family == AF_INET6)
		out->v6.sin6_port = htons(l->port);
	else
		out->v4.sin_port = htons(l->port);
	if (str_eq(l->host, STR("*")))
		return RC_OK;
	if (l->host.n >= sizeof(host))
		return RC_BAD;
	memcpy(host, l->host.p, l->host.n);
	host[l->host.n] = '\0';
	return inet_pton(family, host,
		   family == AF_INET6 ? (void *)&out->v6.sin6_addr
				      : (void *)&out->v4.sin_addr) == 1
		   ? RC_OK
		   : RC_BAD;
}

static int
bind_patiently(int fd, const union address *a)
{
	struct deadline dl = deadline_in(IN_USE_WAIT);
	int n;

	while ((n = bind(fd, &a->sa, address_len(a))) < 0 &&
	       errno == EADDRINUSE && !deadline_over(dl))
		nanosleep(&(struct timespec){ 0, 50000000 }, NULL);
	return n;
}

static int
open_tcp(const union address *a)
{
	int one = 1;
	AUTO_FD fd = socket(a->sa.sa_family,
	    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);

	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0)
		return -1;
	if (a->sa.sa_family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) < 0)
		return -1;
	if (bind_patiently(fd, a) < 0 || listen(fd, BACKLOG) < 0)
		return -1;
	return take(&fd);
}

static enum rc
add_tcp(struct sup *s, size_t which, const struct conf_listen *l, int family,
    const char *text)
{
	bool both = str_eq(l->host, STR("*"));
	union address a;
	int fd;

	if (s->nlisteners == SUP_LISTENERS_MAX) {
		log_error(&s->log, "listen.too_many",
		    KVC("setting", tcp[which].setting),
		    KVU("max", SUP_LISTENERS_MAX));
		return RC_BAD;
	}
	if (address_of(l, family, &a) != RC_OK) {
		log_error(&s->log, "listen.address",
		    KVC("setting", tcp[which].setting), KVC("value", text));
		return RC_BAD;
	}
	fd = open_tcp(&a);
	if (fd < 0 && both && family == AF_INET6 &&
	    (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL))
		return RC_OK;
	if (fd < 0) {
		log_error(&s->log, "listen.failed",
		    KVC("setting", tcp[which].setting), KVC("value", text),
		    KVE(errno));
		return RC_BAD;
	}
	s->listeners[s->nlisteners++] = (struct sup_listener){
		tcp[which].name,
		conf_is_proxied(s->conf, text) ? tcp[which].proxy
					       : tcp[which].name,
		fd,
	};
	return RC_OK;
}

/* With `ours`, for the group that our processes share. */
static int
listen_at(struct sup *s, struct str path, mode_t mode, bool ours)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	AUTO_FD fd =
	    socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mode_t old;
	bool bad;
	int err;

	if (path.n >= sizeof(sa.sun_path)) {
		log_error(&s->log, "listen.path", KV("path", path));
		return -1;
	}
	memcpy(sa.sun_path, path.p, path.n + 1);
	/* bind gives the mode: a chmod by name could hit another file. */
	old = umask(0777 & ~mode);
	bad = (unlink(path.p) < 0 && errno != ENOENT) || fd < 0 ||
	      bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
	      (ours && lchown(path.p, (uid_t)-1, s->group) < 0) ||
	      listen(fd, BACKLOG) < 0;
	err = errno;
	umask(old);
	if (bad) {
		log_error(&s->log, "listen.failed", KV("path", path), KVE(err));
		return -1;
	}
	return take(&fd);
}

/* Anybody may knock; who is let in, the process finds out (SO_PEERCRED). */
static enum rc
add_path(struct sup *s, size_t which, const char *path)
{
	int fd;

	if (s->nlisteners == SUP_LISTENERS_MAX) {
		log_error(&s->log, "listen.too_many",
		    KVC("setting", tcp[which].setting),
		    KVU("max", SUP_LISTENERS_MAX));
		return RC_BAD;
	}
	fd = listen_at(s, str_c(path), 0666, false);
	if (fd < 0)
		return RC_BAD;
	s->listeners[s->nlisteners++] = (struct sup_listener){
		tcp[which].name,
		tcp[which].name,
		fd,
	};
	return RC_OK;
}

enum rc
sup_listen_tcp(struct sup *s)
{
	enum rc rc = RC_OK;

	for (size_t i = 0; i < COUNT(tcp); i++) {
		const struct conf_list *list =
		    (const void *)((const char *)s->conf + tcp[i].offset);

		for (size_t k = 0; rc == RC_OK && k < list->n; k++) {
			const char *text = list->v[k];
			struct conf_listen l;

			if (text[0] == '/') {
				rc = add_path(s, i, text);
				continue;
			}
			rc = conf_listen_parse(str_c(text), &l);
			if (rc == RC_OK && !l.v6)
				rc = add_tcp(s, i, &l, AF_INET, text);
			if (rc == RC_OK && (l.v6 || str_eq(l.host, STR("*"))))
				rc = add_tcp(s, i, &l, AF_INET6, text);
		}
	}
	return rc;
}

int
sup_listen_unix(struct sup *s, const char *name, mode_t mode)
{
	return listen_at(s, str_fmt(&s->a, "%s/%s", s->conf->run_dir, name),
	    mode, geteuid() == 0 && mode != 0600);
}

enum rc
sup_listen_ipc(struct sup *s)
{
	for (size_t i = 0; i < sup_nroles; i++) {
		const char *service = sup_roles[i].service;

		s->rpc_fd[i] = -1;
		if (service == NULL)
			continue;
		s->rpc_fd[i] = sup_listen_unix(
		    s, str_fmt(&s->a, "%s.sock", service).p, 0660);
		if (s->rpc_fd[i] < 0)
			return RC_BAD;
	}
	s->admin_fd = sup_listen_unix(s, "control.sock", 0600);
	return s->admin_fd >= 0 ? RC_OK : RC_BAD;
}

enum rc
sup_listen_local(struct sup *s)
{
	int fd;

	if (s->nlisteners == SUP_LISTENERS_MAX)
		return RC_BAD;
	fd = sup_listen_unix(s, "sendmail.sock", 0666);
	if (fd < 0)
		return RC_BAD;
	s->listeners[s->nlisteners++] =
	    (struct sup_listener){ "listen.local", "listen.local", fd };
	return RC_OK;
}

static enum rc
put_port(struct buf *b, int fd, bool first)
{
	union address a = { 0 };
	socklen_t n = sizeof(a);
	char host[INET6_ADDRSTRLEN];
	bool v6;

	if (getsockname(fd, &a.sa, &n) < 0)
		return RC_TEMP;
	if (a.sa.sa_family == AF_UNIX)
		return buf_fmt(b, "%s{\"path\": \"%s\"}", first ? "" : ", ",
		    a.un.sun_path);
	v6 = a.sa.sa_family == AF_INET6;
	inet_ntop(a.sa.sa_family,
	    v6 ? (const void *)&a.v6.sin6_addr : (const void *)&a.v4.sin_addr,
	    host, sizeof(host));
	return buf_fmt(b, "%s{\"address\": \"%s\", \"port\": %u}",
	    first ? "" : ", ", host,
	    ntohs(v6 ? a.v6.sin6_port : a.v4.sin_port));
}

enum rc
sup_write_ports(struct sup *s)
{
	struct str path = str_fmt(&s->a, "%s/ports.json", s->conf->run_dir);
	struct str tmp = str_fmt(&s->a, "%.*s.new", STRF(path));
	AUTO_FD fd = -1;
	AUTO_BUF b;
	enum rc rc;

	buf_init(&b, 1 << 16);
	rc = buf_add(&b, STR("{"));
	for (size_t i = 0; rc == RC_OK && i < COUNT(tcp); i++) {
		bool first = true;

		rc = buf_fmt(
		    &b, "%s\"%s\": [", i > 0 ? ",\n " : "", tcp[i].json);
		for (size_t k = 0; rc == RC_OK && k < s->nlisteners; k++) {
			if (strcmp(s->listeners[k].name, tcp[i].name) != 0)
				continue;
			rc = put_port(&b, s->listeners[k].fd, first);
			first = false;
		}
		if (rc == RC_OK)
			rc = buf_add(&b, STR("]"));
	}
	if (rc == RC_OK)
		rc = buf_add(&b, STR("}\n"));
	fd = open(
	    tmp.p, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (rc != RC_OK || fd < 0 || fd_write_all(fd, buf_str(&b)) != RC_OK ||
	    rename(tmp.p, path.p) < 0) {
		log_error(&s->log, "ports.write", KV("path", path), KVE(errno));
		return RC_BAD;
	}
	return RC_OK;
}
