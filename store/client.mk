# What a process links to talk to the store without reading it.
noinst_LIBRARIES += libstoreclient.a
libstoreclient_a_SOURCES = \
	%D%/store_client.h %D%/store_client.c \
	%D%/wire.h %D%/wire.c
