/*
 * resolver_ub - a libunbound context as we want it.
 *
 * Errors  NULL is logged.  It is made whole (files are read, options take
 *         effect) and has no thread yet: that comes with the first question.
 */
#ifndef LIB_RESOLVER_UB_H
#define LIB_RESOLVER_UB_H

#include <unbound.h>

#include "lib/resolver.h"

struct ub_ctx *resolver_ub_new(
    const struct log *log, const struct resolver_conf *conf);

#endif
