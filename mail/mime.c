/*
 * The engine sees lines.  Within a body only the first two bytes of a line
 * matter until they are "--", so the cost is one memchr per line; a line that
 * is cut by the end of a piece is kept as far as a boundary can reach.  A
 * header is read as one block when its end is found, straight from the input
 * when all of it is there.
 *
 * `open` is the stack of multiparts whose boundary is looked for; `cur` is the
 * part whose bytes are being read (for a preamble or an epilogue the multipart
 * itself).  A boundary of open[k] closes everything inside open[k]; its closing
 * form takes open[k] off the stack too, so that text behind it is epilogue.
 */
#include <string.h>

#include "mail/mime_fields.h"

/* "--", the boundary, "--", CRLF and a little more. */
#define LINE_KEEP (MAIL_MIME_BOUNDARY_MAX + 16)

struct node {
	struct mail_part part; /* first, so that a part is a node */
	struct node *last;     /* youngest child */
	uint64_t body_line;    /* CRLFs in front of the body */
	unsigned depth;
};

struct level {
	struct node *node;
	struct str boundary;
};

struct mail_mime {
	struct mime_budget budget;
	struct node *root, *cur;
	bool in_header;
	struct level open[MAIL_MIME_DEPTH_MAX];
	size_t nopen;
	uint32_t nparts;

	const char *chunk; /* the piece being read */
	uint64_t pos;      /* offset of its first byte */
	uint64_t lines;    /* CRLFs before the current line */
	bool cr;           /* the last byte of the last piece was CR */
	bool has_nul, has_8bit;
	uint64_t line_off; /* of a line begun in an earlier piece */
	size_t line_n;     /* bytes of it in `line`; 0: none begun */
	char line[LINE_KEEP];
	struct buf header; /* of a header begun in an earlier piece */
};

static struct node *
node_new(struct mail_mime *m, struct node *parent, uint64_t off, bool envelope)
{
	struct node *n = arena_calloc(m->budget.a, 1, sizeof(*n));

	n->part.header_off = off;
	if (envelope)
		n->part.envelope =
		    arena_calloc(m->budget.a, 1, sizeof(*n->part.envelope));
	if (parent != NULL) {
		n->depth = parent->depth + 1;
		n->part.parent = &parent->part;
		if (parent->last == NULL)
			parent->part.child = &n->part;
		else
			parent->last->part.next = &n->part;
		parent->last = n;
	}
	m->nparts++;
	return n;
}

static struct node *
parent_of(struct node *n)
{
	return (struct node *)n->part.parent;
}

struct mail_mime *
mail_mime_new(struct arena *a)
{
	struct mail_mime *m = xcalloc(1, sizeof(*m));

	m->budget = (struct mime_budget){ a, MAIL_MIME_KEEP_MAX, false };
	buf_init(&m->header, MAIL_MIME_HEADER_MAX);
	m->root = m->cur = node_new(m, NULL, 0, true);
	m->in_header = true;
	return m;
}

void
mail_mime_free(struct mail_mime **mp)
{
	if (*mp == NULL)
		return;
	buf_free(&(*mp)->header);
	xfree(*mp);
	*mp = NULL;
}

/* Bytes of the current header up to offset `end`, collected in m->header. */
static void
collect_header(struct mail_mime *m, uint64_t end)
{
	uint64_t start = m->cur->part.header_off;
	size_t want = (size_t)MIN(end - start, MAIL_MIME_HEADER_MAX);
	struct str more;

	if (m->header.n >= want) {
		m->header.n = want;
		return;
	}
	more = str_n(
	    m->chunk + (start + m->header.n - m->pos), want - m->header.n);
	if (buf_add(&m->header, more) != RC_OK)
		panic("mime header past its cap");
}

/* The block of the current header, up to offset `end`. */
static struct str
header_block(struct mail_mime *m, uint64_t end)
{
	uint64_t start = m->cur->part.header_off;

	if (end - start > MAIL_MIME_HEADER_MAX)
		m->budget.limited = true;
	if (m->header.n == 0 && start >= m->pos)
		return str_n(m->chunk ? m->chunk + (start - m->pos) : NULL,
		    (size_t)MIN(end - start, MAIL_MIME_HEADER_MAX));
	collect_header(m, end);
	return buf_str(&m->header);
}

/* Look for the boundary of the multipart whose header was just read. */
static void
open_multipart(struct mail_mime *m, struct node *n)
{
	struct str b =
	    mail_param_find(n->part.param, n->part.nparam, STR("boundary"));

	if (b.n == 0)
		return;
	if (b.n > MAIL_MIME_BOUNDARY_MAX || n->depth >= MAIL_MIME_DEPTH_MAX ||
	    m->nopen == COUNT(m->open)) {
		m->budget.limited = true;
		return;
	}
	m->open[m->nopen++] = (struct level){ n, b };
}

/* The inner message of a message/rfc822 part begins at `off`. */
static void
open_message(struct mail_mime *m, struct node *n, uint64_t off)
{
	m->cur = node_new(m, n, off, true);
	if (n->depth < MAIL_MIME_DEPTH_MAX && m->nparts < MAIL_MIME_PARTS_MAX) {
		m->in_header = true;
		return;
	}
	m->budget.limited = true;
	mime_fields_default(&m->cur->part, false);
	m->cur->body_line = m->lines;
}

/* The header of the current part ends in front of offset `end`. */
static void
end_header(struct mail_mime *m, uint64_t end)
{
	struct node *n = m->cur;
	struct node *up = parent_of(n);
	bool digest = up != NULL && up->part.kind == MAIL_PART_MULTIPART &&
		      str_ieq(up->part.subtype, STR("digest"));

	n->part.header_len = end - n->part.header_off;
	mime_fields_read(&m->budget, header_block(m, end), digest, &n->part);
	buf_clear(&m->header);
	m->in_header = false;
	n->body_line = m->lines;
	if (n->part.kind == MAIL_PART_MULTIPART)
		open_multipart(m, n);
	else if (n->part.kind == MAIL_PART_MESSAGE)
		open_message(m, n, end);
}

/*
 * Everything from the current part up to, but not with, `stop` ends in front
 * of offset `end`.  `crlf`: the CRLF there belongs to a boundary (RFC 2046
 * section 5.1.1), unless it is already the empty line of a part's header; then
 * the parts around that one have it as well.
 */
static void
close_parts(
    struct mail_mime *m, const struct node *stop, uint64_t end, bool crlf)
{
	uint64_t last = crlf ? end - 2 : end;

	while (m->in_header)
		end_header(m, MAX(m->cur->part.header_off, last));
	for (; m->cur != stop; m->cur = parent_of(m->cur)) {
		struct mail_part *p = &m->cur->part;
		uint64_t body = p->header_off + p->header_len;

		last = MAX(last, body);
		p->body_len = last - body;
		if (p->body_len > 0)
			p->body_lines =
			    m->lines - m->cur->body_line - (last < end);
	}
}

/*
 * The open multipart that this line, which begins with "--", belongs to.
 * The longest boundary wins ("a" and "ab" may both be open), an exact one at
 * once; the innermost of equals.
 */
static bool
find_level(const struct mail_mime *m, struct str line, size_t *out)
{
	bool found = false;

	for (size_t i = m->nopen; i-- > 0;) {
		struct str b = m->open[i].boundary, rest;

		if (!str_has_prefix(line, b) ||
		    (found && b.n <= m->open[*out].boundary.n))
			continue;
		found = true;
		*out = i;
		rest = str_from(line, b.n);
		if (str_eq(rest, STR("\r\n")) || str_eq(rest, STR("--\r\n")) ||
		    rest.n == 0 || str_eq(rest, STR("--")))
			break;
	}
	return found;
}

/* The line at `off`, `len` bytes long, is a delimiter of open[k]. */
static void
on_boundary(
    struct mail_mime *m, size_t k, bool closing, uint64_t off, uint64_t len)
{
	struct node *top = m->open[k].node;

	close_parts(m, top, off, true);
	m->nopen = k + 1;
	if (closing) {
		m->nopen = k;
	} else if (m->nparts < MAIL_MIME_PARTS_MAX) {
		m->cur = node_new(m, top, off + len, false);
		m->in_header = true;
	} else {
		m->budget.limited = true;
	}
}

/*
 * A line at `off` of `len` bytes; `line` is it or its beginning.  `crlf` is
 * false only for the rest at the end of the message.
 */
static void
on_line(
    struct mail_mime *m, struct str line, uint64_t off, uint64_t len, bool crlf)
{
	struct str text = line;
	size_t k = 0;

	if (m->nopen > 0 && str_cut_prefix(&text, STR("--")) &&
	    find_level(m, text, &k)) {
		text = str_from(text, m->open[k].boundary.n);
		on_boundary(m, k, str_has_prefix(text, STR("--")), off, len);
		m->lines += crlf;
		return;
	}
	m->lines += crlf;
	if (m->in_header && crlf && len == 2)
		end_header(m, off + len);
}

static void
stash(struct mail_mime *m, const char *p, size_t n)
{
	n = MIN(n, sizeof(m->line) - m->line_n);
	if (n == 0)
		return;
	memcpy(m->line + m->line_n, p, n);
	m->line_n += n;
}

/* The byte behind the CRLF of the line at p, or NULL. */
static const char *
line_end(const struct mail_mime *m, const char *p, const char *end)
{
	const char *from = p, *nl;

	while (p < end && (nl = memchr(p, '\n', (size_t)(end - p))) != NULL) {
		if (nl > from ? nl[-1] == '\r' : (nl == m->chunk && m->cr))
			return nl + 1;
		p = nl + 1;
	}
	return NULL;
}

static void
scan_bytes(struct mail_mime *m, struct str in)
{
	uint64_t bits = 0, word;
	size_t i = 0;

	if (!m->has_nul)
		m->has_nul = memchr(in.p, '\0', in.n) != NULL;
	if (m->has_8bit)
		return;
	for (; in.n - i >= sizeof(word); i += sizeof(word)) {
		memcpy(&word, in.p + i, sizeof(word));
		bits |= word;
	}
	for (; i < in.n; i++)
		bits |= (unsigned char)in.p[i];
	m->has_8bit = (bits & 0x8080808080808080u) != 0;
}

void
mail_mime_feed(struct mail_mime *m, struct str in)
{
	const char *p = in.p, *end, *q;

	if (in.n == 0)
		return;
	end = p + in.n;
	scan_bytes(m, in);
	m->chunk = in.p;
	while (p < end && (q = line_end(m, p, end)) != NULL) {
		uint64_t off = m->pos + (uint64_t)(p - in.p);

		if (m->line_n > 0) {
			stash(m, p, (size_t)(q - p));
			on_line(m, str_n(m->line, m->line_n), m->line_off,
			    off + (uint64_t)(q - p) - m->line_off, true);
			m->line_n = 0;
		} else if (!m->in_header &&
			   (m->nopen == 0 || p[0] != '-' || p[1] != '-')) {
			m->lines++;
		} else {
			on_line(m, str_n(p, (size_t)(q - p)), off,
			    (uint64_t)(q - p), true);
		}
		p = q;
	}
	if (p < end) {
		if (m->line_n == 0)
			m->line_off = m->pos + (uint64_t)(p - in.p);
		stash(m, p, (size_t)(end - p));
	}
	if (m->in_header)
		collect_header(m, m->pos + in.n);
	m->cr = end[-1] == '\r';
	m->pos += in.n;
	m->chunk = NULL;
}

void
mail_mime_end(struct mail_mime *m, struct mail_meta *out)
{
	if (m->line_n > 0)
		on_line(m, str_n(m->line, m->line_n), m->line_off,
		    m->pos - m->line_off, false);
	close_parts(m, NULL, m->pos, false);
	*out = (struct mail_meta){ .size = m->pos,
		.lines = m->lines,
		.has_nul = m->has_nul,
		.has_8bit = m->has_8bit,
		.limited = m->budget.limited,
		.nparts = m->nparts,
		.root = &m->root->part };
}

void
mail_mime_parse(struct arena *a, struct str msg, struct mail_meta *out)
{
	struct mail_mime *m = mail_mime_new(a);

	mail_mime_feed(m, msg);
	mail_mime_end(m, out);
	mail_mime_free(&m);
}

struct str
mail_param_find(const struct mail_param *v, size_t n, struct str name)
{
	for (size_t i = 0; i < n; i++)
		if (str_ieq(v[i].name, name))
			return v[i].value;
	return STR_NULL;
}

const struct mail_part *
mail_part_at(const struct mail_part *root, const uint32_t *v, size_t n)
{
	const struct mail_part *p = root;

	for (size_t i = 0; i < n; i++) {
		bool message = i == 0;

		if (!message && p->kind == MAIL_PART_MESSAGE) {
			p = p->child;
			message = true;
		}
		if (p->kind == MAIL_PART_MULTIPART) {
			p = v[i] > 0 ? p->child : NULL;
			for (uint32_t k = 1; p != NULL && k < v[i]; k++)
				p = p->next;
		} else if (!message || v[i] != 1) {
			p = NULL;
		}
		if (p == NULL)
			return NULL;
	}
	return p;
}
