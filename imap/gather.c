/*
 * Only CRLF ends a line: a line with a bare CR or LF is read to its true end
 * and refused by the parser, in whose tokens they do not occur.
 */
#include "imap/gather.h"

#include <string.h>

void
imap_gather_init(struct imap_gather *g)
{
	*g = (struct imap_gather){ 0 };
	buf_init(&g->b, IMAP_COMMAND_MAX);
}

void
imap_gather_free(struct imap_gather *g)
{
	buf_free(&g->b);
}

void
imap_gather_reset(struct imap_gather *g)
{
	buf_release(&g->b);
	g->mode = GATHER_LINE;
	g->left = 0;
	g->dropping = false;
}

/* Clients may send a byte at a time: no byte is looked at twice. */
static size_t
frame_line(struct imap_gather *g, struct str in)
{
	size_t from = MIN(g->scanned, in.n);
	const char *lf;

	while ((lf = memchr(in.p + from, '\n', in.n - from)) != NULL) {
		size_t at = (size_t)(lf - in.p);

		if (at > 0 && lf[-1] == '\r') {
			g->scanned = 0;
			return at + 1;
		}
		from = at + 1;
	}
	g->scanned = in.n;
	return 0;
}

size_t
imap_gather_frame(struct imap_gather *g, struct str in)
{
	uint64_t want = MIN(g->left, IMAP_CHUNK_MAX);

	if (in.n == 0)
		return 0;
	if (g->mode == GATHER_LINE)
		return frame_line(g, in);
	return in.n >= want ? (size_t)want : 0;
}

enum rc
imap_gather_line(
    struct imap_gather *g, struct str line, struct imap_literal *lit)
{
	if (!g->dropping && buf_add(&g->b, line) != RC_OK)
		g->dropping = true;
	if (imap_literal_announced(line, lit))
		return RC_NOENT;
	return g->dropping ? RC_BAD : RC_OK;
}

void
imap_gather_expect(
    struct imap_gather *g, enum imap_gather_mode mode, uint64_t size)
{
	g->left = size;
	g->mode = size == 0 ? GATHER_LINE : mode;
}

bool
imap_gather_bytes(struct imap_gather *g, struct str in)
{
	assert(in.n <= g->left);
	if (g->mode == GATHER_LITERAL && !g->dropping &&
	    buf_add(&g->b, in) != RC_OK)
		g->dropping = true;
	g->left -= in.n;
	if (g->left == 0)
		g->mode = GATHER_LINE;
	return g->left == 0;
}

struct str
imap_gather_command(const struct imap_gather *g)
{
	struct str s = buf_str(&g->b);

	if (s.n >= 2)
		s.n -= 2;
	return s;
}
