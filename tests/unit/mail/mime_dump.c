/*
 * mime_dump - read messages from standard input, each behind a line with its
 * length, and print what mail_mime says of each: one line per part, an empty
 * line at the end.  For the comparison in test_mime.py.
 */
#include <stdio.h>
#include <stdlib.h>

#include "mail/mime.h"

#define MESSAGE_MAX (16u << 20)

static void
print_part(const struct mail_part *p, unsigned depth)
{
	struct mail_span h = mail_part_header(p, 0), b = mail_part_body(p, 0);
	struct str cs = mail_param_find(p->param, p->nparam, STR("charset"));

	printf("%u %.*s/%.*s %llu %llu %llu %llu %llu %.*s %.*s\n", depth,
	    STRF(p->type), STRF(p->subtype), (unsigned long long)h.off,
	    (unsigned long long)h.len, (unsigned long long)b.off,
	    (unsigned long long)b.len, (unsigned long long)p->body_lines,
	    STRF(p->encoding), STRF(cs.p ? cs : STR("-")));
	for (const struct mail_part *c = p->child; c != NULL; c = c->next)
		print_part(c, depth + 1);
}

int
main(void)
{
	char line[32];

	while (fgets(line, sizeof(line), stdin) != NULL) {
		unsigned long n = strtoul(line, NULL, 10);
		AUTO_ARENA a = { 0 };
		struct mail_meta meta;
		char *p;

		if (n > MESSAGE_MAX)
			return 1;
		p = xmalloc(n);
		if (fread(p, 1, n, stdin) != n)
			return 1;
		mail_mime_parse(&a, str_n(p, n), &meta);
		print_part(meta.root, 0);
		puts("");
		xfree(p);
	}
	return 0;
}
