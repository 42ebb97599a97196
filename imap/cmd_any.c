/*
 * CAPABILITY, NOOP and CHECK, LOGOUT, ID (RFC 2971), NAMESPACE (RFC 2342).
 */
#include "imap/session.h"

enum imap_step
imap_cmd_capability(struct imap_session *s, struct imap_parse *args)
{
	(void)args;
	imap_out_str(&s->out, STR("* CAPABILITY " IMAP_CAPABILITIES "\r\n"));
	return imap_ok(s, "Capability completed");
}

/* The news come before every reply; there is nothing else to do. */
enum imap_step
imap_cmd_noop(struct imap_session *s, struct imap_parse *args)
{
	(void)args;
	return imap_ok(s, "Completed");
}

enum imap_step
imap_cmd_logout(struct imap_session *s, struct imap_parse *args)
{
	(void)args;
	imap_out_str(&s->out, STR("* BYE Logging out\r\n"));
	(void)imap_ok(s, "Logout completed");
	s->phase = PH_LOGOUT;
	return STEP_DONE;
}

/* RFC 2971 section 3: at most 30 pairs, names of 30 and values of 1024. */
static bool
parse_id(struct imap_session *s, struct imap_parse *p)
{
	struct str name, value;
	size_t n = 0;

	if (imap_parse_word(p, STR("NIL")))
		return imap_parse_end(p);
	if (!imap_parse_char(p, '('))
		return false;
	while (!imap_parse_char(p, ')')) {
		if ((n > 0 && !imap_parse_sp(p)) || n++ == 30 ||
		    !imap_parse_string(p, &name) || name.n > 30 ||
		    !imap_parse_sp(p) || !imap_parse_nstring(p, &value) ||
		    value.n > 1024)
			return false;
		if (str_ieq(name, STR("name")))
			log_debug(&s->log, "imap.id", KV("name", value));
	}
	return imap_parse_end(p);
}

enum imap_step
imap_cmd_id(struct imap_session *s, struct imap_parse *args)
{
	if (!parse_id(s, args))
		return imap_bad(s, "ID takes NIL or a list of strings");
	imap_out_str(&s->out, STR("* ID (\"name\" \"Gatepost\")\r\n"));
	return imap_ok(s, "ID completed");
}

enum imap_step
imap_cmd_namespace(struct imap_session *s, struct imap_parse *args)
{
	(void)args;
	imap_out_str(&s->out, STR("* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n"));
	return imap_ok(s, "Namespace completed");
}
