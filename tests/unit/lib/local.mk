if HAVE_CMOCKA
lib_tests = \
	tests/unit/lib/log_test tests/unit/lib/ipc_test \
	tests/unit/lib/rpcd_test tests/unit/lib/base_test \
	tests/unit/lib/sandbox_test tests/unit/lib/inflight_test
lib_tests += tests/unit/lib/net_test tests/unit/lib/proxy2_test
check_PROGRAMS += $(lib_tests)
tests_unit_lib_log_test_SOURCES = %D%/log_test.c
tests_unit_lib_log_test_LDADD = $(LIB_LIBS) $(CMOCKA_LIBS)
tests_unit_lib_ipc_test_SOURCES = %D%/ipc_test.c
tests_unit_lib_ipc_test_LDADD = $(LIB_LIBS) $(CMOCKA_LIBS)
tests_unit_lib_rpcd_test_SOURCES = %D%/rpcd_test.c
tests_unit_lib_rpcd_test_LDADD = $(LIB_LIBS) $(CMOCKA_LIBS)
tests_unit_lib_base_test_SOURCES = %D%/base_test.c
tests_unit_lib_base_test_LDADD = $(LIB_LIBS) $(CMOCKA_LIBS)
tests_unit_lib_sandbox_test_SOURCES = %D%/sandbox_test.c
tests_unit_lib_sandbox_test_LDADD = $(LIB_LIBS) $(CMOCKA_LIBS)
tests_unit_lib_inflight_test_SOURCES = %D%/inflight_test.c
tests_unit_lib_inflight_test_LDADD = $(LIB_LIBS) $(CMOCKA_LIBS)
tests_unit_lib_net_test_SOURCES = %D%/net_test.c
tests_unit_lib_net_test_LDADD = $(LIB_LIBS) $(CMOCKA_LIBS)
tests_unit_lib_proxy2_test_SOURCES = %D%/proxy2_test.c
tests_unit_lib_proxy2_test_LDADD = $(LIB_LIBS) $(CMOCKA_LIBS)

netd_tests = tests/unit/lib/netd_test tests/unit/lib/netd_tls_test \
	tests/unit/lib/netd_stress_test tests/unit/lib/netd_proxy_test
check_PROGRAMS += $(netd_tests)
tests_unit_lib_netd_test_SOURCES = %D%/netd_test.c %D%/netd_rig.h \
	%D%/netd_rig.c
tests_unit_lib_netd_test_LDADD = $(LIB_LIBS) $(CMOCKA_LIBS)
tests_unit_lib_netd_stress_test_SOURCES = %D%/netd_stress_test.c \
	%D%/netd_rig.h %D%/netd_rig.c
tests_unit_lib_netd_stress_test_LDADD = $(LIB_LIBS) $(CMOCKA_LIBS)
tests_unit_lib_netd_tls_test_SOURCES = %D%/netd_tls_test.c %D%/netd_rig.h \
	%D%/netd_rig.c
tests_unit_lib_netd_tls_test_LDADD = $(LIB_LIBS) $(CMOCKA_LIBS)
tests_unit_lib_netd_proxy_test_SOURCES = %D%/netd_proxy_test.c \
	%D%/netd_rig.h %D%/netd_rig.c
tests_unit_lib_netd_proxy_test_LDADD = $(LIB_LIBS) $(CMOCKA_LIBS)

dns_tests = tests/unit/lib/dns_wire_test tests/unit/lib/resolver_cache_test \
	tests/unit/lib/resolver_test
check_PROGRAMS += $(dns_tests)
tests_unit_lib_dns_wire_test_SOURCES = %D%/dns_wire_test.c
tests_unit_lib_dns_wire_test_LDADD = $(LIB_LIBS) $(IDN2_LIBS) $(CMOCKA_LIBS)
tests_unit_lib_resolver_cache_test_SOURCES = %D%/resolver_cache_test.c
tests_unit_lib_resolver_cache_test_LDADD = $(LIB_LIBS) $(CMOCKA_LIBS)
tests_unit_lib_resolver_test_SOURCES = %D%/resolver_test.c %D%/dns_peer.h \
	%D%/dns_peer.c
tests_unit_lib_resolver_test_LDADD = $(LIB_LIBS) $(RESOLVER_LIBS) \
	$(CMOCKA_LIBS)
endif

# What tests/system/test_dns.py drives.
noinst_PROGRAMS += tests/unit/lib/dns_ask
tests_unit_lib_dns_ask_SOURCES = %D%/dns_ask.c
tests_unit_lib_dns_ask_LDADD = $(LIB_LIBS) $(RESOLVER_LIBS)
