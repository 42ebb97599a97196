/*
 * gather - from units of input (lines, pieces of literals) to one complete
 * command.
 *
 * A command is a line; a line that ends in "{n}" or "{n+}" is followed by n
 * bytes and the rest of the command (RFC 3501 section 4.3, RFC 7888).
 *
 * Ownership  Owns the bytes gathered so far.
 * Threads    imap_gather_frame on the reactor, the rest on a worker; the
 *            session is never at both.
 * Limits     IMAP_LINE_MAX per line, IMAP_COMMAND_MAX for all of a command.
 */
#ifndef IMAP_GATHER_H
#define IMAP_GATHER_H

#include "imap/parse.h"

#define IMAP_LINE_MAX    (64u << 10)
#define IMAP_COMMAND_MAX (128u << 10)
#define IMAP_CHUNK_MAX   (32u << 10) /* of a literal, in one unit */

enum imap_gather_mode {
	GATHER_LINE,
	GATHER_LITERAL, /* kept in the command */
	GATHER_STREAM,  /* handed on (APPEND) */
	GATHER_DISCARD, /* dropped */
};

struct imap_gather {
	struct buf b;
	enum imap_gather_mode mode;
	uint64_t left;  /* of the literal */
	size_t scanned; /* the line was searched up to here */
	bool dropping;  /* the command is refused, only its end is sought */
};

void imap_gather_init(struct imap_gather *g);
void imap_gather_free(struct imap_gather *g);
/* Ready for the next command. */
void imap_gather_reset(struct imap_gather *g);
size_t imap_gather_frame(struct imap_gather *g, struct str in);

/*
 * A line came (mode GATHER_LINE).  RC_OK: the command is complete;
 * RC_NOENT: a literal is announced, see *lit, and one of the three calls
 * below is due; RC_BAD: the command is too long.
 */
MUST_CHECK enum rc imap_gather_line(
    struct imap_gather *g, struct str line, struct imap_literal *lit);
void imap_gather_expect(
    struct imap_gather *g, enum imap_gather_mode mode, uint64_t size);
/* Bytes of a literal; true when it is complete. */
MUST_CHECK bool imap_gather_bytes(struct imap_gather *g, struct str in);
/* The command without its last CRLF. */
struct str imap_gather_command(const struct imap_gather *g);

#endif
