if HAVE_CMOCKA
directory_tests = \
	%D%/auth_test \
	%D%/cache_test \
	%D%/group_test \
	%D%/guard_test \
	%D%/lookup_test \
	%D%/member_test \
	%D%/text_test \
	%D%/ticket_test \
	%D%/wire_test
check_PROGRAMS += $(directory_tests)

directory_fakes = %D%/dirtest.h %D%/dirtest.c
directory_libs = $(DIRECTORY_LIBS) $(CMOCKA_LIBS)
# not a test itself: tests/system asks it
noinst_PROGRAMS += %D%/dirdrive
%C%_dirdrive_SOURCES = %D%/dirdrive.c directory/leak.c
%C%_dirdrive_LDADD = $(DIRECTORY_LIBS)

%C%_auth_test_SOURCES = %D%/auth_test.c $(directory_fakes)
%C%_auth_test_LDADD = $(directory_libs)
%C%_cache_test_SOURCES = %D%/cache_test.c $(directory_fakes)
%C%_cache_test_LDADD = $(directory_libs)
%C%_group_test_SOURCES = %D%/group_test.c $(directory_fakes)
%C%_group_test_LDADD = $(directory_libs)
%C%_guard_test_SOURCES = %D%/guard_test.c
%C%_guard_test_LDADD = $(directory_libs)
%C%_lookup_test_SOURCES = %D%/lookup_test.c $(directory_fakes)
%C%_lookup_test_LDADD = $(directory_libs)
%C%_member_test_SOURCES = %D%/member_test.c $(directory_fakes)
%C%_member_test_LDADD = $(directory_libs)
%C%_text_test_SOURCES = %D%/text_test.c
%C%_text_test_LDADD = $(directory_libs)
%C%_ticket_test_SOURCES = %D%/ticket_test.c
%C%_ticket_test_LDADD = $(directory_libs)
%C%_wire_test_SOURCES = %D%/wire_test.c
%C%_wire_test_LDADD = $(directory_libs)
endif
