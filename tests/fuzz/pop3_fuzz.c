/*
 * A whole POP3 dialogue of a hostile client that has logged in, over messages
 * of its own making: up to the first NUL the input is a message, the rest is
 * what is said.  What comes back depends neither on the pieces nor on the room
 * for output, and no message can make an end that is not there.
 */
#include "tests/fuzz/fuzz.h"
#include "tests/unit/imap/fake.h"

static struct str
run(struct fake_world *w, struct str msg, struct str in, size_t piece,
    size_t room)
{
	struct fake_client c;
	struct str said;

	fake_world_init_small(w, 8);
	fake_deliver(w, "INBOX", msg, 0);
	fake_deliver(w, "INBOX", STR("Subject: x\r\n\r\n.\r\n"), STORE_SEEN);
	fake_connect_pop(w, &c);
	fake_set_room(&c, room);
	fake_send(&c, in, piece);
	said = fake_said(&c);
	fake_disconnect(&c);
	return said;
}

/* Lone dots end RETR and TOP: as many as there were. */
static void
count_ends(struct str msg, size_t piece)
{
	struct fake_world w;
	struct str said = run(
	    &w, msg, STR("RETR 1\r\nTOP 1 3\r\nNOOP\r\n"), piece, 128u << 10);
	struct str line;
	unsigned ends = 0;

	PROMISE(str_has_isuffix(said, STR("\r\n.\r\n+OK Done\r\n")));
	while (str_split(&said, '\n', &line))
		ends += str_eq(line, STR(".\r")) || str_eq(line, STR("."));
	PROMISE(ends == 2);
	fake_world_free(&w);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t rooms[] = { 1, 7, 100, 128u << 10 };
	struct fake_world whole, split;
	struct str in = { (const char *)data, size }, msg, a, b;
	uint8_t how;

	if (size > 65536)
		return 0;
	how = fuzz_byte(&in);
	msg = str_sub(in, 0, str_chr(in, '\0'));
	in = str_from(in, msg.n + 1);
	a = run(&whole, msg, in, SIZE_MAX, 128u << 10);
	b = run(&split, msg, in, 1 + how % 16, rooms[how >> 6]);
	PROMISE(str_eq(a, b));
	PROMISE(whole.views == 0 && split.views == 0);
	fake_world_free(&whole);
	fake_world_free(&split);
	count_ends(msg, SIZE_MAX);
	return 0;
}
