/*
 * RFC 9989 sections 4.7 and 4.8: "v=DMARC1" comes first, exactly; tag names and
 * values know no case; what is unknown or broken is as if it were not there,
 * and of a tag given twice the first counts.  A record whose p, sp or np is not
 * valid means p=none when it has an address for reports, else it is of no use
 * (section 4.10.1).
 */
#include "policy/pol_dmarc.h"
#include "policy/pol_tags.h"

enum seen {
	SEEN_P = 1,
	SEEN_SP = 2,
	SEEN_NP = 4,
	SEEN_ADKIM = 8,
	SEEN_ASPF = 16,
	SEEN_T = 32,
	SEEN_PSD = 64,
	SEEN_RUA = 128
};

static const struct {
	struct str name;
	enum seen bit;
} tags[] = {
	{ STR_INIT("p"), SEEN_P },
	{ STR_INIT("sp"), SEEN_SP },
	{ STR_INIT("np"), SEEN_NP },
	{ STR_INIT("adkim"), SEEN_ADKIM },
	{ STR_INIT("aspf"), SEEN_ASPF },
	{ STR_INIT("t"), SEEN_T },
	{ STR_INIT("psd"), SEEN_PSD },
	{ STR_INIT("rua"), SEEN_RUA },
};

static enum seen
which(struct str name)
{
	for (size_t i = 0; i < COUNT(tags); i++)
		if (str_ieq(tags[i].name, name))
			return tags[i].bit;
	return 0;
}

/* ABSENT: not one. */
static enum pol_dmarc_policy
policy(struct str v)
{
	if (str_ieq(v, STR("none")))
		return POL_DMARC_P_NONE;
	if (str_ieq(v, STR("quarantine")))
		return POL_DMARC_P_QUARANTINE;
	if (str_ieq(v, STR("reject")))
		return POL_DMARC_P_REJECT;
	return POL_DMARC_P_ABSENT;
}

/* One URI at least: a scheme, a colon, something behind it. */
static bool
has_uri(struct str v)
{
	struct str uri;

	while (str_split(&v, ',', &uri)) {
		size_t colon;

		uri = str_trim(uri);
		colon = str_chr(uri, ':');
		if (colon > 0 && colon + 1 < uri.n && ascii_is_alpha(uri.p[0]))
			return true;
	}
	return false;
}

static void
set(struct pol_dmarc_record *r, enum seen tag, struct str v, bool *bad,
    bool *reports)
{
	switch (tag) {
	case SEEN_P:
		r->p = policy(v);
		break;
	case SEEN_SP:
		r->sp = policy(v);
		*bad |= r->sp == POL_DMARC_P_ABSENT;
		break;
	case SEEN_NP:
		r->np = policy(v);
		*bad |= r->np == POL_DMARC_P_ABSENT;
		break;
	case SEEN_ADKIM:
		r->strict_dkim = str_ieq(v, STR("s"));
		break;
	case SEEN_ASPF:
		r->strict_spf = str_ieq(v, STR("s"));
		break;
	case SEEN_T:
		r->test = str_ieq(v, STR("y"));
		break;
	case SEEN_PSD:
		r->psd = str_ieq(v, STR("y"))   ? POL_DMARC_PSD_Y
			 : str_ieq(v, STR("n")) ? POL_DMARC_PSD_N
						: POL_DMARC_PSD_U;
		break;
	case SEEN_RUA:
		*reports = has_uri(v);
		break;
	}
}

enum rc
pol_dmarc_parse(struct str text, struct pol_dmarc_record *out)
{
	struct pol_dmarc_record r = { 0 };
	struct str first, name, v;
	bool bad = false, reports = false;
	unsigned seen = 0;

	first = str_sub(text, 0, str_chr(text, ';'));
	if (!pol_tag_next(&first, &name, &v) || !str_eq(name, STR("v")) ||
	    !str_eq(v, STR("DMARC1")))
		return RC_NOENT;
	text = str_from(text, str_chr(text, ';') + 1);
	while (pol_tag_next(&text, &name, &v)) {
		enum seen tag = which(name);

		if (tag == 0 || (seen & tag))
			continue;
		seen |= tag;
		set(&r, tag, v, &bad, &reports);
	}
	r.usable = true;
	if (bad || r.p == POL_DMARC_P_ABSENT) {
		r.usable = reports;
		r.p = POL_DMARC_P_NONE;
		r.sp = r.np = POL_DMARC_P_ABSENT;
	}
	*out = r;
	return RC_OK;
}
