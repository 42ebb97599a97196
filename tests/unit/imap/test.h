#ifndef TESTS_UNIT_IMAP_TEST_H
#define TESTS_UNIT_IMAP_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "lib/base.h"

#define S STR_INIT

#define CHECK_STR(row, got, want)                                              \
	do {                                                                   \
		struct str got_ = (got), want_ = (want);                       \
		if (!str_eq(got_, want_))                                      \
			fail_msg("row %zu: got \"%.*s\", want \"%.*s\"",       \
			    (size_t)(row), STRF(got_), STRF(want_));           \
	} while (0)

#endif
