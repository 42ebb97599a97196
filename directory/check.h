/*
 * check - lines of `gatepost check` that do not depend on the back-end: can
 * we see what the rules need?
 */
#ifndef DIRECTORY_CHECK_H
#define DIRECTORY_CHECK_H

#include "directory/directory.h"

/* mechs: SASL mechanisms on offer.  Blocks for seconds at most. */
void dir_check(struct dir *d, struct str mechs, struct ipc_msg *out);

#endif
