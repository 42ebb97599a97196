/*
 * directory - one configuration's view of the directory: settings, schema,
 * back-end, caches.
 *
 * Ownership  Reference-counted, so that a request keeps the one it began
 *            with over a reload.  The back-end and the guard outlive a reload
 *            and belong to the service.
 * Threads    Any worker; immutable but for the parts that lock inside.
 * Errors     NULL after logging what is wrong in the settings.
 */
#ifndef DIRECTORY_DIRECTORY_H
#define DIRECTORY_DIRECTORY_H

#include "directory/backend.h"
#include "directory/cache.h"
#include "directory/profile.h"
#include "directory/trace.h"

struct dir_guard;

struct dir {
	_Atomic unsigned refs;
	const struct conf *conf;
	struct log log;
	struct dir_schema schema;
	struct dir_backend *be;  /* borrowed */
	struct dir_guard *guard; /* borrowed */
	struct dir_cache *cache;
	struct str scope_group; /* normal form; empty: none */
	struct arena a;
};

struct dir *dir_new(const struct log *log, const struct conf *conf,
    struct dir_backend *be, struct dir_guard *guard);
struct dir *dir_ref(struct dir *d);
void dir_unref(struct dir **d);

/* The back-end that the settings name; NULL: they are no good (logged). */
struct dir_backend *dir_backend_open(
    const struct log *log, const struct conf *conf);

#endif
