/* What the tests of mail/ have in common: cmocka, and slices of literals. */
#ifndef TESTS_UNIT_MAIL_TEST_H
#define TESTS_UNIT_MAIL_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "lib/base.h"

#define S STR_INIT

/* Equal bytes, or say which row and what was found. */
#define CHECK_STR(got, want)                                                   \
	do {                                                                   \
		struct str got_ = (got), want_ = (want);                       \
		if (!str_eq(got_, want_))                                      \
			fail_msg("got \"%.*s\", want \"%.*s\"", STRF(got_),    \
			    STRF(want_));                                      \
	} while (0)

#endif
