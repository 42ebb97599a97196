/*
 * Reload: read everything anew, and only if all of it is good, use it.  What
 * needs a restart is named and stays as it was until then; the processes get
 * the new text whole and see the new values, of which they use what they can.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "supervisor/sup.h"

#define DUMP_MAX (8u << 20)

enum rc
sup_open_log(struct sup *s, const struct conf *c, int *out_fd)
{
	if (c->log_file[0] == '\0' || s->trial)
		*out_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
	else
		*out_fd = open(c->log_file,
		    O_WRONLY | O_APPEND | O_CREAT | O_NOCTTY | O_CLOEXEC, 0640);
	if (*out_fd >= 0)
		return RC_OK;
	log_error(&s->log, "log.open", KVC("path", c->log_file), KVE(errno));
	return RC_BAD;
}

int
sup_open_syslog(struct sup *s, const struct conf *c)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd;

	if (c->log_syslog[0] == '\0' || s->trial)
		return -1;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	snprintf(to.sun_path, sizeof(to.sun_path), "%s", c->log_syslog);
	/* If it is not there yet, whoever logs connects when it is. */
	if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0)
		log_warn(&s->log, "log.syslog", KVC("path", c->log_syslog),
		    KVE(errno));
	return fd;
}

/* The text that the processes parse: the dump, which needs no environment. */
static int
text_of(const struct conf *c)
{
	AUTO_BUF b;

	buf_init(&b, DUMP_MAX);
	return conf_dump(c, &b) == RC_OK ? fd_sealed("conf", buf_str(&b)) : -1;
}

struct fresh {
	const struct conf *conf;
	int conf_fd, log_fd, syslog_fd;
	struct sup_creds creds;
	struct sup_files files;
};

static enum rc
load(struct sup *s, struct arena *a, struct fresh *f, struct str *why)
{
	if (conf_load(a, s->conf_path, &f->conf, why) != RC_OK)
		return RC_BAD;
	if (sup_files_load(s, a, f->conf, &f->files, why) != RC_OK)
		return RC_BAD;
	*why = STR("certificates, keys or log file: see the log");
	if (sup_creds_load(s, f->conf, &f->creds) != RC_OK ||
	    sup_open_log(s, f->conf, &f->log_fd) != RC_OK)
		return RC_BAD;
	f->syslog_fd = sup_open_syslog(s, f->conf);
	f->conf_fd = text_of(f->conf);
	return f->conf_fd >= 0 ? RC_OK : RC_BAD;
}

static void
drop(struct fresh *f)
{
	conf_unref(&f->conf);
	fd_close(&f->conf_fd);
	fd_close(&f->log_fd);
	fd_close(&f->syslog_fd);
	sup_creds_free(&f->creds);
	sup_files_free(&f->files);
}

/* Swap: *f holds the old things afterwards. */
static void
adopt(struct sup *s, struct fresh *f)
{
	struct fresh old = { s->conf, s->conf_fd, s->log_fd, s->syslog_fd,
		s->creds, s->files };

	s->conf = f->conf;
	s->conf_fd = f->conf_fd;
	s->log_fd = f->log_fd;
	s->syslog_fd = f->syslog_fd;
	s->creds = f->creds;
	s->files = f->files;
	*f = old;
	log_sink_set(s->sink, s->log_fd, s->conf->log_level);
	log_sink_format(s->sink, s->conf->log_format);
	log_sink_syslog(s->sink, s->syslog_fd, s->conf->log_syslog);
}

bool
sup_reload_send(struct sup *s, struct sup_child *c, uint32_t id)
{
	AUTO_MSG m;

	if (c->state == SUP_DOWN) {
		c->restart_at = 0; /* perhaps it was the configuration */
		c->delay_ms = 0;
	}
	if (c->fd < 0 || c->state == SUP_STOPPING)
		return false;
	ipc_msg_init(&m, PROC_RELOAD);
	m.id = id;
	ipc_put_fd(&m, "conf", s->conf_fd);
	ipc_put_fd(&m, "log", s->log_fd);
	if (s->syslog_fd >= 0)
		ipc_put_fd(&m, "syslog", s->syslog_fd);
	if (c->role->tls)
		sup_put_creds(s, &m);
	sup_put_files(s, c->role, &m);
	sup_child_send(s, c, &m);
	return true;
}

enum rc
sup_reload(struct sup *s, struct arena *a, struct str *why)
{
	struct fresh f = { .conf_fd = -1,
		.log_fd = -1,
		.syslog_fd = -1,
		.files = { -1, -1, -1 } };
	bool first = s->conf == NULL;
	AUTO_BUF names;

	buf_init(&names, 1 << 16);
	if (load(s, a, &f, why) != RC_OK) {
		log_error(&s->log, first ? "start.failed" : "reload.failed",
		    KV("error", *why));
		drop(&f);
		return RC_BAD;
	}
	if (!first && conf_restart_needed(s->conf, f.conf, &names) != RC_OK)
		buf_clear(&names);
	adopt(s, &f);
	drop(&f);
	*why = str_fmt(a, "%.*s", STRF(str_trim(buf_str(&names))));
	if (first)
		return RC_OK;
	log_info(&s->log, "reload", KVC("path", s->conf_path));
	if (why->n > 0)
		log_warn(
		    &s->log, "reload.restart_needed", KV("settings", *why));
	return RC_OK;
}
