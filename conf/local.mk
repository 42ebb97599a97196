noinst_LIBRARIES += libconf.a
libconf_a_CPPFLAGS = $(AM_CPPFLAGS) $(CONFUSE_CFLAGS)
libconf_a_SOURCES = \
	%D%/conf.h %D%/conf_table.h \
	%D%/conf.c %D%/conf_table.c %D%/conf_value.c %D%/conf_check.c \
	%D%/conf_text.c \
	%D%/proc.c
