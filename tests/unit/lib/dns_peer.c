#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/lib/dns_peer.h"

#define PATIENCE_MS 20000

struct packet {
	unsigned char v[65535];
	size_t n;
};

static void
put16(struct packet *k, unsigned v)
{
	k->v[k->n++] = (unsigned char)(v >> 8);
	k->v[k->n++] = (unsigned char)v;
}

static void
put_str(struct packet *k, struct str s)
{
	memcpy(k->v + k->n, s.p, s.n);
	k->n += s.n;
}

/* A pointer to the question's name, or another owner. */
static void
put_record(struct packet *k, const struct peer *p, struct str owner,
    unsigned type, struct str rdata)
{
	if (owner.n == 0)
		put16(k, 0xc00c);
	else
		put_str(k, owner);
	put16(k, type);
	put16(k, 1);
	put16(k, p->ttl >> 16);
	put16(k, p->ttl & 0xffff);
	put16(k, (unsigned)rdata.n);
	put_str(k, rdata);
}

static void
put_soa(struct packet *k, const struct peer *p)
{
	unsigned char rdata[4 + 20] = { 1, 'm', 0, 0 };

	rdata[22] = (unsigned char)(p->ttl >> 8);
	rdata[23] = (unsigned char)p->ttl;
	put_record(k, p, STR("\0"), 6, str_n(rdata, sizeof(rdata)));
}

static unsigned
put_records(struct packet *k, const struct peer *p, const struct peer_row *row)
{
	struct str owner =
	    row->how == PEER_OTHER ? STR("\4liar\4test\0") : STR_NULL;
	unsigned n = 0;

	for (; n < COUNT(row->v) && row->v[n].type != 0; n++)
		put_record(k, p, owner, row->v[n].type, row->v[n].rdata);
	for (unsigned i = 0; i < row->repeat; i++, n++) {
		put_record(k, p, owner, row->v[0].type, row->v[0].rdata);
		k->v[k->n - 1] = (unsigned char)(i + 1);
	}
	return n;
}

/* The end of the question, 0: it is none. */
static size_t
question_end(const unsigned char *q, size_t n)
{
	size_t at = 12;

	while (at < n && q[at] != 0)
		at += 1u + q[at];
	return at + 5 <= n ? at + 5 : 0;
}

static const struct peer_row *
find_row(const struct peer *p, const unsigned char *q, size_t end)
{
	struct str name = str_n(q + 12, end - 12 - 4);
	unsigned type = (unsigned)(q[end - 4] << 8 | q[end - 3]);

	for (size_t i = 0; i < p->nrows; i++) {
		const struct peer_row *row = &p->rows[i];

		/* The literal's own NUL is the root. */
		if (str_ieq(name, row->name) &&
		    (row->type == 0 || row->type == type))
			return row;
	}
	return NULL;
}

/* False: say nothing. */
static bool
answer(struct peer *p, const unsigned char *q, size_t n, bool tcp,
    struct packet *k)
{
	static const struct peer_row unknown = { .how = PEER_NXDOMAIN };
	static const unsigned rcodes[] = { [PEER_NXDOMAIN] = 3,
		[PEER_SERVFAIL] = 2,
		[PEER_REFUSED] = 5,
		[PEER_HOLD] = 0 };
	size_t end = question_end(q, n);
	const struct peer_row *row;
	unsigned count = 0;
	bool cut;

	if (end == 0)
		return false;
	row = find_row(p, q, end);
	if (row == NULL)
		row = &unknown;
	if (row->how == PEER_SILENT || (row->how == PEER_HOLD && !p->open))
		return false;
	cut = row->how == PEER_TRUNCATE && !tcp;
	memcpy(k->v, q, end);
	k->n = end;
	k->v[2] = (unsigned char)(0x84 | (cut ? 2 : 0) | (q[2] & 1));
	k->v[3] = (unsigned char)(0x80 | rcodes[row->how]);
	memset(k->v + 6, 0, 6);
	if (!cut && rcodes[row->how] == 0)
		count = put_records(k, p, row);
	k->v[6] = (unsigned char)(count >> 8);
	k->v[7] = (unsigned char)count;
	if (count == 0 && !cut && rcodes[row->how] % 3 == 0) {
		put_soa(k, p);
		k->v[9] = 1;
	}
	if (row->how == PEER_GARBAGE)
		k->n -= 3;
	return true;
}

static void
send_udp(struct peer *p, const struct packet *k, const unsigned char from[16])
{
	(void)sendto(p->udp, k->v, k->n, 0, (const struct sockaddr *)from,
	    sizeof(struct sockaddr_in));
}

static void
on_udp(struct peer *p, struct packet *k)
{
	struct peer_held h;
	socklen_t len = sizeof(h.from);
	ssize_t n = recvfrom(
	    p->udp, h.q, sizeof(h.q), 0, (struct sockaddr *)h.from, &len);

	if (n < 0)
		return;
	h.n = (size_t)n;
	if (answer(p, h.q, h.n, false, k))
		send_udp(p, k, h.from);
	else if (p->nheld < COUNT(p->held))
		p->held[p->nheld++] = h;
	p->asked++;
}

static void
on_tcp(struct peer *p, struct packet *k)
{
	AUTO_FD fd = accept(p->tcp, NULL, NULL);
	unsigned char q[514];
	ssize_t n = fd < 0 ? -1 : recv(fd, q, sizeof(q), 0);

	p->tcps++;
	p->asked++;
	if (n > 14 && answer(p, q + 2, (size_t)n - 2, true, k)) {
		unsigned char len[2] = { (unsigned char)(k->n >> 8),
			(unsigned char)k->n };

		if (fd_write_all(fd, str_n(len, 2)) == RC_OK)
			(void)!fd_write_all(fd, str_n(k->v, k->n));
	}
}

static void
on_release(struct peer *p, struct packet *k)
{
	for (size_t i = 0; i < p->nheld; i++)
		if (answer(p, p->held[i].q, p->held[i].n, false, k))
			send_udp(p, k, p->held[i].from);
	p->nheld = 0;
}

static void *
run(void *arg)
{
	struct peer *p = arg;
	struct pollfd fds[] = { { p->udp, POLLIN, 0 }, { p->tcp, POLLIN, 0 },
		{ p->wake[0], POLLIN, 0 } };
	struct packet *k = xmalloc(sizeof(*k));
	char what = 0;

	while (what != 'q') {
		(void)poll(fds, COUNT(fds), -1);
		if (fds[0].revents)
			on_udp(p, k);
		if (fds[1].revents)
			on_tcp(p, k);
		if (fds[2].revents && read(p->wake[0], &what, 1) == 1 &&
		    what == 'r')
			on_release(p, k);
	}
	xfree(k);
	return NULL;
}

/* Some port that is free for both. */
static bool
bind_both(struct peer *p)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(sin);

	p->udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	p->tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(p->tcp, (struct sockaddr *)&sin, len) == 0 &&
	    getsockname(p->tcp, (struct sockaddr *)&sin, &len) == 0 &&
	    bind(p->udp, (struct sockaddr *)&sin, len) == 0 &&
	    listen(p->tcp, 16) == 0) {
		p->port = ntohs(sin.sin_port);
		return true;
	}
	fd_close(&p->udp);
	fd_close(&p->tcp);
	return false;
}

void
peer_start(struct peer *p)
{
	while (!bind_both(p))
		;
	if (snprintf(p->server, sizeof(p->server), "127.0.0.1@%u", p->port) <
		0 ||
	    pipe(p->wake) < 0 || pthread_create(&p->thread, NULL, run, p) != 0)
		panic("no peer");
}

void
peer_release(struct peer *p)
{
	p->open = true;
	if (write(p->wake[1], "r", 1) != 1)
		panic("no release");
}

void
peer_stop(struct peer *p)
{
	if (write(p->wake[1], "q", 1) != 1)
		panic("no stop");
	pthread_join(p->thread, NULL);
	fd_close(&p->udp);
	fd_close(&p->tcp);
	fd_close(&p->wake[0]);
	fd_close(&p->wake[1]);
}

bool
peer_saw(struct peer *p, unsigned n)
{
	const struct timespec step = { 0, 1000000 };
	struct deadline dl = deadline_in(PATIENCE_MS);

	while (p->asked < n) {
		if (deadline_over(dl))
			return false;
		nanosleep(&step, NULL);
	}
	return true;
}
