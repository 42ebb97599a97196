if HAVE_CMOCKA
cli_tests = \
	%D%/cmd_queue_test \
	%D%/dns_records_test \
	%D%/out_test \
	%D%/queue_text_test
check_PROGRAMS += $(cli_tests)

cli_libs = libcli.a $(LIB_LIBS) $(JANSSON_LIBS) $(CMOCKA_LIBS)
%C%_cmd_queue_test_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
%C%_cmd_queue_test_SOURCES = %D%/cmd_queue_test.c
%C%_cmd_queue_test_LDADD = $(cli_libs)
%C%_dns_records_test_SOURCES = %D%/dns_records_test.c
%C%_dns_records_test_LDADD = libcli.a $(CONF_LIBS) $(CMOCKA_LIBS)
%C%_out_test_SOURCES = %D%/out_test.c
%C%_out_test_LDADD = $(cli_libs)
%C%_queue_text_test_SOURCES = %D%/queue_text_test.c
%C%_queue_text_test_LDADD = $(cli_libs)
endif
