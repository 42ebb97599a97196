#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/lib/test.h"
#include "lib/ipc_impl.h"

struct pair {
	int fd[2];
};

static int
setup(void **state)
{
	struct pair *p = xcalloc(1, sizeof(*p));

	*state = p;
	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p->fd);
}

static int
teardown(void **state)
{
	struct pair *p = *state;

	close(p->fd[0]);
	close(p->fd[1]);
	xfree(p);
	return 0;
}

static struct deadline
soon(void)
{
	return deadline_in(20000);
}

static void
fields_survive_the_way(void **state)
{
	struct pair *p = *state;
	AUTO_MSG out, got;
	struct ipc_in in, group;
	struct str s;
	uint64_t u;
	int64_t i;
	size_t pos = 0, at;

	ipc_msg_init(&out, 7);
	out.id = 0x12345678;
	out.extra = 99;
	ipc_put_str(&out, "name", STR("a\0b"));
	ipc_put_u64(&out, "big", UINT64_MAX);
	ipc_put_i64(&out, "small", INT64_MIN);
	for (uint64_t n = 0; n < 3; n++) {
		at = ipc_begin(&out, "item");
		ipc_put_u64(&out, "n", n);
		ipc_end(&out, at);
	}
	ipc_put_str(&out, "extra", STR(""));
	ipc_skippable(&out);
	assert_rc(ipc_send(p->fd[0], &out, soon()), RC_OK);
	assert_rc(ipc_recv(p->fd[1], &got, soon()), RC_OK);
	assert_int_equal(got.op, 7);
	assert_int_equal(got.id, 0x12345678);
	assert_int_equal(got.extra, 99);
	ipc_in_init(&in, &got);
	assert_rc(ipc_in_done(&in), RC_BAD);
	assert_rc(ipc_get_str(&in, "name", &s), RC_OK);
	assert_str(s, "a\0b");
	assert_rc(ipc_get_u64(&in, "big", &u), RC_OK);
	assert_true(u == UINT64_MAX);
	assert_rc(ipc_get_i64(&in, "small", &i), RC_OK);
	assert_true(i == INT64_MIN);
	for (uint64_t n = 0; n < 3; n++) {
		assert_rc(ipc_next_group(&in, "item", &pos, &group), RC_OK);
		assert_rc(ipc_in_done(&in), RC_BAD);
		assert_true(ipc_u64_or(&group, "n", 77) == n);
	}
	assert_rc(ipc_next_group(&in, "item", &pos, &group), RC_NOENT);
	/* All critical ones are read; "extra" may be skipped. */
	assert_rc(ipc_in_done(&in), RC_OK);
	assert_rc(ipc_get_u64(&in, "name", &u), RC_NOENT);
	assert_true(ipc_u64_or(&in, "absent", 5) == 5);
	assert_str(ipc_str_or(&in, "absent", STR("x")), "x");
}

static void
descriptors_travel_and_are_owned(void **state)
{
	struct pair *p = *state;
	AUTO_MSG out, got;
	struct ipc_in in;
	AUTO_FD memfd = fd_sealed("t", STR("hello"));
	AUTO_FD one = -1, two = -1;
	int none;
	char text[8];

	ipc_msg_init(&out, 1);
	ipc_put_fd(&out, "f", memfd);
	ipc_put_fd(&out, "f", memfd);
	ipc_put_fd(&out, "left", memfd);
	assert_rc(ipc_send(p->fd[0], &out, soon()), RC_OK);
	assert_rc(ipc_recv(p->fd[1], &got, soon()), RC_OK);
	ipc_in_init(&in, &got);
	assert_rc(ipc_get_fd(&in, "f", &one), RC_OK);
	assert_rc(ipc_get_fd(&in, "f", &two), RC_OK);
	assert_rc(ipc_get_fd(&in, "f", &none), RC_NOENT);
	assert_true(one != two && one != memfd);
	assert_int_equal(pread(two, text, sizeof(text), 0), 5);
	assert_true(fcntl(one, F_GETFD) & FD_CLOEXEC);
}

/* Inline it has its size and fits; in a descriptor it is the caller's. */
static void
bodies_are_inline_or_in_a_descriptor(void **state)
{
	static const struct {
		uint64_t size;
		size_t max;
		enum rc rc;
	} rows[] = {
		{ 4, 4, RC_OK },
		{ 5, 9, RC_BAD },
		{ 3, 9, RC_BAD },
		{ 4, 3, RC_BAD },
	};
	struct ipc_in in;
	struct str text;
	int fd;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		AUTO_MSG m;

		ipc_msg_init(&m, 1);
		ipc_put_body(&m, -1, STR("body"));
		ipc_in_init(&in, &m);
		fd = 5;
		assert_rc(
		    ipc_get_body(&in, rows[i].size, rows[i].max, &text, &fd),
		    rows[i].rc);
		assert_int_equal(fd, -1);
		assert_str(text, "body");
		assert_rc(ipc_get_str_max(&in, "body", rows[i].max, &text),
		    rows[i].max >= 4 ? RC_OK : RC_BAD);
		assert_rc(ipc_get_str_max(&in, "none", 9, &text), RC_BAD);
	}
	AUTO_MSG none;

	ipc_msg_init(&none, 1);
	ipc_in_init(&in, &none);
	assert_rc(ipc_get_body(&in, 0, 9, &text, &fd), RC_BAD);
	assert_int_equal(fd, -1);
}

static void
what_does_not_fit_is_refused_at_the_send(void **state)
{
	struct pair *p = *state;
	AUTO_MSG out;
	char *big = xcalloc(1, IPC_FRAME_MAX);
	AUTO_FD fd = fd_sealed("t", STR("x"));

	ipc_msg_init(&out, 1);
	ipc_put_str(&out, "a", str_n(big, IPC_FRAME_MAX / 2));
	assert_false(out.bad);
	ipc_put_str(&out, "b", str_n(big, IPC_FRAME_MAX / 2));
	assert_true(out.bad);
	ipc_put_u64(&out, "c", 1);
	assert_rc(ipc_send(p->fd[0], &out, soon()), RC_BAD);
	ipc_msg_free(&out);
	ipc_msg_init(&out, 1);
	for (unsigned i = 0; i <= IPC_FDS_MAX; i++)
		ipc_put_fd(&out, "f", fd);
	assert_rc(ipc_send(p->fd[0], &out, soon()), RC_BAD);
	xfree(big);
}

static void
malformed_frames_are_bad(void **state)
{
#define HEAD(len) len "\0\0\0\1\0\7\0\1\0\0\0\0\0\0\0"
	static const struct {
		const char *rule;
		struct str frame;
		enum rc rc;
	} rows[] = {
		{ "empty", STR_INIT(HEAD("\x0c")), RC_OK },
		{ "too short", STR_INIT(HEAD("\x0b")), RC_BAD },
		{ "version", STR_INIT("\x0c\0\0\0\2\0\7\0\1\0\0\0\0\0\0\0"),
		    RC_BAD },
		{ "too long", STR_INIT("\1\0\x80\0\1\0\7\0\1\0\0\0\0\0\0\0"),
		    RC_BAD },
		{ "string", STR_INIT(HEAD("\x15") "\x81\1\2\0\0\0nvv"), RC_OK },
		{ "no name", STR_INIT(HEAD("\x14") "\x81\0\2\0\0\0vv"),
		    RC_BAD },
		{ "value past the end",
		    STR_INIT(HEAD("\x15") "\x81\1\3\0\0\0nvv"), RC_BAD },
		{ "value of 4 GiB",
		    STR_INIT(HEAD("\x15") "\x81\1\xff\xff\xff\xffnvv"),
		    RC_BAD },
		{ "name past the end",
		    STR_INIT(HEAD("\x15") "\x81\x1f\0\0\0\0nvv"), RC_BAD },
		{ "short number", STR_INIT(HEAD("\x15") "\x82\1\2\0\0\0nvv"),
		    RC_BAD },
		{ "read mark", STR_INIT(HEAD("\x15") "\xc1\1\2\0\0\0nvv"),
		    RC_BAD },
		{ "unknown critical",
		    STR_INIT(HEAD("\x15") "\x8e\1\2\0\0\0nvv"), RC_BAD },
		{ "unknown skippable",
		    STR_INIT(HEAD("\x15") "\x0e\1\2\0\0\0nvv"), RC_OK },
		{ "descriptor that did not come",
		    STR_INIT(HEAD("\x17") "\x84\1\4\0\0\0n\0\0\0\0"), RC_BAD },
		{ "rest of a field", STR_INIT(HEAD("\x0d") "\x81"), RC_BAD },
		{ "group with half a field",
		    STR_INIT(HEAD("\x15") "\x85\1\2\0\0\0nvv"), RC_BAD },
	};
	struct pair *p = *state;

	for (size_t i = 0; i < COUNT(rows); i++) {
		AUTO_MSG got;
		enum rc rc;
		char junk[64];

		assert_rc(fd_write_all(p->fd[0], rows[i].frame), RC_OK);
		rc = ipc_recv(p->fd[1], &got, soon());
		if (rc != rows[i].rc)
			fail_msg("%s: %s", rows[i].rule, rc_name(rc));
		while (recv(p->fd[1], junk, sizeof(junk), MSG_DONTWAIT) > 0)
			;
	}
}

static void
groups_nest_four_deep_and_no_deeper(void **state)
{
	struct pair *p = *state;

	for (unsigned depth = 1; depth <= IPC_DEPTH_MAX + 1; depth++) {
		AUTO_MSG out, got;
		size_t at[IPC_DEPTH_MAX + 1];

		ipc_msg_init(&out, 1);
		for (unsigned i = 0; i < depth; i++)
			at[i] = ipc_begin(&out, "g");
		ipc_put_u64(&out, "n", 1);
		for (unsigned i = depth; i-- > 0;)
			ipc_end(&out, at[i]);
		assert_rc(ipc_send(p->fd[0], &out, soon()), RC_OK);
		assert_rc(ipc_recv(p->fd[1], &got, soon()),
		    depth <= IPC_DEPTH_MAX ? RC_OK : RC_BAD);
	}
}

static void
the_end_between_frames_is_noent_and_within_is_temp(void **state)
{
	struct pair *p = *state;
	AUTO_MSG a, b, c;

	assert_rc(ipc_recv(p->fd[1], &a, deadline_in(20)), RC_TEMP);
	assert_rc(fd_write_all(p->fd[0], STR("\x15\0\0")), RC_OK);
	shutdown(p->fd[0], SHUT_WR);
	assert_rc(ipc_recv(p->fd[1], &b, soon()), RC_TEMP);
	assert_rc(ipc_recv(p->fd[1], &c, soon()), RC_NOENT);
}

/* Several frames in one buffer: each gets its own descriptors. */
static void
a_reader_matches_frames_and_descriptors(void **state)
{
	struct pair *p = *state;
	struct ipc_reader r;
	unsigned seen = 0;
	bool more;

	for (uint64_t i = 0; i < 6; i++) {
		AUTO_MSG m;
		char name[2] = { (char)('0' + i), 0 };
		AUTO_FD fd = fd_sealed("t", str_c(name));

		ipc_msg_init(&m, (uint16_t)i);
		ipc_put_u64(&m, "i", i);
		if (i == 2 || i == 4)
			ipc_put_fd(&m, "fd", fd);
		assert_rc(ipc_send(p->fd[0], &m, soon()), RC_OK);
	}
	ipc_reader_init(&r, 4096);
	while (seen < 6) {
		assert_rc(
		    ipc_reader_fill(&r, p->fd[1], MSG_DONTWAIT, &more), RC_OK);
		while (ipc_reader_ready(&r)) {
			AUTO_MSG m;
			struct ipc_in in;
			AUTO_FD fd = -1;
			char text[2];

			ipc_msg_init(&m, 0);
			assert_rc(ipc_reader_next(&r, &m), RC_OK);
			assert_int_equal(m.op, seen);
			ipc_in_init(&in, &m);
			assert_rc(ipc_get_fd(&in, "fd", &fd),
			    seen == 2 || seen == 4 ? RC_OK : RC_NOENT);
			if (fd >= 0) {
				assert_int_equal(pread(fd, text, 2, 0), 1);
				assert_int_equal(text[0], '0' + (int)seen);
			}
			seen++;
		}
	}
	assert_false(ipc_reader_partial(&r));
	assert_rc(ipc_reader_fill(&r, p->fd[1], MSG_DONTWAIT, &more), RC_TEMP);
	ipc_reader_free(&r);
}

/* One byte at a time: nothing is taken for a frame before it is whole. */
static void
a_reader_accepts_any_split(void **state)
{
	struct pair *p = *state;
	AUTO_MSG m, got;
	struct ipc_reader r;
	struct ipc_in in;
	bool more;

	ipc_msg_init(&m, 3);
	ipc_put_str(&m, "s", STR("abcdefghijklmnop"));
	assert_rc(ipc_seal(&m), RC_OK);
	ipc_reader_init(&r, 8);
	ipc_msg_init(&got, 0);
	for (size_t i = 0; i < m.b.n; i++) {
		assert_rc(ipc_reader_next(&r, &got), RC_NOENT);
		assert_int_equal(ipc_reader_partial(&r), i > 0);
		assert_int_equal(write(p->fd[0], m.b.p + i, 1), 1);
		assert_rc(
		    ipc_reader_fill(&r, p->fd[1], MSG_DONTWAIT, &more), RC_OK);
	}
	assert_rc(ipc_reader_next(&r, &got), RC_OK);
	ipc_in_init(&in, &got);
	assert_str(ipc_str_or(&in, "s", STR("")), "abcdefghijklmnop");
	ipc_reader_free(&r);
}

static void
descriptors_in_the_middle_of_a_frame_are_bad(void **state)
{
	struct pair *p = *state;
	AUTO_MSG carrier;
	AUTO_FD fd = fd_sealed("t", STR("x"));
	struct ipc_reader r;
	bool more;

	ipc_reader_init(&r, 4096);
	assert_rc(fd_write_all(p->fd[0], STR("\xff\0\0\0\1\0")), RC_OK);
	assert_rc(ipc_reader_fill(&r, p->fd[1], MSG_DONTWAIT, &more), RC_OK);
	ipc_msg_init(&carrier, 1);
	ipc_put_fd(&carrier, "f", fd);
	assert_rc(ipc_send(p->fd[0], &carrier, soon()), RC_OK);
	assert_rc(ipc_reader_fill(&r, p->fd[1], MSG_DONTWAIT, &more), RC_BAD);
	ipc_reader_free(&r);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(fields_survive_the_way),
		T(descriptors_travel_and_are_owned),
		T(bodies_are_inline_or_in_a_descriptor),
		T(what_does_not_fit_is_refused_at_the_send),
		T(malformed_frames_are_bad),
		T(groups_nest_four_deep_and_no_deeper),
		T(the_end_between_frames_is_noent_and_within_is_temp),
		T(a_reader_matches_frames_and_descriptors),
		T(a_reader_accepts_any_split),
		T(descriptors_in_the_middle_of_a_frame_are_bad),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
