#include "imap/mechs.h"

#include <string.h>

void
imap_mechs_init(struct imap_mechs *m)
{
	*m = (struct imap_mechs){ 0 };
	pthread_mutex_init(&m->lock, NULL);
}

/* Is it the caller who is to ask?  The next one is a while off then. */
static bool
to_ask(struct imap_mechs *m)
{
	bool ask;

	pthread_mutex_lock(&m->lock);
	ask = now_ns() >= m->until;
	if (ask)
		m->until = deadline_in(IMAP_MECHS_RETRY_MS).at_ns;
	pthread_mutex_unlock(&m->lock);
	return ask;
}

static void
keep(struct imap_mechs *m, struct str text)
{
	pthread_mutex_lock(&m->lock);
	if (text.n > 0)
		memcpy(m->text, text.p, text.n);
	m->n = text.n;
	m->until = deadline_in(IMAP_MECHS_MS).at_ns;
	pthread_mutex_unlock(&m->lock);
}

struct str
imap_mechs(struct imap_mechs *m, struct dir_client *dir, struct arena *a)
{
	struct str text;

	if (to_ask(m) &&
	    dir_sasl_mechs(dir, a, deadline_in(IMAP_MECHS_WAIT_MS), &text) ==
		RC_OK &&
	    text.n <= sizeof(m->text))
		keep(m, text);
	pthread_mutex_lock(&m->lock);
	text = str_dup(a, str_n(m->text, m->n));
	pthread_mutex_unlock(&m->lock);
	return text;
}
