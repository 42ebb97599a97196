/*
 * aliases - the local users' file, aliases(5), as sendmail and Postfix read it.
 *
 * Format     NAME: TARGET, TARGET...  A line that begins with white space goes
 *            on with the one before; "#" begins a comment line.  NAME and
 *            TARGET may be quoted.  A TARGET is an address, a NAME, or \NAME,
 *            which no other entry is looked up for.  "|command", "/file" and
 *            ":include:/file" are not done here: such a target is left out and
 *            named by `warn`; the entry's others count.
 * Ownership  Aliases are immutable and counted; expansions live in the arena.
 * Threads    Reference counting is atomic; everything else is pure.
 * Errors     RC_BAD: *why says "NAME:LINE: what is wrong".
 * Limits     ALIASES_MAX entries, ALIASES_BYTES_MAX of text; an expansion
 *            nests ALIASES_DEPTH deep and gives ALIASES_TO_MAX addresses; what
 *            is beyond, or names itself, is cut off (`cut`).
 */
#ifndef MAIL_ALIASES_H
#define MAIL_ALIASES_H

#include "mail/addr.h"

#define ALIASES_MAX       100000u
#define ALIASES_BYTES_MAX (16u << 20)
#define ALIASES_LINE_MAX  65536u
#define ALIASES_DEPTH     20u
#define ALIASES_TO_MAX    1000u

struct mail_aliases;

typedef void mail_aliases_warn(void *ctx, unsigned line, struct str what);

/* warn may be NULL. */
MUST_CHECK enum rc mail_aliases_parse(struct arena *a, const char *name,
    struct str text, mail_aliases_warn *warn, void *ctx,
    const struct mail_aliases **out, struct str *why);
const struct mail_aliases *mail_aliases_ref(const struct mail_aliases *m);
void mail_aliases_unref(const struct mail_aliases **m);

struct mail_alias_to {
	struct str name;    /* nobody's alias: a local user or nothing */
	struct str address; /* if not empty: canonical, of another domain */
};

/*
 * Who is behind a name.  `local` says whether a domain is this machine's, so
 * that user@host is looked up as user.  RC_NOENT: no entry has this name.
 */
MUST_CHECK enum rc mail_aliases_expand(const struct mail_aliases *m,
    struct arena *a, struct str name, bool (*local)(void *, struct str),
    void *ctx, struct mail_alias_to **out, size_t *out_n, bool *cut);

#endif
