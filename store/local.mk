noinst_LIBRARIES += libstore.a
libstore_a_CPPFLAGS = $(AM_CPPFLAGS) $(GNUTLS_CFLAGS) $(ZSTD_CFLAGS) \
	$(LMDB_CFLAGS)
libstore_a_SOURCES = \
	%D%/bytes.h \
	%D%/sum.h %D%/sum.c \
	%D%/io.h %D%/io.c \
	%D%/seal.h %D%/seal.c \
	%D%/rec.h %D%/rec.c \
	%D%/seglog.h %D%/seglog.c %D%/seglog_format.c %D%/seglog_scan.c \
	%D%/keys.h %D%/keys.c \
	%D%/content.h %D%/content.c \
	%D%/ix.h %D%/ix.c %D%/ix_value.c \
	%D%/rows.h %D%/rows.c \
	%D%/ckpt.h %D%/ckpt.c \
	%D%/apply.h %D%/apply.c %D%/apply_mail.c \
	%D%/apply_mailbox.c %D%/apply_queue.c \
	%D%/name.h %D%/name.c \
	%D%/engine.h %D%/engine_local.c \
	%D%/local.h %D%/local_body.c %D%/local_commit.c \
	%D%/local_keyword.c %D%/local_letter.c %D%/local_mail.c \
	%D%/local_mailbox.c %D%/local_plan.c %D%/local_read.c \
	%D%/local_compact.c %D%/compact_impl.h %D%/compact_stock.c \
	%D%/compact_move.c %D%/compact_settle.c \
	%D%/local_replay.c %D%/local_submit.c \
	%D%/reader.h %D%/reader_impl.h %D%/reader.c \
	%D%/reader_mailbox.c %D%/reader_msg.c \
	%D%/backup.h %D%/backup_impl.h %D%/backup.c %D%/restore.c \
	%D%/maint.h %D%/maint_impl.h %D%/maint.c %D%/maint_index.c

# The program.
libstore_a_SOURCES += %D%/store_svc.h %D%/store_svc.c \
	%D%/svc_upkeep.h %D%/svc_upkeep.c
gplibexec_PROGRAMS += gatepost-store
gatepost_store_CPPFLAGS = $(AM_CPPFLAGS) $(LMDB_CFLAGS)
gatepost_store_SOURCES = %D%/main.c
gatepost_store_LDADD = $(STORE_LIBS) $(CONF_LIBS)
dist_man_MANS += doc/gatepost-store.8
