#include <unistd.h>

#include "conf/conf.h"
#include "lib/proc.h"
#include "tests/unit/directory/dirtest.h"

#define CONF                                                                   \
	"hostname = mail.example.test\n"                                       \
	"domains = {'example.test', 'second.test'}\n"                          \
	"postmaster = post@example.test\n"                                     \
	"directory = ldif\nldif_file = /nowhere\n"                             \
	"ldap_base = 'DC=example,DC=test'\n"

void
dirtest_open(struct dirtest *t, const char *settings, const char *ldif)
{
	const struct conf *c = NULL;
	struct str why = STR("");

	*t = (struct dirtest){ 0 };
	t->sink = log_sink_new(STDERR_FILENO, "test", LOG_ERROR);
	t->log.sink = t->sink;
	if (conf_parse(&t->a, "t.conf", str_fmt(&t->a, CONF "%s", settings), &c,
		&why) != RC_OK)
		fail_msg("%.*s", STRF(why));
	t->be = dir_ldif_text(&t->log, str_c(ldif), c->ldap_base);
	t->guard = dir_guard_new();
	t->d = dir_new(&t->log, c, t->be, t->guard);
	conf_unref(&c);
}

void
dirtest_close(struct dirtest *t)
{
	dir_unref(&t->d);
	t->be->ops->free(t->be);
	dir_guard_free(&t->guard);
	log_sink_free(&t->sink);
	arena_free(&t->a);
}

struct deadline
soon(void)
{
	return deadline_in(5000);
}

struct flaky {
	struct dir_backend b;
	struct dir_backend *inner;
	bool *down;
};

static enum rc
flaky_search(struct dir_backend *b, struct arena *a, struct dir_query *q,
    size_t n, struct deadline dl)
{
	struct flaky *f = (struct flaky *)b;

	return *f->down ? RC_TEMP : dir_search(f->inner, a, q, n, dl);
}

static enum dir_bind_why
flaky_bind(struct dir_backend *b, struct str dn, struct str password,
    struct deadline dl)
{
	struct flaky *f = (struct flaky *)b;

	return *f->down ? DIR_BIND_UNAVAILABLE
			: f->inner->ops->bind(f->inner, dn, password, dl);
}

static void
flaky_free(struct dir_backend *b)
{
	struct flaky *f = (struct flaky *)b;

	f->inner->ops->free(f->inner);
	xfree(f);
}

struct dir_backend *
dirtest_flaky(struct dir_backend *inner, bool *down)
{
	static const struct dir_backend_ops ops = {
		.search = flaky_search, .bind = flaky_bind, .free = flaky_free
	};
	struct flaky *f = xcalloc(1, sizeof(*f));

	f->b.ops = &ops;
	f->inner = inner;
	f->down = down;
	return &f->b;
}

#define OU(name)                                                               \
	"dn: OU=" name ",DC=example,DC=test\n"                                 \
	"objectClass: organizationalUnit\n\n"
/* The last digits of the GUID make the id (here as text, see q_id). */
#define GUID(n) "objectGUID: 00000000-0000-4000-8000-0000000000" n "\n"
#define USER(n, cn, sam)                                                       \
	"dn: CN=" cn ",OU=Staff,DC=example,DC=test\n"                          \
	"objectClass: top\nobjectClass: person\n"                              \
	"objectClass: organizationalPerson\nobjectClass: user\n" GUID(         \
	    n) "sAMAccountName: " sam "\nuserPassword: pw-" sam "\n"
#define ENABLED "userAccountControl: 512\n"
#define GROUP(n, cn)                                                           \
	"dn: CN=" cn ",OU=Groups,DC=example,DC=test\n"                         \
	"objectClass: top\nobjectClass: group\n" GUID(n)

const char ad_people[] = OU("Staff") OU("Groups")
    /* everything there is */
    USER("01", "Alice", "alice") ENABLED
    "userPrincipalName: alice@example.test\nmail: alice@example.test\n"
    "proxyAddresses: SMTP:Alice.Adams@example.test\n"
    "proxyAddresses: smtp:a.adams@second.test\n"
    "proxyAddresses: sip:alice@example.test\n"
    "proxyAddresses: X500:/o=Example/cn=alice\n"
    "mDBOverHardQuotaLimit: 2048\n\n" USER("02", "Bob", "bob") ENABLED
    "mail: bob@example.test\n\n" USER("03", "Carol", "carol") ENABLED
    "userPrincipalName: carol@example.test\n\n"
    /* a shared mailbox: receives, cannot log in */
    USER("04", "Info", "info") "userAccountControl: 514\n"
			       "mail: info@example.test\n\n" USER(
				   "05", "Gone", "gone") ENABLED
    "mail: gone@example.test\n"
    "accountExpires: 129000000000000000\n\n" USER("06", "Never", "never")
	ENABLED "mail: never@example.test\n"
		"accountExpires: 9223372036854775807\n\n"
    /* mailboxes elsewhere */
    USER("07", "Routed", "routed") ENABLED
    "mail: routed@example.test\n"
    "targetAddress: SMTP:routed@cloud.invalid\n\n" USER("08", "Exch", "exch")
	ENABLED
    "mail: exch@example.test\n"
    "homeMDB: CN=DB1,DC=example,DC=test\n\n" USER("09", "Remote", "remote")
	ENABLED "mail: remote@example.test\n"
		"msExchRecipientTypeDetails: 2147483648\n\n"
		"dn: CN=Contact,OU=Staff,DC=example,DC=test\n"
		"objectClass: contact\n" GUID(
		    "10") "mail: partner@foreign.invalid\n"
			  "proxyAddresses: SMTP:partner@example.test\n"
			  "targetAddress: SMTP:partner@foreign.invalid\n\n"
    /* not readable */
    USER("11", "Dark",
	"dark") "mail: dark@example.test\n\n"
		"dn: CN=Noguid,OU=Staff,DC=example,DC=test\nobjectClass: user\n"
		"sAMAccountName: noguid\nmail: noguid@example.test\n" ENABLED
		"\n"
    /* claims */
    USER("12", "ViaProxy", "viaproxy") ENABLED
    "proxyAddresses: smtp:contested@example.test\n\n" USER(
	"13", "ViaMail", "viamail") ENABLED
    "mail: contested@example.test\n\n" USER("14", "Tie1", "tie1") ENABLED
    "mail: tie@example.test\n\n" USER("15", "Tie2", "tie2") ENABLED
    "mail: tie@example.test\n\n"
    /* groups: tech > staff > tech is a loop */
    GROUP("20",
	"Tech") "mail: tech@example.test\n"
		"member: CN=Alice,OU=Staff,DC=example,DC=test\n"
		"member: cn=bob, ou=staff, dc=example, dc=test\n"
		"member: CN=Staff,OU=Groups,DC=example,DC=test\n"
		"member: CN=Vanished,OU=Staff,DC=example,DC=test\n"
		"member: CN=Foreign,DC=other,DC=test\n\n" GROUP("21",
		    "Staff") "mail: staff@example.test\n"
			     "objectSid:: "
			     "AQUAAAAAAAUVAAAAAQAAAAIAAAADAAAAWQQAAA==\n"
			     "member: CN=Alice,OU=Staff,DC=example,DC=test\n"
			     "member: CN=Routed,OU=Staff,DC=example,DC=test\n"
			     "member: CN=Contact,OU=Staff,DC=example,DC=test\n"
			     "member: "
			     "CN=Tech,OU=Groups,DC=example,DC=test\n\n" GROUP(
				 "22", "Unknown") "mail: unknown@example.test\n"
						  "member: "
						  "CN=Dark,OU=Staff,DC=example,"
						  "DC=test\n\n" USER("16",
						      "Primary", "primary")
						      ENABLED
    "mail: primary@example.test\n"
    "primaryGroupID: 1113\n\n" USER("17", "Post", "post") ENABLED
    "mail: post@example.test\n\n"
    "dn: CN=Folder,OU=Staff,DC=example,DC=test\n"
    "objectClass: publicFolder\n" GUID(
	"19") "mail: folder@example.test\n\n"
	      "dn: CN=PC1,OU=Staff,DC=example,DC=test\nobjectClass: user\n"
	      "objectClass: computer\n" GUID("18") ENABLED
    "sAMAccountName: PC1$\n"
    "mail: pc1@example.test\n";

#define PERSON(n, uid)                                                         \
	"dn: uid=" uid ",ou=people,dc=example,dc=test\n"                       \
	"objectClass: inetOrgPerson\nuid: " uid "\n"                           \
	"entryUUID: 00000000-0000-4000-8000-0000000000" n "\n"

const char rfc_people[] =
    "dn: dc=example,dc=test\nobjectClass: organization\n\n" PERSON("01",
	"ada") "mail: Ada.Lovelace@example.test\n"
	       "mailAlternateAddress: ada@example.test\n"
	       "userPassword: "
	       "{SSHA}I+gRBaK0FAtcRJrBxVNdJuPJsld6enp6\n\n" PERSON("02",
		   "grace") "mail: grace@example.test\n"
			    "userPassword: grace-pw\npwdAccountLockedTime: "
			    "000001010000Z\n\n" PERSON("03",
				"old") "mail: old@example.test\nuserPassword: "
				       "pw\n"
				       "shadowExpire: 100\n\n" PERSON("04",
					   "hosted") "mail: "
						     "hosted@example.test\n"
						     "mailHost: "
						     "other.example."
						     "test\n\n" PERSON("05",
							 "ours") "mail: "
								 "ours@example."
								 "test\n"
								 "mailHost: "
								 "MAIL.example."
								 "test\nmailQuo"
								 "taSize: "
								 "1000\n\n"
								 "dn: "
								 "uid=noid,ou="
								 "people,dc="
								 "example,dc="
								 "test\n"
								 "objectClass: "
								 "inetOrgPerson"
								 "\nuid: "
								 "noid\nmail: "
								 "noid@example."
								 "test\n\n"
								 "dn: "
								 "cn=crew,ou="
								 "groups,dc="
								 "example,dc="
								 "test\nobjectC"
								 "lass: "
								 "groupOfNames"
								 "\n"
								 "entryUUID: "
								 "00000000-"
								 "0000-4000-"
								 "8000-"
								 "000000000020"
								 "\n"
								 "mail: "
								 "crew@example."
								 "test\n"
								 "member: "
								 "uid=ada,ou="
								 "people,dc="
								 "example,dc="
								 "test\n"
								 "uniqueMember:"
								 " uid=grace,"
								 "ou=people,dc="
								 "example,dc="
								 "test#'0101'"
								 "B\n\n"
								 "dn: "
								 "cn=unix,ou="
								 "groups,dc="
								 "example,dc="
								 "test\nobjectC"
								 "lass: "
								 "posixGroup\n"
								 "objectClass: "
								 "mailGroup\n"
								 "entryUUID: "
								 "00000000-"
								 "0000-4000-"
								 "8000-"
								 "000000000021"
								 "\n"
								 "mail: "
								 "unix@example."
								 "test\nmemberU"
								 "id: "
								 "ada\nmemberUi"
								 "d: old\n"
								 "rfc822MailMem"
								 "ber: "
								 "GRACE@"
								 "example."
								 "test\n"
								 "rfc822MailMem"
								 "ber: "
								 "friend@"
								 "foreign."
								 "invalid\n"
								 "rfc822MailMem"
								 "ber: "
								 "crew@example."
								 "test\n";

/* Stands in for lib's: the lines of `check` as text, "G|U|F tried: found". */
struct buf dirtest_lines;

void
proc_check_line(struct ipc_msg *out, enum proc_grade grade, struct str tried,
    struct str found, struct str todo)
{
	(void)out, (void)todo;
	if (dirtest_lines.cap == 0)
		buf_init(&dirtest_lines, 1u << 20);
	if (buf_fmt(&dirtest_lines, "%c %.*s: %.*s\n", "GUF"[grade],
		STRF(tried), STRF(found)) != RC_OK)
		fail_msg("too many lines");
}
