/* test - what every unit test of lib includes, in the order cmocka wants. */
#ifndef TESTS_UNIT_LIB_TEST_H
#define TESTS_UNIT_LIB_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "lib/base.h"

/* cmocka's assertions for slices: want is a literal. */
#define assert_str(got, want)                                                  \
	do {                                                                   \
		struct str got_ = (got), want_ = STR(want);                    \
		assert_int_equal(got_.n, want_.n);                             \
		assert_memory_equal(got_.n ? got_.p : "", want_.p, want_.n);   \
	} while (0)
#define assert_rc(got, want) assert_string_equal(rc_name(got), rc_name(want))

#endif
