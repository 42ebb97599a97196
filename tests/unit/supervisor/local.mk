if HAVE_CMOCKA
check_PROGRAMS += tests/unit/supervisor/sup_test
tests_unit_supervisor_sup_test_SOURCES = %D%/sup_test.c %D%/probe.c
tests_unit_supervisor_sup_test_LDADD = libsup.a $(CONF_LIBS) $(CMOCKA_LIBS)
EXTRA_tests_unit_supervisor_sup_test_DEPENDENCIES = gatepostd
endif
