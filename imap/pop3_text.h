/*
 * pop3_text - the bytes of POP3: commands in, messages out.
 *
 * Ownership  Nothing is kept; output goes into the caller's.
 * Threads    Pure functions.
 * Errors     pop3_parse: RC_NOENT no such command, RC_BAD its arguments.
 */
#ifndef IMAP_POP3_TEXT_H
#define IMAP_POP3_TEXT_H

#include "imap/out.h"

enum pop3_verb {
	POP3_CAPA,
	POP3_DELE,
	POP3_LIST,
	POP3_NOOP,
	POP3_QUIT,
	POP3_RETR,
	POP3_RSET,
	POP3_STAT,
	POP3_TOP,
	POP3_UIDL,
};

struct pop3_command {
	enum pop3_verb verb;
	bool has_msg;
	uint32_t msg; /* a message number, as the client wrote it */
	uint32_t lines;
};

/* A line without its CRLF. */
MUST_CHECK enum rc pop3_parse(struct str line, struct pop3_command *out);

/*
 * RFC 1939 section 3: a line that begins with "." gets another one.  Lines
 * begin behind every LF here, also a bare one (IMAP's APPEND takes it), so
 * that nobody can be made to see an end where there is none.
 */
struct pop3_dots {
	bool inside; /* of a line */
	char last[2];
};
void pop3_dots_put(struct pop3_dots *d, struct str in, struct imap_out *o);
/* CRLF if there was none, ".", CRLF. */
void pop3_dots_end(const struct pop3_dots *d, struct imap_out *o);

/* TOP: the header, the empty line, and `left` lines of the body. */
struct pop3_top {
	uint32_t left;
	bool body;
	bool inside; /* of a line that is not empty */
	bool cr;     /* of a line, so far only a CR */
	bool done;
};
/* How much of `in` belongs to it. */
size_t pop3_top_cut(struct pop3_top *t, struct str in);

#endif
