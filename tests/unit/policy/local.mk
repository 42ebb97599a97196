# The zone in memory that everything about SPF is tested on.
spf_zone = %D%/spf_zone.h %D%/spf_zone.c

if HAVE_CMOCKA
policy_tests = \
	%D%/headers_test \
	%D%/spf_test
check_PROGRAMS += $(policy_tests)
policy_test_libs = $(POLICY_LIBS) $(CMOCKA_LIBS)
%C%_headers_test_SOURCES = %D%/headers_test.c
%C%_headers_test_LDADD = $(policy_test_libs)
%C%_spf_test_SOURCES = %D%/spf_test.c $(spf_zone)
%C%_spf_test_LDADD = $(policy_test_libs)
endif

# not a test itself: the oracle and tests/spf-suite ask it
noinst_PROGRAMS += %D%/spfdrive
%C%_spfdrive_SOURCES = %D%/spfdrive.c $(spf_zone)
%C%_spfdrive_LDADD = $(POLICY_LIBS)
