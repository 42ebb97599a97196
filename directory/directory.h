/*
 * directory - one configuration's view of the directory: settings, schema,
 * back-end, caches.
 *
 * Ownership  dir_new takes a reference to the configuration and owns the
 *            back-end; guard, tickets and SASL outlive a reload and belong to
 *            the service.
 * Threads    Any worker; immutable but for the parts that lock inside.
 * Errors     dir_new gives NULL after logging what is wrong in the settings.
 */
#ifndef DIRECTORY_DIRECTORY_H
#define DIRECTORY_DIRECTORY_H

#include "directory/backend.h"
#include "directory/cache.h"
#include "directory/profile.h"
#include "directory/trace.h"

struct dir_guard;

struct dir {
	const struct conf *conf;
	struct log log;
	struct dir_schema schema;
	struct dir_backend *be;
	struct dir_cache *cache;
	struct dir_guard *guard; /* borrowed */
	struct str scope_group;  /* normal form; empty: none */
	struct arena a;
};

/* `be` is owned from here on, even on failure. */
struct dir *dir_new(const struct log *log, const struct conf *conf,
    struct dir_backend *be, struct dir_guard *guard);
/* With the back-end that the settings name. */
struct dir *dir_open(const struct log *log, const struct conf *conf,
    struct dir_guard *guard);
void dir_free(struct dir **d);

#endif
