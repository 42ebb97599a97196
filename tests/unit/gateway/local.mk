if HAVE_CMOCKA
check_PROGRAMS += tests/unit/gateway/gw_smtp_test \
	tests/unit/gateway/gw_smtp_policy_test \
	tests/unit/gateway/gw_smtp_rules_test
GW_SMTP_FAKES = %D%/fake_netd.h %D%/fake_netd.c %D%/smtp_words.h
tests_unit_gateway_gw_smtp_test_SOURCES = %D%/gw_smtp_test.c $(GW_SMTP_FAKES)
tests_unit_gateway_gw_smtp_test_LDADD = $(GW_TEST_LIBS) $(CMOCKA_LIBS)
tests_unit_gateway_gw_smtp_policy_test_SOURCES = %D%/gw_smtp_policy_test.c \
	$(GW_SMTP_FAKES)
tests_unit_gateway_gw_smtp_policy_test_LDADD = $(GW_TEST_LIBS) $(CMOCKA_LIBS)
tests_unit_gateway_gw_smtp_rules_test_SOURCES = %D%/gw_smtp_rules_test.c \
	$(GW_SMTP_FAKES)
tests_unit_gateway_gw_smtp_rules_test_LDADD = $(GW_TEST_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/gateway/gw_imap_test \
	tests/unit/gateway/gw_limit_test tests/unit/gateway/gw_pop3_test tests/unit/gateway/preamble_test
tests_unit_gateway_gw_imap_test_SOURCES = %D%/gw_imap_test.c \
	%D%/fake_imap.h %D%/fake_imap.c
tests_unit_gateway_gw_imap_test_LDADD = $(GW_TEST_LIBS) $(CMOCKA_LIBS)
tests_unit_gateway_gw_limit_test_SOURCES = %D%/gw_limit_test.c
tests_unit_gateway_gw_limit_test_LDADD = $(GW_TEST_LIBS) $(CMOCKA_LIBS)
tests_unit_gateway_gw_pop3_test_SOURCES = %D%/gw_pop3_test.c \
	%D%/fake_imap.h %D%/fake_imap.c
tests_unit_gateway_gw_pop3_test_LDADD = $(GW_TEST_LIBS) $(CMOCKA_LIBS)
tests_unit_gateway_preamble_test_SOURCES = %D%/preamble_test.c
tests_unit_gateway_preamble_test_LDADD = $(GW_TEST_LIBS) $(CMOCKA_LIBS)
endif
