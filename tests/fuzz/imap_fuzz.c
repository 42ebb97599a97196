/*
 * A whole IMAP dialogue of a hostile client that has logged in.  The first
 * byte picks the size of the pieces that its bytes come in and the room for
 * output; what is said must depend on neither, and no read transaction may
 * outlive a unit (the fake netd looks).
 */
#include "tests/fuzz/fuzz.h"
#include "tests/unit/imap/fake.h"

static const char nested[] =
    "From: a <a@example.org>\r\nSubject: s\r\n"
    "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    "--b\r\n\r\ntext\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n"
    "Subject: inner\r\n\r\nbody\r\n--b--\r\n";

static struct str
run(struct fake_world *w, struct str in, size_t piece, size_t room)
{
	struct fake_client c;
	struct str said;

	fake_world_init_small(w, 64);
	fake_deliver(w, "INBOX", STR(nested), 0);
	fake_deliver(w, "INBOX", STR("Subject: x\r\n\r\nbody\r\n"), 1);
	fake_connect(w, &c);
	fake_set_room(&c, room);
	fake_send(&c, STR("s SELECT INBOX\r\n"), SIZE_MAX);
	fake_send(&c, in, piece);
	said = fake_said(&c);
	fake_disconnect(&c);
	return said;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t rooms[] = { 1, 7, 100, 128u << 10 };
	struct fake_world whole, split;
	struct str in = { (const char *)data, size }, a, b;
	int64_t now = now_unix();
	uint8_t how;

	if (size > 65536)
		return 0;
	how = fuzz_byte(&in);
	a = run(&whole, in, SIZE_MAX, 128u << 10);
	b = run(&split, in, 1 + how % 16, rooms[how >> 6]);
	/* APPEND without a date takes the clock's */
	PROMISE(str_eq(a, b) || now != now_unix());
	PROMISE(whole.views == 0 && split.views == 0);
	fake_world_free(&whole);
	fake_world_free(&split);
	return 0;
}
