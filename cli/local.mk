noinst_LIBRARIES += libcli.a
libcli_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
libcli_a_SOURCES = \
	%D%/cli.h %D%/cli.c \
	%D%/out.h %D%/out.c \
	%D%/queue_text.h %D%/queue_text.c \
	%D%/cmd_config.c \
	%D%/cmd_explain.c \
	%D%/cmd_queue.c
dist_man_MANS += doc/gatepost.1
