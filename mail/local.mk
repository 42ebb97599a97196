noinst_LIBRARIES += libmail.a
libmail_a_SOURCES = \
	%D%/addr.h %D%/addr.c \
	%D%/aliases.h %D%/aliases.c \
	%D%/addrlist.h %D%/addrlist.c %D%/senders.c \
	%D%/ares.h %D%/ares.c \
	%D%/casemap.h %D%/casemap_data.c \
	%D%/charset.c \
	%D%/date.h %D%/date.c \
	%D%/decode.h %D%/decode.c %D%/words.c \
	%D%/dot.h %D%/dot.c \
	%D%/dsn.h %D%/dsn.c \
	%D%/header.h %D%/header.c \
	%D%/meta.h %D%/meta.c \
	%D%/mime.h %D%/mime.c \
	%D%/mime_fields.h %D%/mime_fields.c \
	%D%/search.h %D%/search.c \
	%D%/rewrite.h %D%/rewrite.c \
	%D%/rules.h %D%/rules.c \
	%D%/route.h %D%/route.c \
	%D%/size_limit.h %D%/size_limit.c \
	%D%/smtp_client.h %D%/smtp_client_impl.h %D%/smtp_client.c \
	%D%/smtp_client_hello.c %D%/smtp_client_mail.c \
	%D%/smtp_reply.h %D%/smtp_reply.c \
	%D%/smtp_syntax.h %D%/smtp_syntax.c \
	%D%/stuff.h %D%/stuff.c \
	%D%/trace.h %D%/trace.c \
	%D%/utf8.h
EXTRA_DIST += %D%/casemap.py
