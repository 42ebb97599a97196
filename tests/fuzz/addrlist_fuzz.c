/*
 * What the strict reader takes, the tolerant one must read in the same way:
 * otherwise a client would show another sender than the one that was checked.
 */
#include "mail/addrlist.h"
#include "tests/fuzz/fuzz.h"

static void
check_shape(const struct mail_addrlist *l)
{
	bool in_group = false;

	PROMISE(l->n <= MAIL_ADDRLIST_MAX);
	for (size_t i = 0; i < l->n; i++) {
		const struct mail_entry *e = &l->v[i];

		switch (e->kind) {
		case MAIL_GROUP_START:
			PROMISE(!in_group && e->mailbox.p && !e->host.p);
			in_group = true;
			break;
		case MAIL_GROUP_END:
			PROMISE(in_group && !e->mailbox.p && !e->host.p);
			in_group = false;
			break;
		case MAIL_MAILBOX:
			PROMISE(e->mailbox.p && e->host.p);
			break;
		}
		PROMISE(e->name.p == NULL || e->name.n > 0);
	}
	PROMISE(!in_group || l->truncated);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_n(data, size);
	struct mail_addrlist l;
	AUTO_ARENA a = { 0 };
	struct addr *v;
	size_t n;

	mail_addrlist_parse(&a, in, &l);
	check_shape(&l);
	if (mail_senders_of(&a, in, &v, &n) == RC_OK)
		PROMISE(n > 0);
	if (mail_senders_parse(&a, in, &v, &n) != RC_OK)
		return 0;
	PROMISE(n == l.n);
	for (size_t i = 0; i < n; i++) {
		PROMISE(l.v[i].kind == MAIL_MAILBOX);
		PROMISE(str_eq(l.v[i].mailbox, v[i].local));
		PROMISE(str_ieq(l.v[i].host, v[i].domain));
	}
	return 0;
}
