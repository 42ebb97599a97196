/*
 * A command either answers at once or leaves a cursor (step), which makes
 * output while there is room for it and time in the unit; the next command is
 * taken when it has finished.
 *
 * QUIT tells the store in sets of runs of the snapshot.  A run may span UIDs
 * that are gone: what was not in INBOX at the login and is between two
 * messages that were can never come to be there.
 */
#include "imap/pop3.h"

#include <string.h>

#include "imap/pop3_text.h"

#define PIECE     (16u << 10) /* of a message, on the stack */
#define RUNS_MAX  1000u       /* in one set */
#define LINES_MAX 256u        /* of LIST and UIDL in one step */

enum mark { MARK_DELETED = 1, MARK_READ = 2 };

struct pop3_msg {
	uint32_t uid, size;
};

struct pop3 {
	uint64_t mailbox;
	uint32_t uidvalidity, uidnext;
	struct pop3_msg *v;
	unsigned char *marks;
	uint32_t n, room;
	uint32_t left;  /* not deleted */
	uint64_t bytes; /* of those */
	unsigned errors;
	/* the cursor; false: call it again */
	bool (*step)(struct imap_session *s);
	uint32_t at;
	/* RETR and TOP */
	struct store_msg *msg;
	uint64_t off;
	struct pop3_dots dots;
	struct pop3_top top;
	bool is_top;
	unsigned char work[INFLIGHT_ID];
	/* QUIT */
	enum mark what;
	bool failed;
	uint32_t deleted, read;
	/* for the log, until the maildrop is there */
	struct str login, client;
};

struct pop3 *
pop3_new(void)
{
	return xcalloc(1, sizeof(struct pop3));
}

void
pop3_free(struct pop3 **p)
{
	if (*p == NULL)
		return;
	store_msg_close(&(*p)->msg);
	xfree((*p)->v);
	xfree((*p)->marks);
	xfree(*p);
	*p = NULL;
}

static void
ok(struct imap_session *s, const char *text)
{
	s->pop3->errors = 0;
	imap_out_fmt(&s->out, "+OK %s\r\n", text);
}

static void
err(struct imap_session *s, const char *text)
{
	imap_out_fmt(&s->out, "-ERR %s\r\n", text);
	if (++s->pop3->errors < POP3_ERRORS_MAX)
		return;
	log_info(&s->log, "pop3.errors", KVU("count", s->pop3->errors));
	s->closing = true;
}

static enum next
pump(struct imap_session *s)
{
	struct pop3 *p = s->pop3;
	int64_t until = now_ns() + IMAP_UNIT_NS;
	enum next next;

	for (;;) {
		bool flushed = imap_out_flush(&s->out, s->c);

		if (s->out.bad || s->abort)
			next = NEXT_ABORT;
		else if (!flushed)
			next = NEXT_DRAIN;
		else if (s->closing)
			next = NEXT_CLOSE;
		else if (p->step == NULL)
			next = NEXT_INPUT;
		else if (now_ns() > until || netd_out_room(s->c) == 0)
			next = NEXT_DRAIN;
		else {
			if (p->step(s))
				p->step = NULL;
			arena_reset(&s->unit);
			continue;
		}
		break;
	}
	imap_view_drop(s);
	if (next == NEXT_INPUT) {
		arena_free(&s->unit);
		buf_release(&s->out.b);
	}
	return next;
}

/*
 * The maildrop.
 */
static void
add_row(struct pop3 *p, const struct store_row *row)
{
	if (p->n == p->room) {
		p->room = MAX(p->room + p->room / 2, 64);
		p->v = xrealloc(p->v, p->room * sizeof(p->v[0]));
	}
	p->v[p->n++] =
	    (struct pop3_msg){ row->uid, (uint32_t)MIN(row->size, UINT32_MAX) };
	p->bytes += row->size;
}

static void
opened(struct imap_session *s)
{
	struct pop3 *p = s->pop3;

	p->marks = xcalloc(MAX(p->n, 1), 1);
	p->left = p->n;
	log_info(&s->log, "pop3.login", KV("login", p->login),
	    KV("account", s->account->id), KV("client", p->client),
	    KVU("messages", p->n));
	p->login = p->client = STR_NULL;
	arena_free(&s->mem);
	imap_out_fmt(&s->out, "+OK Logged in, %u messages\r\n", p->n);
}

static bool
open_step(struct imap_session *s)
{
	struct pop3 *p = s->pop3;
	struct store_row *rows =
	    arena_alloc(&s->unit, IMAP_BATCH * sizeof(*rows));
	uint32_t next = p->n > 0 ? p->v[p->n - 1].uid + 1 : 1;
	struct store_view *rv;
	size_t n = 0;
	enum rc rc = imap_view_of_store(s, &rv);

	if (rc == RC_OK && next < p->uidnext)
		rc = store_rows(
		    rv, p->mailbox, next, p->uidnext - 1, rows, IMAP_BATCH, &n);
	if (rc != RC_OK) {
		err(s, "[SYS/TEMP] Cannot read the maildrop now");
		s->closing = true;
		return true;
	}
	for (size_t i = 0; i < n; i++)
		add_row(p, &rows[i]);
	if (n == IMAP_BATCH)
		return false;
	opened(s);
	return true;
}

enum next
pop3_refuse(struct imap_session *s, enum rc rc)
{
	imap_out_str(&s->out, rc == RC_TEMP
				  ? STR("-ERR [SYS/TEMP] Try again later\r\n")
				  : STR("-ERR [AUTH] Log in again\r\n"));
	s->closing = true;
	return pump(s);
}

enum next
pop3_begin(struct imap_session *s, struct str login, struct str client)
{
	struct pop3 *p = s->pop3;
	struct store_mailbox mb;

	if (imap_box_find(s, STR("INBOX"), &mb) != RC_OK)
		return pop3_refuse(s, RC_TEMP);
	p->mailbox = mb.id;
	p->uidvalidity = mb.uidvalidity;
	p->uidnext = mb.uidnext;
	p->room = mb.messages;
	if (p->room > 0)
		p->v = xcalloc(p->room, sizeof(p->v[0]));
	p->login = str_dup(&s->mem, login);
	p->client = str_dup(&s->mem, client);
	p->step = open_step;
	netd_set_timeout(s->c, (int)POP3_IDLE_S * 1000);
	return pump(s);
}

/* The message of a command, or NULL and the reply is given. */
static const struct pop3_msg *
message(struct imap_session *s, uint32_t number)
{
	struct pop3 *p = s->pop3;

	if (number == 0 || number > p->n) {
		err(s, "No such message");
		return NULL;
	}
	if (p->marks[number - 1] & MARK_DELETED) {
		err(s, "Message is deleted");
		return NULL;
	}
	return &p->v[number - 1];
}

/*
 * Lists.
 */
static void
put_line(struct imap_session *s, uint32_t i, bool uidl)
{
	const struct pop3_msg *m = &s->pop3->v[i];

	if (uidl)
		imap_out_fmt(&s->out, "%u %u.%u\r\n", i + 1,
		    s->pop3->uidvalidity, m->uid);
	else
		imap_out_fmt(&s->out, "%u %u\r\n", i + 1, m->size);
}

static bool
lines(struct imap_session *s, bool uidl)
{
	struct pop3 *p = s->pop3;

	for (unsigned k = 0; k < LINES_MAX && p->at < p->n; p->at++)
		if ((p->marks[p->at] & MARK_DELETED) == 0) {
			put_line(s, p->at, uidl);
			k++;
		}
	if (p->at < p->n)
		return false;
	imap_out_str(&s->out, STR(".\r\n"));
	return true;
}

static bool
list_step(struct imap_session *s)
{
	return lines(s, false);
}

static bool
uidl_step(struct imap_session *s)
{
	return lines(s, true);
}

static void
on_list(struct imap_session *s, const struct pop3_command *c)
{
	struct pop3 *p = s->pop3;
	bool uidl = c->verb == POP3_UIDL;

	if (c->has_msg) {
		if (message(s, c->msg) == NULL)
			return;
		p->errors = 0;
		imap_out_str(&s->out, STR("+OK "));
		put_line(s, c->msg - 1, uidl);
		return;
	}
	p->errors = 0;
	imap_out_fmt(&s->out, "+OK %u messages (%llu octets)\r\n", p->left,
	    (unsigned long long)p->bytes);
	p->at = 0;
	p->step = uidl ? uidl_step : list_step;
}

static void
on_stat(struct imap_session *s)
{
	s->pop3->errors = 0;
	imap_out_fmt(&s->out, "+OK %u %llu\r\n", s->pop3->left,
	    (unsigned long long)s->pop3->bytes);
}

static void
on_dele(struct imap_session *s, const struct pop3_command *c)
{
	const struct pop3_msg *m = message(s, c->msg);

	if (m == NULL)
		return;
	s->pop3->marks[c->msg - 1] |= MARK_DELETED;
	s->pop3->left--;
	s->pop3->bytes -= m->size;
	ok(s, "Deleted");
}

static void
on_rset(struct imap_session *s)
{
	struct pop3 *p = s->pop3;

	for (uint32_t i = 0; i < p->n; i++)
		if (p->marks[i] & MARK_DELETED) {
			p->marks[i] &= (unsigned char)~MARK_DELETED;
			p->left++;
			p->bytes += p->v[i].size;
		}
	ok(s, "Nothing is deleted");
}

/*
 * RFC 2449 section 5: what is announced before the login is announced behind
 * it too.  STLS is not, as it is offered to nobody who has TLS.
 */
static void
on_capa(struct imap_session *s)
{
	struct str mechs = imap_mechs(&s->d->mechs, s->d->dir, &s->unit);

	imap_out_str(
	    &s->out, STR("+OK Capabilities follow\r\n"
			 "TOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\n"
			 "PIPELINING\r\nEXPIRE NEVER\r\nUSER\r\nSASL PLAIN"));
	imap_out_str(&s->out, mechs.n > 0 ? STR(" ") : STR(""));
	imap_out_str(&s->out, mechs);
	imap_out_str(&s->out, STR("\r\nIMPLEMENTATION Gatepost\r\n.\r\n"));
}

/*
 * RETR and TOP.  A message that this process has died of twice is not read a
 * third time (imap/poison.c does the same for FETCH).
 */
static bool
is_poison(struct imap_session *s, uint32_t uid)
{
	struct pop3 *p = s->pop3;
	uint64_t h[2] = { str_hash(s->account->id),
		p->mailbox << 32 ^ uid ^ 0x504f5033 };

	_Static_assert(sizeof(h) == sizeof(p->work), "an id is two numbers");
	memcpy(p->work, h, sizeof(h));
	if (inflight_deaths(s->d->inflight, str_n(p->work, sizeof(p->work))) <
	    INFLIGHT_FATAL)
		return false;
	log_error(&s->log, "pop3.poison", KV("account", s->account->id),
	    KVU("mailbox", p->mailbox), KVU("uid", uid));
	return true;
}

/* RC_OK: there is more; RC_NOENT: that was all. */
static enum rc
send_piece(struct imap_session *s)
{
	struct pop3 *p = s->pop3;
	char piece[PIECE];
	size_t n = 0, want;
	enum rc rc = store_msg_read(p->msg, p->off, piece, sizeof(piece), &n);

	if (rc != RC_OK)
		return RC_TEMP;
	if (n == 0 && p->off < store_msg_size(p->msg))
		return RC_TEMP;
	p->off += n;
	want = n;
	if (p->is_top)
		want = pop3_top_cut(&p->top, str_n(piece, n));
	pop3_dots_put(&p->dots, str_n(piece, want), &s->out);
	return n == 0 || (p->is_top && p->top.done) ? RC_NOENT : RC_OK;
}

static bool
send_step(struct imap_session *s)
{
	struct pop3 *p = s->pop3;
	unsigned slot;
	bool entered = inflight_begin(s->d->inflight,
			   str_n(p->work, sizeof(p->work)), &slot) == RC_OK;
	enum rc rc = RC_OK;

	while (rc == RC_OK && !imap_out_full(&s->out))
		rc = send_piece(s);
	if (entered)
		inflight_end(s->d->inflight, slot);
	if (rc == RC_OK)
		return false;
	if (rc == RC_NOENT) {
		pop3_dots_end(&p->dots, &s->out);
		if (!p->is_top)
			p->marks[p->at] |= MARK_READ;
	} else {
		/* Half a message cannot be taken back. */
		log_error(&s->log, "pop3.cut", KVU("uid", p->v[p->at].uid));
		s->abort = true;
	}
	store_msg_close(&p->msg);
	return true;
}

static enum rc
open_message(struct imap_session *s, uint32_t uid)
{
	struct store_view *rv;
	enum rc rc = imap_view_of_store(s, &rv);

	if (rc == RC_OK)
		rc = store_msg_open(rv, s->account->id, s->account->key,
		    s->pop3->mailbox, uid, &s->pop3->msg);
	return rc;
}

static void
on_retr(struct imap_session *s, const struct pop3_command *c)
{
	const struct pop3_msg *m = message(s, c->msg);
	struct pop3 *p = s->pop3;

	if (m == NULL)
		return;
	if (is_poison(s, m->uid)) {
		err(s, "[SYS/PERM] This message made us fail");
		return;
	}
	switch (open_message(s, m->uid)) {
	case RC_OK:
		break;
	case RC_NOENT:
		err(s, "Message was removed by another session");
		return;
	default:
		err(s, "[SYS/TEMP] Cannot read the message now");
		return;
	}
	p->at = c->msg - 1;
	p->off = 0;
	p->dots = (struct pop3_dots){ 0 };
	p->is_top = c->verb == POP3_TOP;
	p->top = (struct pop3_top){ .left = c->lines };
	p->errors = 0;
	if (p->is_top)
		imap_out_str(&s->out, STR("+OK Top of message follows\r\n"));
	else
		imap_out_fmt(&s->out, "+OK %llu octets\r\n",
		    (unsigned long long)store_msg_size(p->msg));
	p->step = send_step;
}

/*
 * QUIT.
 */
static struct uid_set
next_set(struct imap_session *s)
{
	struct pop3 *p = s->pop3;
	struct uid_set set = { arena_calloc(&s->unit, RUNS_MAX, sizeof(*set.v)),
		0 };
	bool open = false;

	for (; p->at < p->n; p->at++) {
		unsigned marks = p->marks[p->at];
		bool in =
		    (marks & (unsigned)p->what) != 0 &&
		    (p->what == MARK_DELETED || (marks & MARK_DELETED) == 0);

		if (in && !open) {
			if (set.n == RUNS_MAX)
				break;
			set.v[set.n++].lo = p->v[p->at].uid;
		}
		if (in)
			set.v[set.n - 1].hi = p->v[p->at].uid;
		open = in;
	}
	return set;
}

static enum rc
flag(struct imap_session *s, struct uid_set uids, uint64_t flags)
{
	struct store_flags in = {
		.account = s->account->id,
		.mailbox = s->pop3->mailbox,
		.uids = uids,
		.op = STORE_FLAGS_ADD,
		.flags = flags,
		.unchanged_since = UINT64_MAX,
	};
	struct store_flagged done;

	return store_flags(s->d->store, &s->unit, &in, imap_deadline(), &done);
}

static enum rc
apply(struct imap_session *s, struct uid_set uids)
{
	uint64_t modseq;
	enum rc rc;

	if (s->pop3->what == MARK_READ)
		return flag(s, uids, STORE_SEEN);
	rc = flag(s, uids, STORE_DELETED);
	if (rc == RC_OK)
		rc = store_expunge(s->d->store, s->account->id,
		    s->pop3->mailbox, uids, imap_deadline(), &modseq);
	return rc;
}

static void
bye(struct imap_session *s)
{
	struct pop3 *p = s->pop3;

	log_info(&s->log, "pop3.quit", KVU("deleted", p->deleted),
	    KVU("read", p->read), KVU("failed", p->failed));
	if (p->failed)
		err(s, "[SYS/TEMP] Some deleted messages are not removed");
	else
		ok(s, "Bye");
	s->closing = true;
}

/* \Seen that could not be set keeps nobody from anything. */
static bool
quit_step(struct imap_session *s)
{
	struct pop3 *p = s->pop3;
	struct uid_set set = next_set(s);
	enum rc rc = RC_OK;

	if (set.n > 0) {
		imap_view_drop(s);
		rc = apply(s, set);
	}
	if (rc == RC_NOENT)
		rc = RC_OK; /* it is all gone already */
	if (rc != RC_OK && p->what == MARK_READ)
		log_warn(&s->log, "pop3.seen", KVC("rc", rc_name(rc)));
	else if (rc != RC_OK)
		p->failed = true;
	if (p->at < p->n && rc == RC_OK)
		return false;
	if (p->what == MARK_READ) {
		p->what = MARK_DELETED;
		p->at = 0;
		return false;
	}
	bye(s);
	return true;
}

static void
on_quit(struct imap_session *s)
{
	struct pop3 *p = s->pop3;

	for (uint32_t i = 0; i < p->n; i++) {
		p->deleted += (p->marks[i] & MARK_DELETED) != 0;
		p->read += (p->marks[i] & MARK_READ) != 0;
	}
	if (p->deleted == 0 && p->read == 0) {
		bye(s);
		return;
	}
	p->what = MARK_READ;
	p->at = 0;
	p->step = quit_step;
}

static void
run(struct imap_session *s, const struct pop3_command *c)
{
	switch (c->verb) {
	case POP3_CAPA:
		on_capa(s);
		break;
	case POP3_DELE:
		on_dele(s, c);
		break;
	case POP3_LIST:
	case POP3_UIDL:
		on_list(s, c);
		break;
	case POP3_NOOP:
		ok(s, "Done");
		break;
	case POP3_QUIT:
		on_quit(s);
		break;
	case POP3_RETR:
	case POP3_TOP:
		on_retr(s, c);
		break;
	case POP3_RSET:
		on_rset(s);
		break;
	case POP3_STAT:
		on_stat(s);
		break;
	}
}

static void
on_line(struct imap_session *s, struct str unit)
{
	struct str line = str_sub(unit, 0, unit.n - MIN(unit.n, (size_t)2));
	struct pop3_command c;

	if (unit.n < 2 || unit.p[unit.n - 1] != '\n' ||
	    unit.p[unit.n - 2] != '\r' || str_chr(line, '\r') < line.n) {
		err(s, "Lines end in CRLF and are short");
		s->closing = true;
		return;
	}
	switch (pop3_parse(line, &c)) {
	case RC_OK:
		run(s, &c);
		break;
	case RC_NOENT:
		err(s, "Unknown command");
		break;
	default:
		err(s, "Bad arguments");
		break;
	}
}

size_t
pop3_frame(struct str in)
{
	size_t lf = str_chr(in, '\n');

	if (lf < in.n && lf < POP3_LINE_MAX)
		return lf + 1;
	return in.n >= POP3_LINE_MAX ? POP3_LINE_MAX : 0;
}

enum next
pop3_unit(struct imap_session *s, const struct netd_unit *u)
{
	switch (u->kind) {
	case UNIT_DATA:
		on_line(s, u->data);
		return pump(s);
	case UNIT_WAKE:
	case UNIT_DRAINED:
		return pump(s);
	case UNIT_TIMEOUT:
		return NEXT_CLOSE; /* without a word: RFC 1939 section 3 */
	case UNIT_STOP:
		err(s, "[SYS/TEMP] Shutting down");
		s->closing = true;
		return pump(s);
	default:
		return NEXT_ABORT;
	}
}
