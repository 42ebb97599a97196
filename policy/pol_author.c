#include "lib/resolver.h"
#include "mail/addrlist.h"
#include "mail/header.h"
#include "policy/pol_author.h"

/* Address literals have no owner to ask. */
static void
add(struct arena *a, struct pol_authors *out, struct str domain)
{
	struct str ascii;

	if (domain.n == 0 || domain.p[0] == '[')
		return;
	if (dns_to_ascii(a, domain, &ascii) != RC_OK) {
		out->lost = true; /* a reader sees it all the same */
		return;
	}
	for (size_t i = 0; i < out->n; i++)
		if (str_eq(out->domain[i], ascii))
			return;
	if (out->n == POL_AUTHORS_MAX)
		out->too_many = true;
	else
		out->domain[out->n++] = ascii;
}

static void
add_tolerantly(struct arena *a, struct str header, struct pol_authors *out)
{
	struct mail_header_iter it = { header };
	struct mail_addrlist list;
	struct mail_field f;

	while (mail_header_next_named(&it, STR("From"), &f)) {
		mail_addrlist_parse(a, f.value, &list);
		out->too_many |= list.truncated;
		for (size_t i = 0; i < list.n; i++)
			if (list.v[i].kind == MAIL_MAILBOX)
				add(a, out, str_trim(list.v[i].host));
	}
}

void
pol_authors(struct arena *a, struct str header, struct pol_authors *out)
{
	struct addr *from;
	size_t n;

	*out = (struct pol_authors){ 0 };
	if (mail_senders_of(a, header, &from, &n) == RC_OK) {
		for (size_t i = 0; i < n; i++)
			add(a, out, from[i].domain);
		return;
	}
	out->odd = true;
	add_tolerantly(a, header, out);
}
