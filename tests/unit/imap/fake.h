/*
 * fake - a store in memory and a netd without sockets, so that whole IMAP
 * dialogues run in a unit test.  The store keeps what store_client.h and
 * reader.h promise: UIDs, MODSEQs, expunge history, one reader's snapshot.
 */
#ifndef TESTS_UNIT_IMAP_FAKE_H
#define TESTS_UNIT_IMAP_FAKE_H

#include "imap/session.h"
#include "imap/upload.h"

#define FAKE_BOXES 40u
#define FAKE_MSGS  3000u

struct fake_msg {
	struct store_row row;
	struct str bytes, meta;
	uint64_t gone; /* MODSEQ of its expunge, 0: there */
};

struct fake_box {
	bool used;
	struct store_mailbox mb;
	struct fake_msg *msgs;
	size_t n;
	uint32_t first_recent;
};

struct fake_world {
	struct arena mem;
	struct conf conf;
	struct log log;
	struct imap_daemon d;
	struct imap_spool spool;
	struct fake_box boxes[FAKE_BOXES];
	uint64_t next_id;
	size_t max_msgs; /* of a mailbox */
	unsigned views;  /* open read transactions */
	unsigned reads;  /* of message bytes */
	unsigned writes; /* calls that changed something */
	bool down;       /* the store does not answer */
	bool deadly;     /* reading a message ends the process */
	bool unreadable; /* message bytes cannot be read */
	enum rc ticket, mechs;
	unsigned asked_mechs;
};

struct fake_client {
	struct fake_world *w;
	struct netd_conn *c;
};

void fake_world_init(struct fake_world *w);
void fake_world_init_small(struct fake_world *w, size_t max_msgs);
void fake_world_free(struct fake_world *w);
struct fake_box *fake_box(struct fake_world *w, const char *name);
/* As a delivery: into INBOX or another mailbox; hints are pushed. */
uint32_t fake_deliver(
    struct fake_world *w, const char *box, struct str msg, uint64_t flags);

/* Connected, logged in, the reply to that taken away. */
void fake_connect(struct fake_world *w, struct fake_client *cl);
/* Up to the preamble's answer, which stays in the output. */
void fake_connect_raw(struct fake_world *w, struct fake_client *cl);
/* The same for POP3. */
void fake_connect_pop(struct fake_world *w, struct fake_client *cl);
void fake_disconnect(struct fake_client *cl);
/* Input in pieces of `piece` bytes; everything that follows from it is run. */
void fake_send(struct fake_client *cl, struct str in, size_t piece);
/* A unit of another kind. */
void fake_event(struct fake_client *cl, enum netd_unit_kind kind);
/* What was said since the last call; valid until the next one. */
struct str fake_said(struct fake_client *cl);
bool fake_is_closed(const struct fake_client *cl);
/* Output room of the client, to have cursors stop. */
void fake_set_room(struct fake_client *cl, size_t room);
/* Bytes that the session holds while nothing runs. */
size_t fake_idle_bytes(const struct fake_client *cl);

#endif
