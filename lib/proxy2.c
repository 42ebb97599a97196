/*
 * The header (section 2.2 of the protocol's specification):
 *
 *   12 bytes  signature, which no text protocol begins with
 *    1 byte   version 2 in the high half, command in the low one
 *    1 byte   address family, transport
 *    2 bytes  length of the rest, big endian
 *   then      source and destination address, their ports, TLVs
 */
#include <string.h>

#include "lib/proxy2.h"

#define FIXED 16u

enum { CMD_LOCAL = 0x20, CMD_PROXY = 0x21 };
enum { TCP4 = 0x11, TCP6 = 0x21 };

static const char signature[12] = "\r\n\r\n\0\r\nQUIT\n";

static size_t
u16(const char *p)
{
	return (size_t)(unsigned char)p[0] << 8 | (unsigned char)p[1];
}

/* Type, length, value, to the very end. */
static bool
tlvs_fit(struct str s)
{
	while (s.n >= 3) {
		size_t n = 3 + u16(s.p + 1);

		if (n > s.n)
			return false;
		s = str_from(s, n);
	}
	return s.n == 0;
}

static enum rc
parse_body(unsigned family, struct str body, struct proxy2 *p)
{
	size_t n = family == TCP4 ? 4 : 16;

	if ((family != TCP4 && family != TCP6) || body.n < 2 * n + 4 ||
	    !tlvs_fit(str_from(body, 2 * n + 4)))
		return RC_BAD;
	p->src = family == TCP4 ? net_v4(body.p) : net_v6(body.p);
	p->dst = family == TCP4 ? net_v4(body.p + n) : net_v6(body.p + n);
	p->src_port = (uint16_t)u16(body.p + 2 * n);
	p->dst_port = (uint16_t)u16(body.p + 2 * n + 2);
	return RC_OK;
}

enum rc
proxy2_parse(struct str in, struct proxy2 *out, size_t *out_n)
{
	struct proxy2 p = { 0 };
	unsigned command;
	size_t n;

	if (memcmp(in.n ? in.p : "", signature, MIN(in.n, sizeof(signature))) !=
	    0)
		return RC_BAD;
	if (in.n < FIXED)
		return RC_TEMP;
	command = (unsigned char)in.p[12];
	n = FIXED + u16(in.p + 14);
	if ((command != CMD_LOCAL && command != CMD_PROXY) || n > PROXY2_MAX)
		return RC_BAD;
	if (in.n < n)
		return RC_TEMP;
	p.local = command == CMD_LOCAL;
	/* Whatever LOCAL has to say of addresses has no meaning. */
	if (!p.local && parse_body((unsigned char)in.p[13],
			    str_sub(in, FIXED, n - FIXED), &p) != RC_OK)
		return RC_BAD;
	*out = p;
	*out_n = n;
	return RC_OK;
}
