/*
 * netd_rig - a small line service for the tests of netd, and clients for it.
 *
 * Commands, one per line: ECHO text, BIG n (n bytes through NEXT_DRAIN),
 * SLEEP ms (blocks its worker), WAIT (until the test wakes it), LATER ms
 * (netd_wake_in), IDLE, TLS, RELAY, LOGIN (becomes authenticated), RATE, QUIT,
 * ABORT, INFO.
 */
#ifndef TESTS_UNIT_LIB_NETD_RIG_H
#define TESTS_UNIT_LIB_NETD_RIG_H

#include <pthread.h>
#include <stdatomic.h>

#include <gnutls/gnutls.h>

#include "lib/netd.h"

struct rig {
	struct netd *netd;
	struct netd_conf conf;
	struct netd_listener listeners[3]; /* clear, TLS, UNIX socket */
	int fds[3];
	uint16_t port[2];
	char path[108];
	struct tls_ctx *tls;
	struct log log;
	struct log_sink *sink;
	bool quick;       /* ECHO and UNIT_OPEN run on the reactor */
	int relay_fd;     /* what RELAY hands over */
	bool proxy;       /* TCP clients come through a balancer */
	bool mapped;      /* the clear listener is an IPv6 socket for IPv4 */
	bool relay_pairs; /* instead: a new pair each, the far end kept */
	bool relay_echo;  /* instead: a new pair, whose far end echoes */
	pthread_t echo;
	int echo_epfd;
	atomic_int echo_ends; /* far ends that are open */
	atomic_bool echo_over;
	atomic_uint opened, closed, on_reactor, on_worker;
	/* of the session that said WAIT or IDLE last */
	_Atomic(struct netd_waker *) waker;
};

/* Sensible test settings: 2 reactors, 4 workers, generous times. */
void rig_init(struct rig *r);
/* Bind, make a certificate, start. */
void rig_start(struct rig *r);
void rig_stop(struct rig *r, int ms);
/* Self-signed, ECDSA P-256; PEM in the arena. */
void rig_pair(struct arena *a, struct tls_pair *out);
struct netd_waker *rig_take_waker(struct rig *r);

/* A blocking client with 20 s of patience for everything. */
struct client {
	int fd;
	gnutls_session_t tls;
	gnutls_certificate_credentials_t cred;
};

void client_open(struct client *c, struct rig *r, unsigned listener);
int client_tls(struct client *c, const char *priority); /* 0 or error */
void client_close(struct client *c);
void client_send(struct client *c, struct str s);
/* Bytes read, 0 at the end of file, -1 on a reset. */
long client_recv(struct client *c, char *p, size_t n);
/* One line without its LF; false at the end. */
bool client_line(struct client *c, char *p, size_t size);
/* Fail the test unless the next line is this, NULL: unless it ends. */
void client_expect(struct client *c, const char *line);

#endif
