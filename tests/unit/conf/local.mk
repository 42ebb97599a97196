if HAVE_CMOCKA
check_PROGRAMS += tests/unit/conf/conf_test
tests_unit_conf_conf_test_CPPFLAGS = $(AM_CPPFLAGS) \
	-DTOP_SRCDIR='"$(abs_top_srcdir)"'
tests_unit_conf_conf_test_SOURCES = %D%/conf_test.c
tests_unit_conf_conf_test_LDADD = $(CONF_LIBS) $(CMOCKA_LIBS)
endif
