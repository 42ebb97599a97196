/*
 * dns_peer - a DNS server that answers by a table, with UDP and TCP on one
 * loopback port, as well or as badly as a row says.
 */
#ifndef TESTS_UNIT_LIB_DNS_PEER_H
#define TESTS_UNIT_LIB_DNS_PEER_H

#include <pthread.h>
#include <stdatomic.h>

#include "lib/resolver.h"

enum peer_how {
	PEER_ANSWER,
	PEER_NXDOMAIN,
	PEER_SERVFAIL,
	PEER_REFUSED,
	PEER_SILENT,
	PEER_TRUNCATE, /* nothing over UDP, all over TCP */
	PEER_OTHER,    /* the records belong to liar.test */
	PEER_GARBAGE,  /* the answer ends in the middle */
	PEER_HOLD,     /* silent until peer_release */
};

struct peer_record {
	uint16_t type;
	struct str rdata;
};

/* NODATA: a row with PEER_ANSWER and no records. */
struct peer_row {
	struct str name; /* on the wire, lower case */
	uint16_t type;   /* 0: any */
	enum peer_how how;
	struct peer_record v[4];
	unsigned repeat; /* of the first record, with a changed last byte */
};

struct peer {
	const struct peer_row *rows;
	size_t nrows;
	uint32_t ttl; /* of records, and of what is not there */
	int udp, tcp;
	uint16_t port;
	char server[32];         /* "127.0.0.1@port" */
	atomic_uint asked, tcps; /* questions; those over TCP */
	/* its own */
	pthread_t thread;
	int wake[2];
	atomic_bool open; /* what was held may go */
	struct peer_held {
		unsigned char q[512];
		size_t n;
		unsigned char from[16];
	} held[64];
	size_t nheld;
};

void peer_start(struct peer *p);
void peer_release(struct peer *p);
void peer_stop(struct peer *p);
/* Spin (with sleep) until that many questions came; false: in vain. */
bool peer_saw(struct peer *p, unsigned n);

#endif
