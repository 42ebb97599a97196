/* Names made of addresses, and of what people type. */
#include <arpa/inet.h>
#include <idn2.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/dns_wire.h"

/* Typed text: four bytes for each of the 253 characters are plenty. */
#define TYPED_MAX (4u * DNS_NAME_MAX)

static struct str
reverse4(struct arena *a, const unsigned char *v)
{
	return str_fmt(a, "%u.%u.%u.%u.in-addr.arpa", v[3], v[2], v[1], v[0]);
}

static struct str
reverse6(struct arena *a, const unsigned char v[16])
{
	static const char digits[] = "0123456789abcdef";
	char text[64], *p = text;

	for (size_t i = 16; i-- > 0;) {
		*p++ = digits[v[i] & 15];
		*p++ = '.';
		*p++ = digits[v[i] >> 4];
		*p++ = '.';
	}
	return str_cat(a, str_n(text, sizeof(text)), STR("ip6.arpa"));
}

enum rc
dns_reverse_name(struct arena *a, struct str ip, struct str *out)
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
	char text[INET6_ADDRSTRLEN];
	unsigned char v[16];

	if (ip.n == 0 || ip.n >= sizeof(text) || str_chr(ip, '\0') < ip.n)
		return RC_BAD;
	memcpy(text, ip.p, ip.n);
	text[ip.n] = '\0';
	if (inet_pton(AF_INET, text, v) == 1)
		*out = reverse4(a, v);
	else if (inet_pton(AF_INET6, text, v) != 1)
		return RC_BAD;
	else if (memcmp(v, mapped, sizeof(mapped)) == 0)
		*out = reverse4(a, v + sizeof(mapped));
	else
		*out = reverse6(a, v);
	return RC_OK;
}

/* Letters, digits, '-' and '_' (which names of services have). */
static enum rc
check_ascii(struct str domain)
{
	struct str rest = domain, label;

	if (domain.n == 0 || domain.n > DNS_NAME_MAX)
		return RC_BAD;
	while (str_split(&rest, '.', &label)) {
		if (label.n == 0 || label.n > DNS_LABEL_MAX)
			return RC_BAD;
		for (size_t i = 0; i < label.n; i++)
			if (!ascii_is_alnum(label.p[i]) && label.p[i] != '-' &&
			    label.p[i] != '_')
				return RC_BAD;
	}
	return RC_OK;
}

/* TR46 folds the case and the full stops of other scripts first. */
static enum rc
idna(struct arena *a, struct str domain, struct str *out)
{
	const char *utf8;
	char *ascii = NULL;
	enum rc rc = RC_BAD;

	if (!str_is_utf8(domain) || str_cstr(a, domain, &utf8) != RC_OK)
		return RC_BAD;
	if (idn2_to_ascii_8z(utf8, &ascii, IDN2_NONTRANSITIONAL) == IDN2_OK) {
		*out = str_lower(a, str_c(ascii));
		rc = RC_OK;
	}
	idn2_free(ascii);
	return rc;
}

enum rc
dns_to_ascii(struct arena *a, struct str domain, struct str *out)
{
	struct str text;

	if (domain.n == 0 || domain.n > TYPED_MAX)
		return RC_BAD;
	if (str_is_ascii(domain))
		text = str_lower(a, domain);
	else if (idna(a, domain, &text) != RC_OK)
		return RC_BAD;
	if (text.n > 0 && text.p[text.n - 1] == '.')
		text.n--;
	if (check_ascii(text) != RC_OK)
		return RC_BAD;
	*out = text;
	return RC_OK;
}
