/* RFC 6890 and its registries, as a table of prefixes. */
#include <arpa/inet.h>
#include <string.h>

#include "delivery/rem_ip.h"

struct net {
	unsigned char b[16];
	unsigned bits;
};

static const struct net private_v4[] = {
	{ { 0 }, 8 },
	{ { 10 }, 8 },
	{ { 100, 64 }, 10 },
	{ { 127 }, 8 },
	{ { 169, 254 }, 16 },
	{ { 172, 16 }, 12 },
	{ { 192, 0, 0 }, 24 },
	{ { 192, 168 }, 16 },
	{ { 198, 18 }, 15 },
	{ { 224 }, 4 },
	{ { 240 }, 4 },
};

static const struct net private_v6[] = {
	{ { 0 }, 96 }, /* ::, ::1, v4-compatible */
	{ { [10] = 0xff, [11] = 0xff }, 96 },
	{ { 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01 }, 48 },
	{ { 0x01 }, 64 },
	{ { 0x20, 0x01, 0x00, 0x00 }, 32 }, /* Teredo */
	{ { 0xfc }, 7 },
	{ { 0xfe, 0x80 }, 10 },
	{ { 0xfe, 0xc0 }, 10 },
	{ { 0xff }, 8 },
};

static bool
in_net(const unsigned char *b, const struct net *n)
{
	unsigned whole = n->bits / 8, rest = n->bits % 8;
	unsigned mask = rest ? 0xffu << (8 - rest) & 0xffu : 0;

	return memcmp(b, n->b, whole) == 0 &&
	       (rest == 0 || ((b[whole] ^ n->b[whole]) & mask) == 0);
}

static bool
in_any(const unsigned char *b, const struct net *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (in_net(b, &v[i]))
			return true;
	return false;
}

enum rc
rem_ip_parse(struct str text, struct rem_ip *out)
{
	char s[REM_IP_TEXT];
	struct rem_ip ip = { 0 };

	if (text.n == 0 || text.n >= sizeof(s) ||
	    memchr(text.p, '\0', text.n) != NULL)
		return RC_BAD;
	memcpy(s, text.p, text.n);
	s[text.n] = '\0';
	ip.v6 = str_chr(text, ':') < text.n;
	if (inet_pton(ip.v6 ? AF_INET6 : AF_INET, s, ip.b) != 1)
		return RC_BAD;
	*out = ip;
	return RC_OK;
}

void
rem_ip_text(const struct rem_ip *ip, char out[REM_IP_TEXT])
{
	if (inet_ntop(ip->v6 ? AF_INET6 : AF_INET, ip->b, out, REM_IP_TEXT) ==
	    NULL)
		panic("inet_ntop");
}

bool
rem_ip_eq(const struct rem_ip *a, const struct rem_ip *b)
{
	return a->v6 == b->v6 && memcmp(a->b, b->b, a->v6 ? 16 : 4) == 0;
}

bool
rem_ip_is_private(const struct rem_ip *ip)
{
	static const struct net nat64 = { { 0x00, 0x64, 0xff, 0x9b }, 96 };
	static const struct net six_to_four = { { 0x20, 0x02 }, 16 };
	const unsigned char *inner = NULL;

	if (!ip->v6)
		return in_any(ip->b, private_v4, COUNT(private_v4));
	if (in_net(ip->b, &nat64))
		inner = ip->b + 12;
	else if (in_net(ip->b, &six_to_four))
		inner = ip->b + 2;
	if (inner != NULL)
		return in_any(inner, private_v4, COUNT(private_v4));
	return in_any(ip->b, private_v6, COUNT(private_v6));
}

bool
rem_ip_is_loopback(const struct rem_ip *ip)
{
	static const unsigned char one[16] = { [15] = 1 };

	return ip->v6 ? memcmp(ip->b, one, 16) == 0 : ip->b[0] == 127;
}
