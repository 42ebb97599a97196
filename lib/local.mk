noinst_LIBRARIES += libgp.a
libgp_a_CPPFLAGS = $(AM_CPPFLAGS) $(GNUTLS_CFLAGS) $(SECCOMP_CFLAGS) \
	$(IDN2_CFLAGS)
libgp_a_SOURCES = \
	%D%/rc.h %D%/base.h %D%/base.c \
	%D%/arena.h %D%/arena.c \
	%D%/str.h %D%/str.c \
	%D%/buf.h %D%/buf.c \
	%D%/deadline.h %D%/deadline.c \
	%D%/fd.h %D%/fd.c
libgp_a_SOURCES += \
	%D%/log.h %D%/log.c %D%/log_line.h %D%/log_line.c \
	%D%/ipc.h %D%/ipc_impl.h %D%/ipc_msg.c %D%/ipc_wire.c \
	%D%/ipc_client.c %D%/ipc_mux.c %D%/ipc_sub.c \
	%D%/rpcd.h %D%/rpcd_impl.h %D%/rpcd.c %D%/rpcd_req.c \
	%D%/rpcd_conn.c
libgp_a_SOURCES += \
	%D%/tls.h %D%/tls_impl.h %D%/tls.c \
	%D%/netd.h %D%/netd_impl.h %D%/netd.c %D%/netd_reactor.c \
	%D%/netd_accept.c %D%/netd_proxy.c %D%/netd_serve.c %D%/netd_io.c %D%/netd_tls.c \
	%D%/netd_relay.c %D%/netd_pool.c %D%/netd_conn.c %D%/netd_timer.c
libgp_a_SOURCES += \
	%D%/proc.h \
	%D%/sandbox.h %D%/sandbox.c %D%/sandbox_calls.h %D%/sandbox_calls.c
libgp_a_SOURCES += %D%/inflight.h %D%/inflight.c
libgp_a_SOURCES += %D%/net.h %D%/net.c %D%/proxy2.h %D%/proxy2.c
libgp_a_SOURCES += \
	%D%/dns_wire.h %D%/dns_wire.c %D%/dns_name.c \
	%D%/resolver_cache.h %D%/resolver_cache.c \
	%D%/resolver_ub.h %D%/resolver_ub.c \
	%D%/resolver.h %D%/resolver.c
