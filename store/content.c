/*
 * A source is read once, by pread, and never mapped: whoever wrote it may
 * still change it, and gets then what it deserves, but not our crash.
 */
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <zstd.h>

#include "store/content.h"

#define COMPRESSED 0x80000000u
#define LEVEL      3
#define WORTH      512u /* smaller chunks are not compressed */
#define POOL_MAX   32u

struct tool {
	ZSTD_CCtx *c;
	ZSTD_DCtx *d;
	unsigned char plain[CONTENT_CHUNK];
	unsigned char packed[CONTENT_CHUNK + SEAL_TAG];
	size_t dirty; /* bytes of plain to be wiped */
	struct tool *next;
};

struct content_pool {
	pthread_mutex_t lock; /* guards what follows */
	struct tool *idle;
	unsigned nidle;
};

struct content_pool *
content_pool_new(void)
{
	struct content_pool *p = xcalloc(1, sizeof(*p));

	pthread_mutex_init(&p->lock, NULL);
	return p;
}

static void
tool_free(struct tool *t)
{
	ZSTD_freeCCtx(t->c);
	ZSTD_freeDCtx(t->d);
	xfree(t);
}

void
content_pool_free(struct content_pool **pp)
{
	struct content_pool *p = *pp;
	struct tool *t;

	if (p == NULL)
		return;
	while ((t = p->idle) != NULL) {
		p->idle = t->next;
		tool_free(t);
	}
	pthread_mutex_destroy(&p->lock);
	xfree(p);
	*pp = NULL;
}

static struct tool *
tool_get(struct content_pool *p)
{
	struct tool *t;

	pthread_mutex_lock(&p->lock);
	t = p->idle;
	if (t != NULL) {
		p->idle = t->next;
		p->nidle--;
	}
	pthread_mutex_unlock(&p->lock);
	if (t != NULL) {
		t->dirty = sizeof(t->plain);
		return t;
	}
	t = xmalloc(sizeof(*t));
	t->dirty = sizeof(t->plain);
	t->c = ZSTD_createCCtx();
	t->d = ZSTD_createDCtx();
	if (t->c == NULL || t->d == NULL)
		panic("out of memory");
	return t;
}

static void
tool_put(struct content_pool *p, struct tool *t)
{
	seal_wipe(t->plain, t->dirty);
	pthread_mutex_lock(&p->lock);
	if (p->nidle < POOL_MAX) {
		t->next = p->idle;
		p->idle = t;
		p->nidle++;
		t = NULL;
	}
	pthread_mutex_unlock(&p->lock);
	if (t != NULL)
		tool_free(t);
}

static void
chunk_nonce(enum seal_kind kind, uint64_t number, unsigned char out[SEAL_NONCE])
{
	memset(out, 0, SEAL_NONCE);
	out[0] = (unsigned char)kind;
	le_put(out + 4, number, 8);
}

static void
chunk_aad(const unsigned char id[BODY_ID], uint64_t number, bool last,
    bool packed, struct seal_aad *aad)
{
	seal_aad(aad, SEAL_CHUNK, str_n(id, BODY_ID), number,
	    (uint64_t)last | (uint64_t)packed << 1);
}

/* n bytes of the stream at off; RC_BAD: the source has fewer. */
static enum rc
source_read(
    const struct content_src *src, uint64_t off, unsigned char *p, size_t n)
{
	size_t k = off < src->edits.n ? MIN(n, src->edits.n - off) : 0;
	enum rc rc;

	if (k > 0)
		memcpy(p, src->edits.p + off, k);
	if (k == n)
		return RC_OK;
	off = off + k - src->edits.n;
	if (src->fd < 0) {
		memcpy(p + k, src->data.p + off, n - k);
		return RC_OK;
	}
	rc = fd_pread_all(src->fd, p + k, n - k, off);
	return rc == RC_NOENT ? RC_BAD : rc;
}

struct sealing {
	struct tool *t;
	struct seal_ctx seal;
	const unsigned char *id;
	const struct content_src *src;
	uint64_t total, chunks;
};

/* Chunk `number` of the stream, appended to *out; says what it became. */
static enum rc
seal_chunk(
    struct sealing *s, uint64_t number, struct buf *out, uint32_t *stored)
{
	uint64_t off = number * CONTENT_CHUNK;
	size_t n = (size_t)MIN(CONTENT_CHUNK, s->total - off), packed;
	const unsigned char *from = s->t->plain;
	unsigned char nonce[SEAL_NONCE];
	struct seal_aad aad;
	enum rc rc = source_read(s->src, off, s->t->plain, n);

	if (rc != RC_OK)
		return rc;
	*stored = 0;
	if (n >= WORTH) {
		packed = ZSTD_compressCCtx(s->t->c, s->t->packed,
		    n - n / CONTENT_CHUNKS, s->t->plain, n, LEVEL);
		if (!ZSTD_isError(packed)) {
			from = s->t->packed;
			n = packed;
			*stored = COMPRESSED;
		}
	}
	*stored |= (uint32_t)(n + SEAL_TAG);
	chunk_nonce(SEAL_CHUNK, number, nonce);
	chunk_aad(s->id, number, number + 1 == s->chunks,
	    (*stored & COMPRESSED) != 0, &aad);
	if (buf_reserve(out, n + SEAL_TAG) != RC_OK ||
	    seal_put(&s->seal, nonce, &aad, from, n, out->p + out->n) != RC_OK)
		return RC_TEMP;
	out->n += n + SEAL_TAG;
	return RC_OK;
}

static enum rc
seal_part(struct sealing *s, uint32_t part, struct buf *out)
{
	uint64_t first = (uint64_t)part * CONTENT_CHUNKS;
	size_t n = (size_t)MIN(CONTENT_CHUNKS, s->chunks - first);
	unsigned char table[CONTENT_CHUNKS * 4] = { 0 };

	buf_clear(out);
	if (buf_add(out, str_n(table, n * 4)) != RC_OK)
		return RC_TEMP;
	for (size_t i = 0; i < n; i++) {
		uint32_t stored;
		enum rc rc = seal_chunk(s, first + i, out, &stored);

		if (rc != RC_OK)
			return rc;
		le_put(out->p + i * 4, stored, 4);
	}
	return RC_OK;
}

static enum rc
check_source(const struct content_src *src)
{
	struct stat st;

	if (src->size > CONTENT_MAX - CONTENT_CHUNK ||
	    src->edits.n > CONTENT_CHUNK)
		return RC_BAD;
	if (src->fd < 0)
		return src->data.n == src->size ? RC_OK : RC_BAD;
	if (fstat(src->fd, &st) != 0)
		return RC_TEMP;
	return S_ISREG(st.st_mode) && (uint64_t)st.st_size >= src->size
		   ? RC_OK
		   : RC_BAD;
}

static uint64_t
chunks_of(uint64_t size)
{
	return MAX((size + CONTENT_CHUNK - 1) / CONTENT_CHUNK, 1);
}

static uint32_t
parts_of(uint64_t size)
{
	return (
	    uint32_t)((chunks_of(size) + CONTENT_CHUNKS - 1) / CONTENT_CHUNKS);
}

enum rc
content_seal(struct content_pool *pool, const unsigned char id[BODY_ID],
    const unsigned char key[SEAL_KEY], const struct content_src *src,
    enum rc (*full)(void *ctx, uint32_t number, struct str data), void *ctx,
    struct buf *last, uint32_t *number)
{
	struct sealing s = { .id = id, .src = src };
	enum rc rc = check_source(src);

	if (rc != RC_OK)
		return rc;
	s.total = src->edits.n + src->size;
	s.chunks = chunks_of(s.total);
	*number = parts_of(s.total) - 1;
	if (seal_begin(&s.seal, key) != RC_OK)
		return RC_TEMP;
	s.t = tool_get(pool);
	for (uint32_t i = 0; rc == RC_OK && i <= *number; i++) {
		rc = seal_part(&s, i, last);
		if (rc == RC_OK && i < *number)
			rc = full(ctx, i, buf_str(last));
	}
	tool_put(pool, s.t);
	seal_end(&s.seal);
	return rc;
}

enum rc
content_seal_meta(const unsigned char id[BODY_ID],
    const unsigned char key[SEAL_KEY], struct str meta, struct buf *out)
{
	unsigned char nonce[SEAL_NONCE];
	struct seal_aad aad;
	struct seal_ctx c;
	enum rc rc;

	chunk_nonce(SEAL_META, 0, nonce);
	seal_aad(&aad, SEAL_META, str_n(id, BODY_ID), 0, 0);
	if (buf_reserve(out, meta.n + SEAL_TAG) != RC_OK ||
	    seal_begin(&c, key) != RC_OK)
		return RC_TEMP;
	rc = seal_put(&c, nonce, &aad, meta.p, meta.n, out->p + out->n);
	seal_end(&c);
	if (rc == RC_OK)
		out->n += meta.n + SEAL_TAG;
	return rc;
}

enum rc
content_open_meta(struct arena *a, const unsigned char id[BODY_ID],
    const unsigned char key[SEAL_KEY], struct str sealed, struct str *out)
{
	unsigned char nonce[SEAL_NONCE];
	struct seal_aad aad;
	struct seal_ctx c;
	enum rc rc;
	char *p;

	if (sealed.n < SEAL_TAG || seal_begin(&c, key) != RC_OK)
		return RC_TEMP;
	p = arena_alloc(a, sealed.n - SEAL_TAG + 1);
	chunk_nonce(SEAL_META, 0, nonce);
	seal_aad(&aad, SEAL_META, str_n(id, BODY_ID), 0, 0);
	rc = seal_get(&c, nonce, &aad, sealed.p, sealed.n, p);
	seal_end(&c);
	if (rc == RC_OK)
		*out = str_n(p, sealed.n - SEAL_TAG);
	return rc;
}

struct content_reader {
	struct content_pool *pool;
	struct seglog_files *files;
	struct seal_ctx seal;
	unsigned char id[BODY_ID];
	uint64_t size, chunks;
	struct rec_place *parts;
	uint32_t nparts;
	uint32_t part; /* whose table is kept; UINT32_MAX: none */
	uint32_t table[CONTENT_CHUNKS];
	uint64_t chunk; /* what is kept in data; UINT64_MAX: none */
	size_t data_n;
	size_t dirty; /* bytes of data to be wiped */
	unsigned char *data;
};

static void
set_places(struct content_reader *r, const struct rec_body *body)
{
	struct dec d = dec_of(body->parts);

	for (uint32_t i = 0; i < r->nparts; i++) {
		r->parts[i].pos = dec_u(&d, 8);
		r->parts[i].len = (uint32_t)dec_u(&d, 4);
	}
	r->part = UINT32_MAX;
}

enum rc
content_moved(struct content_reader *r, const struct rec_body *body)
{
	if (body->content != r->size || body->nparts != r->nparts ||
	    body->parts.n != (size_t)r->nparts * 12)
		return RC_TEMP;
	set_places(r, body);
	return RC_OK;
}

enum rc
content_open(struct content_pool *pool, struct seglog_files *files,
    const struct rec_body *body, const unsigned char key[SEAL_KEY],
    struct content_reader **out)
{
	struct content_reader *r;

	if (body->content > CONTENT_MAX ||
	    body->nparts != parts_of(body->content) ||
	    body->parts.n != (size_t)body->nparts * 12)
		return RC_TEMP;
	r = xcalloc(1, sizeof(*r));
	if (seal_begin(&r->seal, key) != RC_OK) {
		xfree(r);
		return RC_TEMP;
	}
	r->pool = pool;
	r->files = files;
	memcpy(r->id, body->id, BODY_ID);
	r->size = body->content;
	r->chunks = chunks_of(r->size);
	r->nparts = body->nparts;
	r->parts = xcalloc(r->nparts, sizeof(*r->parts));
	set_places(r, body);
	r->chunk = UINT64_MAX;
	*out = r;
	return RC_OK;
}

void
content_close(struct content_reader **rp)
{
	struct content_reader *r = *rp;

	if (r == NULL)
		return;
	seal_end(&r->seal);
	if (r->data != NULL)
		seal_wipe(r->data, r->dirty);
	xfree(r->data);
	xfree(r->parts);
	xfree(r);
	*rp = NULL;
}

static size_t
chunks_in(const struct content_reader *r, uint32_t part)
{
	return (size_t)MIN(
	    CONTENT_CHUNKS, r->chunks - (uint64_t)part * CONTENT_CHUNKS);
}

/* The table of a part, each length within what a chunk may have. */
static enum rc
load_table(struct content_reader *r, uint32_t part)
{
	unsigned char b[CONTENT_CHUNKS * 4];
	size_t n = chunks_in(r, part);
	uint64_t sum = n * 4;
	enum rc rc;

	if (r->part == part)
		return RC_OK;
	if (r->parts[part].len < n * 4)
		return RC_TEMP;
	rc = seglog_read(r->files, r->parts[part].pos, b, n * 4);
	if (rc != RC_OK)
		return rc;
	for (size_t i = 0; i < n; i++) {
		uint32_t len;

		r->table[i] = (uint32_t)le_get(b + i * 4, 4);
		len = r->table[i] & ~COMPRESSED;
		sum += len;
		if (len < SEAL_TAG || len > CONTENT_CHUNK + SEAL_TAG)
			return RC_TEMP;
	}
	if (sum != r->parts[part].len)
		return RC_TEMP;
	r->part = part;
	return RC_OK;
}

static enum rc
open_chunk(struct content_reader *r, struct tool *t, uint64_t pos,
    uint64_t chunk, uint32_t stored)
{
	size_t len = stored & ~COMPRESSED, n = len - SEAL_TAG;
	size_t want =
	    (size_t)MIN(CONTENT_CHUNK, r->size - chunk * CONTENT_CHUNK);
	bool packed = (stored & COMPRESSED) != 0;
	size_t dirty = r->dirty;
	unsigned char nonce[SEAL_NONCE];
	struct seal_aad aad;
	enum rc rc = seglog_read(r->files, pos, t->packed, len);

	if (rc != RC_OK)
		return rc;
	t->dirty = packed ? n : 0;
	r->dirty = CONTENT_CHUNK; /* in case it fails */
	chunk_nonce(SEAL_CHUNK, chunk, nonce);
	chunk_aad(r->id, chunk, chunk + 1 == r->chunks, packed, &aad);
	rc = seal_get(
	    &r->seal, nonce, &aad, t->packed, len, packed ? t->plain : r->data);
	if (rc != RC_OK)
		return rc;
	if (packed) {
		n = ZSTD_decompressDCtx(
		    t->d, r->data, CONTENT_CHUNK, t->plain, n);
		if (ZSTD_isError(n))
			return RC_TEMP;
	}
	r->data_n = n;
	/* zstd copies a little further than it says */
	r->dirty = MIN(CONTENT_CHUNK, MAX(dirty, n + 64));
	return n == want ? RC_OK : RC_TEMP;
}

static enum rc
load_chunk(struct content_reader *r, uint64_t chunk)
{
	uint32_t part = (uint32_t)(chunk / CONTENT_CHUNKS);
	size_t i = chunk % CONTENT_CHUNKS;
	uint64_t pos;
	struct tool *t;
	enum rc rc;

	if (r->chunk == chunk)
		return RC_OK;
	r->chunk = UINT64_MAX;
	rc = load_table(r, part);
	if (rc != RC_OK)
		return rc;
	if (r->data == NULL)
		r->data = xmalloc(CONTENT_CHUNK);
	pos = r->parts[part].pos + chunks_in(r, part) * 4;
	for (size_t k = 0; k < i; k++)
		pos += r->table[k] & ~COMPRESSED;
	t = tool_get(r->pool);
	rc = open_chunk(r, t, pos, chunk, r->table[i]);
	tool_put(r->pool, t);
	if (rc == RC_OK)
		r->chunk = chunk;
	return rc;
}

enum rc
content_read(
    struct content_reader *r, uint64_t off, void *p, size_t n, size_t *out_n)
{
	char *to = p;

	*out_n = 0;
	while (n > 0 && off < r->size) {
		size_t at = off % CONTENT_CHUNK, k;
		enum rc rc = load_chunk(r, off / CONTENT_CHUNK);

		if (rc != RC_OK)
			return rc;
		k = MIN(n, r->data_n - at);
		memcpy(to, r->data + at, k);
		to += k;
		off += k;
		n -= k;
		*out_n += k;
	}
	return RC_OK;
}
