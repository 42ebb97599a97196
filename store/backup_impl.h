/*
 * backup_impl - what backup and restore share.
 *
 * Threads  One.
 */
#ifndef STORE_BACKUP_IMPL_H
#define STORE_BACKUP_IMPL_H

#include "store/backup.h"

/* *why = "what path: errno"; returns rc. */
enum rc backup_say(struct arena *a, enum rc rc, struct str *why,
    const char *what, const char *path);
/* In a backup: of a segment, or (id 0) of the checkpoint. */
const char *backup_path(
    struct arena *a, const char *dir, uint32_t id, uint64_t ckpt);
uint64_t backup_sum(size_t block, const void *p, size_t n);
/* fresh: zeros need not be written. */
enum rc backup_put_block(const struct io *io, int fd, const char *p, size_t n,
    uint64_t off, bool fresh);
enum rc backup_put_whole(struct arena *a, const struct io *io, const char *dir,
    const char *name, struct str text, struct str *why);
/* The file of keys in `from`, whole records of it. */
enum rc backup_read_keys(struct arena *a, const char *from,
    const unsigned char store[STORE_ID], struct str *out, struct str *why);

#endif
