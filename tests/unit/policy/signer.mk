if HAVE_CMOCKA
sgn_tests = %D%/sgn_keys_test %D%/sgn_sign_test %D%/sgn_wire_test
check_PROGRAMS += $(sgn_tests)
%C%_sgn_keys_test_SOURCES = %D%/sgn_keys_test.c
%C%_sgn_keys_test_LDADD = $(SGN_LIBS) $(CMOCKA_LIBS)
%C%_sgn_sign_test_CPPFLAGS = $(AM_CPPFLAGS) $(OPENDKIM_CFLAGS)
%C%_sgn_sign_test_SOURCES = %D%/sgn_sign_test.c
%C%_sgn_sign_test_LDADD = $(SGN_LIBS) $(CMOCKA_LIBS)
%C%_sgn_wire_test_SOURCES = %D%/sgn_wire_test.c
%C%_sgn_wire_test_LDADD = $(SGN_LIBS) $(CMOCKA_LIBS)
endif
