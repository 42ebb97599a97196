# The zone in memory that everything about SPF is tested on.
spf_zone = %D%/spf_zone.h %D%/spf_zone.c

if HAVE_CMOCKA
policy_tests = \
	%D%/headers_test \
	%D%/spf_test \
	%D%/spf_use_test
check_PROGRAMS += $(policy_tests)
policy_test_libs = $(POLICY_LIBS) $(CMOCKA_LIBS)
%C%_headers_test_SOURCES = %D%/headers_test.c
%C%_headers_test_LDADD = $(policy_test_libs)
spf_rig = %D%/spf_rig.h %D%/spf_rig.c $(spf_zone)
%C%_spf_test_SOURCES = %D%/spf_test.c $(spf_rig)
%C%_spf_test_LDADD = $(policy_test_libs)
%C%_spf_use_test_SOURCES = %D%/spf_use_test.c $(spf_rig)
%C%_spf_use_test_LDADD = $(policy_test_libs)
endif

# not a test itself: the oracle and tests/spf-suite ask it
noinst_PROGRAMS += %D%/spfdrive
%C%_spfdrive_SOURCES = %D%/spfdrive.c $(spf_zone)
%C%_spfdrive_LDADD = $(POLICY_LIBS)

if HAVE_CMOCKA
more_policy_tests = %D%/dmarc_test %D%/dkim_test %D%/check_test %D%/queue_test
check_PROGRAMS += $(more_policy_tests)
more_policy_libs = libpolicy.a libpolclient.a $(MAIL_LIBS) $(RESOLVER_LIBS) \
	$(OPENDKIM_LIBS) $(SPF2_LIBS) $(PCRE2_LIBS) $(CMOCKA_LIBS)
%C%_dmarc_test_SOURCES = %D%/dmarc_test.c $(spf_zone)
%C%_dmarc_test_LDADD = $(more_policy_libs)
%C%_dkim_test_SOURCES = %D%/dkim_test.c %D%/dkim_rig.h %D%/dkim_rig.c
%C%_dkim_test_CPPFLAGS = $(AM_CPPFLAGS) $(OPENDKIM_CFLAGS)
%C%_dkim_test_LDADD = $(more_policy_libs)
%C%_queue_test_SOURCES = %D%/queue_test.c
%C%_queue_test_LDADD = libpolicy.a $(MAIL_LIBS) $(CMOCKA_LIBS)
%C%_check_test_SOURCES = %D%/check_test.c $(spf_zone) %D%/dkim_rig.h \
	%D%/dkim_rig.c
%C%_check_test_CPPFLAGS = $(AM_CPPFLAGS) $(OPENDKIM_CFLAGS)
%C%_check_test_LDADD = $(more_policy_libs)
endif
