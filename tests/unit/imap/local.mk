if HAVE_CMOCKA
imap_tests = \
	%D%/dialog_test \
	%D%/dialog_trouble_test \
	%D%/name_test \
	%D%/parse_test \
	%D%/pop3_test \
	%D%/read_test \
	%D%/view_test
check_PROGRAMS += $(imap_tests)

imap_test_libs = libimap.a $(MAIL_LIBS) $(CMOCKA_LIBS)
imap_fakes = %D%/dialog.h %D%/fake.h %D%/fake_netd.c %D%/fake_store.c
%C%_dialog_test_SOURCES = %D%/dialog_test.c $(imap_fakes)
%C%_dialog_test_LDADD = $(imap_test_libs)
%C%_dialog_trouble_test_SOURCES = %D%/dialog_trouble_test.c $(imap_fakes)
%C%_dialog_trouble_test_LDADD = $(imap_test_libs)
%C%_pop3_test_SOURCES = %D%/pop3_test.c $(imap_fakes)
%C%_pop3_test_LDADD = $(imap_test_libs)
%C%_read_test_SOURCES = %D%/read_test.c $(imap_fakes)
%C%_read_test_LDADD = $(imap_test_libs)
%C%_name_test_SOURCES = %D%/name_test.c %D%/test.h
%C%_name_test_LDADD = $(imap_test_libs)
%C%_parse_test_SOURCES = %D%/parse_test.c %D%/test.h
%C%_parse_test_LDADD = $(imap_test_libs)
%C%_view_test_SOURCES = %D%/view_test.c %D%/test.h
%C%_view_test_LDADD = $(imap_test_libs)
endif
