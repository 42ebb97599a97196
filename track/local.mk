# What other processes link: telling, and asking.
noinst_LIBRARIES += libtrkclient.a libtrack.a
libtrkclient_a_SOURCES = \
	%D%/trk_client.h %D%/trk_client.c \
	%D%/trk_ask_client.h %D%/trk_ask_client.c \
	%D%/trk_wire.h %D%/trk_wire.c

libtrack_a_CPPFLAGS = $(AM_CPPFLAGS) $(SQLITE_CFLAGS)
libtrack_a_SOURCES = \
	%D%/trk_sql.h \
	%D%/trk_db.h %D%/trk_db.c \
	%D%/trk_query.h %D%/trk_query.c \
	%D%/trk_service.h %D%/trk_service.c

gplibexec_PROGRAMS += gatepost-track
gatepost_track_CPPFLAGS = $(libtrack_a_CPPFLAGS)
gatepost_track_SOURCES = %D%/main.c
gatepost_track_LDADD = $(TRACK_LIBS)
dist_man_MANS += doc/gatepost-track.8

TRACK_LIBS = libtrack.a libtrkclient.a $(CONF_LIBS) $(SQLITE_LIBS)
