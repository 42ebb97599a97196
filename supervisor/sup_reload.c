/*
 * Reload: read everything anew, and only if all of it is good, use it.  What
 * needs a restart is named and stays as it was until then; the processes get
 * the new text whole and see the new values, of which they use what they can.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
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
	int conf_fd, log_fd;
	struct sup_creds creds;
};

static enum rc
load(struct sup *s, struct arena *a, struct fresh *f, struct str *why)
{
	if (conf_load(a, s->conf_path, &f->conf, why) != RC_OK)
		return RC_BAD;
	*why = STR("certificates, keys or log file: see the log");
	if (sup_creds_load(s, f->conf, &f->creds) != RC_OK ||
	    sup_open_log(s, f->conf, &f->log_fd) != RC_OK)
		return RC_BAD;
	f->conf_fd = text_of(f->conf);
	return f->conf_fd >= 0 ? RC_OK : RC_BAD;
}

static void
drop(struct fresh *f)
{
	conf_unref(&f->conf);
	fd_close(&f->conf_fd);
	fd_close(&f->log_fd);
	sup_creds_free(&f->creds);
}

/* Swap: *f holds the old things afterwards. */
static void
adopt(struct sup *s, struct fresh *f)
{
	struct fresh old = { s->conf, s->conf_fd, s->log_fd, s->creds };

	s->conf = f->conf;
	s->conf_fd = f->conf_fd;
	s->log_fd = f->log_fd;
	s->creds = f->creds;
	*f = old;
	log_sink_set(s->sink, s->log_fd, s->conf->log_level);
}

static void
send_reload(struct sup *s, struct sup_child *c)
{
	AUTO_MSG m;

	ipc_msg_init(&m, PROC_RELOAD);
	if (c->state == SUP_DOWN) {
		c->restart_at = 0; /* perhaps it was the configuration */
		c->delay_ms = 0;
		return;
	}
	ipc_put_fd(&m, "conf", s->conf_fd);
	ipc_put_fd(&m, "log", s->log_fd);
	if (c->role->tls)
		sup_put_creds(s, &m);
	if (c->state != SUP_STOPPING)
		sup_child_send(s, c, &m);
}

enum rc
sup_reload(struct sup *s, struct arena *a, struct str *why)
{
	struct fresh f = { .conf_fd = -1, .log_fd = -1 };
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
	for (size_t i = 0; i < s->nchildren; i++)
		send_reload(s, &s->children[i]);
	return RC_OK;
}
