# The second process of this folder: SMTP and LMTP client.
noinst_LIBRARIES += libremclient.a libremote.a
libremclient_a_SOURCES = \
	%D%/rem_client.h %D%/rem_client.c \
	%D%/rem_hop.h %D%/rem_hop.c \
	%D%/rem_ip.h %D%/rem_ip.c \
	%D%/rem_wire.h %D%/rem_wire.c
libremote_a_CPPFLAGS = $(AM_CPPFLAGS) $(GNUTLS_CFLAGS)
libremote_a_SOURCES = \
	%D%/rem.h %D%/rem_impl.h \
	%D%/rem_conn.c %D%/rem_job.c %D%/rem_loop.c %D%/rem_pool.c \
	%D%/rem_route.c \
	%D%/rem_service.h %D%/rem_service.c \
	%D%/rem_tls.h %D%/rem_tls.c
REMOTE_LIBS = libremote.a libremclient.a $(MAIL_LIBS) $(RESOLVER_LIBS)
dist_man_MANS += doc/gatepost-remote.8

gplibexec_PROGRAMS += gatepost-remote
gatepost_remote_SOURCES = %D%/rem_main.c
gatepost_remote_LDADD = libremote.a libremclient.a libmail.a $(CONF_LIBS) \
	$(RESOLVER_LIBS)
