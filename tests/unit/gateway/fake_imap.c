#include <string.h>
#include <unistd.h>

#include "gateway/gw_limit.h"
#include "tests/unit/gateway/fake_imap.h"

struct netd_conn {
	struct fake_imap *f;
	struct buf in;
	int wake_in;
};
struct dir_client {
	struct fake_imap *f;
};

static void
must(enum rc rc)
{
	if (rc != RC_OK)
		panic("fake: buffer full");
}

void
fake_imap_init(struct fake_imap *f)
{
	*f = (struct fake_imap){
		.ops = &gw_imap_ops,
		.has_tls = true,
		.ip = STR("192.0.2.7"),
		.relay_fd = -1,
	};
	f->conf = (struct conf){
		.hostname = "mail.example.org",
		.directory_timeout_ms = 1000,
		.imap_timeout_s = 1800,
		.client_rate_max = 1000,
		.client_messages_max = 100000,
		.client_recipients_max = 100000,
		.user_sessions_max = 1000,
		.user_messages_max = 100000,
		.user_recipients_max = 100000,
		.auth_failures_max = 1000,
		.ban_s = 600,
		.tarpit_ms = 1,
	};
	f->gw.limit = gw_limit_new(100);
	f->gw.conf = &f->conf;
	pthread_mutex_init(&f->gw.lock, NULL);
	buf_init(&f->out, 1u << 20);
	buf_init(&f->sent, 1u << 20);
	f->gw.dir = xcalloc(1, sizeof(struct dir_client));
	f->gw.dir->f = f;
}

void
fake_imap_free(struct fake_imap *f)
{
	gw_limit_free(&f->gw.limit);
	xfree(f->gw.dir);
	buf_free(&f->out);
	buf_free(&f->sent);
	fd_close(&f->relay_fd);
	pthread_mutex_destroy(&f->gw.lock);
}

static bool
give(struct fake_imap *f, void *s, struct netd_conn *c, struct netd_unit u)
{
	enum next next = f->ops->unit(s, c, &u);

	while (next == NEXT_WAIT && c->wake_in > 0) {
		f->delay = MAX(f->delay, c->wake_in);
		c->wake_in = 0;
		next = f->ops->unit(
		    s, c, &(struct netd_unit){ .kind = UNIT_WAKE });
	}
	if (next == NEXT_TLS && c->in.n == 0) {
		f->tls = true;
		next =
		    f->ops->unit(s, c, &(struct netd_unit){ .kind = UNIT_TLS });
	}
	f->end = next;
	return next == NEXT_INPUT;
}

void
fake_imap_run(struct fake_imap *f, struct str input, size_t step)
{
	struct netd_conn c = { .f = f };
	bool go;
	void *s;

	f->gw.imap_path = f->path;
	s = f->ops->open(&f->gw, &c);
	buf_init(&c.in, 1u << 20);
	go = give(f, s, &c, (struct netd_unit){ .kind = UNIT_OPEN });
	for (size_t at = 0; at < input.n; at += MIN(step, input.n - at)) {
		size_t n;

		must(buf_add(&c.in, str_sub(input, at, step)));
		while (go && c.in.n &&
		       (n = f->ops->frame(s, buf_str(&c.in))) > 0) {
			/* A copy of the exact size, for the sanitizer. */
			char *p = xmalloc(n);

			memcpy(p, c.in.p, n);
			buf_consume(&c.in, n);
			go = give(f, s, &c,
			    (struct netd_unit){ UNIT_DATA, { p, n } });
			xfree(p);
		}
		if (f->end == NEXT_TLS)
			break;
	}
	if (f->end == NEXT_RELAY)
		must(buf_add(&f->sent, buf_str(&c.in)));
	f->ops->close(s);
	buf_free(&c.in);
}

/* netd */
enum rc
netd_write(struct netd_conn *c, struct str s)
{
	return buf_add(&c->f->out, s);
}
const struct log *
netd_log(struct netd_conn *c)
{
	return &c->f->gw.log;
}
struct str
netd_sid(struct netd_conn *c)
{
	(void)c;
	return STR("s1");
}
struct str
netd_peer_ip(struct netd_conn *c)
{
	return c->f->ip;
}
uint16_t
netd_peer_port(struct netd_conn *c)
{
	(void)c;
	return 4711;
}
bool
netd_is_tls(struct netd_conn *c)
{
	return c->f->tls;
}
bool
netd_has_tls(struct netd_conn *c)
{
	return c->f->has_tls;
}
struct tls_info
netd_tls_info(struct netd_conn *c)
{
	return (struct tls_info){ c->f->tls ? "TLS1.3" : "", "", 0 };
}
void
netd_set_timeout(struct netd_conn *c, int ms)
{
	(void)c;
	assert(ms > 0);
}
void
netd_wake_in(struct netd_conn *c, int ms)
{
	c->wake_in = ms;
}
void
netd_set_relay(struct netd_conn *c, int fd, struct str first)
{
	c->f->relay_fd = fd;
	must(buf_add(&c->f->sent, first));
}

/* log: silent */
bool
log_on(const struct log *l, enum log_level level)
{
	(void)l, (void)level;
	return false;
}
void
log_write(const struct log *l, enum log_level level, const char *event,
    const struct log_kv *kv, size_t nkv)
{
	(void)l, (void)level, (void)event, (void)kv, (void)nkv;
}

/* conf */
const struct conf *
conf_ref(const struct conf *c)
{
	return c;
}
void
conf_unref(const struct conf **c)
{
	*c = NULL;
}

/* directory */
static const struct dir_account ann = { .id = STR_INIT("id-ann"),
	.login = STR_INIT("ann"),
	.ticket = STR_INIT("0123456789abcdef") };
static const struct dir_account ben = { .id = STR_INIT("id-ben"),
	.login = STR_INIT("ben"),
	.ticket = STR_INIT("fedcba9876543210") };

enum rc
dir_login_password(struct dir_client *d, struct arena *a,
    const struct dir_login *in, struct deadline dl, struct dir_account *out)
{
	(void)a, (void)dl;
	d->f->logins++;
	assert(in->password.n > 0 && in->ticket);
	if (str_eq(in->password, STR("broken")))
		return RC_TEMP;
	if (in->authzid.n > 0 || !str_eq(in->password, STR("sec\"r\\et")))
		return RC_DENY;
	if (str_eq(in->name, STR("ben")))
		*out = ben;
	else if (str_eq(in->name, STR("ann")))
		*out = ann;
	else
		return RC_DENY;
	return RC_OK;
}
enum rc
dir_sasl_mechs(
    struct dir_client *d, struct arena *a, struct deadline dl, struct str *out)
{
	(void)a, (void)dl;
	d->f->asked_mechs++;
	if (d->f->mechs_rc == RC_OK)
		*out = STR("GSSAPI");
	return d->f->mechs_rc;
}
enum rc
dir_sasl_start(struct dir_client *d, struct arena *a, struct str mech,
    const struct dir_login *in, bool has_initial, struct str initial,
    struct deadline dl, struct dir_sasl *out)
{
	(void)d, (void)a, (void)in, (void)dl;
	if (!str_ieq(mech, STR("GSSAPI")))
		return RC_NOENT;
	if (has_initial && str_eq(initial, STR("broken")))
		return RC_TEMP;
	*out =
	    (struct dir_sasl){ .handle = STR("h1"), .challenge = STR("more") };
	return RC_OK;
}
enum rc
dir_sasl_step(struct dir_client *d, struct arena *a, struct str handle,
    struct str response, struct deadline dl, struct dir_sasl *out)
{
	(void)d, (void)a, (void)dl;
	if (!str_eq(handle, STR("h1")) || !str_eq(response, STR("step")))
		return RC_DENY;
	*out = (struct dir_sasl){
		.done = true, .challenge = STR("last"), .account = ann
	};
	return RC_OK;
}
void
dir_sasl_cancel(struct dir_client *d, struct str handle)
{
	assert(handle.n > 0);
	d->f->cancelled++;
}
