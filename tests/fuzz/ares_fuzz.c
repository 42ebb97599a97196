/*
 * A header with forged results: what is left after the cuts has none in our
 * name, cuts are whole fields, and what we write is one field and ours.
 */
#include <string.h>

#include "mail/header.h"
#include "mail/ares.h"
#include "tests/fuzz/fuzz.h"

#define CUTS_MAX 256u
#define US       STR("mx.example.org")

static void
check_cuts(struct str header)
{
	struct mail_range cut[CUTS_MAX];
	char *left = xmalloc(header.n + 1);
	size_t n, at = 0, len = 0, again;

	if (mail_ares_cuts(header, US, true, cut, COUNT(cut), &n) != RC_OK) {
		xfree(left);
		return;
	}
	for (size_t i = 0; i <= n; i++) {
		size_t end = i < n ? (size_t)cut[i].off : header.n;

		PROMISE(end >= at && end <= header.n);
		memcpy(left + len, header.p + at, end - at);
		len += end - at;
		if (i < n) {
			PROMISE(cut[i].len > 0 &&
				cut[i].len <= header.n - cut[i].off);
			at = end + (size_t)cut[i].len;
		}
	}
	PROMISE(mail_ares_cuts(str_n(left, len), US, true, cut, COUNT(cut),
		    &again) == RC_OK);
	PROMISE(again == 0);
	xfree(left);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_n(data, size), written;
	struct mail_ares_result r = { .method = "spf",
		.result = "pass",
		.reason = in,
		.prop = { { "smtp.mailfrom", in }, { "smtp.helo", in } },
		.nprop = 2 };
	struct mail_header_iter it;
	struct mail_field f;
	AUTO_ARENA a = { 0 };

	(void)mail_ares_is_ours(in, US);
	if (size > 0)
		check_cuts(in);
	written = mail_ares_field(&a, US, &r, 1);
	it = (struct mail_header_iter){ written };
	PROMISE(mail_header_next(&it, &f) && f.whole.n == written.n);
	PROMISE(mail_ares_is_ours(f.value, US));
	PROMISE(str_is_ascii(written) && str_chr(written, '\0') == written.n);
	return 0;
}
