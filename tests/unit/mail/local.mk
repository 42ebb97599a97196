if HAVE_CMOCKA
mail_tests = \
	%D%/addr_test \
	%D%/addrlist_test \
	%D%/ares_test \
	%D%/aliases_test \
	%D%/date_test \
	%D%/decode_test \
	%D%/dot_test \
	%D%/dsn_test \
	%D%/header_test \
	%D%/meta_test \
	%D%/mime_test \
	%D%/route_test \
	%D%/rewrite_test \
	%D%/rules_test \
	%D%/search_test \
	%D%/size_limit_test \
	%D%/smtp_client_test \
	%D%/smtp_syntax_test \
	%D%/trace_test
check_PROGRAMS += $(mail_tests)

mail_test_libs = $(MAIL_LIBS) $(CMOCKA_LIBS)
%C%_addr_test_SOURCES = %D%/addr_test.c %D%/test.h
%C%_addr_test_LDADD = $(mail_test_libs)
%C%_aliases_test_SOURCES = %D%/aliases_test.c %D%/test.h
%C%_aliases_test_LDADD = $(mail_test_libs)
%C%_rewrite_test_SOURCES = %D%/rewrite_test.c %D%/test.h
%C%_rewrite_test_LDADD = $(mail_test_libs)
%C%_size_limit_test_SOURCES = %D%/size_limit_test.c %D%/test.h
%C%_size_limit_test_LDADD = $(mail_test_libs)
%C%_rules_test_SOURCES = %D%/rules_test.c %D%/test.h
%C%_rules_test_LDADD = $(mail_test_libs)
%C%_date_test_SOURCES = %D%/date_test.c %D%/test.h
%C%_date_test_LDADD = $(mail_test_libs)
%C%_dot_test_SOURCES = %D%/dot_test.c %D%/test.h
%C%_dot_test_LDADD = $(mail_test_libs)
%C%_dsn_test_SOURCES = %D%/dsn_test.c %D%/test.h
%C%_dsn_test_LDADD = $(mail_test_libs)
%C%_route_test_SOURCES = %D%/route_test.c %D%/test.h
%C%_route_test_LDADD = $(mail_test_libs)
%C%_header_test_SOURCES = %D%/header_test.c %D%/test.h
%C%_header_test_LDADD = $(mail_test_libs)
%C%_smtp_client_test_SOURCES = %D%/smtp_client_test.c %D%/test.h
%C%_smtp_client_test_LDADD = $(mail_test_libs)
%C%_smtp_syntax_test_SOURCES = %D%/smtp_syntax_test.c %D%/test.h
%C%_smtp_syntax_test_LDADD = $(mail_test_libs)
%C%_trace_test_SOURCES = %D%/trace_test.c %D%/test.h
%C%_trace_test_LDADD = $(mail_test_libs)
%C%_meta_test_SOURCES = %D%/meta_test.c %D%/test.h \
	%D%/tree.h %D%/tree.c
%C%_meta_test_LDADD = $(mail_test_libs)
%C%_mime_test_SOURCES = %D%/mime_test.c %D%/test.h \
	%D%/tree.h %D%/tree.c
%C%_mime_test_LDADD = $(mail_test_libs)
%C%_ares_test_SOURCES = %D%/ares_test.c
%C%_ares_test_LDADD = $(mail_test_libs)
%C%_addrlist_test_SOURCES = %D%/addrlist_test.c %D%/test.h
%C%_addrlist_test_LDADD = $(mail_test_libs)
%C%_decode_test_SOURCES = %D%/decode_test.c %D%/test.h
%C%_decode_test_LDADD = $(mail_test_libs)
%C%_search_test_SOURCES = %D%/search_test.c %D%/test.h
%C%_search_test_LDADD = $(mail_test_libs)
endif

# Against Python's email package.
noinst_PROGRAMS += %D%/mime_dump
%C%_mime_dump_SOURCES = %D%/mime_dump.c
%C%_mime_dump_LDADD = $(MAIL_LIBS)
TESTS += %D%/mime_python_test
EXTRA_DIST += %D%/mime_python_test
