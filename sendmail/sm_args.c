/*
 * What sendmail(1) of Postfix takes is taken; what it ignores is ignored.
 * Options end at the first word that is none, as POSIX says: "sendmail joe -x"
 * has two recipients.
 */
#include <string.h>
#include <unistd.h>

#include "sendmail/sm_args.h"

/* "+" in front: no permutation; "q::" has its argument attached or none. */
#define OPTIONS "+A:B:C:F:GIL:N:O:R:UV:X:b:ce:f:h:imno:p:r:q::tvx"

static struct str
base_name(const char *path)
{
	struct str s = str_c(path != NULL ? path : "");
	size_t slash = str_rchr(s, '/');

	return slash < s.n ? str_from(s, slash + 1) : s;
}

static enum rc
read_mode(struct sm_args *out, const char *arg, const char **why)
{
	static const struct {
		char c;
		enum sm_mode mode;
	} modes[] = {
		{ 'm', SM_SEND },
		{ 's', SM_SMTP },
		{ 'p', SM_LIST },
		{ 'i', SM_ALIASES },
	};

	for (size_t i = 0; i < COUNT(modes); i++)
		if (arg[0] == modes[i].c && arg[1] == '\0') {
			out->mode = modes[i].mode;
			return RC_OK;
		}
	*why = arg[0] == 'd' || arg[0] == 'D'
		   ? "no daemon is started this way: see gatepostd(8)"
		   : "unknown mode of -b (-bm, -bs, -bp, -bi)";
	return RC_BAD;
}

/* RFC 3461 section 4.1, in any case. */
static enum rc
read_notify(struct sm_args *out, const char *arg, const char **why)
{
	struct str rest = str_c(arg), word;
	size_t n = 0;

	while (str_split(&rest, ',', &word)) {
		bool never = str_ieq(word, STR("never"));

		if (!never && !str_ieq(word, STR("success")) &&
		    !str_ieq(word, STR("failure")) &&
		    !str_ieq(word, STR("delay")))
			n = 9;
		n += never ? 5 : 1;
	}
	if (n > 3 && n != 5) {
		*why = "-N wants never, or success, failure, delay";
		return RC_BAD;
	}
	out->notify = str_c(arg);
	return RC_OK;
}

/* xtext needs nothing done to these. */
static enum rc
read_envid(struct sm_args *out, const char *arg, const char **why)
{
	struct str s = str_c(arg);

	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~' || s.p[i] == '+' ||
		    s.p[i] == '=')
			s.n = 0;
	if (s.n == 0 || s.n > 100) {
		*why = "-V wants up to 100 printable characters, not + or =";
		return RC_BAD;
	}
	out->envid = s;
	return RC_OK;
}

static enum rc
read_ret(struct sm_args *out, const char *arg, const char **why)
{
	if (strcasecmp(arg, "full") != 0 && strcasecmp(arg, "hdrs") != 0) {
		*why = "-R wants full or hdrs";
		return RC_BAD;
	}
	out->ret = str_c(arg);
	return RC_OK;
}

static enum rc
read_option(struct sm_args *out, int c, const char *arg, const char **why)
{
	switch (c) {
	case 'b':
		return read_mode(out, arg, why);
	case 'f':
	case 'r':
		out->has_sender = true;
		out->sender = str_c(arg);
		return RC_OK;
	case 'F':
		out->has_name = true;
		out->name = str_c(arg);
		return RC_OK;
	case 'C':
		out->conf = arg;
		return RC_OK;
	case 'N':
		return read_notify(out, arg, why);
	case 'V':
		return read_envid(out, arg, why);
	case 'R':
		return read_ret(out, arg, why);
	case 'I':
		out->mode = SM_ALIASES;
		return RC_OK;
	case 'i':
		out->dot_ends = false;
		return RC_OK;
	case 'o': /* -oi is -i; every other -o is of no meaning here */
		if (arg[0] == 'i' && arg[1] == '\0')
			out->dot_ends = false;
		return RC_OK;
	case 't':
		out->from_header = true;
		return RC_OK;
	case 'q': /* -q30m, -qIid, -qRsite and so on: nothing to do */
		out->mode = arg == NULL ? SM_RETRY : SM_NOTHING;
		return RC_OK;
	case '?':
		*why = "unknown option, or one without its value";
		return RC_BAD;
	default:
		return RC_OK;
	}
}

enum rc
sm_args_parse(int argc, char **argv, struct sm_args *out, const char **why)
{
	struct str self = base_name(argv[0]);
	enum rc rc = RC_OK;
	int c;

	*out = (struct sm_args){ .dot_ends = true };
	if (str_eq(self, STR("mailq")))
		out->mode = SM_LIST;
	else if (str_eq(self, STR("newaliases")))
		out->mode = SM_ALIASES;
	opterr = 0;
	while (rc == RC_OK && (c = getopt(argc, argv, OPTIONS)) != -1)
		rc = read_option(out, c, optarg, why);
	if (rc != RC_OK)
		return rc;
	out->to = argv + optind;
	out->nto = (size_t)(argc - optind);
	return RC_OK;
}

void
sm_args_reset(void)
{
	optind = 0; /* glibc: all of getopt's state */
}
