/*
 * gw - what all sessions of a gateway process share.
 *
 * Ownership  Made by main, lives as long as the process.  The configuration
 *            is swapped on reload; a session keeps the one it began with.
 * Threads    Clients lock inside; gw_conf and gw_conf_set lock.
 */
#ifndef GW_GW_H
#define GW_GW_H

#include <pthread.h>
#include <stdatomic.h>

#include "conf/conf.h"
#include "delivery/dlv_client.h"
#include "directory/dir_client.h"
#include "gateway/gw_site.h"
#include "lib/netd.h"
#include "policy/sgn_client.h"
#include "policy/pol_client.h"
#include "track/trk_client.h"

/* Listener tags (netd_tag). */
enum gw_port {
	GW_MX = 1,
	GW_SUBMISSION,
	GW_SUBMISSIONS,
	GW_IMAP,
	GW_IMAPS,
	GW_POP3,
	GW_POP3S,
	GW_LMTP,
	GW_LOCAL, /* programs of this machine, by gatepost-sendmail */
};

#define GW_MECHS_MAX 256u

struct gw_limit;

struct gw {
	pthread_mutex_t lock; /* conf, site and mechs */
	const struct conf *conf;
	const struct gw_site *site; /* may be NULL */
	struct log log;
	struct dir_client *dir;
	struct dlv_client *dlv;
	struct sgn_client *sgn;
	struct pol_client *pol;
	struct gw_limit *limit;       /* gw_guard.h; never NULL */
	struct trk_client *trk;       /* NULL: nothing is tracked */
	const char *spool_dir;        /* unnamed files of large bodies */
	const char *imap_path;        /* IPC socket of imap (access) */
	struct str node;              /* what the machine calls itself */
	_Atomic uint64_t body_memory; /* bytes of memfd bodies in flight */
	/* counters for status */
	_Atomic uint64_t accepted, deferred, refused;
	_Atomic uint64_t unchecked; /* taken without policy's verdict */
	_Atomic uint64_t logins, login_failures;
	/* gw_mechs */
	char mechs[GW_MECHS_MAX];
	size_t mechs_n;
	int64_t mechs_until; /* CLOCK_MONOTONIC ns */
};

/* A reference to the present settings; conf_unref it. */
const struct conf *gw_conf(struct gw *gw);
/* Takes over the reference. */
void gw_conf_set(struct gw *gw, const struct conf *conf);
/* The same for rules, aliases and users. */
const struct gw_site *gw_site(struct gw *gw);
void gw_site_set(struct gw *gw, const struct gw_site *site);

#endif
