sbin_PROGRAMS += gatepostd
gatepostd_CPPFLAGS = $(AM_CPPFLAGS) $(GNUTLS_CFLAGS)
gatepostd_SOURCES = \
	%D%/sup.h %D%/main.c %D%/sup_roles.c %D%/sup_users.c %D%/sup_dirs.c \
	%D%/sup_listen.c %D%/sup_tls.c %D%/sup_cert.c %D%/sup_start.c \
	%D%/sup_child.c %D%/sup_reload.c %D%/sup_admin.c \
	%D%/sup_notify.c %D%/sup_files.c
gatepostd_LDADD = libpolicy.a libmail.a $(CONF_LIBS) $(PCRE2_LIBS)

# What cli links to ask the supervisor.
noinst_LIBRARIES += libsup.a
libsup_a_SOURCES = %D%/sup_client.h %D%/sup_client.c
dist_man_MANS += doc/gatepostd.8
