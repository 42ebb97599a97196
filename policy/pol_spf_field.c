/*
 * The Received-SPF field, RFC 7208 section 9.1.  Everything that a stranger
 * chose is cut, made printable ASCII and quoted; a line stays below the 998
 * bytes of RFC 5322 because each value is.
 */
#include "policy/pol_spf_impl.h"

#define VALUE_MAX 256u
#define LINE_MAX  78u

struct field {
	struct arena *a;
	struct buf b;
	size_t line; /* bytes on the line at hand */
};

static void
put(struct field *f, struct str word)
{
	enum rc rc = RC_OK;

	if (f->line > 0) {
		if (f->line + 1 + word.n > LINE_MAX) {
			rc = buf_add(&f->b, STR("\r\n"));
			f->line = 0;
		}
		if (rc == RC_OK)
			rc = buf_add_char(&f->b, ' ');
		f->line++;
	}
	if (rc == RC_OK)
		rc = buf_add(&f->b, word);
	if (rc != RC_OK)
		panic("spf: field too long");
	f->line += word.n;
}

static bool
is_atom(struct str s)
{
	if (s.n == 0 || s.p[0] == '.' || s.p[s.n - 1] == '.')
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_is_alnum(s.p[i]) && s.p[i] != '-' && s.p[i] != '_' &&
		    (s.p[i] != '.' || s.p[i - 1] == '.'))
			return false;
	return true;
}

/* With a backslash before each byte of `special`. */
static struct str
escape(struct arena *a, struct str s, struct str special)
{
	struct str plain = pol_spf_plain(a, s, VALUE_MAX);
	char *p = arena_alloc(a, 2 * plain.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < plain.n; i++) {
		if (str_chr(special, plain.p[i]) < special.n)
			p[n++] = '\\';
		p[n++] = plain.p[i];
	}
	return str_n(p, n);
}

static void
put_pair(struct field *f, const char *key, struct str value, bool last)
{
	const char *end = last ? "" : ";";

	if (is_atom(value) && value.n <= VALUE_MAX)
		put(f, str_fmt(f->a, "%s=%.*s%s", key, STRF(value), end));
	else
		put(f, str_fmt(f->a, "%s=\"%.*s\"%s", key,
			   STRF(escape(f->a, value, STR("\"\\"))), end));
}

static const char *
comment_text(enum pol_spf_result result)
{
	switch (result) {
	case POL_SPF_PASS:
		return "permits";
	case POL_SPF_FAIL:
		return "does not permit";
	case POL_SPF_SOFTFAIL:
		return "would rather not permit";
	case POL_SPF_NEUTRAL:
		return "neither permits nor forbids";
	case POL_SPF_TEMPERROR:
		return "could not be asked about";
	case POL_SPF_PERMERROR:
		return "has a broken policy for";
	default:
		return "has no policy for";
	}
}

static void
put_comment(struct field *f, const struct pol_spf_conf *conf,
    const struct pol_spf_in *in, const struct pol_spf_out *out)
{
	struct str text = str_fmt(f->a, "%.*s: %.*s %s %.*s",
	    STRF(str_sub(conf->receiver, 0, VALUE_MAX / 4)),
	    STRF(str_sub(out->domain, 0, VALUE_MAX / 2)),
	    comment_text(out->result),
	    STRF(str_sub(in->client_ip, 0, VALUE_MAX / 8)));
	struct str rest = escape(f->a, text, STR("()\\")), word;
	struct str open = STR("(");

	while (str_split(&rest, ' ', &word)) {
		put(f, str_fmt(f->a, "%.*s%.*s%s", STRF(open), STRF(word),
			   rest.p == NULL ? ")" : ""));
		open = STR_NULL;
	}
}

struct str
pol_spf_received(struct arena *a, const struct pol_spf_conf *conf,
    const struct pol_spf_in *in, const struct pol_spf_out *out)
{
	struct field f = { .a = a };
	struct str field;

	buf_init(&f.b, 8192);
	put(&f, STR("Received-SPF:"));
	put(&f, str_c(pol_spf_name(out->result)));
	put_comment(&f, conf, in, out);
	put_pair(&f, "client-ip", in->client_ip, false);
	if (in->from.n > 0 || out->identity == POL_SPF_MAILFROM)
		put_pair(&f, "envelope-from", in->from, false);
	put_pair(&f, "helo", in->helo, false);
	put_pair(&f, "identity",
	    out->identity == POL_SPF_HELO ? STR("helo") : STR("mailfrom"),
	    false);
	if (out->mechanism.n > 0)
		put_pair(&f, "mechanism", out->mechanism, false);
	if (out->problem.n > 0 && out->result != POL_SPF_NONE)
		put_pair(&f, "problem", out->problem, false);
	put_pair(&f, "receiver", conf->receiver, true);
	if (buf_add(&f.b, STR("\r\n")) != RC_OK)
		panic("spf: field too long");
	field = str_dup(a, buf_str(&f.b));
	buf_free(&f.b);
	return field;
}
