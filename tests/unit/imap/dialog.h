/* Tables of what is sent and what must come back, run in several ways. */
#ifndef TESTS_UNIT_IMAP_DIALOG_H
#define TESTS_UNIT_IMAP_DIALOG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "tests/unit/imap/fake.h"

#define S STR_INIT

struct turn {
	int who; /* client 0 or 1 */
	struct str send, want;
};

/*
 * Both clients are logged in; every turn's output must be exactly `want`.  Run
 * three times: whole, a byte at a time, and with little room for output.
 */
static inline void
run_dialog(
    void (*setup)(struct fake_world *w), const struct turn *turns, size_t n)
{
	static const struct {
		size_t piece, room;
	} ways[] = { { SIZE_MAX, 128u << 10 }, { 1, 128u << 10 },
		{ SIZE_MAX, 7 } };

	for (size_t k = 0; k < COUNT(ways); k++) {
		struct fake_world w;
		struct fake_client cl[2];

		fake_world_init(&w);
		if (setup != NULL)
			setup(&w);
		for (size_t i = 0; i < 2; i++) {
			fake_connect(&w, &cl[i]);
			fake_set_room(&cl[i], ways[k].room);
		}
		for (size_t i = 0; i < n; i++) {
			struct fake_client *c = &cl[turns[i].who];
			struct str got;

			fake_send(c, turns[i].send, ways[k].piece);
			got = fake_said(c);
			if (!str_eq(got, turns[i].want))
				fail_msg("way %zu turn %zu\nsent %.*s\n"
					 "got  %.*s\nwant %.*s",
				    k, i, STRF(turns[i].send), STRF(got),
				    STRF(turns[i].want));
		}
		fake_disconnect(&cl[0]);
		fake_disconnect(&cl[1]);
		fake_world_free(&w);
	}
}

#define CHECK_SAID(client, want)                                               \
	do {                                                                   \
		struct str got_ = fake_said(client), want_ = (want);           \
		if (!str_eq(got_, want_))                                      \
			fail_msg(                                              \
			    "got %.*s\nwant %.*s", STRF(got_), STRF(want_));   \
	} while (0)

#define RUN(setup, turns) run_dialog((setup), (turns), COUNT(turns))

#define CAPS                                                                   \
	"IMAP4rev1 LITERAL+ ID IDLE UNSELECT UIDPLUS MOVE NAMESPACE CHILDREN " \
	"SPECIAL-USE LIST-EXTENDED"
#define NOFLAGS "\\Answered \\Flagged \\Deleted \\Seen \\Draft"
#define SELECTED(exists, recent, unseen, next)                                 \
	"* FLAGS (" NOFLAGS ")\r\n"                                            \
	"* OK [PERMANENTFLAGS (" NOFLAGS " \\*)] Flags permitted\r\n"          \
	"* " exists " EXISTS\r\n* " recent " RECENT\r\n" unseen                \
	"* OK [UIDVALIDITY 1001] UIDs valid\r\n"                               \
	"* OK [UIDNEXT " next "] Predicted next UID\r\n"
#define UNSEEN(n) "* OK [UNSEEN " n "] First unseen message\r\n"

static inline void
three_messages(struct fake_world *w)
{
	struct str m = STR("Subject: x\r\n\r\nbody\r\n");

	fake_deliver(w, "INBOX", m, STORE_SEEN);
	fake_deliver(w, "INBOX", m, 0);
	fake_deliver(w, "INBOX", m, STORE_FLAGGED);
}

#endif
