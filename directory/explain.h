/*
 * explain - why: every step that leads to an answer, one line each.
 *
 * Errors  RC_BAD: kind is neither "rcpt" nor "login".  A directory that does
 *         not answer is said in the text, so that is RC_OK.
 */
#ifndef DIRECTORY_EXPLAIN_H
#define DIRECTORY_EXPLAIN_H

#include "directory/directory.h"

MUST_CHECK enum rc dir_explain_text(struct dir *d, struct arena *a,
    struct str kind, struct str arg, struct deadline dl, struct str *out);

#endif
