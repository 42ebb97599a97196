noinst_LIBRARIES += libsendmail.a
libsendmail_a_SOURCES = \
	%D%/sm_args.h %D%/sm_args.c \
	%D%/sm_letter.h %D%/sm_letter.c \
	%D%/sm_talk.h %D%/sm_talk.c
bin_PROGRAMS += gatepost-sendmail
gatepost_sendmail_SOURCES = %D%/sm_main.c
gatepost_sendmail_LDADD = libsendmail.a libmail.a $(CONF_LIBS)
dist_man_MANS += doc/gatepost-sendmail.1 doc/gatepost-rules.5
