/* Write a parse tree as text, for comparing. */
#ifndef TESTS_UNIT_MAIL_TREE_H
#define TESTS_UNIT_MAIL_TREE_H

#include "mail/mime.h"

/*
 * One line per part: indentation, type/subtype, header off+len, body off+len,
 * body lines; then everything else of it.
 */
struct str tree_text(struct arena *a, const struct mail_meta *meta, bool full);

#endif
