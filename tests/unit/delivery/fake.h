/*
 * A small company for the tests of delivery: the directory answers from a
 * table, the log counts, the settings are plain.
 */
#ifndef TESTS_UNIT_DELIVERY_FAKE_H
#define TESTS_UNIT_DELIVERY_FAKE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "conf/conf.h"
#include "delivery/dlv_plan.h"

#define S STR_INIT
/* Ids that differ in the last digits. */
#define ID(x) "00000000-0000-4000-8000-0000000000" x
#define ANN   ID("a1")
#define BOB   ID("b1")
#define CEE   ID("c1")
#define DAN   ID("d1") /* his mailbox is elsewhere */
#define EVE   ID("e1") /* may not receive */
#define TOM   ID("71") /* the directory cannot say */
#define TEAM  ID("01")
#define STAFF ID("02")
#define GONE  ID("03") /* vanished */

#define CHECK_STR(got, want)                                                   \
	do {                                                                   \
		struct str got_ = (got), want_ = (want);                       \
		if (!str_eq(got_, want_))                                      \
			fail_msg("got \"%.*s\", want \"%.*s\"", STRF(got_),    \
			    STRF(want_));                                      \
	} while (0)

struct dir_client {
	bool down;             /* RC_TEMP to everything */
	struct dir_rcpt *team; /* members of TEAM */
	size_t nteam;
	struct dir_rcpt *staff;
	size_t nstaff;
	unsigned expanded, asked; /* calls */
};

extern const struct conf fake_conf;
extern const struct log fake_log;

/* The set of people that an entry carries. */
struct str fake_people(struct str data);
struct dir_rcpt fake_person(const char *id, const char *address);

#endif
