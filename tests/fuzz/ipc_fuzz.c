/*
 * Frames from a peer that was taken over: whole ones through every way of
 * reading fields, and a stream of them through the reader in two pieces.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "lib/ipc_impl.h"
#include "tests/fuzz/fuzz.h"

#define STREAM_MAX 65536u

/* What is read lies in the message. */
static void
read_all(struct ipc_in *in, unsigned depth)
{
	static const char *const names[] = { "n", "name", "g", "fd" };
	struct str s, name;
	struct ipc_in group;
	uint64_t u;
	int64_t v;
	int fd;

	PROMISE(depth <= IPC_DEPTH_MAX);
	for (size_t i = 0; i < COUNT(names); i++) {
		size_t pos = 0;

		if (ipc_get_u64(in, names[i], &u) == RC_OK)
			PROMISE(ipc_u64_or(in, names[i], ~u) == u);
		if (ipc_get_i64(in, names[i], &v) == RC_OK)
			PROMISE(v == v);
		PROMISE(ipc_get_fd(in, names[i], &fd) == RC_NOENT);
		while (ipc_next_str(in, names[i], &pos, &s) == RC_OK)
			PROMISE(s.p >= in->p && s.p + s.n <= in->p + in->n);
		pos = 0;
		while (ipc_next_group(in, names[i], &pos, &group) == RC_OK) {
			PROMISE(group.p >= in->p &&
				group.p + group.n <= in->p + in->n);
			read_all(&group, depth + 1);
		}
	}
	for (size_t pos = 0; ipc_next_u64(in, &pos, &name, &u) == RC_OK;)
		PROMISE(pos <= in->n && name.n <= IPC_NAME_MAX);
}

static void
one_frame(struct str data)
{
	AUTO_MSG m;
	struct ipc_in in;

	ipc_msg_init(&m, 0);
	if (buf_add(&m.b, data) != RC_OK || ipc_open(&m) != RC_OK)
		return;
	ipc_in_init(&in, &m);
	read_all(&in, 0);
	/* Asked a second time, everything was read or may be skipped. */
	if (ipc_in_done(&in) == RC_OK)
		PROMISE(ipc_in_done(&in) == RC_OK);
	PROMISE(ipc_seal(&m) == RC_OK);
	PROMISE(ipc_le32(m.b.p) == m.b.n - 4);
}

static size_t
take_frames(struct ipc_reader *r, bool *bad)
{
	size_t n = 0;

	while (ipc_reader_ready(r)) {
		AUTO_MSG m;
		enum rc rc;

		ipc_msg_init(&m, 0);
		rc = ipc_reader_next(r, &m);
		PROMISE(rc != RC_NOENT);
		if (rc == RC_OK) {
			PROMISE(m.b.n >= IPC_HEADER);
			n += m.b.n;
			continue;
		}
		*bad = true;
		break;
	}
	return n;
}

static void
stream(struct str data)
{
	size_t first = data.n / 2, taken = 0;
	struct ipc_reader r;
	bool bad = false, more;
	int pair[2];

	PROMISE(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	ipc_reader_init(&r, 512);
	for (int i = 0; i < 2 && !bad; i++) {
		struct str s =
		    i == 0 ? str_sub(data, 0, first) : str_from(data, first);
		enum rc rc = RC_OK;

		PROMISE(fd_write_all(pair[0], s) == RC_OK);
		while (rc == RC_OK && !bad) {
			rc = ipc_reader_fill(&r, pair[1], MSG_DONTWAIT, &more);
			if (rc == RC_OK)
				taken += take_frames(&r, &bad);
		}
		PROMISE(bad || rc == RC_TEMP);
	}
	PROMISE(taken <= data.n);
	PROMISE(bad || ipc_reader_partial(&r) == (taken < data.n));
	ipc_reader_free(&r);
	close(pair[0]);
	close(pair[1]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	one_frame(str_n(data, size));
	if (size <= STREAM_MAX)
		stream(str_n(data, size));
	return 0;
}
