/* The rate is that of the whole time: it is calm, and the end is what counts.
 */
#include <string.h>
#include <unistd.h>

#include "cli/out.h"
#include "cli/progress.h"

#define DRAW_NS 100000000
#define BAR     24u
#define SEC_NS  1000000000

void
progress_text(char out[PROGRESS_TEXT], const char *what, uint64_t done,
    uint64_t total, int64_t elapsed_ns)
{
	AUTO_ARENA a = { 0 };
	char bar[BAR + 1];
	double share = total > 0 ? (double)MIN(done, total) / (double)total : 0;
	double s = (double)elapsed_ns / SEC_NS;
	double rate = s > 0 ? (double)done / s : 0;
	struct str left = STR("");

	for (size_t i = 0; i < BAR; i++)
		bar[i] = (double)i < share * BAR ? '#' : '.';
	bar[BAR] = '\0';
	if (s >= 1 && rate > 0 && total > done)
		left = str_fmt(&a, ", %.*s left",
		    STRF(out_span(
			&a, (int64_t)((double)(total - done) / rate))));
	(void)snprintf(out, PROGRESS_TEXT,
	    "%s [%s] %3.0f %% of %.*s, %.*s/s%.*s", what, bar, share * 100,
	    STRF(out_size(&a, total)), STRF(out_size(&a, (uint64_t)rate)),
	    STRF(left));
}

void
progress_begin(struct progress *p, FILE *f, const char *what)
{
	*p = (struct progress){ .f = isatty(fileno(f)) ? f : NULL,
		.what = what,
		.begun_ns = now_ns() };
}

static void
draw(struct progress *p, const char *text)
{
	size_t n = strlen(text);

	fprintf(
	    p->f, "\r%s%*s\r", text, (int)(p->width - MIN(n, p->width)), "");
	fflush(p->f);
	p->width = n;
}

void
progress_set(struct progress *p, uint64_t done, uint64_t total)
{
	int64_t now = now_ns();
	char text[PROGRESS_TEXT];

	if (p->f == NULL || (now < p->drawn_ns + DRAW_NS && done < total))
		return;
	p->drawn_ns = now;
	progress_text(text, p->what, done, total, now - p->begun_ns);
	draw(p, text);
}

void
progress_end(struct progress *p)
{
	if (p->f != NULL)
		draw(p, "");
	p->f = NULL;
}
