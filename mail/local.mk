noinst_LIBRARIES += libmail.a
libmail_a_SOURCES = \
	%D%/addr.h %D%/addr.c \
	%D%/date.h %D%/date.c \
	%D%/dot.h %D%/dot.c \
	%D%/header.h %D%/header.c \
	%D%/smtp_syntax.h %D%/smtp_syntax.c \
	%D%/trace.h %D%/trace.c
