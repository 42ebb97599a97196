if HAVE_CMOCKA
check_PROGRAMS += %D%/rem_hop_test
%C%_rem_hop_test_SOURCES = %D%/rem_hop_test.c
%C%_rem_hop_test_LDADD = libremclient.a $(MAIL_LIBS) $(CMOCKA_LIBS)
endif
