/* Parsing is inet_pton's, which takes neither short forms nor octal. */
#include <arpa/inet.h>
#include <string.h>

#include "lib/net.h"

static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

bool
net_is_v4(const struct net_addr *a)
{
	return memcmp(a->b, mapped, sizeof(mapped)) == 0;
}

struct net_addr
net_v4(const void *four)
{
	struct net_addr a;

	memcpy(a.b, mapped, sizeof(mapped));
	memcpy(a.b + sizeof(mapped), four, 4);
	return a;
}

struct net_addr
net_v6(const void *sixteen)
{
	struct net_addr a;

	memcpy(a.b, sixteen, sizeof(a.b));
	return a;
}

bool
net_is_loopback(const struct net_addr *a)
{
	static const unsigned char one[16] = { [15] = 1 };

	return net_is_v4(a) ? a->b[12] == 127
			    : memcmp(a->b, one, sizeof(one)) == 0;
}

static enum rc
parse(struct str text, struct net_addr *out, bool *v4)
{
	unsigned char b[16];
	char s[NET_TEXT_MAX];

	if (text.n == 0 || text.n >= sizeof(s) || str_chr(text, '\0') < text.n)
		return RC_BAD;
	memcpy(s, text.p, text.n);
	s[text.n] = '\0';
	*v4 = str_chr(text, ':') == text.n;
	if (inet_pton(*v4 ? AF_INET : AF_INET6, s, b) != 1)
		return RC_BAD;
	*out = *v4 ? net_v4(b) : net_v6(b);
	return RC_OK;
}

enum rc
net_addr_parse(struct str text, struct net_addr *out)
{
	bool v4;

	return parse(text, out, &v4);
}

struct str
net_text(const struct net_addr *a, char buf[NET_TEXT_MAX])
{
	bool v4 = net_is_v4(a);

	if (inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? a->b + 12 : a->b, buf,
		NET_TEXT_MAX) == NULL)
		panic("inet_ntop");
	return str_c(buf);
}

struct net_addr
net_source(const struct net_addr *a)
{
	struct net_addr out = *a;

	if (!net_is_v4(a))
		memset(out.b + 8, 0, 8);
	return out;
}

/* Is nothing set behind the first `bits` bits? */
static bool
is_network(const struct net_addr *a, unsigned bits)
{
	for (unsigned i = bits; i < 128; i++)
		if (a->b[i / 8] & (0x80u >> i % 8))
			return false;
	return true;
}

enum rc
net_parse(struct str text, struct net *out)
{
	size_t slash = str_chr(text, '/');
	struct str digits = str_from(text, slash + 1);
	uint64_t bits = 0;
	struct net_addr a;
	bool v4;

	if (parse(str_sub(text, 0, slash), &a, &v4) != RC_OK)
		return RC_BAD;
	if (slash == text.n)
		bits = v4 ? 32 : 128;
	else if (digits.n > 3 || str_u64(digits, v4 ? 32 : 128, &bits) != RC_OK)
		return RC_BAD;
	if (v4)
		bits += 96;
	if (!is_network(&a, (unsigned)bits))
		return RC_BAD;
	*out = (struct net){ a, (unsigned)bits };
	return RC_OK;
}

bool
net_has(const struct net *n, const struct net_addr *a)
{
	unsigned whole = n->bits / 8, rest = n->bits % 8;

	/* ::/0 is all of IPv6 and nothing of IPv4. */
	if (net_is_v4(&n->addr) != net_is_v4(a))
		return false;
	if (memcmp(n->addr.b, a->b, whole) != 0)
		return false;
	return rest == 0 || ((n->addr.b[whole] ^ a->b[whole]) &
				(0xff00u >> rest & 0xff)) == 0;
}

enum rc
net_list_parse(
    struct arena *a, const char *const *texts, size_t n, struct net_list *out)
{
	struct net *v = arena_calloc(a, MAX(n, 1), sizeof(*v));

	for (size_t i = 0; i < n; i++)
		if (net_parse(str_c(texts[i]), &v[i]) != RC_OK)
			return RC_BAD;
	*out = (struct net_list){ v, n };
	return RC_OK;
}

bool
net_list_has(const struct net_list *l, const struct net_addr *a)
{
	for (size_t i = 0; i < l->n; i++)
		if (net_has(&l->v[i], a))
			return true;
	return false;
}

bool
net_match(struct str ip, const char *const *texts, size_t n)
{
	struct net_addr a;
	struct net net;

	if (net_addr_parse(ip, &a) != RC_OK)
		return false;
	for (size_t i = 0; i < n; i++)
		if (net_parse(str_c(texts[i]), &net) == RC_OK &&
		    net_has(&net, &a))
			return true;
	return false;
}
