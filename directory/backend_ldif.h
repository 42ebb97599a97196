/*
 * backend_ldif - a directory in one LDIF file: quickstart, demos, tests.
 *
 * The file is looked at again at most every 100 ms and read anew when its
 * time, size or inode changed.  A file that does not parse is reported and
 * the last good one stays; without any good one every answer is RC_TEMP.
 *
 * Ownership  Answers are copies in the caller's arena.
 * Threads    Any; searches hold a reference to an immutable table.
 * Limits     As in ldif.h.
 */
#ifndef DIRECTORY_BACKEND_LDIF_H
#define DIRECTORY_BACKEND_LDIF_H

#include "directory/backend.h"

/* base "" means the whole file. */
struct dir_backend *dir_ldif_open(
    const struct log *log, const char *path, const char *base);
/* The same from text that never changes (tests). */
struct dir_backend *dir_ldif_text(
    const struct log *log, struct str text, const char *base);

#endif
