#include <string.h>

#include "directory/ad_value.h"

static const unsigned char guid_order[16] = { 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10,
	11, 12, 13, 14, 15 };

enum rc
ad_guid_text(struct arena *a, struct str raw, struct str *out)
{
	char b[16];
	struct str h;

	if (raw.n != 16)
		return RC_BAD;
	for (size_t i = 0; i < 16; i++)
		b[i] = raw.p[guid_order[i]];
	h = str_hex(a, str_n(b, 16));
	*out = str_fmt(a, "%.8s-%.4s-%.4s-%.4s-%.12s", h.p, h.p + 8, h.p + 12,
	    h.p + 16, h.p + 20);
	return RC_OK;
}

enum rc
dir_uuid_canonical(struct arena *a, struct str text, struct str *out)
{
	char hex[32];
	struct str bytes;
	size_t n = 0;

	if (text.n != 36)
		return RC_BAD;
	for (size_t i = 0; i < 36; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash != (text.p[i] == '-'))
			return RC_BAD;
		if (!dash)
			hex[n++] = text.p[i];
	}
	if (str_unhex(a, str_n(hex, 32), &bytes) != RC_OK)
		return RC_BAD;
	*out = str_lower(a, text);
	return RC_OK;
}

enum rc
ad_guid_bytes(struct arena *a, struct str text, struct str *out)
{
	struct str canon, bytes;
	char hex[32], *p;
	size_t n = 0;

	if (dir_uuid_canonical(a, text, &canon) != RC_OK)
		return RC_BAD;
	for (size_t i = 0; i < 36; i++)
		if (canon.p[i] != '-')
			hex[n++] = canon.p[i];
	if (str_unhex(a, str_n(hex, 32), &bytes) != RC_OK)
		return RC_BAD;
	p = arena_alloc(a, 16);
	for (size_t i = 0; i < 16; i++)
		p[guid_order[i]] = bytes.p[i];
	*out = str_n(p, 16);
	return RC_OK;
}

enum rc
ad_sid_rid(struct str raw, uint32_t *out)
{
	const unsigned char *p = (const unsigned char *)raw.p;
	size_t at;

	if (raw.n < 12 || p[0] != 1 || p[1] == 0 || raw.n != 8u + 4u * p[1])
		return RC_BAD;
	at = raw.n - 4;
	*out = (uint32_t)p[at] | (uint32_t)p[at + 1] << 8 |
	       (uint32_t)p[at + 2] << 16 | (uint32_t)p[at + 3] << 24;
	return RC_OK;
}

bool
ad_time(struct str v, int64_t *out)
{
	uint64_t t;

	/* 0 and 2^63-1 mean never ([MS-ADA1] 2.1). */
	if (str_u64(v, INT64_MAX, &t) != RC_OK || t == 0 || t == INT64_MAX)
		return false;
	*out = (int64_t)(t / 10000000u) - 11644473600;
	return true;
}

/* Days from 1970-01-01 to a date of the Gregorian calendar. */
static int64_t
days(int64_t y, int64_t m, int64_t d)
{
	int64_t era, yoe, doy;

	y -= m <= 2;
	era = y / 400;
	yoe = y - era * 400;
	doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

enum rc
dir_generalized_time(struct str v, int64_t *out)
{
	static const unsigned char len[] = { 4, 2, 2, 2, 2, 2 };
	static const unsigned max[] = { 9999, 12, 31, 23, 59, 60 };
	uint64_t f[6];
	size_t at = 0;

	if (v.n < 15 || v.p[v.n - 1] != 'Z')
		return RC_BAD;
	for (size_t i = 0; i < 6; i++) {
		if (str_u64(str_sub(v, at, len[i]), max[i], &f[i]) != RC_OK)
			return RC_BAD;
		at += len[i];
	}
	if (f[1] == 0 || f[2] == 0 || (v.n > 15 && v.p[14] != '.'))
		return RC_BAD;
	*out = days((int64_t)f[0], (int64_t)f[1], (int64_t)f[2]) * 86400 +
	       (int64_t)f[3] * 3600 + (int64_t)f[4] * 60 + (int64_t)f[5];
	return RC_OK;
}

enum dir_bind_why
ad_bind_why(struct str text)
{
	static const struct {
		struct str code;
		enum dir_bind_why why;
	} rows[] = {
		{ STR_INIT("52e"), DIR_BIND_WRONG_PASSWORD },
		{ STR_INIT("525"), DIR_BIND_NO_ACCOUNT },
		{ STR_INIT("530"), DIR_BIND_HOURS },
		{ STR_INIT("531"), DIR_BIND_WORKSTATION },
		{ STR_INIT("532"), DIR_BIND_PW_EXPIRED },
		{ STR_INIT("533"), DIR_BIND_DISABLED },
		{ STR_INIT("701"), DIR_BIND_EXPIRED },
		{ STR_INIT("773"), DIR_BIND_MUST_CHANGE },
		{ STR_INIT("775"), DIR_BIND_LOCKED },
	};
	size_t at = str_find(text, STR(" data "));
	struct str code;

	if (at == text.n)
		return DIR_BIND_WRONG_PASSWORD;
	code = str_from(text, at + 6);
	code = str_sub(code, 0, str_chr(code, ','));
	for (size_t i = 0; i < COUNT(rows); i++)
		if (str_ieq(code, rows[i].code))
			return rows[i].why;
	return DIR_BIND_REFUSED;
}
