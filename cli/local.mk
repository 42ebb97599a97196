noinst_LIBRARIES += libcli.a
libcli_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
libcli_a_SOURCES = \
	%D%/cli.h %D%/cli.c \
	%D%/out.h %D%/out.c \
	%D%/dkim_dns.h %D%/dkim_dns.c \
	%D%/dkim_text.h %D%/dkim_text.c \
	%D%/queue_text.h %D%/queue_text.c \
	%D%/files.h %D%/files.c \
	%D%/progress.h %D%/progress.c \
	%D%/trial.h %D%/trial.c \
	%D%/cmd_ban.c \
	%D%/cmd_check.c \
	%D%/cmd_config.c \
	%D%/cmd_dns.c \
	%D%/dns_records.h %D%/dns_records.c %D%/dns_judge.c \
	%D%/cmd_dkim.c \
	%D%/cmd_explain.c \
	%D%/cmd_queue.c \
	%D%/cmd_reload.c \
	%D%/cmd_report.c \
	%D%/cmd_trace.c \
	%D%/when.h %D%/when.c \
	%D%/cmd_status.c \
	%D%/cmd_stop.c \
	%D%/cmd_store.h %D%/cmd_store.c \
	%D%/cmd_store_backup.c \
	%D%/cmd_store_upkeep.c
dist_man_MANS += doc/gatepost.1

bin_PROGRAMS += gatepost
gatepost_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
gatepost_SOURCES = %D%/main.c
gatepost_LDADD = libcli.a libsgnkeys.a libsgnclient.a libdelivery.a \
	libdirclient.a libtrkclient.a libsup.a \
	libstore.a libstoreclient.a libmail.a $(CONF_LIBS) \
	$(LMDB_LIBS) $(ZSTD_LIBS) \
	$(JANSSON_LIBS) $(RESOLVER_LIBS)
