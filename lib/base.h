/*
 * base - what every file of the house may use: results, slices, arenas,
 * buffers, deadlines, and the macros that go with them.
 */
#ifndef LIB_BASE_H
#define LIB_BASE_H

#include "lib/rc.h"
#include "lib/arena.h"
#include "lib/str.h"
#include "lib/buf.h"
#include "lib/deadline.h"
#include "lib/fd.h"

#endif
