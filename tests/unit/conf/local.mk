if HAVE_CMOCKA
check_PROGRAMS += tests/unit/conf/conf_test
tests_unit_conf_conf_test_SOURCES = %D%/conf_test.c
tests_unit_conf_conf_test_LDADD = $(CONF_LIBS) $(CMOCKA_LIBS)
endif
