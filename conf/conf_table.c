/* Every setting: what the parser, --dump, the manual and the tests go by. */
#include "conf/conf_table.h"

/* K, M and G bytes. */
#define KB 1024ull
#define MB (1024 * KB)
#define GB (1024 * MB)

static const char *const log_levels[] = { "error", "warn", "info", "debug",
	NULL };
static const char *const log_formats[] = { "text", "json", NULL };
static const char *const sandbox_modes[] = { "on", "required", "off", NULL };
static const char *const backends[] = { "ldap", "ldif", NULL };
static const char *const profiles[] = { "ad", "rfc", NULL };
static const char *const binds[] = { "gssapi", "simple", NULL };
static const char *const ldap_tls_modes[] = { "none", "starttls", "ldaps",
	NULL };

static const char *const spf_engines[] = { "own", "libspf2", NULL };
static const char *const smart_tls_modes[] = { "may", "encrypt", "verify",
	NULL };
static const char *const policy_downs[] = { "accept", "defer", NULL };
static const char *const spf_fails[] = { "mark", "reject", NULL };
static const char *const dmarc_rejects[] = { "junk", "reject", NULL };

#define NOW     false
#define RESTART true

#define ROW(name_, offset_, type_, restart_, dflt_, min_, max_, words_, help_) \
	{                                                                      \
		.name = name_, .offset = offset_, .type = type_,               \
		.restart = restart_, .dflt = dflt_, .min = min_, .max = max_,  \
		.words = words_, .help = help_                                 \
	}
#define VALUE(field, type, when, dflt, help)                                   \
	ROW(#field, offsetof(struct conf, field), type, when, dflt, 0, 0,      \
	    NULL, help)
#define WORD(field, when, words, dflt, help)                                   \
	ROW(#field, offsetof(struct conf, field), CONF_WORD, when, dflt, 0, 0, \
	    words, help)
#define NUMBER(field, when, dflt, min, max, help)                              \
	ROW(#field, offsetof(struct conf, field), CONF_NUMBER, when, dflt,     \
	    min, max, NULL, help)
#define SIZE(field, when, dflt, min, max, help)                                \
	ROW(#field, offsetof(struct conf, field), CONF_SIZE, when, dflt, min,  \
	    max, NULL, help)

const struct conf_row conf_rows[] = {
	VALUE(hostname, CONF_HOST, NOW, "",
	    "Our name in greetings, trace fields and certificates. Required."),
	VALUE(domains, CONF_HOSTS, NOW, "",
	    "Mail domains that we accept mail for. Required."),
	VALUE(postmaster, CONF_TEXT, NOW, "",
	    "The address, in one of the domains, of the person who gets mail "
	    "for postmaster. Empty: postmaster at the first domain, which the "
	    "directory must then know."),

	VALUE(data_dir, CONF_PATH, RESTART, "/var/lib/gatepost",
	    "Where the store keeps mail, index and keys."),
	VALUE(run_dir, CONF_PATH, RESTART, "/run/gatepost",
	    "Sockets between the processes, and spool files."),
	VALUE(master_key_file, CONF_PATH, RESTART, "/etc/gatepost/master.key",
	    "The 32 bytes that all account keys are wrapped with. Made when "
	    "it is missing and the store is empty. Without it the mail is "
	    "lost: keep a copy elsewhere."),
	VALUE(log_file, CONF_PATH, NOW, "",
	    "The log, reopened at a reload. Empty: standard error."),
	WORD(log_level, NOW, log_levels, "info", "The least that is logged."),
	WORD(log_format, NOW, log_formats, "text",
	    "Lines of key=value, or one JSON object a line."),
	VALUE(log_syslog, CONF_PATH, NOW, "",
	    "The socket of a syslog daemon, /dev/log, that gets every line "
	    "too (RFC 5424, facility mail). Lines that it does not take at "
	    "once are dropped, and their number is logged. Empty: none."),
	VALUE(user, CONF_TEXT, RESTART, "",
	    "Run all processes as this user. Empty: each as its own, "
	    "user_prefix and the name of the process. Without meaning unless "
	    "started by root."),
	VALUE(user_prefix, CONF_TEXT, RESTART, "gatepost-",
	    "See user: gatepost-mx, gatepost-store and so on."),
	WORD(sandbox, RESTART, sandbox_modes, "on",
	    "on: use what the kernel has and warn of what it lacks; required: "
	    "refuse to start without landlock or seccomp; off."),

	VALUE(listen_smtp, CONF_LISTENS, RESTART, "*:25",
	    "Mail from other servers. \"*\" is every address, v4 and v6. An "
	    "empty list: none."),
	VALUE(listen_submission, CONF_LISTENS, RESTART, "*:587",
	    "Submission with STARTTLS."),
	VALUE(listen_submissions, CONF_LISTENS, RESTART, "*:465",
	    "Submission inside TLS."),
	VALUE(
	    listen_imap, CONF_LISTENS, RESTART, "*:143", "IMAP with STARTTLS."),
	VALUE(listen_imaps, CONF_LISTENS, RESTART, "*:993", "IMAP inside TLS."),
	VALUE(
	    listen_pop3, CONF_LISTENS, RESTART, "*:110", "POP3 with STARTTLS."),
	VALUE(listen_pop3s, CONF_LISTENS, RESTART, "*:995", "POP3 inside TLS."),
	VALUE(listen_lmtp, CONF_PLACES, RESTART, "",
	    "LMTP from another mail server on this machine or network, which "
	    "hands over mail for people who are here; a path is a UNIX "
	    "socket."),
	VALUE(lmtp_users, CONF_TEXTS, RESTART, "root postfix Debian-exim",
	    "Users of this machine who may connect to the UNIX sockets of "
	    "listen_lmtp. Those that do not exist count for nothing."),

	VALUE(proxy_listeners, CONF_LISTENS, RESTART, "",
	    "Those of the listeners, written in the same way, whose clients "
	    "all come through a balancer that says in the PROXY protocol, "
	    "version 2, who they are."),
	VALUE(proxy_networks, CONF_NETS, RESTART, "127.0.0.0/8 ::1",
	    "The balancers: who may connect to proxy_listeners."),

	VALUE(tls_certificate, CONF_PATHS, NOW, "",
	    "Certificate chains, PEM; read again at a reload. Empty: one that "
	    "we sign ourselves, which clients will not trust."),
	VALUE(tls_key, CONF_PATHS, NOW, "",
	    "Their private keys, in the same order."),
	VALUE(plaintext_login_on_loopback, CONF_BOOL, NOW, "no",
	    "Let clients on this machine log in without TLS."),

	WORD(directory, RESTART, backends, "ldap",
	    "Where people come from: ldap, or a file (ldif)."),
	WORD(directory_profile, RESTART, profiles, "ad",
	    "ad: Active Directory and Samba; rfc: OpenLDAP, 389, FreeIPA."),
	VALUE(ldif_file, CONF_PATH, RESTART, "",
	    "The file of the ldif directory."),
	VALUE(ldap_servers, CONF_URLS, RESTART, "",
	    "URLs of the directory servers, the preferred one first."),
	WORD(ldap_tls, RESTART, ldap_tls_modes, "starttls",
	    "How connections to the servers are protected. With none and "
	    "ldap_bind gssapi Kerberos seals our questions, but a password "
	    "is never sent, so that people log in by Kerberos ticket only."),
	VALUE(ldap_ca_file, CONF_PATH, RESTART, "",
	    "Certificates that vouch for the servers, PEM. Empty: the "
	    "system's."),
	VALUE(ldap_base, CONF_TEXT, RESTART, "",
	    "Search base: only entries below it are ours."),
	WORD(ldap_bind, RESTART, binds, "gssapi",
	    "How we introduce ourselves: Kerberos, or a DN and a password."),
	VALUE(ldap_bind_dn, CONF_TEXT, RESTART, "", "The DN for simple."),
	VALUE(ldap_password_file, CONF_PATH, RESTART, "",
	    "The file with its password; readable by the directory user."),
	VALUE(ldap_keytab, CONF_PATH, RESTART, "",
	    "Client keytab for gssapi. Empty: the one of keytab."),
	VALUE(ldap_principal, CONF_TEXT, RESTART, "",
	    "Principal for gssapi. Empty: the first of the keytab."),
	VALUE(keytab, CONF_PATH, RESTART, "",
	    "Our service keys, imap/HOSTNAME, pop/HOSTNAME and smtp/HOSTNAME, "
	    "for logins by Kerberos."),
	VALUE(krb5_config, CONF_PATH, RESTART, "",
	    "Kerberos configuration. Empty: the system's."),
	VALUE(realm, CONF_TEXT, RESTART, "",
	    "Kerberos realm of the accounts, e.g. EXAMPLE.ORG."),
	VALUE(netbios_domain, CONF_TEXT, RESTART, "",
	    "The DOMAIN of logins as DOMAIN\\user."),
	VALUE(scope_filter, CONF_TEXT, RESTART, "",
	    "LDAP filter: who has a mailbox here. Empty: everybody."),
	VALUE(scope_group, CONF_TEXT, RESTART, "",
	    "DN of a group: its members have a mailbox here. Empty: all."),
	VALUE(attr_alias, CONF_TEXTS, RESTART, "",
	    "Attributes with further addresses. Empty: the profile's "
	    "(proxyAddresses; rfc: mailAlternateAddress, mailLocalAddress)."),
	VALUE(attr_mail, CONF_TEXT, RESTART, "",
	    "Attribute of the main address. Empty: the profile's (mail)."),
	VALUE(attr_login, CONF_TEXT, RESTART, "",
	    "Attribute of the login name. Empty: the profile's "
	    "(sAMAccountName; rfc: uid)."),
	VALUE(attr_member, CONF_TEXT, RESTART, "",
	    "Attribute of a group's members. Empty: the profile's (member)."),
	VALUE(group_open, CONF_BOOL, NOW, "no",
	    "Groups take mail from anybody, not from authenticated senders "
	    "only."),
	NUMBER(directory_timeout_ms, NOW, "5000", 100, 60000,
	    "How long one question to the directory may take."),
	NUMBER(directory_connections, RESTART, "8", 1, 64,
	    "Connections to the directory servers for questions."),
	NUMBER(directory_cache_ms, RESTART, "1000", 0, 1000,
	    "How old an answer may be that is used again. 0: none is."),

	VALUE(policy, CONF_BOOL, NOW, "yes",
	    "Check mail from other servers by SPF, DKIM and DMARC, and write "
	    "the results into Authentication-Results. Needs a DNS."),
	NUMBER(policy_timeout_ms, NOW, "15000", 1000, 60000,
	    "How long the check of one message may take. A slow DNS of the "
	    "sender's is given up a second before, and counts as a temporary "
	    "error."),
	WORD(policy_down, NOW, policy_downs, "accept",
	    "What to do with mail when the policy process gives no answer: "
	    "take it unchecked, or ask the sender to come again (451)."),
	WORD(spf_fail, NOW, spf_fails, "mark",
	    "Mail from a client that SPF forbids to send for the domain: only "
	    "say so in the header, or refuse it with 550 unless DMARC "
	    "passes. Forwarded mail often fails."),
	WORD(dmarc_reject, NOW, dmarc_rejects, "junk",
	    "Mail that fails DMARC where the domain's owner asks for "
	    "reject: into the mailbox Junk, or refuse it with 550. Mailing "
	    "lists often fail."),

	SIZE(message_size_max, NOW, "50M", 64 * KB, 1 * GB,
	    "The largest message, in bytes, whoever it is from or for; "
	    "send-limit, receive-limit and size-limit in rules_file can "
	    "only say less."),
	NUMBER(recipients_max, NOW, "1000", 1, 1000,
	    "Recipients of one message. RFC 5321 wants at least 100."),
	NUMBER(hops_max, NOW, "100", 10, 1000,
	    "Received fields, above which a message goes in circles."),
	NUMBER(smtp_sessions_max, RESTART, "1000", 1, 100000,
	    "Clients on listen_smtp at a time."),
	NUMBER(submission_sessions_max, RESTART, "1000", 1, 100000,
	    "Clients on both submission ports at a time."),
	NUMBER(imap_sessions_max, RESTART, "20000", 1, 1000000,
	    "IMAP and POP3 clients at a time."),
	NUMBER(imap_processes, RESTART, "2", 1, 64, "Processes of imap."),
	NUMBER(smtp_errors_max, NOW, "20", 1, 1000,
	    "Errors of an SMTP client since its last message, before it is "
	    "sent away with 421."),
	NUMBER(workers, RESTART, "16", 2, 256, "Worker threads per process."),
	NUMBER(smtp_timeout_s, NOW, "300", 1, 3600,
	    "How long an SMTP client may say nothing."),
	NUMBER(imap_timeout_s, NOW, "1860", 1800, 86400,
	    "How long an IMAP client may say nothing (RFC 9051 section 5.4)."),
	SIZE(memory_body_max, NOW, "256M", 1 * MB, 64 * GB,
	    "Memory for bodies on their way, in bytes per process; above it "
	    "they go through files."),

	VALUE(dns_servers, CONF_SERVERS, RESTART, "",
	    "Addresses of the DNS servers to ask, with @PORT behind them "
	    "unless it is 53. Empty: those of /etc/resolv.conf."),
	VALUE(dns_trust_anchor, CONF_PATH, RESTART, "",
	    "A file with the trust anchor of DNSSEC, like "
	    "/usr/share/dns/root.key of Debian's dns-root-data. Empty: "
	    "answers are not validated."),

	VALUE(dkim_dir, CONF_PATH, RESTART, "/etc/gatepost/dkim",
	    "The keys that outgoing mail is signed with (DKIM), made by "
	    "gatepost dkim and readable by the signer alone. Empty: nothing "
	    "is signed."),

	VALUE(limit_exempt, CONF_NETS, NOW, "127.0.0.0/8 ::1",
	    "Clients that the limits by client and bans do not count for: "
	    "networks of our own, other mail servers of ours."),
	NUMBER(client_sessions_max, RESTART, "1000", 1, 100000,
	    "Connections of one client (an address, of IPv6 a /64) at a time, "
	    "and never more than a quarter of all."),
	NUMBER(client_rate_max, NOW, "1200", 1, 1000000,
	    "New connections of one client in a minute; more get 421."),
	NUMBER(client_messages_max, NOW, "10000", 1, 10000000,
	    "Messages of one client that has not logged in, in an hour; more "
	    "get 451."),
	NUMBER(client_recipients_max, NOW, "50000", 1, 10000000,
	    "The same for recipients."),
	NUMBER(user_sessions_max, NOW, "200", 1, 100000,
	    "Sessions of one user at a time: IMAP, POP3 and submission."),
	NUMBER(user_messages_max, NOW, "1000", 1, 10000000,
	    "Messages that one user may send in an hour; more get 451. A "
	    "stolen password sends no more than this."),
	NUMBER(user_recipients_max, NOW, "5000", 1, 10000000,
	    "The same for recipients."),
	NUMBER(auth_failures_max, NOW, "100", 1, 1000000,
	    "Failed logins of one client within ban_s, above which it is shut "
	    "out for ban_s."),
	NUMBER(ban_s, NOW, "600", 1, 2592000, "See auth_failures_max."),
	NUMBER(tarpit_ms, NOW, "500", 1, 10000,
	    "An SMTP client that has made three errors waits after each "
	    "further one: this long, and this much longer each time, at most "
	    "ten times as long."),

	NUMBER(queue_retry_min_s, NOW, "60", 1, 86400,
	    "The wait before the second try of a queued recipient."),
	NUMBER(queue_retry_max_s, NOW, "3600", 1, 86400,
	    "The longest wait between two tries."),
	NUMBER(queue_lifetime_s, NOW, "432000", 2, 2592000,
	    "How long a recipient is tried. Then it is given up and the "
	    "sender gets a notice."),
	NUMBER(queue_max, NOW, "100000", 1, 1000000,
	    "Recipients in the queue, above which mail gets 451."),
	NUMBER(queue_warn_s, NOW, "14400", 1, 2592000,
	    "After this time in the queue the sender is told once that a "
	    "recipient's mail is late."),

	VALUE(routes, CONF_ROUTES, NOW, "",
	    "Where mail to other systems goes, as KEY=HOP. KEY is a domain, "
	    ".domain for all below it, * for every foreign domain (the smart "
	    "host), or server:NAME for a server that the directory names as "
	    "the place of somebody's mailbox. relay: before a domain lets "
	    "anybody send there through us. HOP is mx:DOMAIN, "
	    "smtp:HOST:PORT, lmtp:HOST:PORT or lmtp:/path. Foreign domains "
	    "without a route go to their own servers (MX)."),
	VALUE(relay_networks, CONF_NETS, NOW, "",
	    "Networks (192.0.2.0/24) whose clients may send to any domain "
	    "without a password, on listen_smtp. Their mail is not checked by "
	    "policy, and signed like that of people; what a server of ours "
	    "has marked as Junk goes there. Loopback is not among them unless "
	    "it is named."),
	VALUE(front_networks, CONF_NETS, NOW, "",
	    "Networks of gateways of ours that take the mail of the world and "
	    "hand it to this server. It is not checked again, and what they "
	    "have marked as Junk goes there; but it is a stranger's: it is not "
	    "signed and goes to our own domains only. They may speak LMTP, "
	    "too."),
	NUMBER(remote_concurrency, NOW, "20", 1, 1000,
	    "Messages on their way to one destination at a time."),

	WORD(spf_engine, RESTART, spf_engines, "own",
	    "own: our evaluator of RFC 7208; libspf2: the library, for those "
	    "who want the answers they had. Needs a Gatepost built "
	    "--with-libspf2."),

	VALUE(outbound_private, CONF_BOOL, NOW, "no",
	    "Follow the DNS of a recipient's domain to private and loopback "
	    "addresses, too. Hops in settings may name any address."),
	NUMBER(outbound_connections, NOW, "200", 1, 5000,
	    "Connections to other servers at a time."),
	VALUE(smart_hosts, CONF_PEERS, NOW, "",
	    "Servers that we log in to and that smart_host_tls is "
	    "for, as routes name them."),
	VALUE(smart_host_user, CONF_TEXT, NOW, "",
	    "The name that we log in with (AUTH PLAIN or LOGIN). Empty: we do "
	    "not."),
	VALUE(smart_host_password_file, CONF_PATH, RESTART, "",
	    "The file with its password. It never goes out without TLS, save "
	    "on loopback."),
	WORD(smart_host_tls, NOW, smart_tls_modes, "encrypt",
	    "may: TLS if it is offered; encrypt: TLS or nothing; verify: with "
	    "a certificate for HOST, too."),
	VALUE(smart_host_ca_file, CONF_PATH, RESTART, "",
	    "Certificates that vouch for smart hosts, PEM. Empty: the "
	    "system's."),

	VALUE(track, CONF_BOOL, RESTART, "yes",
	    "Write down what happens to each message, for gatepost trace and "
	    "gatepost report: addresses, never what a message says."),
	NUMBER(
	    track_days, NOW, "30", 1, 3650, "How many days of that are kept."),
	NUMBER(track_mb, NOW, "1024", 16, 1048576,
	    "How much room it may take, in MiB; above it the oldest goes "
	    "before its time."),

	VALUE(rules_file, CONF_PATH, NOW, "",
	    "Rewriting, blind copies, catch-all, sizes by group and header "
	    "checks; see "
	    "gatepost-rules(5). Empty: none."),
	VALUE(subaddress, CONF_TEXT, NOW, "+",
	    "The character between a name and a detail: mail for "
	    "user+detail is the user's, unless the directory knows the whole "
	    "address. Empty: there are no details."),
	VALUE(aliases_file, CONF_PATH, NOW, "",
	    "Who gets the mail of this machine's users, as in aliases(5): "
	    "usually /etc/aliases. Empty: postmaster does."),
	VALUE(local_trusted_users, CONF_TEXTS, NOW, "",
	    "Users of this machine, beside root, that may send mail under "
	    "any address with gatepost-sendmail(1): the user of a web server "
	    "perhaps. Others send as USER@hostname."),

	NUMBER(segment_mb, RESTART, "64", 4, 1024,
	    "Size of a file of the store's log, in MiB."),
	NUMBER(commit_gather_us, RESTART, "2000", 0, 10000,
	    "How long a busy store waits for company before it commits, in "
	    "microseconds."),
	NUMBER(free_space_mb, NOW, "512", 1, 1048576,
	    "Free space on the store's disk, in MiB, below which no mail is "
	    "taken, so that deleting always works."),
	NUMBER(index_gb, RESTART, "32", 1, 4096,
	    "The most that the index may grow to, in GiB (a sparse file)."),
	NUMBER(compact_percent, RESTART, "30", 5, 90,
	    "Compact the log by itself when so much of it, in percent, is "
	    "needed no more; smaller on a small disk."),
};
const size_t conf_nrows = COUNT(conf_rows);

_Static_assert(COUNT(conf_rows) < CONF_COUNT_MAX, "too many settings");
