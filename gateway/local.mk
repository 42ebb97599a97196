noinst_LIBRARIES += libgw.a
libgw_a_CPPFLAGS = $(AM_CPPFLAGS) $(GNUTLS_CFLAGS)
libgw_a_SOURCES = \
	%D%/gw.h %D%/gw.c \
	%D%/gw_body.h %D%/gw_body.c \
	%D%/gw_login.h %D%/gw_login.c \
	%D%/gw_mechs.h %D%/gw_mechs.c \
	%D%/gw_sasl.h %D%/gw_sasl.c \
	%D%/gw_tls.h %D%/gw_tls.c \
	%D%/gw_limit.h %D%/gw_limit.c %D%/gw_guard.h %D%/gw_guard.c \
	%D%/gw_relay.h %D%/gw_relay.c \
	%D%/gw_pop3.h %D%/gw_pop3_session.h %D%/gw_pop3.c \
	%D%/gw_pop3_auth.c \
	%D%/gw_session.h \
	%D%/gw_size.h %D%/gw_size.c %D%/gw_size_check.c \
	%D%/gw_smtp.h %D%/gw_smtp.c \
	%D%/gw_smtp_rcpt.c \
	%D%/gw_rules.h %D%/gw_rules.c \
	%D%/gw_site.h %D%/gw_site.c \
	%D%/gw_smtp_data.c \
	%D%/gw_smtp_commit.c \
	%D%/gw_smtp_policy.c \
	%D%/gw_smtp_sender.c \
	%D%/gw_smtp_sign.c \
	%D%/gw_smtp_track.c \
	%D%/gw_smtp_auth.c \
	%D%/gw_imap.h %D%/gw_imap_session.h %D%/gw_imap.c \
	%D%/gw_imap_auth.c \
	%D%/gw_imap_parse.h %D%/gw_imap_parse.c \
	imap/preamble.h imap/preamble.c
gplibexec_PROGRAMS += gatepost-gateway
gatepost_gateway_SOURCES = %D%/gw_main.c
gatepost_gateway_LDADD = libgw.a libdelivery.a libdirclient.a libpolclient.a \
	libsgnclient.a libtrkclient.a libmail.a \
	libconf.a $(LIB_LIBS) $(CONFUSE_LIBS)
dist_man_MANS += doc/gatepost-gateway.8
# What tests link, with fakes for the services.
GW_TEST_LIBS = libgw.a libdirclient.a libpolclient.a libtrkclient.a $(MAIL_LIBS)
