/* A directory over LDIF text, for tests of the rules. */
#ifndef TESTS_UNIT_DIRECTORY_DIRTEST_H
#define TESTS_UNIT_DIRECTORY_DIRTEST_H

#include "tests/unit/lib/test.h"
#include "directory/backend_ldif.h"
#include "directory/directory.h"
#include "directory/guard.h"

struct dirtest {
	struct log_sink *sink;
	struct log log;
	struct dir_backend *be;
	struct dir_guard *guard;
	struct dir *d;
	struct arena a;
};

/* `settings` is appended to a minimal configuration. */
void dirtest_open(struct dirtest *t, const char *settings, const char *ldif);
void dirtest_close(struct dirtest *t);
struct deadline soon(void);

/* People of an AD domain and of an RFC one. */
extern const char ad_people[], rfc_people[];
#define AD_SETTINGS                                                            \
	"directory_profile = ad\nrealm = EXAMPLE.TEST\nnetbios_domain = EX\n"
#define RFC_SETTINGS "directory_profile = rfc\n"

/* The same back-end with every search failing while *down is true. */
struct dir_backend *dirtest_flaky(struct dir_backend *inner, bool *down);

/* What proc_check_line was told. */
extern struct buf dirtest_lines;

#endif
