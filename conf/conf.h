/*
 * conf - the settings of a site: one table, parsed by libConfuse.
 *
 * Ownership  A loaded configuration is immutable and reference-counted; a
 *            session keeps the one it began with.  Strings live in it.
 * Threads    Reference counting is atomic.
 * Errors     RC_BAD names file, line, setting and what is wrong in *why.
 * Limits     Every number has a range; 0 never means unlimited.
 */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include "lib/base.h"
#include "lib/log.h"
#include "lib/sandbox.h"

struct conf_list {
	const char *const *v;
	size_t n;
};

enum conf_backend { CONF_LDAP, CONF_LDIF };
enum conf_profile { CONF_AD, CONF_RFC };
enum conf_bind { CONF_BIND_GSSAPI, CONF_BIND_SIMPLE };
enum conf_spf { CONF_SPF_OWN, CONF_SPF_LIBSPF2 };
enum conf_smart_tls { CONF_SMART_MAY, CONF_SMART_ENCRYPT, CONF_SMART_VERIFY };
enum conf_policy_down { CONF_DOWN_ACCEPT, CONF_DOWN_DEFER };
enum conf_spf_fail { CONF_SPF_MARK, CONF_SPF_REJECT };
enum conf_dmarc_reject { CONF_DMARC_JUNK, CONF_DMARC_REJECT };
enum conf_ldap_tls { CONF_TLS_NONE, CONF_TLS_START, CONF_TLS_LDAPS };

struct conf {
	/* who we are */
	const char *hostname;
	struct conf_list domains; /* accepted mail domains */
	const char *postmaster;   /* address */
	/* places */
	const char *data_dir; /* store: log, index, keys */
	const char *run_dir;  /* IPC sockets, spool files */
	const char *master_key_file;
	const char *log_file; /* "" = stderr */
	enum log_level log_level;
	enum log_format log_format;
	const char *log_syslog; /* socket of the daemon; "" = none */
	const char *user;       /* one user for all, or "" = one per role:
				   user_prefix + role */
	const char *user_prefix;
	enum sandbox_mode sandbox;
	/* listeners: "address:port", "[v6]:port", "*:port"; empty = none */
	struct conf_list listen_smtp;
	struct conf_list listen_submission;
	struct conf_list listen_submissions;
	struct conf_list listen_imap;
	struct conf_list listen_imaps;
	struct conf_list listen_pop3;
	struct conf_list listen_pop3s;
	struct conf_list listen_lmtp; /* or an absolute path: a UNIX socket */
	struct conf_list lmtp_users;  /* who may connect to the latter */
	/* those of them whose clients come through a balancer */
	struct conf_list proxy_listeners;
	struct conf_list proxy_networks; /* of the balancers, lib/net.h */
	/* TLS */
	struct conf_list tls_certificate; /* files, PEM chains */
	struct conf_list tls_key;         /* in the same order */
	bool plaintext_login_on_loopback;
	/* directory */
	enum conf_backend directory;
	enum conf_profile directory_profile;
	const char *ldif_file;
	struct conf_list ldap_servers; /* ldap://dc1.example.org ... */
	enum conf_ldap_tls ldap_tls;
	const char *ldap_ca_file;
	const char *ldap_base;
	enum conf_bind ldap_bind;
	const char *ldap_bind_dn;
	const char *ldap_password_file;
	const char *ldap_keytab;    /* client keytab for GSSAPI */
	const char *ldap_principal; /* "" = first of the keytab */
	const char *keytab;         /* ours: imap/host, smtp/host */
	const char *krb5_config;    /* "" = the system's */
	const char *realm;          /* Kerberos realm of the accounts */
	const char *netbios_domain; /* DOMAIN of DOMAIN\user */
	const char *scope_filter;   /* LDAP filter; "" = all */
	const char *scope_group;    /* DN; "" = all */
	/* attributes; "" = the profile's */
	struct conf_list attr_alias; /* multi-valued address attributes */
	const char *attr_mail;
	const char *attr_login; /* rfc: uid */
	const char *attr_member;
	bool group_open; /* groups take mail from anybody */
	unsigned directory_timeout_ms;
	unsigned directory_connections;
	unsigned directory_cache_ms; /* at most 1000 */
	/* DNS */
	struct conf_list dns_servers; /* empty: those of resolv.conf */
	const char *dns_trust_anchor; /* file; "" = no DNSSEC */
	/* policy */
	bool policy;
	unsigned policy_timeout_ms;
	enum conf_policy_down policy_down;
	enum conf_spf_fail spf_fail;
	enum conf_dmarc_reject dmarc_reject;
	/* limits */
	uint64_t message_size_max; /* bytes */
	unsigned recipients_max;   /* per message */
	unsigned hops_max;         /* Received fields */
	unsigned smtp_sessions_max;
	unsigned submission_sessions_max;
	unsigned imap_sessions_max;
	unsigned imap_processes;
	unsigned smtp_errors_max; /* per session, then 421 */
	unsigned workers;         /* per process */
	unsigned smtp_timeout_s;
	unsigned imap_timeout_s;  /* at least 1800 (RFC 9051 5.4) */
	uint64_t memory_body_max; /* bytes of memfd bodies in flight */
	/* signatures */
	const char *dkim_dir; /* "" = none */
	/* limits by client and by user */
	struct conf_list limit_exempt; /* networks, lib/net.h */
	unsigned client_sessions_max;  /* at a time */
	unsigned client_rate_max;      /* connections a minute */
	unsigned client_messages_max, client_recipients_max; /* an hour */
	unsigned user_sessions_max;
	unsigned user_messages_max, user_recipients_max; /* an hour */
	unsigned auth_failures_max; /* in ban_s, then a ban */
	unsigned ban_s;
	unsigned tarpit_ms;
	/* queue */
	unsigned queue_retry_min_s, queue_retry_max_s;
	unsigned queue_lifetime_s; /* then a notice goes back */
	unsigned queue_max;        /* entries */
	unsigned queue_warn_s;     /* then the sender is told of the delay */
	/* policy: SPF */
	enum conf_spf spf_engine;
	/* remote */
	bool outbound_private; /* MX to private addresses are followed */
	unsigned outbound_connections;
	struct conf_list smart_hosts; /* HOST:PORT */
	const char *smart_host_user;
	const char *smart_host_password_file;
	enum conf_smart_tls smart_host_tls;
	const char *smart_host_ca_file;
	/* to other servers */
	struct conf_list routes;         /* KEY=HOP, see conf_route_parse */
	struct conf_list relay_networks; /* clients that may send anywhere */
	struct conf_list front_networks; /* gateways of ours before us */
	unsigned remote_concurrency;     /* transactions for one hop */
	/* what happened to messages */
	bool track;
	unsigned track_days, track_mb;
	/* rules */
	const char *rules_file;               /* mail/rules.h; "" none */
	const char *subaddress;               /* one character, or "" */
	const char *aliases_file;             /* mail/aliases.h; "" none */
	struct conf_list local_trusted_users; /* may use any sender */
	/* store */
	unsigned segment_mb;
	unsigned commit_gather_us; /* wait for company when busy */
	unsigned free_space_mb;    /* floor */
	unsigned index_gb;         /* size of the sparse map */
	unsigned compact_percent;  /* of the log that is garbage */
};

/* Parse text (named `name` in messages).  *why lives in a. */
MUST_CHECK enum rc conf_parse(struct arena *a, const char *name,
    struct str text, const struct conf **out, struct str *why);
MUST_CHECK enum rc conf_load(struct arena *a, const char *path,
    const struct conf **out, struct str *why);
const struct conf *conf_ref(const struct conf *c);
void conf_unref(const struct conf **c);
/* Every setting with its value and default, as a file that can be loaded. */
MUST_CHECK enum rc conf_dump(const struct conf *c, struct buf *out);
/* The table as text for the manual: name, type, default, range, help. */
MUST_CHECK enum rc conf_manual(struct buf *out);
/*
 * What differs between two configurations and takes effect only after a
 * restart: the names, each with a space behind it.
 */
MUST_CHECK enum rc conf_restart_needed(
    const struct conf *a, const struct conf *b, struct buf *out);

/* A listener: "address:port", "[v6]:port" or "*:port" (port 0: any). */
struct conf_listen {
	struct str host; /* as written, without brackets; "*" is all */
	bool v6;
	uint16_t port;
};
MUST_CHECK enum rc conf_listen_parse(struct str text, struct conf_listen *out);

/*
 * One of `routes`, "KEY=HOP".  KEY: a domain, ".domain" for all below it, "*"
 * for every foreign domain (the smart host), "server:NAME" for what the
 * directory names as somebody's mail server; "relay:" before a domain: anybody
 * may send there through us.  HOP as in delivery/rem_client.h.
 */
enum conf_route_kind {
	CONF_ROUTE_NONE,
	CONF_ROUTE_DOMAIN,
	CONF_ROUTE_BELOW,
	CONF_ROUTE_ALL,
	CONF_ROUTE_SERVER,
};
struct conf_route {
	enum conf_route_kind kind;
	bool relay;
	struct str key, hop;
};
MUST_CHECK enum rc conf_route_parse(struct str text, struct conf_route *out);
/* The closest one for a domain; its kind may be CONF_ROUTE_NONE. */
struct conf_route conf_route_domain(const struct conf *c, struct str domain);
/* The hop for a server's name, "" if there is none. */
struct str conf_route_server(const struct conf *c, struct str name);

/* Is it in relay_networks?  In front_networks? */
bool conf_is_relay_client(const struct conf *c, struct str ip);
bool conf_is_front(const struct conf *c, struct str ip);

/* Is this domain one of ours?  ASCII case-blind. */
bool conf_is_local_domain(const struct conf *c, struct str domain);
/* Is this listener, as written, one of proxy_listeners? */
bool conf_is_proxied(const struct conf *c, const char *listener);

#endif
