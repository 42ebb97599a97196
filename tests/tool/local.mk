# Not tests themselves: the system tests drive daemons with them.
noinst_PROGRAMS += %D%/rem_send
%C%_rem_send_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
%C%_rem_send_SOURCES = %D%/rem_send.c
%C%_rem_send_LDADD = libremclient.a $(MAIL_LIBS) $(JANSSON_LIBS)
