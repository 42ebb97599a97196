if HAVE_CMOCKA
delivery_tests = \
	%D%/notice_test \
	%D%/people_test \
	%D%/queue_test \
	%D%/reload_test \
	%D%/retry_test \
	%D%/route_test \
	%D%/sched_test \
	%D%/send_test \
	%D%/submit_test
check_PROGRAMS += $(delivery_tests)

delivery_fakes = %D%/fake.h %D%/fake.c
delivery_store = %D%/fake_store.h %D%/fake_store.c \
	%D%/fake_rem.h %D%/fake_rem.c
delivery_libs = libdelivery.a libdirclient.a libtrkclient.a libmail.a \
	libconf.a $(LIB_LIBS) $(JANSSON_LIBS) $(CMOCKA_LIBS)
%C%_notice_test_SOURCES = %D%/notice_test.c $(delivery_fakes) \
	$(delivery_store)
%C%_notice_test_LDADD = $(delivery_libs)
%C%_people_test_SOURCES = %D%/people_test.c $(delivery_fakes)
%C%_people_test_LDADD = $(delivery_libs)
%C%_queue_test_SOURCES = %D%/queue_test.c $(delivery_fakes) $(delivery_store)
%C%_queue_test_LDADD = $(delivery_libs)
%C%_reload_test_SOURCES = %D%/reload_test.c $(delivery_fakes)
%C%_reload_test_LDADD = $(delivery_libs)
%C%_retry_test_SOURCES = %D%/retry_test.c $(delivery_fakes)
%C%_retry_test_LDADD = $(delivery_libs)
%C%_route_test_SOURCES = %D%/route_test.c $(delivery_fakes)
%C%_route_test_LDADD = $(delivery_libs)
%C%_sched_test_SOURCES = %D%/sched_test.c $(delivery_fakes)
%C%_sched_test_LDADD = $(delivery_libs)
%C%_send_test_SOURCES = %D%/send_test.c $(delivery_fakes) $(delivery_store)
%C%_send_test_LDADD = $(delivery_libs)
%C%_submit_test_SOURCES = %D%/submit_test.c $(delivery_fakes) $(delivery_store)
%C%_submit_test_LDADD = $(delivery_libs)
endif
