/*
 * What sendmail makes of any input can be sent: lines end in CRLF, there is no
 * Bcc, and no recipient or sender can end a command.
 */
#include "mail/addr.h"
#include "mail/header.h"
#include "sendmail/sm_letter.h"
#include "tests/fuzz/fuzz.h"

static void
check_lines(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\r')
			PROMISE(i + 1 < s.n && s.p[i + 1] == '\n');
		if (s.p[i] == '\n')
			PROMISE(i > 0 && s.p[i - 1] == '\r');
	}
}

static void
check(struct arena *a, const struct sm_letter *l, struct str text)
{
	struct mail_field f;
	struct addr x;

	check_lines(text);
	PROMISE(l->nto > 0 && l->nto <= SM_TO_MAX);
	for (size_t i = 0; i < l->nto; i++)
		PROMISE(mail_addr_parse(a, l->to[i], &x) == RC_OK);
	PROMISE(!mail_header_find(text, STR("Bcc"), &f));
	PROMISE(mail_header_find(text, STR("From"), &f));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_n(data, size), why = STR("");
	uint8_t how = fuzz_byte(&in);
	char *to[] = { (char *)(uintptr_t) "root" };
	struct sm_args args = { .from_header = how & 1,
		.dot_ends = how & 2,
		.to = to,
		.nto = how & 4 ? 1 : 0 };
	struct sm_who who = { STR("joe"), STR("Joe \"D\" Doe"),
		STR("host.example") };
	struct sm_letter l;
	AUTO_ARENA a = { 0 };
	AUTO_BUF lines = { 0 }, text = { 0 };

	buf_init(&lines, 1 << 20);
	buf_init(&text, 1 << 20);
	if (sm_lines(in, args.dot_ends, &lines) != RC_OK)
		return 0;
	check_lines(buf_str(&lines));
	if (sm_letter(&a, &args, &who, buf_str(&lines), &text, &l, &why) ==
	    RC_OK)
		check(&a, &l, buf_str(&text));
	else
		PROMISE(why.n > 0);
	return 0;
}
