/*
 * cache - answers about addresses and ids, for at most a second.
 *
 * Positive and negative answers are kept apart, so that guessing addresses
 * does not push real ones out.  RC_TEMP is never kept, nor is anything about
 * passwords.  What was made of an answer of the cache, and says so in until_ns,
 * ends with it.
 *
 * Ownership  Copies in and out.
 * Threads    Locks inside, briefly.
 * Limits     DIR_CACHE_MAX entries of each kind; the oldest go first.
 */
#ifndef DIRECTORY_CACHE_H
#define DIRECTORY_CACHE_H

#include "directory/answer.h"

#define DIR_CACHE_MAX    10000u
#define DIR_CACHE_MS_MAX 1000u

struct dir_cache;

struct dir_cache *dir_cache_new(unsigned ms);
void dir_cache_free(struct dir_cache **c);
bool dir_cache_get(struct dir_cache *c, struct arena *a, struct str key,
    int64_t now_ns, struct dir_answer *out);
void dir_cache_put(struct dir_cache *c, struct str key, int64_t now_ns,
    const struct dir_answer *x);
size_t dir_cache_count(struct dir_cache *c);

#endif
