if HAVE_CMOCKA
check_PROGRAMS += %D%/rem_hop_test %D%/rem_pace_test
%C%_rem_hop_test_SOURCES = %D%/rem_hop_test.c
%C%_rem_hop_test_LDADD = libremclient.a $(MAIL_LIBS) $(CMOCKA_LIBS)
%C%_rem_pace_test_SOURCES = %D%/rem_pace_test.c
%C%_rem_pace_test_LDADD = $(REMOTE_LIBS) $(CMOCKA_LIBS)
endif
