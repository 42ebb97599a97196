if HAVE_CMOCKA
check_PROGRAMS += tests/unit/store/wire_test
tests_unit_store_wire_test_SOURCES = %D%/wire_test.c
tests_unit_store_wire_test_LDADD = libstoreclient.a $(LIB_LIBS) $(CMOCKA_LIBS)
endif
