noinst_PROGRAMS += %D%/mime_bench
%C%_mime_bench_SOURCES = %D%/mime_bench.c
%C%_mime_bench_LDADD = $(MAIL_LIBS)
