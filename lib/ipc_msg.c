/*
 * Messages: putting fields, and reading them through a cursor.
 *
 * A received frame is checked once for shape (ipc_open); the cursors check
 * bounds again, because a message may also be read that was made here.  That
 * a field was asked for is marked in its type byte, in place.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/ipc_impl.h"

#define FIELD_HEADER 6u

struct field {
	unsigned char *type;
	struct str name;
	char *p; /* value */
	size_t n;
};

static void
le32_put(char *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (char)(v >> 8 * i);
}

static void
le64_put(char *p, uint64_t v)
{
	for (int i = 0; i < 8; i++)
		p[i] = (char)(v >> 8 * i);
}

static uint64_t
le64(const char *p)
{
	return (uint64_t)ipc_le32(p) | (uint64_t)ipc_le32(p + 4) << 32;
}

void
ipc_msg_init(struct ipc_msg *m, uint16_t op)
{
	m->nfds = 0;
	m->bad = false;
	m->last = 0;
	m->op = op;
	m->id = 0;
	m->extra = 0;
	buf_init(&m->b, IPC_FRAME_MAX + 4);
}

void
ipc_msg_free(struct ipc_msg *m)
{
	for (unsigned i = 0; i < m->nfds; i++)
		fd_close(&m->fds[i]);
	m->nfds = 0;
	buf_free(&m->b);
}

/* Append a field's head and make room for its value; NULL: it is too much. */
static char *
put(struct ipc_msg *m, enum ipc_type type, const char *name, size_t n)
{
	struct str nm = str_c(name);
	size_t at = m->b.n ? m->b.n : IPC_HEADER;
	char *p;

	assert(nm.n > 0 && nm.n <= IPC_NAME_MAX);
	if (m->bad || n > IPC_FRAME_MAX ||
	    buf_reserve(&m->b, at - m->b.n + FIELD_HEADER + nm.n + n)) {
		m->bad = true;
		return NULL;
	}
	m->last = at;
	p = m->b.p + at;
	p[0] = (char)(type | IPC_CRITICAL);
	p[1] = (char)nm.n;
	le32_put(p + 2, (uint32_t)n);
	memcpy(p + FIELD_HEADER, nm.p, nm.n);
	m->b.n = at + FIELD_HEADER + nm.n + n;
	return p + FIELD_HEADER + nm.n;
}

void
ipc_put_str(struct ipc_msg *m, const char *name, struct str v)
{
	char *p = put(m, IPC_STR, name, v.n);

	if (p != NULL && v.n > 0)
		memcpy(p, v.p, v.n);
}

void
ipc_put_u64(struct ipc_msg *m, const char *name, uint64_t v)
{
	char *p = put(m, IPC_U64, name, 8);

	if (p != NULL)
		le64_put(p, v);
}

void
ipc_put_i64(struct ipc_msg *m, const char *name, int64_t v)
{
	char *p = put(m, IPC_I64, name, 8);

	if (p != NULL)
		le64_put(p, (uint64_t)v);
}

void
ipc_put_fd(struct ipc_msg *m, const char *name, int fd)
{
	int copy = -1;
	char *p;

	if (m->nfds == IPC_FDS_MAX ||
	    (copy = fcntl(fd, F_DUPFD_CLOEXEC, 3)) < 0) {
		m->bad = true;
		return;
	}
	p = put(m, IPC_FD, name, 4);
	if (p == NULL) {
		fd_close(&copy);
		return;
	}
	le32_put(p, m->nfds);
	m->fds[m->nfds++] = copy;
}

void
ipc_put_body(struct ipc_msg *m, int fd, struct str inline_data)
{
	if (fd >= 0)
		ipc_put_fd(m, "body_fd", fd);
	else
		ipc_put_str(m, "body", inline_data);
}

size_t
ipc_begin(struct ipc_msg *m, const char *name)
{
	return put(m, IPC_GROUP, name, 0) != NULL ? m->last : 0;
}

void
ipc_end(struct ipc_msg *m, size_t at)
{
	size_t head;

	if (m->bad || at == 0)
		return;
	assert(at >= IPC_HEADER && at + FIELD_HEADER <= m->b.n);
	head = FIELD_HEADER + (unsigned char)m->b.p[at + 1];
	le32_put(m->b.p + at + 2, (uint32_t)(m->b.n - at - head));
	m->last = at;
}

void
ipc_skippable(struct ipc_msg *m)
{
	if (!m->bad && m->last != 0)
		m->b.p[m->last] &= (char)~IPC_CRITICAL;
}

void
ipc_in_init(struct ipc_in *in, struct ipc_msg *m)
{
	bool any = m->b.n > IPC_HEADER;

	*in = (struct ipc_in){ .m = m,
		.p = any ? m->b.p + IPC_HEADER : NULL,
		.n = any ? m->b.n - IPC_HEADER : 0 };
}

/* The field at *pos, which then stands behind it; false at the end. */
static bool
field_at(const struct ipc_in *in, size_t *pos, struct field *f)
{
	size_t left = *pos < in->n ? in->n - *pos : 0, name, value;
	char *p;

	if (left < FIELD_HEADER)
		return false;
	p = in->p + *pos;
	name = (unsigned char)p[1];
	value = ipc_le32(p + 2);
	if (name > left - FIELD_HEADER || value > left - FIELD_HEADER - name)
		return false;
	*f = (struct field){ (unsigned char *)p, str_n(p + FIELD_HEADER, name),
		p + FIELD_HEADER + name, value };
	*pos += FIELD_HEADER + name + value;
	return true;
}

static bool
find(struct ipc_in *in, const char *name, enum ipc_type type, size_t *pos,
    struct field *f)
{
	struct str want = str_c(name);

	while (field_at(in, pos, f))
		if ((*f->type & IPC_TYPE) == type && str_eq(f->name, want)) {
			*f->type |= IPC_READ;
			return true;
		}
	return false;
}

enum rc
ipc_get_str(struct ipc_in *in, const char *name, struct str *out)
{
	size_t pos = 0;

	return ipc_next_str(in, name, &pos, out);
}

enum rc
ipc_get_u64(struct ipc_in *in, const char *name, uint64_t *out)
{
	size_t pos = 0;
	struct field f;

	if (!find(in, name, IPC_U64, &pos, &f) || f.n != 8)
		return RC_NOENT;
	*out = le64(f.p);
	return RC_OK;
}

enum rc
ipc_get_i64(struct ipc_in *in, const char *name, int64_t *out)
{
	size_t pos = 0;
	struct field f;

	if (!find(in, name, IPC_I64, &pos, &f) || f.n != 8)
		return RC_NOENT;
	*out = (int64_t)le64(f.p);
	return RC_OK;
}

enum rc
ipc_get_fd(struct ipc_in *in, const char *name, int *out)
{
	size_t pos = 0;
	struct field f;
	uint32_t i;

	do {
		if (!find(in, name, IPC_FD, &pos, &f) || f.n != 4)
			return RC_NOENT;
		i = ipc_le32(f.p);
		/* Taken already: there may be another of that name. */
	} while (i >= in->m->nfds || in->m->fds[i] < 0);
	*out = take(&in->m->fds[i]);
	return RC_OK;
}

enum rc
ipc_get_str_max(
    struct ipc_in *in, const char *name, size_t max, struct str *out)
{
	enum rc rc = ipc_get_str(in, name, out);

	return rc == RC_OK && out->n <= max ? RC_OK : RC_BAD;
}

enum rc
ipc_get_body(struct ipc_in *in, uint64_t size, size_t max,
    struct str *out_inline, int *out_fd)
{
	bool good;

	*out_fd = -1;
	if (ipc_get_str(in, "body", out_inline) == RC_OK)
		good = out_inline->n <= max && out_inline->n == size;
	else
		good = ipc_get_fd(in, "body_fd", out_fd) == RC_OK;
	if (good && ipc_in_done(in) == RC_OK)
		return RC_OK;
	fd_close(out_fd);
	return RC_BAD;
}

struct str
ipc_str_or(struct ipc_in *in, const char *name, struct str other)
{
	struct str s;

	return ipc_get_str(in, name, &s) == RC_OK ? s : other;
}

uint64_t
ipc_u64_or(struct ipc_in *in, const char *name, uint64_t other)
{
	uint64_t v;

	return ipc_get_u64(in, name, &v) == RC_OK ? v : other;
}

enum rc
ipc_next_str(struct ipc_in *in, const char *name, size_t *pos, struct str *out)
{
	struct field f;

	if (!find(in, name, IPC_STR, pos, &f))
		return RC_NOENT;
	*out = str_n(f.p, f.n);
	return RC_OK;
}

enum rc
ipc_next_group(
    struct ipc_in *in, const char *name, size_t *pos, struct ipc_in *out)
{
	struct field f;

	if (!find(in, name, IPC_GROUP, pos, &f))
		return RC_NOENT;
	*out = (struct ipc_in){ .m = in->m, .p = f.p, .n = f.n };
	return RC_OK;
}

enum rc
ipc_next_u64(struct ipc_in *in, size_t *pos, struct str *name, uint64_t *out)
{
	struct field f;

	while (field_at(in, pos, &f))
		if ((*f.type & IPC_TYPE) == IPC_U64 && f.n == 8) {
			*f.type |= IPC_READ;
			*name = f.name;
			*out = le64(f.p);
			return RC_OK;
		}
	return RC_NOENT;
}

static enum rc
all_read(const struct ipc_in *in, unsigned depth)
{
	size_t pos = 0;
	struct field f;

	while (field_at(in, &pos, &f)) {
		struct ipc_in group = { in->m, f.p, f.n };

		if (!(*f.type & IPC_READ)) {
			if (*f.type & IPC_CRITICAL)
				return RC_BAD;
			continue;
		}
		if ((*f.type & IPC_TYPE) == IPC_GROUP &&
		    (depth == IPC_DEPTH_MAX ||
			all_read(&group, depth + 1) != RC_OK))
			return RC_BAD;
	}
	return pos == in->n ? RC_OK : RC_BAD;
}

enum rc
ipc_in_done(struct ipc_in *in)
{
	return all_read(in, 0);
}

enum rc
ipc_seal(struct ipc_msg *m)
{
	char *p;

	if (m->b.n == 0 && !m->bad) {
		if (buf_reserve(&m->b, IPC_HEADER) != RC_OK)
			m->bad = true;
		else
			m->b.n = IPC_HEADER;
	}
	if (m->bad)
		return RC_BAD;
	p = m->b.p;
	le32_put(p, (uint32_t)(m->b.n - 4));
	p[4] = (char)IPC_VERSION;
	p[5] = 0;
	p[6] = (char)(m->op & 0xff);
	p[7] = (char)(m->op >> 8);
	le32_put(p + 8, m->id);
	le32_put(p + 12, m->extra);
	return RC_OK;
}

/* Every field whole, of a known type, with a sensible value. */
static enum rc
check_shape(const struct ipc_in *in, unsigned depth)
{
	size_t pos = 0;
	struct field f;

	while (field_at(in, &pos, &f)) {
		struct ipc_in group = { in->m, f.p, f.n };
		bool good = f.name.n > 0 && f.name.n <= IPC_NAME_MAX &&
			    (*f.type & ~(IPC_TYPE | IPC_CRITICAL)) == 0;

		switch (*f.type & IPC_TYPE) {
		case IPC_STR:
			break;
		case IPC_U64:
		case IPC_I64:
			good = good && f.n == 8;
			break;
		case IPC_FD:
			good = good && f.n == 4 && ipc_le32(f.p) < in->m->nfds;
			break;
		case IPC_GROUP:
			good = good && depth < IPC_DEPTH_MAX &&
			       check_shape(&group, depth + 1) == RC_OK;
			break;
		default:
			/* A later version's type may be skipped over. */
			good = good && !(*f.type & IPC_CRITICAL);
		}
		if (!good)
			return RC_BAD;
	}
	return pos == in->n ? RC_OK : RC_BAD;
}

enum rc
ipc_open(struct ipc_msg *m)
{
	const unsigned char *p = (const unsigned char *)m->b.p;
	struct ipc_in in;

	if (m->b.n < IPC_HEADER || (p[4] | p[5] << 8) != (int)IPC_VERSION)
		return RC_BAD;
	m->op = (uint16_t)(p[6] | p[7] << 8);
	m->id = ipc_le32(m->b.p + 8);
	m->extra = ipc_le32(m->b.p + 12);
	ipc_in_init(&in, m);
	return check_shape(&in, 0);
}
