if HAVE_CMOCKA
delivery_tests = \
	%D%/people_test \
	%D%/retry_test \
	%D%/route_test
check_PROGRAMS += $(delivery_tests)

delivery_fakes = %D%/fake.h %D%/fake.c
delivery_libs = libdelivery.a $(MAIL_LIBS) $(JANSSON_LIBS) $(CMOCKA_LIBS)
%C%_people_test_SOURCES = %D%/people_test.c $(delivery_fakes)
%C%_people_test_LDADD = $(delivery_libs)
%C%_retry_test_SOURCES = %D%/retry_test.c $(delivery_fakes)
%C%_retry_test_LDADD = $(delivery_libs)
%C%_route_test_SOURCES = %D%/route_test.c $(delivery_fakes)
%C%_route_test_LDADD = $(delivery_libs)
endif
