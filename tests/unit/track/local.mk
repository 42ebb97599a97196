if HAVE_CMOCKA
track_tests = %D%/client_test %D%/db_test %D%/wire_test
check_PROGRAMS += $(track_tests)
track_libs = libtrack.a libtrkclient.a $(LIB_LIBS) $(SQLITE_LIBS) \
	$(CMOCKA_LIBS)
%C%_client_test_SOURCES = %D%/client_test.c
%C%_client_test_LDADD = $(track_libs)
%C%_db_test_SOURCES = %D%/db_test.c
%C%_db_test_LDADD = $(track_libs)
%C%_wire_test_SOURCES = %D%/wire_test.c
%C%_wire_test_LDADD = $(track_libs)
endif
