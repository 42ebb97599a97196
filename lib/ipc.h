/*
 * ipc - frames of named, typed fields over a UNIX stream socket, with
 * descriptors.
 *
 * Format (all integers little endian): u32 length of what follows, u16
 * IPC_VERSION, u16 op, u32 id, u32 deadline (milliseconds left, requests) or
 * result (enum rc, replies), then fields.  A field: u8 type | IPC_CRITICAL,
 * u8 name length, u32 value length, name, value.  An IPC_FD value is the u32
 * index into the descriptors that came with the frame; IPC_GROUP nests.
 * A critical field that the receiver did not ask for makes ipc_in_done say
 * RC_BAD; skippable ones are ignored.
 *
 * Ownership  A message owns its buffer and its descriptors until they are
 *            taken; slices that come out of it die with it.
 * Threads    A message has one owner; clients are shared and lock inside.
 * Errors     Puts are sticky: an overflow is reported by the send (RC_BAD).
 * Limits     IPC_FRAME_MAX bytes, IPC_FDS_MAX descriptors, names of at most
 *            31 bytes, IPC_DEPTH_MAX nested groups.
 */
#ifndef LIB_IPC_H
#define LIB_IPC_H

#include "lib/base.h"
#include "lib/log.h"

#define IPC_VERSION   1u
#define IPC_FRAME_MAX (8u << 20)
#define IPC_FDS_MAX   32u
#define IPC_DEPTH_MAX 4u
#define IPC_CRITICAL  0x80u

struct ipc_msg {
	struct buf b; /* header and fields */
	int fds[IPC_FDS_MAX];
	unsigned nfds;
	bool bad;    /* a put did not fit */
	size_t last; /* where the field put last begins */
	uint16_t op; /* filled on receipt */
	uint32_t id;
	uint32_t extra; /* deadline left (ms) or result */
};

#define AUTO_MSG CLEANUP(ipc_msg_free) struct ipc_msg

void ipc_msg_init(struct ipc_msg *m, uint16_t op);
void ipc_msg_free(struct ipc_msg *m); /* closes what it still holds */

/* Writing: `name` is a literal.  All of these are critical fields ... */
void ipc_put_str(struct ipc_msg *m, const char *name, struct str v);
void ipc_put_u64(struct ipc_msg *m, const char *name, uint64_t v);
void ipc_put_i64(struct ipc_msg *m, const char *name, int64_t v);
/* fd is duplicated into the message. */
void ipc_put_fd(struct ipc_msg *m, const char *name, int fd);
/* A body: in a descriptor, or (fd -1) inline. */
void ipc_put_body(struct ipc_msg *m, int fd, struct str inline_data);
/* Everything put between begin and end belongs to the group. */
size_t ipc_begin(struct ipc_msg *m, const char *name);
void ipc_end(struct ipc_msg *m, size_t at);
/* ... until the next call; `skippable` marks the field put last. */
void ipc_skippable(struct ipc_msg *m);

/* Reading: a cursor over the fields of a message or of one group. */
struct ipc_in {
	struct ipc_msg *m;
	char *p;
	size_t n;
};

void ipc_in_init(struct ipc_in *in, struct ipc_msg *m);
/* The first field of that name and type; RC_NOENT if there is none. */
MUST_CHECK enum rc ipc_get_str(
    struct ipc_in *in, const char *name, struct str *out);
MUST_CHECK enum rc ipc_get_u64(
    struct ipc_in *in, const char *name, uint64_t *out);
MUST_CHECK enum rc ipc_get_i64(
    struct ipc_in *in, const char *name, int64_t *out);
/* The descriptor now belongs to the caller. */
MUST_CHECK enum rc ipc_get_fd(struct ipc_in *in, const char *name, int *out);
/* RC_BAD if it is missing or longer than max. */
MUST_CHECK enum rc ipc_get_str_max(
    struct ipc_in *in, const char *name, size_t max, struct str *out);
/*
 * A body of `size` bytes: inline, at most max of them, or in a descriptor,
 * which then belongs to the caller (else *out_fd is -1).  It comes last: RC_BAD
 * also where ipc_in_done says it.
 */
MUST_CHECK enum rc ipc_get_body(struct ipc_in *in, uint64_t size, size_t max,
    struct str *out_inline, int *out_fd);
/* As above with a value for "absent"; never fail. */
struct str ipc_str_or(struct ipc_in *in, const char *name, struct str other);
uint64_t ipc_u64_or(struct ipc_in *in, const char *name, uint64_t other);
/*
 * The next field of that name behind *pos (start with 0): RC_NOENT at the
 * end.  For repeated strings and groups.
 */
MUST_CHECK enum rc ipc_next_str(
    struct ipc_in *in, const char *name, size_t *pos, struct str *out);
MUST_CHECK enum rc ipc_next_group(
    struct ipc_in *in, const char *name, size_t *pos, struct ipc_in *out);
/* The next number of any name: for numbers that are only shown. */
MUST_CHECK enum rc ipc_next_u64(
    struct ipc_in *in, size_t *pos, struct str *name, uint64_t *out);
/* RC_BAD if a critical field (in any group entered or not) was not read. */
MUST_CHECK enum rc ipc_in_done(struct ipc_in *in);

/* One frame on a connected socket; blocking until dl. */
MUST_CHECK enum rc ipc_send(int fd, struct ipc_msg *m, struct deadline dl);
/* RC_NOENT: the peer closed between frames. */
MUST_CHECK enum rc ipc_recv(int fd, struct ipc_msg *m, struct deadline dl);

/* A service as its clients see it: connections made on demand, reused. */
struct ipc_client;

struct ipc_client *ipc_client_new(const struct log *log, const char *service,
    const char *path, unsigned max_conns);
void ipc_client_free(struct ipc_client **c);

/*
 * Ask and wait.  Returns the service's own result, or RC_TEMP when there was
 * no answer before dl, no permit free, or the breaker is open (the service
 * refused or failed several connections in a row; tried again after 200 ms).
 * A connection that turns out closed before anything was answered is made
 * anew once, because every operation carries what makes it safe to repeat.
 * *reply is initialised by the call and must be freed unless RC_TEMP by
 * transport; freeing it always is harmless.
 */
MUST_CHECK enum rc ipc_call(struct ipc_client *c, struct ipc_msg *req,
    struct deadline dl, struct ipc_msg *reply);

/*
 * Ask and be told: `done` runs exactly once, on the client's own thread (or
 * on the caller's before ipc_start returns, with RC_TEMP), with the result
 * and the reply, which it may only read during the call.  It must not block.
 */
void ipc_start(struct ipc_client *c, struct ipc_msg *req, struct deadline dl,
    void (*done)(void *arg, enum rc rc, struct ipc_msg *reply), void *arg);

/*
 * A subscription: sends req, then hands every pushed frame to `push` on its
 * own thread; after each (re)connect it first calls push with NULL ("you may
 * have missed something: read again").  Freed with ipc_sub_free.
 */
struct ipc_sub;
struct ipc_sub *ipc_subscribe(struct ipc_client *c,
    void (*fill)(void *arg, struct ipc_msg *req),
    void (*push)(void *arg, struct ipc_msg *m), void *arg);
void ipc_sub_free(struct ipc_sub **sub);

#endif
