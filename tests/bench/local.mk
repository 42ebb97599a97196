noinst_PROGRAMS += %D%/mime_bench
%C%_mime_bench_SOURCES = %D%/mime_bench.c
%C%_mime_bench_LDADD = $(MAIL_LIBS)
if HAVE_CMOCKA
noinst_PROGRAMS += %D%/netd_bench
%C%_netd_bench_SOURCES = %D%/netd_bench.c \
	tests/unit/lib/netd_rig.h tests/unit/lib/netd_rig.c
%C%_netd_bench_LDADD = $(LIB_LIBS) $(CMOCKA_LIBS)
endif
noinst_PROGRAMS += %D%/ipc_bench
%C%_ipc_bench_SOURCES = %D%/ipc_bench.c
%C%_ipc_bench_LDADD = $(LIB_LIBS)
noinst_PROGRAMS += %D%/store_bench
%C%_store_bench_SOURCES = %D%/store_bench.c
%C%_store_bench_LDADD = $(STORE_LIBS)
noinst_PROGRAMS += %D%/spf_bench
%C%_spf_bench_SOURCES = %D%/spf_bench.c \
	tests/unit/policy/spf_zone.h tests/unit/policy/spf_zone.c
%C%_spf_bench_LDADD = $(POLICY_LIBS)
noinst_PROGRAMS += %D%/dns_bench
%C%_dns_bench_SOURCES = %D%/dns_bench.c \
	tests/unit/lib/dns_peer.h tests/unit/lib/dns_peer.c
%C%_dns_bench_LDADD = $(LIB_LIBS) $(RESOLVER_LIBS)
noinst_PROGRAMS += %D%/policy_bench
%C%_policy_bench_SOURCES = %D%/policy_bench.c tests/unit/policy/dkim_rig.h \
	tests/unit/policy/dkim_rig.c $(spf_zone)
%C%_policy_bench_CPPFLAGS = $(AM_CPPFLAGS) $(OPENDKIM_CFLAGS)
%C%_policy_bench_LDADD = $(fuzz_policy_libs)
noinst_PROGRAMS += %D%/queue_bench
%C%_queue_bench_SOURCES = %D%/queue_bench.c
%C%_queue_bench_LDADD = libdelivery.a libremclient.a libsgnclient.a \
	libdirclient.a libtrkclient.a \
	$(STORE_LIBS) $(CONF_LIBS) $(JANSSON_LIBS)
noinst_PROGRAMS += %D%/upkeep_bench
%C%_upkeep_bench_SOURCES = %D%/upkeep_bench.c
%C%_upkeep_bench_LDADD = $(STORE_LIBS)
noinst_PROGRAMS += %D%/track_bench
%C%_track_bench_SOURCES = %D%/track_bench.c
%C%_track_bench_LDADD = libtrack.a libtrkclient.a $(LIB_LIBS) $(SQLITE_LIBS)
