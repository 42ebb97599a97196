noinst_LIBRARIES += libgp.a
libgp_a_CPPFLAGS = $(AM_CPPFLAGS) $(GNUTLS_CFLAGS) $(SECCOMP_CFLAGS)
libgp_a_SOURCES = \
	%D%/rc.h %D%/base.h %D%/base.c \
	%D%/arena.h %D%/arena.c \
	%D%/str.h %D%/str.c \
	%D%/buf.h %D%/buf.c \
	%D%/deadline.h %D%/deadline.c \
	%D%/fd.h %D%/fd.c
