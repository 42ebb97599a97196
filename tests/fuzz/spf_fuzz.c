/*
 * A client, and a zone of bytes that strangers chose:
 *
 *   IP TAB HELO TAB FROM LF { NAME SP TYPE SP VALUE LF }
 *
 * Names and values may hold anything but LF.  What comes out keeps to its
 * contract, and no zone makes us ask more than the limits allow.
 */
#include "policy/pol_spf_impl.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/policy/spf_zone.h"

#define INPUT_MAX 16384u
/* The record, its terms (some before their turn), the hosts of each mx, the
 * client's names, the explanation. */
#define QUESTIONS_MAX                                                          \
	(1 + 2 * POL_SPF_LOOKUPS_MAX +                                         \
	    POL_SPF_LOOKUPS_MAX * POL_SPF_NAMES_MAX + 1 + POL_SPF_NAMES_MAX +  \
	    1)

static bool
printable(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < ' ' || s.p[i] > '~')
			return false;
	return true;
}

static void
check_field(struct arena *a, const struct pol_spf_conf *conf,
    const struct pol_spf_in *in, const struct pol_spf_out *out)
{
	struct str field = pol_spf_received(a, conf, in, out);
	size_t line = 0;

	PROMISE(field.n > 2 && field.p[field.n - 1] == '\n');
	for (size_t i = 0; i < field.n; i++, line++) {
		PROMISE(line < 998);
		if (field.p[i] == '\r') {
			PROMISE(i + 1 < field.n && field.p[i + 1] == '\n');
			PROMISE(i + 2 == field.n || field.p[i + 2] == ' ');
			i++;
			line = 0;
		} else {
			PROMISE(printable(str_sub(field, i, 1)));
		}
	}
}

static void
check_parser(struct arena *a, struct str txt)
{
	struct pol_spf_record rec;
	struct str problem = STR_NULL;

	if (!pol_spf_is_record(txt))
		return;
	if (pol_spf_parse(a, txt, &rec, &problem) != RC_OK) {
		PROMISE(problem.n > 0 && printable(problem));
		return;
	}
	for (size_t i = 0; i < rec.n; i++) {
		PROMISE(printable(rec.v[i].text));
		PROMISE(rec.v[i].cidr4 <= 32 && rec.v[i].cidr6 <= 128);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = str_n(data, size), line;
	AUTO_ARENA a = { 0 };
	struct zone zone = { .n = 0 };
	struct pol_spf_conf conf = { .ask = zone_ask,
		.arg = &zone,
		.receiver = STR_INIT("mx.example.net") };
	struct pol_spf_in in = { .identity = POL_SPF_MAILFROM };
	struct pol_spf_out out;

	if (size == 0 || size > INPUT_MAX || !str_split(&rest, '\n', &line))
		return 0;
	(void)(str_split(&line, '\t', &in.client_ip) &&
	       str_split(&line, '\t', &in.helo));
	in.from = line;
	while (str_split(&rest, '\n', &line)) {
		struct zone_rr rr = { .name = str_word(&line) };

		rr.type = str_word(&line);
		rr.value = line;
		check_parser(&a, line);
		zone_add(&zone, rr);
	}
	pol_spf_check(&conf, &a, &in, deadline_in(60000), &out);
	(void)pol_spf_name(out.result);
	PROMISE(printable(out.domain) && printable(out.mechanism));
	PROMISE(printable(out.problem) && printable(out.explanation));
	PROMISE(out.explanation.n <= POL_SPF_EXPLAIN_MAX);
	PROMISE(out.explanation.n == 0 || out.result == POL_SPF_FAIL);
	PROMISE(zone.questions <= QUESTIONS_MAX);
	check_field(&a, &conf, &in, &out);
	return 0;
}
