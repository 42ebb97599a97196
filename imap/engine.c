/*
 * The table of commands and the one place that runs them: it checks state,
 * flags and syntax of the frame once, drives steps while there is room for
 * output and time in the unit, then tells the news of the mailbox and the
 * tagged reply.
 *
 * RFC 3501 section 5.5 allows commands to be pipelined; they run one after the
 * other, as netd hands over the next line only when one is finished.
 */
#include "imap/session.h"

#include <string.h>

static const struct imap_command commands[] = {
	{ STR_INIT("CAPABILITY"), PH_ANY, CMD_NO_ARGS, imap_cmd_capability },
	{ STR_INIT("NOOP"), PH_ANY, CMD_NO_ARGS, imap_cmd_noop },
	{ STR_INIT("LOGOUT"), PH_ANY, CMD_NO_ARGS | CMD_NO_SYNC,
	    imap_cmd_logout },
	{ STR_INIT("ID"), PH_ANY, 0, imap_cmd_id },
	{ STR_INIT("IDLE"), PH_ANY, CMD_NO_ARGS, imap_cmd_idle },
	{ STR_INIT("NAMESPACE"), PH_ANY, CMD_NO_ARGS, imap_cmd_namespace },
	/* authenticated */
	{ STR_INIT("SELECT"), PH_ANY, CMD_NO_SYNC, imap_cmd_select },
	{ STR_INIT("EXAMINE"), PH_ANY, CMD_NO_SYNC, imap_cmd_examine },
	{ STR_INIT("CREATE"), PH_ANY, 0, imap_cmd_create },
	{ STR_INIT("DELETE"), PH_ANY, 0, imap_cmd_delete },
	{ STR_INIT("RENAME"), PH_ANY, 0, imap_cmd_rename },
	{ STR_INIT("SUBSCRIBE"), PH_ANY, 0, imap_cmd_subscribe },
	{ STR_INIT("UNSUBSCRIBE"), PH_ANY, 0, imap_cmd_unsubscribe },
	{ STR_INIT("LIST"), PH_ANY, 0, imap_cmd_list },
	{ STR_INIT("LSUB"), PH_ANY, 0, imap_cmd_lsub },
	{ STR_INIT("STATUS"), PH_ANY, 0, imap_cmd_status },
	{ STR_INIT("APPEND"), PH_ANY, CMD_STREAM | CMD_READS, imap_cmd_append },
	/* selected */
	{ STR_INIT("CHECK"), PH_SELECTED, CMD_NO_ARGS, imap_cmd_noop },
	{ STR_INIT("CLOSE"), PH_SELECTED, CMD_NO_ARGS | CMD_NO_SYNC,
	    imap_cmd_close },
	{ STR_INIT("UNSELECT"), PH_SELECTED, CMD_NO_ARGS | CMD_NO_SYNC,
	    imap_cmd_unselect },
	{ STR_INIT("EXPUNGE"), PH_SELECTED, CMD_UID | CMD_RW,
	    imap_cmd_expunge },
	{ STR_INIT("SEARCH"), PH_SELECTED, CMD_UID | CMD_NUMBERS | CMD_READS,
	    imap_cmd_search },
	{ STR_INIT("FETCH"), PH_SELECTED, CMD_UID | CMD_NUMBERS | CMD_READS,
	    imap_cmd_fetch },
	{ STR_INIT("STORE"), PH_SELECTED, CMD_UID | CMD_NUMBERS | CMD_RW,
	    imap_cmd_store },
	{ STR_INIT("COPY"), PH_SELECTED, CMD_UID, imap_cmd_copy },
	{ STR_INIT("MOVE"), PH_SELECTED, CMD_UID | CMD_RW, imap_cmd_move },
	/* access did these; here they come in the wrong state */
	{ STR_INIT("LOGIN"), 0, 0, NULL },
	{ STR_INIT("AUTHENTICATE"), 0, 0, NULL },
	{ STR_INIT("STARTTLS"), 0, 0, NULL },
};

const struct imap_command *
imap_command_find(struct str name)
{
	for (size_t i = 0; i < COUNT(commands); i++) {
		if (str_ieq(name, commands[i].name))
			return &commands[i];
	}
	return NULL;
}

void
imap_engine_drop(struct imap_session *s)
{
	if (s->cur.drop != NULL)
		s->cur.drop(s);
	s->cur = (struct imap_cur){ 0 };
	s->refused = STR_NULL;
	imap_append_free(s);
	imap_gather_reset(&s->in);
	arena_free(&s->unit);
	arena_free(&s->mem);
}

void
imap_bye(struct imap_session *s, struct str text)
{
	imap_out_str(&s->out, STR("* BYE "));
	imap_out_str(&s->out, text);
	imap_out_str(&s->out, STR("\r\n"));
	s->closing = true;
}

static void
tagged(struct imap_session *s, struct str tag, struct str reply)
{
	if (tag.n == 0)
		tag = STR("*");
	imap_out_str(&s->out, tag);
	imap_out_str(&s->out, STR(" "));
	imap_out_str(&s->out, reply);
	imap_out_str(&s->out, STR("\r\n"));
	if (!str_has_prefix(reply, STR("BAD"))) {
		s->errors = 0;
	} else if (++s->errors >= IMAP_ERRORS_MAX) {
		log_info(&s->log, "imap.errors", KVU("count", s->errors));
		imap_bye(s, STR("Too many errors"));
	}
}

enum next
imap_engine_refuse(struct imap_session *s, struct str reply)
{
	struct imap_parse p = { imap_gather_command(&s->in), &s->mem };
	struct str tag;

	if (!imap_parse_tag(&p, &tag) || tag.n > IMAP_TAG_MAX)
		tag = STR_NULL;
	tagged(s, tag, reply);
	imap_engine_drop(s);
	return imap_engine_pump(s);
}

/* What may be said of a command before its arguments are looked at. */
static const char *
check_command(
    const struct imap_session *s, const struct imap_command *cmd, bool uid)
{
	if (cmd == NULL || (uid && (cmd->flags & CMD_UID) == 0))
		return "BAD Unknown command";
	if (cmd->phases == 0)
		return "BAD Already authenticated";
	if ((cmd->phases & (unsigned)s->phase) == 0)
		return "BAD No mailbox is selected";
	if ((cmd->flags & CMD_RW) != 0 && s->box->readonly)
		return "NO [READ-ONLY] Mailbox was opened with EXAMINE";
	return NULL;
}

static bool
parse_name(struct imap_parse *p, struct imap_cur *cur)
{
	struct str word;

	if (!imap_parse_sp(p) || !imap_parse_atom(p, &word))
		return false;
	if (str_ieq(word, STR("UID"))) {
		cur->uid = true;
		if (!imap_parse_sp(p) || !imap_parse_atom(p, &word))
			return false;
	}
	cur->cmd = imap_command_find(word);
	return true;
}

struct str
imap_engine_precheck(struct imap_session *s, const struct imap_command **out)
{
	struct imap_parse p = { buf_str(&s->in.b), &s->mem };
	struct imap_cur cur = { 0 };
	struct str tag;
	const char *fault;

	if (!imap_parse_tag(&p, &tag) || tag.n > IMAP_TAG_MAX)
		return STR("BAD Invalid tag");
	if (!parse_name(&p, &cur))
		return STR("BAD Command expected");
	*out = cur.cmd;
	fault = check_command(s, cur.cmd, cur.uid);
	return fault == NULL ? STR_NULL : str_c(fault);
}

static enum imap_step
run_watched(struct imap_session *s, struct imap_parse *args)
{
	struct imap_flight f;
	enum imap_step step;

	imap_poison_enter(s, &f);
	step = s->cur.cmd->run(s, args);
	imap_poison_leave(s, &f);
	return step;
}

static enum imap_step
start(struct imap_session *s, struct str line)
{
	struct imap_parse p = { line, &s->mem };
	const char *fault;

	if (!imap_parse_tag(&p, &s->cur.tag) || s->cur.tag.n > IMAP_TAG_MAX) {
		s->cur.tag = STR_NULL;
		return imap_bad(s, "Invalid tag");
	}
	if (!parse_name(&p, &s->cur))
		return imap_bad(s, "Command expected");
	fault = check_command(s, s->cur.cmd, s->cur.uid);
	if (fault != NULL) {
		s->cur.cmd = NULL;
		s->cur.reply = str_c(fault);
		return STEP_DONE;
	}
	if (memchr(line.p, 0, line.n) != NULL)
		return imap_bad(s, "NUL in command");
	if ((s->cur.cmd->flags & CMD_NO_ARGS) != 0) {
		if (!imap_parse_end(&p))
			return imap_bad(s, "No arguments expected");
	} else if (!imap_parse_end(&p) && !imap_parse_sp(&p)) {
		return imap_bad(s, "Space expected");
	}
	if (!imap_poison_name(s, line))
		return imap_no(s, "[SERVERBUG] This command made us fail");
	return run_watched(s, &p);
}

static void
finish(struct imap_session *s)
{
	tagged(s, s->cur.tag, s->cur.reply);
	imap_engine_drop(s);
	if (s->phase == PH_LOGOUT)
		s->closing = true;
}

/* The command's own work is done: the news, then the reply. */
static bool
finish_step(struct imap_session *s)
{
	const struct imap_command *cmd = s->cur.cmd;
	bool expunge;

	if (cmd != NULL && s->box != NULL && (cmd->flags & CMD_NO_SYNC) == 0) {
		expunge = (cmd->flags & CMD_NUMBERS) == 0 || s->cur.uid;
		if (imap_sync_step(s, expunge) == STEP_MORE)
			return false;
	}
	finish(s);
	return true;
}

/* One step; true when nothing runs any more. */
static bool
pump_step(struct imap_session *s)
{
	if (s->idle_tag != NULL) {
		if (s->box != NULL && imap_sync_step(s, true) == STEP_MORE)
			return false;
		s->news = false;
		return true;
	}
	if (!s->cur.syncing) {
		struct imap_flight f;
		enum imap_step step;

		imap_poison_enter(s, &f);
		step = s->cur.step(s);
		imap_poison_leave(s, &f);
		if (step == STEP_MORE)
			return false;
		s->cur.syncing = true;
	}
	return finish_step(s);
}

static bool
is_running(const struct imap_session *s)
{
	return s->cur.reply.p != NULL || s->cur.step != NULL ||
	       (s->idle_tag != NULL && s->news);
}

static enum next
rest(struct imap_session *s)
{
	if (s->closing)
		return NEXT_CLOSE;
	return s->idle_tag != NULL ? NEXT_IDLE : NEXT_INPUT;
}

enum next
imap_engine_pump(struct imap_session *s)
{
	int64_t until = now_ns() + IMAP_UNIT_NS;
	enum next next;

	for (;;) {
		bool flushed = imap_out_flush(&s->out, s->c);

		if (s->out.bad || s->abort) {
			next = NEXT_ABORT;
			break;
		}
		if (!flushed) {
			next = NEXT_DRAIN;
			break;
		}
		if (s->closing || !is_running(s)) {
			next = rest(s);
			break;
		}
		if (now_ns() > until || netd_out_room(s->c) == 0) {
			next = NEXT_DRAIN;
			break;
		}
		(void)pump_step(s);
		arena_reset(&s->unit);
	}
	imap_view_drop(s);
	if (next == NEXT_INPUT || next == NEXT_IDLE) {
		arena_free(&s->unit);
		buf_release(&s->out.b);
	}
	return next;
}

enum next
imap_engine_run(struct imap_session *s)
{
	enum imap_step step = start(s, imap_gather_command(&s->in));

	if (step == STEP_IDLE)
		imap_engine_drop(s);
	else if (step == STEP_DONE)
		s->cur.syncing = true;
	arena_reset(&s->unit);
	return imap_engine_pump(s);
}
