if HAVE_CMOCKA
policy_tests =
check_PROGRAMS += $(policy_tests)
policy_test_libs = $(POLICY_LIBS) $(CMOCKA_LIBS)
endif

# not a test itself: the oracle and tests/spf-suite ask it
noinst_PROGRAMS += %D%/spfdrive
spf_zone = %D%/spf_zone.h %D%/spf_zone.c
%C%_spfdrive_SOURCES = %D%/spfdrive.c $(spf_zone)
%C%_spfdrive_LDADD = $(POLICY_LIBS)
