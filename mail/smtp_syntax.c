/*
 * Syntax first, meaning second: mail_smtp_from and mail_smtp_to take apart any
 * well-formed parameter list, the checked forms then know the parameters by
 * table, so that a server refuses exactly what it has not announced.
 */
#include <string.h>

#include "mail/smtp_syntax.h"

/* esmtp-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-") */
static bool
keyword_ok(struct str s)
{
	if (s.n == 0 || !ascii_is_alnum(s.p[0]))
		return false;
	for (size_t i = 1; i < s.n; i++)
		if (!ascii_is_alnum(s.p[i]) && s.p[i] != '-')
			return false;
	return true;
}

/* esmtp-value = 1*(%d33-60 / %d62-126) */
static bool
value_ok(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < '!' || s.p[i] > '~' || s.p[i] == '=')
			return false;
	return s.n > 0;
}

const struct mail_smtp_param *
mail_smtp_param(const struct mail_smtp_args *args, const char *key)
{
	for (size_t i = 0; i < args->nparam; i++)
		if (str_ieq(args->param[i].key, str_c(key)))
			return &args->param[i];
	return NULL;
}

static bool
has_key(const struct mail_smtp_args *args, struct str key)
{
	for (size_t i = 0; i < args->nparam; i++)
		if (str_ieq(args->param[i].key, key))
			return true;
	return false;
}

static enum rc
parse_params(struct str s, struct mail_smtp_args *out)
{
	out->nparam = 0;
	while (s.n > 0) {
		struct mail_smtp_param *p = &out->param[out->nparam];
		struct str word = str_word(&s);
		size_t eq = str_chr(word, '=');

		if (word.n == 0)
			continue;
		if (out->nparam == MAIL_PARAMS_MAX)
			return RC_BAD;
		p->key = str_sub(word, 0, eq);
		p->value = STR_NULL;
		if (eq < word.n) {
			p->value = str_from(word, eq + 1);
			/* AUTH=<> and the like have no '=' in them. */
			if (!value_ok(p->value))
				return RC_BAD;
		}
		if (!keyword_ok(p->key) || has_key(out, p->key))
			return RC_BAD;
		out->nparam++;
	}
	return RC_OK;
}

static enum rc
parse_args(struct arena *a, struct str arg, struct str word,
    struct mail_smtp_args *out)
{
	if (!str_cut_iprefix(&arg, word))
		return RC_BAD;
	while (str_cut_prefix(&arg, STR(" ")))
		;
	if (mail_path_parse(a, &arg, &out->path) != RC_OK)
		return RC_BAD;
	if (arg.n > 0 && arg.p[0] != ' ')
		return RC_BAD;
	return parse_params(arg, out);
}

enum rc
mail_smtp_from(struct arena *a, struct str arg, struct mail_smtp_args *out)
{
	enum rc rc = parse_args(a, arg, STR("FROM:"), out);

	/* "<postmaster>" is a forward path only (RFC 5321 section 4.1.1.3). */
	return rc == RC_OK && out->path.no_domain ? RC_BAD : rc;
}

enum rc
mail_smtp_to(struct arena *a, struct str arg, struct mail_smtp_args *out)
{
	enum rc rc = parse_args(a, arg, STR("TO:"), out);

	return rc == RC_OK && out->path.null_path ? RC_BAD : rc;
}

static enum rc
from_size(struct arena *a, struct str v, struct mail_from_params *out)
{
	(void)a;
	/* RFC 1870: at most 20 digits. */
	if (v.n > 20 || str_u64(v, UINT64_MAX, &out->size) != RC_OK)
		return RC_BAD;
	out->has_size = true;
	return RC_OK;
}

static enum rc
from_body(struct arena *a, struct str v, struct mail_from_params *out)
{
	(void)a;
	if (str_ieq(v, STR("7BIT")))
		out->body = MAIL_BODY_7BIT;
	else if (str_ieq(v, STR("8BITMIME")))
		out->body = MAIL_BODY_8BITMIME;
	else if (str_ieq(v, STR("BINARYMIME")))
		out->body = MAIL_BODY_BINARYMIME;
	else
		return RC_BAD;
	return RC_OK;
}

static enum rc
from_auth(struct arena *a, struct str v, struct mail_from_params *out)
{
	return mail_xtext_decode(a, v, &out->auth);
}

static enum rc
from_ret(struct arena *a, struct str v, struct mail_from_params *out)
{
	(void)a;
	if (str_ieq(v, STR("FULL")))
		out->ret = MAIL_RET_FULL;
	else if (str_ieq(v, STR("HDRS")))
		out->ret = MAIL_RET_HDRS;
	else
		return RC_BAD;
	return RC_OK;
}

static enum rc
from_envid(struct arena *a, struct str v, struct mail_from_params *out)
{
	/* RFC 3461 section 4.4 */
	if (v.n > 100)
		return RC_BAD;
	return mail_xtext_decode(a, v, &out->envid);
}

static const struct from_row {
	struct str key;
	unsigned ext;
	enum rc (*read)(struct arena *, struct str, struct mail_from_params *);
} from_rows[] = {
	{ STR_INIT("SIZE"), MAIL_EXT_SIZE, from_size },
	{ STR_INIT("BODY"), MAIL_EXT_8BITMIME, from_body },
	{ STR_INIT("AUTH"), MAIL_EXT_AUTH, from_auth },
	{ STR_INIT("RET"), MAIL_EXT_DSN, from_ret },
	{ STR_INIT("ENVID"), MAIL_EXT_DSN, from_envid },
};

enum rc
mail_smtp_from_params(struct arena *a, const struct mail_smtp_args *args,
    unsigned ext, struct mail_from_params *out, struct str *out_bad)
{
	struct mail_from_params got = { 0 };

	for (size_t i = 0; i < args->nparam; i++) {
		const struct mail_smtp_param *p = &args->param[i];
		const struct from_row *row = NULL;

		for (size_t k = 0; k < COUNT(from_rows); k++)
			if (str_ieq(p->key, from_rows[k].key) &&
			    (ext & from_rows[k].ext))
				row = &from_rows[k];
		*out_bad = p->key;
		if (row == NULL)
			return RC_DENY;
		if (p->value.p == NULL || row->read(a, p->value, &got) != RC_OK)
			return RC_BAD;
	}
	if (got.body == MAIL_BODY_BINARYMIME && !(ext & MAIL_EXT_BINARYMIME)) {
		*out_bad = STR("BODY");
		return RC_DENY;
	}
	*out = got;
	return RC_OK;
}

/* RFC 3461 section 4.1: NEVER alone, or a list of the others. */
static enum rc
to_notify(struct str v, unsigned *out)
{
	static const struct str names[] = { STR_INIT("NEVER"),
		STR_INIT("SUCCESS"), STR_INIT("FAILURE"), STR_INIT("DELAY") };
	unsigned got = 0;
	struct str word;

	while (str_split(&v, ',', &word)) {
		size_t i = 0;

		while (i < COUNT(names) && !str_ieq(word, names[i]))
			i++;
		if (i == COUNT(names) || (got & (1u << i)))
			return RC_BAD;
		got |= 1u << i;
	}
	if (got == 0 || ((got & MAIL_NOTIFY_NEVER) && got != MAIL_NOTIFY_NEVER))
		return RC_BAD;
	*out = got;
	return RC_OK;
}

/* RFC 3461 section 4.2: addr-type ";" xtext, at most 500 bytes. */
static enum rc
to_orcpt(struct arena *a, struct str v, struct mail_to_params *out)
{
	size_t semi = str_chr(v, ';');

	if (v.n > 500 || semi == v.n || !keyword_ok(str_sub(v, 0, semi)))
		return RC_BAD;
	if (mail_xtext_decode(a, str_from(v, semi + 1), &out->orcpt) != RC_OK)
		return RC_BAD;
	out->orcpt_type = str_sub(v, 0, semi);
	return RC_OK;
}

enum rc
mail_smtp_to_params(struct arena *a, const struct mail_smtp_args *args,
    unsigned ext, struct mail_to_params *out, struct str *out_bad)
{
	struct mail_to_params got = { 0 };

	for (size_t i = 0; i < args->nparam; i++) {
		const struct mail_smtp_param *p = &args->param[i];
		bool notify = str_ieq(p->key, STR("NOTIFY"));
		enum rc rc;

		*out_bad = p->key;
		if (!(ext & MAIL_EXT_DSN) ||
		    !(notify || str_ieq(p->key, STR("ORCPT"))))
			return RC_DENY;
		if (p->value.p == NULL)
			return RC_BAD;
		rc = notify ? to_notify(p->value, &got.notify)
			    : to_orcpt(a, p->value, &got);
		if (rc != RC_OK)
			return rc;
	}
	*out = got;
	return RC_OK;
}

bool
mail_helo_ok(struct str arg)
{
	return mail_domain_ok(arg) || mail_literal_ok(arg);
}

enum rc
mail_bdat_parse(struct str arg, uint64_t max, struct mail_bdat *out)
{
	struct str s = str_trim(arg);
	struct str word = str_word(&s);
	struct mail_bdat got = { 0, false };

	if (str_u64(word, max, &got.size) != RC_OK)
		return RC_BAD;
	if (s.n > 0) {
		if (!str_ieq(s, STR("LAST")))
			return RC_BAD;
		got.last = true;
	}
	*out = got;
	return RC_OK;
}

static int
hex_upper(char c)
{
	if (ascii_is_digit(c))
		return c - '0';
	/* RFC 3461: "+" and two hexadecimal digits in upper case. */
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

enum rc
mail_xtext_decode(struct arena *a, struct str s, struct str *out)
{
	char *p = arena_alloc(a, s.n);
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		int c = (unsigned char)s.p[i];

		if (c < '!' || c > '~' || c == '=')
			return RC_BAD;
		if (c == '+') {
			int hi = i + 2 < s.n ? hex_upper(s.p[i + 1]) : -1;
			int lo = i + 2 < s.n ? hex_upper(s.p[i + 2]) : -1;

			if (hi < 0 || lo < 0)
				return RC_BAD;
			c = hi * 16 + lo;
			i += 2;
			if (c < ' ' || c > '~')
				return RC_BAD;
		}
		p[n++] = (char)c;
	}
	*out = str_n(p, n);
	return RC_OK;
}

struct str
mail_xtext_encode(struct arena *a, struct str s)
{
	static const char hex[] = "0123456789ABCDEF";
	char *p = arena_alloc(a, 3 * s.n);
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c >= '!' && c <= '~' && c != '+' && c != '=') {
			p[n++] = (char)c;
			continue;
		}
		p[n++] = '+';
		p[n++] = hex[c >> 4];
		p[n++] = hex[c & 15];
	}
	return str_n(p, n);
}
