/*
 * ipc_impl - what the parts of ipc and rpcd share and nobody else uses:
 * field types, the header, whole sends, and a buffered reader of frames.
 *
 * Ownership  A reader owns its bytes and descriptors until they leave with a
 *            message.
 * Threads    A reader has one owner at a time.
 */
#ifndef LIB_IPC_IMPL_H
#define LIB_IPC_IMPL_H

#include <pthread.h>

#include "lib/ipc.h"

#define IPC_HEADER   16u
#define IPC_NAME_MAX 31u
#define IPC_READ     0x40u /* mark of a field that was asked for */
#define IPC_TYPE     0x0fu

enum ipc_type {
	IPC_STR = 1,
	IPC_U64,
	IPC_I64,
	IPC_FD,
	IPC_GROUP,
};

static inline uint32_t
ipc_le32(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;

	return (uint32_t)u[0] | (uint32_t)u[1] << 8 | (uint32_t)u[2] << 16 |
	       (uint32_t)u[3] << 24;
}

/* Write the header; RC_BAD if a put had failed. */
MUST_CHECK enum rc ipc_seal(struct ipc_msg *m);
/* Parse the header of a whole frame and check the shape of its fields. */
MUST_CHECK enum rc ipc_open(struct ipc_msg *m);

/*
 * Send a sealed frame whole.  RC_NOENT: the peer had gone before a byte was
 * taken; RC_TEMP: deadline or error, the connection is of no more use.
 * `slices`: the socket blocks for IPC_SLICE_MS at a time (ipc_connect), so
 * that no poll is needed.
 */
MUST_CHECK enum rc ipc_send_frame(
    int fd, const struct ipc_msg *m, struct deadline dl, bool slices);
/*
 * Send without waiting: how many bytes were taken from offset `off`, or -1
 * with errno.  Descriptors go with offset 0.
 */
long ipc_send_some(int fd, const struct ipc_msg *m, size_t off, int flags);

struct iovec;
long ipc_send_iov(int fd, struct iovec *iov, size_t n, int flags);

#define IPC_SLICE_MS 100

/* Blocking socket with SO_RCVTIMEO and SO_SNDTIMEO of one slice; -1 errno. */
int ipc_connect(const char *path);

struct ipc_reader {
	struct buf b;
	size_t off;   /* the frames before it are taken */
	size_t chunk; /* room for one read */
	size_t fds_at;
	unsigned nfds;
	int fds[IPC_FDS_MAX];
};

void ipc_reader_init(struct ipc_reader *r, size_t chunk);
void ipc_reader_free(struct ipc_reader *r);
/*
 * One recvmsg.  RC_OK: bytes came, *more says that the socket may hold more;
 * RC_NOENT: end of stream; RC_TEMP: errno says (EAGAIN: nothing there);
 * RC_BAD: descriptors where none belong.  All complete frames must have been
 * taken before.
 */
MUST_CHECK enum rc ipc_reader_fill(
    struct ipc_reader *r, int fd, int flags, bool *more);
/* The next frame into an initialised message; RC_NOENT: not yet; RC_BAD. */
MUST_CHECK enum rc ipc_reader_next(struct ipc_reader *r, struct ipc_msg *m);
/* ipc_reader_next has something to say. */
bool ipc_reader_ready(const struct ipc_reader *r);
/* A frame has begun and is not complete. */
bool ipc_reader_partial(const struct ipc_reader *r);

/* The multiplexed half of a client (ipc_mux.c). */
struct ipc_mux;

struct ipc_client {
	struct log log;
	char *service;
	char *path;
	unsigned max_conns;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t freed;
	unsigned busy;     /* permits in use */
	unsigned failures; /* connections in a row */
	bool probing;      /* somebody tries whether it is back */
	int64_t shut_until;
	struct ipc_mux *mux;
	size_t nidle;
	int *idle; /* max_conns of them, used from the top */
};

/* RC_TEMP while the breaker is open; else the caller tries and reports. */
MUST_CHECK enum rc ipc_breaker_ask(struct ipc_client *c);
void ipc_breaker_tell(struct ipc_client *c, bool connected, int cause);
/* Connect, patient with a service that is restarting (up to 500 ms). */
int ipc_client_connect(struct ipc_client *c, struct deadline dl);
void ipc_mux_free(struct ipc_mux **m);

#endif
