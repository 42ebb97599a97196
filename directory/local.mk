# What other processes link: the client stub.
noinst_LIBRARIES += libdirclient.a libdirectory.a
libdirclient_a_SOURCES = \
	%D%/dir_client.h %D%/dir_client.c \
	%D%/dir_resolve_client.h %D%/dir_resolve_client.c \
	%D%/wire.h %D%/wire.c

libdirectory_a_CPPFLAGS = $(AM_CPPFLAGS) $(GNUTLS_CFLAGS) $(LDAP_CFLAGS) \
	$(SASL_CFLAGS) $(KRB5_CFLAGS)
libdirectory_a_SOURCES = \
	%D%/ad_value.h %D%/ad_value.c \
	%D%/answer.h \
	%D%/auth.h %D%/auth.c \
	%D%/backend.h %D%/backend.c \
	%D%/backend_ldap.h %D%/backend_ldap.c \
	%D%/backend_ldif.h %D%/backend_ldif.c \
	%D%/cache.h %D%/cache.c \
	%D%/check.h %D%/check.c \
	%D%/dir_service.h %D%/dir_service.c \
	%D%/directory.h %D%/directory.c \
	%D%/dn.h %D%/dn.c \
	%D%/entry.h %D%/entry.c \
	%D%/explain.h %D%/explain.c \
	%D%/filter.h %D%/filter.c \
	%D%/group.h %D%/group.c \
	%D%/guard.h %D%/guard.c \
	%D%/ldap_bind.h %D%/ldap_bind.c \
	%D%/ldap_conn.h %D%/ldap_conn.c \
	%D%/ldap_dial.h %D%/ldap_dial.c \
	%D%/ldap_kerberos.h %D%/ldap_kerberos.c \
	%D%/ldap_pool.h %D%/ldap_pool.c \
	%D%/ldap_search.h %D%/ldap_search.c \
	%D%/ldap_url.h %D%/ldap_url.c \
	%D%/ldif.h %D%/ldif.c \
	%D%/ldif_table.h %D%/ldif_table.c \
	%D%/login_name.h %D%/login_name.c \
	%D%/lookup.h %D%/lookup.c \
	%D%/member.h %D%/member.c \
	%D%/member_list.h %D%/member_list.c \
	%D%/password.h %D%/password.c \
	%D%/profile.h %D%/profile.c \
	%D%/query.h %D%/query.c \
	%D%/rules.h %D%/rules.c \
	%D%/sasl.h %D%/sasl.c \
	%D%/ticket.h %D%/ticket.c \
	%D%/trace.h %D%/trace.c

gplibexec_PROGRAMS += gatepost-directory
gatepost_directory_CPPFLAGS = $(libdirectory_a_CPPFLAGS)
gatepost_directory_SOURCES = %D%/main.c %D%/leak.c
gatepost_directory_LDADD = $(DIRECTORY_LIBS)
dist_man_MANS += doc/gatepost-directory.8

DIRECTORY_LIBS = libdirectory.a libdirclient.a libconf.a $(MAIL_LIBS) \
	$(CONFUSE_LIBS) $(LDAP_LIBS) $(SASL_LIBS) $(KRB5_LIBS)
