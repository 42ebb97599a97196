/* The rest of the session is imap's; see imap/preamble.h. */
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "gateway/gw_relay.h"

#define CONNECT_MS 2000 /* to imap, whose backlog may be full */
#define SLACK_MS   60000

static int
connect_imap(const char *where)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct timeval tv = { .tv_sec = CONNECT_MS / 1000 };
	struct str path = str_c(where);
	AUTO_FD fd = -1;

	if (path.n == 0 || path.n >= sizeof(sun.sun_path))
		return -1;
	memcpy(sun.sun_path, path.p, path.n);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) < 0 ||
	    connect(fd, (const struct sockaddr *)&sun, sizeof(sun)) < 0)
		return -1;
	return take(&fd);
}

enum rc
gw_relay_begin(struct gw *gw, struct netd_conn *c, struct str service,
    struct str ticket, struct str tag, unsigned idle_s)
{
	AUTO_BUF b = { 0 };
	AUTO_FD fd = connect_imap(gw->imap_path);
	struct preamble p = { .service = service,
		.ticket = ticket,
		.client = netd_peer_ip(c),
		.port = netd_peer_port(c),
		.tag = tag,
		.tls = netd_is_tls(c),
		.sid = netd_sid(c) };

	if (fd < 0) {
		log_error(netd_log(c), "imap.connect",
		    KVC("path", gw->imap_path), KV("client", netd_peer_ip(c)));
		return RC_TEMP;
	}
	buf_init(&b, PREAMBLE_MAX);
	if (preamble_put(&b, &p) != RC_OK) {
		log_error(netd_log(c), "imap.preamble", KV("tag", tag));
		return RC_TEMP;
	}
	netd_set_relay(c, take(&fd), buf_str(&b));
	netd_set_timeout(c, (int)idle_s * 1000 + SLACK_MS);
	return RC_OK;
}
