if HAVE_CMOCKA
store_test_rig = %D%/rig.h %D%/rig.c
store_test_libs = $(STORE_LIBS) $(CMOCKA_LIBS)
store_tests = \
	%D%/backup_test \
	%D%/compact_test \
	%D%/engine_test \
	%D%/format_test \
	%D%/model_test \
	%D%/queue_test \
	%D%/trouble_test
check_PROGRAMS += $(store_tests)

%C%_backup_test_SOURCES = %D%/backup_test.c $(store_test_rig) \
	tests/fault/recio.h tests/fault/recio.c
%C%_backup_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS) $(LMDB_CFLAGS)
%C%_backup_test_LDADD = $(store_test_libs)
%C%_compact_test_SOURCES = %D%/compact_test.c $(store_test_rig)
%C%_compact_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS) $(LMDB_CFLAGS)
%C%_compact_test_LDADD = $(store_test_libs)
%C%_engine_test_SOURCES = %D%/engine_test.c $(store_test_rig)
%C%_engine_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
%C%_engine_test_LDADD = $(store_test_libs)
%C%_model_test_SOURCES = %D%/model_test.c $(store_test_rig)
%C%_model_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
%C%_model_test_LDADD = $(store_test_libs)
%C%_format_test_SOURCES = %D%/format_test.c $(store_test_rig)
%C%_format_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
%C%_format_test_LDADD = $(store_test_libs)
%C%_queue_test_SOURCES = %D%/queue_test.c $(store_test_rig)
%C%_queue_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
%C%_queue_test_LDADD = $(store_test_libs)
%C%_trouble_test_SOURCES = %D%/trouble_test.c $(store_test_rig)
%C%_trouble_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
%C%_trouble_test_LDADD = $(store_test_libs)
endif
