noinst_LIBRARIES += libconf.a
libconf_a_CPPFLAGS = $(AM_CPPFLAGS) $(CONFUSE_CFLAGS)
libconf_a_SOURCES = \
	%D%/conf.h %D%/conf_table.h \
	%D%/conf.c %D%/conf_table.c %D%/conf_value.c %D%/conf_check.c \
	%D%/conf_text.c \
	%D%/conf_dns.h %D%/conf_dns.c \
	%D%/conf_route.c \
	%D%/proc.c

EXTRA_DIST += %D%/gatepost.conf %D%/gatepost-openldap.conf \
	%D%/gatepost-quickstart.conf %D%/gatepost.sysusers \
	%D%/gatepost.service.in \
	%D%/fail2ban/filter.d/gatepost.conf %D%/fail2ban/jail.d/gatepost.conf
dist_man_MANS += doc/gatepost.conf.5

# The unit file names the places that configure was given.
gpunitdir = $(prefix)/lib/systemd/system
gpunit_DATA = %D%/gatepost.service
CLEANFILES += %D%/gatepost.service
%D%/gatepost.service: %D%/gatepost.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) %D% && sed -e 's|@sbindir[@]|$(sbindir)|g' \
		-e 's|@sysconfdir[@]|$(sysconfdir)|g' \
		$(srcdir)/%D%/gatepost.service.in >$@.new && mv $@.new $@

# The settings in the manual are the table of the program.
manual: gatepost
	$(top_srcdir)/conf/manual ./gatepost $(top_srcdir)
.PHONY: manual
