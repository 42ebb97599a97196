#include "tests/unit/lib/netd_rig.h"
#include "tests/unit/lib/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <gnutls/x509.h>

#define PATIENCE_MS 20000

struct session {
	struct rig *rig;
	struct netd_conn *c;
	uint64_t left; /* of BIG */
	uint64_t sent;
	pthread_t reactor; /* the thread that called open() */
	bool clear;
};

static void
pause_ms(int ms)
{
	struct timespec t = { ms / 1000, (long)(ms % 1000) * 1000000 };

	nanosleep(&t, NULL);
}

/* cmocka's assertions belong to the test's own thread only. */
static void
must(bool ok, const char *what)
{
	if (!ok)
		panic("%s: errno %d", what, errno);
}

static void *
on_open(void *ctx, struct netd_conn *c)
{
	struct session *s = xcalloc(1, sizeof(*s));

	s->rig = ctx;
	s->c = c;
	s->reactor = pthread_self();
	s->clear = !netd_is_tls(c);
	atomic_fetch_add(&s->rig->opened, 1);
	return s;
}

static void
on_close(void *session)
{
	struct session *s = session;

	atomic_fetch_add(&s->rig->closed, 1);
	xfree(s);
}

static size_t
on_frame(void *session, struct str in)
{
	size_t lf = str_chr(in, '\n');

	(void)session;
	if (str_has_prefix(in, STR("CUT "))) /* a unit before the line's end */
		return 4;
	return lf < in.n ? lf + 1 : 0;
}

static bool
on_quick(void *session, const struct netd_unit *u)
{
	struct session *s = session;

	return s->rig->quick &&
	       (u->kind == UNIT_OPEN || str_has_prefix(u->data, STR("ECHO")));
}

static enum next
say(struct session *s, struct str text, enum next next)
{
	if (netd_write(s->c, text) != RC_OK ||
	    netd_write(s->c, STR("\n")) != RC_OK)
		return NEXT_ABORT;
	return next;
}

static enum next
big(struct session *s)
{
	char chunk[1000];

	while (s->left > 0 && netd_out_room(s->c) > 0) {
		size_t n = MIN(netd_out_room(s->c), sizeof(chunk));

		n = (size_t)MIN(n, s->left);
		for (size_t i = 0; i < n; i++)
			chunk[i] = (char)('a' + (s->sent + i) % 23);
		if (netd_write(s->c, str_n(chunk, n)) != RC_OK)
			return NEXT_ABORT;
		s->sent += n;
		s->left -= n;
	}
	return s->left > 0 ? NEXT_DRAIN : NEXT_INPUT;
}

static void
keep_waker(struct session *s)
{
	struct netd_waker *w = netd_waker(s->c);

	w = atomic_exchange(&s->rig->waker, w);
	netd_waker_unref(&w);
}

static enum next
info(struct session *s)
{
	AUTO_ARENA a = { 0 };
	struct tls_info t = netd_tls_info(s->c);

	return say(s,
	    str_fmt(&a, "ip=%.*s local=%.*s:%u tls=%d %s %u sid=%zu",
		STRF(netd_peer_ip(s->c)), STRF(netd_local_ip(s->c)),
		netd_local_port(s->c), netd_is_tls(s->c), t.version, t.bits,
		netd_sid(s->c).n),
	    NEXT_INPUT);
}

/* One back-end for all relays: whatever comes goes back. */
static void *
echo_main(void *arg)
{
	struct rig *r = arg;
	char p[16384];

	while (!r->echo_over || r->echo_ends > 0) {
		struct epoll_event e;
		ssize_t n;

		if (epoll_wait(r->echo_epfd, &e, 1, 50) != 1)
			continue;
		n = recv(e.data.fd, p, sizeof(p), 0);
		if (n <= 0 ||
		    send(e.data.fd, p, (size_t)n, MSG_NOSIGNAL) != n) {
			close(e.data.fd);
			atomic_fetch_sub(&r->echo_ends, 1);
		}
	}
	return NULL;
}

static enum next
relay_echo(struct session *s)
{
	struct epoll_event e = { .events = EPOLLIN };
	int pair[2];

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0,
	    "socketpair");
	e.data.fd = pair[1];
	atomic_fetch_add(&s->rig->echo_ends, 1);
	must(epoll_ctl(s->rig->echo_epfd, EPOLL_CTL_ADD, pair[1], &e) == 0,
	    "epoll_ctl");
	netd_set_relay(s->c, pair[0], STR(""));
	return NEXT_RELAY;
}

static enum next
relay(struct session *s)
{
	int pair[2];
	char p[16];

	if (s->rig->relay_echo)
		return relay_echo(s);

	if (s->rig->relay_pairs) {
		must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) ==
			 0,
		    "socketpair");
		netd_set_relay(s->c, pair[0], STR(""));
		/* the far end lives as long as the process */
		(void)!recv(pair[1], p, sizeof(p), MSG_DONTWAIT);
	} else {
		netd_set_relay(s->c, s->rig->relay_fd, STR("hello\n"));
	}
	return NEXT_RELAY;
}

static enum next
command(struct session *s, struct str line)
{
	struct str word = str_word(&line);
	uint64_t n = 0;

	if (str_eq(word, STR("ECHO")))
		return say(s, line, NEXT_INPUT);
	if (str_eq(word, STR("RATE"))) {
		netd_expect_rate(s->c, true);
		return say(s, STR("ok"), NEXT_INPUT);
	}
	if (str_eq(word, STR("INFO")))
		return info(s);
	if (str_eq(word, STR("QUIT")))
		return say(s, STR("bye"), NEXT_CLOSE);
	if (str_eq(word, STR("CUT")))
		return say(s, STR("cut"), NEXT_CLOSE);
	if (str_eq(word, STR("ABORT")))
		return NEXT_ABORT;
	if (str_eq(word, STR("TLS")))
		return say(s, STR("go"), NEXT_TLS);
	if (str_eq(word, STR("LOGIN"))) {
		netd_set_class(s->c, true);
		return say(s, STR("ok"), NEXT_INPUT);
	}
	if (str_eq(word, STR("WAIT")) || str_eq(word, STR("IDLE"))) {
		keep_waker(s);
		return say(s, STR("waiting"),
		    str_eq(word, STR("WAIT")) ? NEXT_WAIT : NEXT_IDLE);
	}
	if (str_eq(word, STR("RELAY"))) {
		return relay(s);
	}
	if (str_u64(line, 1u << 30, &n) != RC_OK)
		return say(s, STR("what?"), NEXT_INPUT);
	if (str_eq(word, STR("SLEEP"))) {
		pause_ms((int)n);
		return say(s, STR("slept"), NEXT_INPUT);
	}
	if (str_eq(word, STR("LATER"))) {
		netd_wake_in(s->c, (int)n);
		return NEXT_WAIT;
	}
	if (str_eq(word, STR("BIG"))) {
		s->left = n;
		s->sent = 0;
		return big(s);
	}
	return say(s, STR("what?"), NEXT_INPUT);
}

static enum next
on_unit(void *session, struct netd_conn *c, const struct netd_unit *u)
{
	struct session *s = session;

	assert(c == s->c);
	if (s->clear && pthread_equal(pthread_self(), s->reactor))
		atomic_fetch_add(&s->rig->on_reactor, 1);
	else
		atomic_fetch_add(&s->rig->on_worker, 1);
	switch (u->kind) {
	case UNIT_OPEN:
		return say(s, STR("hi"), NEXT_INPUT);
	case UNIT_DATA:
		return command(s, str_sub(u->data, 0, u->data.n - 1));
	case UNIT_WAKE:
		return say(s, STR("woken"), NEXT_INPUT);
	case UNIT_DRAINED:
		return big(s);
	case UNIT_TLS:
		return NEXT_INPUT;
	case UNIT_TIMEOUT:
		return say(s, STR("timeout"), NEXT_CLOSE);
	case UNIT_TOO_LONG:
		return say(s, STR("long"), NEXT_CLOSE);
	case UNIT_STOP:
		return say(s, STR("stop"), NEXT_CLOSE);
	}
	return NEXT_ABORT;
}

static const struct netd_ops ops = {
	.open = on_open,
	.frame = on_frame,
	.unit = on_unit,
	.close = on_close,
	.quick = on_quick,
};

static gnutls_x509_crt_t
self_signed(gnutls_x509_privkey_t key)
{
	gnutls_x509_crt_t crt;
	const char serial[] = { 1 };

	must(
	    gnutls_x509_crt_init(&crt) == 0 &&
		gnutls_x509_crt_set_version(crt, 3) == 0 &&
		gnutls_x509_crt_set_serial(crt, serial, 1) == 0 &&
		gnutls_x509_crt_set_dn(crt, "CN=localhost", NULL) == 0 &&
		gnutls_x509_crt_set_activation_time(crt, now_unix() - 60) ==
		    0 &&
		gnutls_x509_crt_set_expiration_time(crt, now_unix() + 3600) ==
		    0 &&
		gnutls_x509_crt_set_key(crt, key) == 0 &&
		gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0) == 0,
	    "certificate");
	return crt;
}

void
rig_pair(struct arena *a, struct tls_pair *out)
{
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t crt;
	gnutls_datum_t d;

	must(gnutls_x509_privkey_init(&key) == 0 &&
		 gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
		     GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0) == 0,
	    "key");
	crt = self_signed(key);
	must(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &d) == 0, "crt");
	out->cert = str_dup(a, str_n(d.data, d.size));
	gnutls_free(d.data);
	must(gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &d) == 0,
	    "key PEM");
	out->key = str_dup(a, str_n(d.data, d.size));
	gnutls_free(d.data);
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_privkey_deinit(key);
}

void
rig_init(struct rig *r)
{
	*r = (struct rig){ .relay_fd = -1 };
	r->conf = (struct netd_conf){
		.name = "rig",
		.reactors = 2,
		.workers = 4,
		.max_sessions = 1000,
		.max_per_source = 1000,
		.busy = STR("busy\n"),
		.in_max = 4096,
		.out_high = 64u << 10,
		.out_low = 16u << 10,
		.first_timeout_ms = PATIENCE_MS,
		.handshake_timeout_ms = PATIENCE_MS,
		.min_rate = 100,
	};
}

static int
listen_on(struct sockaddr *sa, socklen_t len)
{
	int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	must(fd >= 0 && bind(fd, sa, len) == 0 && listen(fd, 512) == 0 &&
		 getsockname(fd, sa, &len) == 0,
	    "listen");
	return fd;
}

/* ::ffff:127.0.0.1, as a dual-stack listener sees IPv4. */
static int
listen_mapped(uint16_t *port)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	int fd;

	must(inet_pton(AF_INET6, "::ffff:127.0.0.1", &in6.sin6_addr) == 1,
	    "inet_pton");
	fd = listen_on((void *)&in6, sizeof(in6));
	*port = ntohs(in6.sin6_port);
	return fd;
}

static void
bind_all(struct rig *r)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	for (unsigned i = 0; i < 2; i++) {
		struct sockaddr_in in = { .sin_family = AF_INET,
			.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

		if (i == 0 && r->mapped) {
			r->fds[0] = listen_mapped(&r->port[0]);
			continue;
		}
		r->fds[i] = listen_on((void *)&in, sizeof(in));
		r->port[i] = ntohs(in.sin_port);
	}
	snprintf(r->path, sizeof(r->path), "/tmp/netd_test.%ld.%d",
	    (long)getpid(), r->fds[0]);
	unlink(r->path);
	memcpy(un.sun_path, r->path, sizeof(un.sun_path));
	r->fds[2] = listen_on((void *)&un, sizeof(un));
	for (unsigned i = 0; i < 3; i++)
		r->listeners[i] = (struct netd_listener){ .fd = r->fds[i],
			.implicit_tls = i == 1,
			.proxy = r->proxy && i < 2,
			.ops = &ops,
			.ctx = r,
			.tag = i };
	r->conf.listeners = r->listeners;
	r->conf.nlisteners = 3;
}

void
rig_start(struct rig *r)
{
	AUTO_ARENA a = { 0 };
	const char ticket_key[64] = "a key of the tests";
	struct tls_pair pair;

	r->sink = log_sink_new(
	    2, "netd_test", getenv("RIG_LOG") ? LOG_DEBUG : LOG_ERROR);
	r->log = (struct log){ .sink = r->sink };
	rig_pair(&a, &pair);
	must(tls_ctx_new(&r->log, &pair, 1, str_n(ticket_key, 64), &r->tls) ==
		 RC_OK,
	    "tls_ctx_new");
	bind_all(r);
	r->listeners[2].busy = STR("busy here\n");
	r->conf.tls = r->tls;
	if (r->relay_echo) {
		r->echo_epfd = epoll_create1(EPOLL_CLOEXEC);
		pthread_create(&r->echo, NULL, echo_main, r);
	}
	r->netd = netd_start(&r->log, &r->conf);
	must(r->netd != NULL, "netd_start");
}

void
rig_stop(struct rig *r, int ms)
{
	struct netd_waker *w;

	netd_stop(&r->netd, deadline_in(ms));
	if (r->relay_echo) {
		r->echo_over = true;
		pthread_join(r->echo, NULL);
		fd_close(&r->echo_epfd);
	}
	w = atomic_exchange(&r->waker, NULL);
	if (w != NULL)
		netd_wake(w); /* harmless by now */
	netd_waker_unref(&w);
	for (unsigned i = 0; i < 3; i++)
		fd_close(&r->fds[i]);
	unlink(r->path);
	tls_ctx_unref(&r->tls);
	log_sink_free(&r->sink);
	assert_int_equal(r->opened, r->closed);
}

struct netd_waker *
rig_take_waker(struct rig *r)
{
	struct netd_waker *w;

	while ((w = atomic_exchange(&r->waker, NULL)) == NULL)
		pause_ms(1);
	return w;
}

void
client_open(struct client *c, struct rig *r, unsigned listener)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct timeval tv = { PATIENCE_MS / 1000, 0 };
	const int one = 1;

	*c = (struct client){ 0 };
	if (listener == 2) {
		memcpy(un.sun_path, r->path, sizeof(un.sun_path));
		c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		must(connect(c->fd, (void *)&un, sizeof(un)) == 0, "connect");
	} else {
		in.sin_port = htons(r->port[listener]);
		c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		must(connect(c->fd, (void *)&in, sizeof(in)) == 0, "connect");
	}
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
}

int
client_tls(struct client *c, const char *priority)
{
	int r;

	must(gnutls_init(&c->tls, GNUTLS_CLIENT | GNUTLS_NO_SIGNAL) == 0 &&
		 gnutls_certificate_allocate_credentials(&c->cred) == 0 &&
		 gnutls_priority_set_direct(
		     c->tls, priority ? priority : "NORMAL", NULL) == 0 &&
		 gnutls_credentials_set(
		     c->tls, GNUTLS_CRD_CERTIFICATE, c->cred) == 0,
	    "client tls");
	gnutls_transport_set_int(c->tls, c->fd);
	do {
		r = gnutls_handshake(c->tls);
	} while (r < 0 && !gnutls_error_is_fatal(r));
	return r;
}

void
client_close(struct client *c)
{
	if (c->tls != NULL)
		gnutls_deinit(c->tls);
	if (c->cred != NULL)
		gnutls_certificate_free_credentials(c->cred);
	fd_close(&c->fd);
}

void
client_send(struct client *c, struct str s)
{
	while (s.n > 0) {
		ssize_t n = c->tls ? gnutls_record_send(c->tls, s.p, s.n)
				   : send(c->fd, s.p, s.n, MSG_NOSIGNAL);

		if (n <= 0)
			return; /* the far side has closed */
		s = str_from(s, (size_t)n);
	}
}

long
client_recv(struct client *c, char *p, size_t n)
{
	ssize_t got = -1;

	if (c->tls == NULL)
		return recv(c->fd, p, n, 0);
	/* A ticket that was read looks like EAGAIN, and so does the time-out.
	 */
	for (unsigned i = 0; i < 3; i++) {
		got = gnutls_record_recv(c->tls, p, n);
		if (got >= 0 || gnutls_error_is_fatal((int)got))
			break;
	}
	return got == GNUTLS_E_PREMATURE_TERMINATION ? 0 : got;
}

bool
client_line(struct client *c, char *p, size_t size)
{
	size_t n = 0;
	char ch;

	while (n + 1 < size && client_recv(c, &ch, 1) == 1) {
		if (ch == '\n') {
			p[n] = '\0';
			return true;
		}
		p[n++] = ch;
	}
	p[n] = '\0';
	return false;
}

void
client_expect(struct client *c, const char *line)
{
	char got[512];
	bool any = client_line(c, got, sizeof(got));

	if (line == NULL) {
		if (any)
			fail_msg("got \"%s\", want the end", got);
		return;
	}
	if (!any)
		fail_msg("got the end (\"%s\"), want \"%s\"", got, line);
	assert_string_equal(got, line);
}
