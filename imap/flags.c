/*
 * RFC 3501 section 2.3.2.  \Recent cannot be set by a client, and a system
 * flag that we do not know is an error (section 9: flag-extension is for
 * standards to come).
 */
#include "imap/flags.h"

static const struct {
	struct str name;
	enum store_flag bit;
} system_flags[] = {
	{ STR_INIT("\\Answered"), STORE_ANSWERED },
	{ STR_INIT("\\Flagged"), STORE_FLAGGED },
	{ STR_INIT("\\Deleted"), STORE_DELETED },
	{ STR_INIT("\\Seen"), STORE_SEEN },
	{ STR_INIT("\\Draft"), STORE_DRAFT },
};

static bool
add_keyword(struct imap_flags *f, struct str name)
{
	for (size_t i = 0; i < f->nkw; i++) {
		if (str_ieq(f->kw[i], name))
			return true;
	}
	if (f->nkw == IMAP_KEYWORDS_MAX || name.n > IMAP_KEYWORD_LEN_MAX)
		return false;
	f->kw[f->nkw++] = name;
	return true;
}

static bool
parse_flag(struct imap_parse *p, struct imap_flags *f)
{
	struct str start = p->in, atom;
	bool system = imap_parse_char(p, '\\');

	if (!imap_parse_atom(p, &atom))
		return false;
	if (!system)
		return add_keyword(f, atom);
	start.n = atom.n + 1;
	for (size_t i = 0; i < COUNT(system_flags); i++) {
		if (str_ieq(start, system_flags[i].name)) {
			f->system |= system_flags[i].bit;
			return true;
		}
	}
	return false;
}

static bool
parse_flags(struct imap_parse *p, struct imap_flags *f)
{
	do {
		if (!parse_flag(p, f))
			return false;
	} while (imap_parse_sp(p));
	return true;
}

bool
imap_flags_parse_list(struct imap_parse *p, struct imap_flags *out)
{
	*out = (struct imap_flags){ 0 };
	if (!imap_parse_char(p, '('))
		return false;
	if (imap_parse_char(p, ')'))
		return true;
	return parse_flags(p, out) && imap_parse_char(p, ')');
}

bool
imap_flags_parse(struct imap_parse *p, struct imap_flags *out)
{
	if (imap_parse_peek(p) == '(')
		return imap_flags_parse_list(p, out);
	*out = (struct imap_flags){ 0 };
	return parse_flags(p, out);
}

static void
print_one(struct imap_out *o, bool *first, struct str name)
{
	if (!*first)
		imap_out_str(o, STR(" "));
	*first = false;
	imap_out_str(o, name);
}

static void
print_keywords(struct imap_out *o, bool *first, const struct store_mailbox *mb,
    uint64_t flags)
{
	flags >>= 8;
	for (size_t i = 0; flags != 0; i++, flags >>= 1) {
		if ((flags & 1) != 0 && mb->keywords[i].n > 0)
			print_one(o, first, mb->keywords[i]);
	}
}

static void
print_list(struct imap_out *o, const struct store_mailbox *mb, uint64_t flags,
    bool recent, bool wild)
{
	bool first = true;

	imap_out_str(o, STR("("));
	for (size_t i = 0; i < COUNT(system_flags); i++) {
		if ((flags & system_flags[i].bit) != 0)
			print_one(o, &first, system_flags[i].name);
	}
	if (recent)
		print_one(o, &first, STR("\\Recent"));
	print_keywords(o, &first, mb, flags);
	if (wild)
		print_one(o, &first, STR("\\*"));
	imap_out_str(o, STR(")"));
}

void
imap_flags_print(struct imap_out *o, const struct store_mailbox *mb,
    uint64_t flags, bool recent)
{
	print_list(o, mb, flags, recent, false);
}

void
imap_flags_announce(
    struct imap_out *o, const struct store_mailbox *mb, bool readonly)
{
	bool room = false;

	for (size_t i = 0; i < STORE_KEYWORDS_MAX; i++)
		room |= mb->keywords[i].n == 0;
	imap_out_str(o, STR("* FLAGS "));
	print_list(o, mb, UINT64_MAX, false, false);
	imap_out_str(o, STR("\r\n* OK [PERMANENTFLAGS "));
	if (readonly)
		imap_out_str(o, STR("()] Read-only mailbox\r\n"));
	else {
		print_list(o, mb, UINT64_MAX, false, room);
		imap_out_str(o, STR("] Flags permitted\r\n"));
	}
}

uint64_t
imap_flags_hash(const struct store_mailbox *mb)
{
	uint64_t h = 0;

	for (size_t i = 0; i < STORE_KEYWORDS_MAX; i++)
		h = h * 31 + str_hash(mb->keywords[i]);
	return h;
}

uint64_t
imap_flags_keyword(const struct store_mailbox *mb, struct str name)
{
	for (size_t i = 0; i < STORE_KEYWORDS_MAX; i++) {
		if (mb->keywords[i].n > 0 && str_ieq(mb->keywords[i], name))
			return (uint64_t)1 << (8 + i);
	}
	return 0;
}
