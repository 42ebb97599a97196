noinst_LIBRARIES += libimap.a
libimap_a_CPPFLAGS = $(AM_CPPFLAGS) $(GNUTLS_CFLAGS)
libimap_a_SOURCES = \
	%D%/account.h %D%/account.c \
	%D%/cmd_any.c \
	%D%/cmd_append.c \
	%D%/cmd_copy.c \
	%D%/cmd_expunge.c \
	%D%/cmd_fetch.c \
	%D%/cmd_idle.c \
	%D%/cmd_list.c \
	%D%/cmd_mailbox.c \
	%D%/cmd_search.c \
	%D%/cmd_select.c \
	%D%/cmd_status.c \
	%D%/cmd_store.c \
	%D%/engine.c \
	%D%/fetch.h %D%/fetch_parse.c \
	%D%/flags.h %D%/flags.c \
	%D%/gather.h %D%/gather.c \
	%D%/list.h %D%/list_parse.c \
	%D%/mechs.h %D%/mechs.c \
	%D%/message.h %D%/message.c \
	%D%/mutf7.h %D%/mutf7.c \
	%D%/name.h %D%/name.c \
	%D%/out.h %D%/out.c \
	%D%/parse.h %D%/parse.c \
	%D%/poison.c \
	%D%/pop3.h %D%/pop3.c %D%/pop3_text.h %D%/pop3_text.c \
	%D%/preamble.h %D%/preamble.c \
	%D%/reply.c \
	%D%/search.h %D%/search_parse.c %D%/search_match.c %D%/search_text.c \
	%D%/section.h %D%/section.c \
	%D%/session.h %D%/session.c \
	%D%/set.h %D%/set.c \
	%D%/structure.h %D%/structure.c \
	%D%/sync.c \
	%D%/upload.h %D%/upload.c \
	%D%/view.h %D%/view.c \
	%D%/watch.h %D%/watch.c
dist_man_MANS += doc/gatepost-imap.8

gplibexec_PROGRAMS += gatepost-imap
gatepost_imap_SOURCES = %D%/main.c
gatepost_imap_LDADD = libimap.a libdirclient.a $(STORE_LIBS) $(MAIL_LIBS) \
	libconf.a $(LIB_LIBS) $(CONFUSE_LIBS)
