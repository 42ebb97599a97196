/*
 * IDLE (RFC 2177).  While it runs, a session holds its tag, its view and its
 * place in the table of watches, and no buffers.
 *
 * It is put into the table before the store is read: what changes after the
 * reading wakes it.
 */
#include "imap/session.h"

#include <string.h>

enum imap_step
imap_cmd_idle(struct imap_session *s, struct imap_parse *args)
{
	(void)args;
	s->idle_tag = xcalloc(1, s->cur.tag.n + 1);
	memcpy(s->idle_tag, s->cur.tag.p, s->cur.tag.n);
	if (s->box != NULL) {
		imap_watch_add(s->d->watches, &s->box->watch, s->c, s->box->id);
		s->news = true;
	}
	imap_out_str(&s->out, STR("+ idling\r\n"));
	return STEP_IDLE;
}

void
imap_idle_stop(struct imap_session *s)
{
	if (s->box != NULL)
		imap_watch_remove(s->d->watches, &s->box->watch);
	xfree(s->idle_tag);
	s->idle_tag = NULL;
	s->news = false;
}

/*
 * The command ends like any other, with what is new and its reply, so it is
 * made the running one again.
 */
enum next
imap_idle_line(struct imap_session *s, struct str line)
{
	bool done = str_ieq(line, STR("DONE\r\n"));

	s->cur.tag = str_dup(&s->mem, str_c(s->idle_tag));
	imap_idle_stop(s);
	s->cur.cmd = imap_command_find(STR("IDLE"));
	s->cur.syncing = true;
	if (done)
		(void)imap_ok(s, "Idle completed");
	else
		(void)imap_bad(s, "DONE expected");
	return imap_engine_pump(s);
}
