#include <string.h>

#include "gateway/gw_sasl.h"

enum rc
gw_sasl_decode(struct arena *a, struct str text, struct str *out)
{
	if (text.n > GW_SASL_MAX)
		return RC_BAD;
	if (str_eq(text, STR("="))) {
		*out = STR("");
		return RC_OK;
	}
	return str_unb64(a, text, out);
}

enum rc
gw_plain_parse(struct str msg, struct gw_plain *out)
{
	struct gw_plain p;

	if (!str_split(&msg, '\0', &p.authzid) ||
	    !str_split(&msg, '\0', &p.authcid) || msg.p == NULL)
		return RC_BAD;
	p.password = msg;
	if (p.authcid.n == 0 || str_chr(p.password, '\0') < p.password.n)
		return RC_BAD;
	*out = p;
	return RC_OK;
}

void
gw_sasl_wipe(struct str s)
{
	union {
		const char *in;
		char *out;
	} p = { s.p };

	if (s.n)
		explicit_bzero(p.out, s.n);
}
