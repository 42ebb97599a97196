#include <string.h>

#include "lib/log.h"
#include "gateway/gw_limit.h"
#include "tests/unit/gateway/smtp_words.h"

/* The session's only connection is the fake itself. */
struct netd_conn {
	struct fake *f;
};
struct netd_waker {
	struct fake *f;
};
struct dir_client {
	struct fake *f;
};
struct dlv_client {
	struct fake *f;
};
struct pol_client {
	struct fake *f;
};

static const char *const domains[] = { "example.org", "example.net" };

static void
must(enum rc rc)
{
	if (rc != RC_OK)
		panic("fake: buffer full");
}

void
fake_init(struct fake *f, unsigned tag)
{
	*f = (struct fake){
		.tag = tag, .has_tls = true, .ip = STR("192.0.2.7")
	};
	f->conf = (struct conf){
		.hostname = "mx.example.org",
		.postmaster = "postmaster@example.org",
		.subaddress = "+",
		.domains = { domains, COUNT(domains) },
		.directory_timeout_ms = 1000,
		.message_size_max = 40000,
		.recipients_max = 5,
		.smtp_errors_max = 4,
		.smtp_timeout_s = 10,
		.memory_body_max = 4u << 20,
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
	f->gw.spool_dir = "/tmp";
	pthread_mutex_init(&f->gw.lock, NULL);
	buf_init(&f->out, 1u << 20);
	buf_init(&f->body, 1u << 20);
	buf_init(&f->trace, 8192);
	buf_init(&f->edits, 8192);
	buf_init(&f->from, 1024);
	buf_init(&f->rcpts, 8192);
	f->gw.dir = xcalloc(1, sizeof(struct dir_client));
	f->gw.dir->f = f;
	f->gw.dlv = xcalloc(1, sizeof(struct dlv_client));
	f->gw.dlv->f = f;
	f->gw.pol = xcalloc(1, sizeof(struct pol_client));
	f->gw.pol->f = f;
}

void
fake_free(struct fake *f)
{
	gw_limit_free(&f->gw.limit);
	xfree(f->gw.dir);
	xfree(f->gw.dlv);
	xfree(f->gw.pol);
	buf_free(&f->out);
	buf_free(&f->body);
	buf_free(&f->trace);
	buf_free(&f->edits);
	buf_free(&f->from);
	buf_free(&f->rcpts);
	pthread_mutex_destroy(&f->gw.lock);
}

/* Run units until the session wants something else; true: goes on. */
static bool
give(struct fake *f, void *s, struct netd_conn *c, struct netd_unit u)
{
	enum next next;

	/* It must not matter who runs it, but it must not crash either. */
	(void)gw_smtp_ops.quick(s, &u);
	next = gw_smtp_ops.unit(s, c, &u);
	while (next == NEXT_WAIT && f->woken) {
		f->woken = false;
		next = gw_smtp_ops.unit(
		    s, c, &(struct netd_unit){ .kind = UNIT_WAKE });
	}
	if (next == NEXT_TLS) {
		f->tls = true;
		next = gw_smtp_ops.unit(
		    s, c, &(struct netd_unit){ .kind = UNIT_TLS });
	}
	f->closed = next != NEXT_INPUT;
	return !f->closed;
}

void
fake_run(struct fake *f, struct str input, size_t step)
{
	struct netd_conn c = { f };
	void *s = gw_smtp_ops.open(&f->gw, &c);
	AUTO_BUF in = { 0 };
	bool go;

	buf_init(&in, 1u << 20);
	go = give(f, s, &c, (struct netd_unit){ .kind = UNIT_OPEN });
	for (size_t at = 0; go && at < input.n; at += step) {
		size_t n;

		must(buf_add(&in, str_sub(input, at, step)));
		while (go && in.n &&
		       (n = gw_smtp_ops.frame(s, buf_str(&in))) > 0) {
			/* A copy of the exact size, for the sanitizer. */
			char *p = xmalloc(n);

			memcpy(p, in.p, n);
			buf_consume(&in, n);
			go = give(f, s, &c,
			    (struct netd_unit){ UNIT_DATA, { p, n } });
			xfree(p);
		}
	}
	gw_smtp_ops.close(s);
	assert(f->wakers == 0);
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
uid_t
netd_peer_uid(struct netd_conn *c)
{
	return c->f->uid;
}
unsigned
netd_tag(struct netd_conn *c)
{
	return c->f->tag;
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
	(void)c;
	return (struct tls_info){ "TLS1.3", "AES-256-GCM", 256 };
}
void
netd_set_timeout(struct netd_conn *c, int ms)
{
	(void)c, (void)ms;
}
void
netd_wake_in(struct netd_conn *c, int ms)
{
	(void)ms;
	c->f->woken = true;
	c->f->wakes++;
}
void
netd_set_class(struct netd_conn *c, bool authenticated)
{
	(void)c, (void)authenticated;
}
void
netd_expect_rate(struct netd_conn *c, bool on)
{
	(void)c, (void)on;
}
struct netd_waker *
netd_waker(struct netd_conn *c)
{
	struct netd_waker *w = xcalloc(1, sizeof(*w));

	w->f = c->f;
	w->f->wakers++;
	return w;
}
void
netd_waker_unref(struct netd_waker **w)
{
	(*w)->f->wakers--;
	xfree(*w);
	*w = NULL;
}
void
netd_wake(struct netd_waker *w)
{
	w->f->woken = true;
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

/* The directory: what an address is called says what it is. */
enum rc
dir_rcpts(struct dir_client *d, struct arena *a, const struct str *addresses,
    size_t n, bool authenticated, struct deadline dl, struct dir_rcpt *out)
{
	(void)dl;
	d->f->dir_calls++;
	if (d->f->dir_rc != RC_OK)
		return d->f->dir_rc;
	for (size_t i = 0; i < n; i++) {
		struct str local =
		    str_sub(addresses[i], 0, str_chr(addresses[i], '@'));

		out[i] = (struct dir_rcpt){ .rc = RC_OK,
			.kind = DIR_USER,
			.id = str_cat(a, STR("id-"), local),
			.address = addresses[i],
			.why = STR("test") };
		if (str_eq(local, STR("nobody")))
			out[i].rc = RC_NOENT;
		else if (str_eq(local, STR("closed")) && !authenticated)
			out[i].rc = RC_DENY;
		else if (str_eq(local, STR("off")))
			out[i].rc = RC_DENY;
		else if (str_eq(local, STR("unsure")))
			out[i].rc = RC_TEMP;
		else if (str_eq(local, STR("away")))
			out[i].kind = DIR_ELSEWHERE;
	}
	return RC_OK;
}
enum rc
dir_may_send(struct dir_client *d, struct str id, const struct str *addresses,
    size_t n, struct deadline dl, enum rc *verdicts)
{
	(void)id, (void)dl;
	if (d->f->dir_rc != RC_OK)
		return d->f->dir_rc;
	for (size_t i = 0; i < n; i++)
		verdicts[i] =
		    str_has_prefix(addresses[i], STR("ann")) ? RC_OK : RC_DENY;
	return RC_OK;
}
/* Of a group big@x: whoever has "big" in the id; "none" and "unsure" alike. */
enum rc
dir_members(struct dir_client *d, const struct str *ids, size_t n,
    const struct str *groups, size_t ngroup, struct deadline dl, enum rc *out)
{
	(void)dl;
	d->f->member_calls++;
	if (d->f->dir_rc != RC_OK)
		return d->f->dir_rc;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < ngroup; k++) {
			struct str g =
			    str_sub(groups[k], 0, str_chr(groups[k], '@'));
			bool in = str_find(ids[i], g) < ids[i].n;

			out[i * ngroup + k] = str_eq(g, STR("none")) ? RC_NOENT
					      : str_eq(g, STR("unsure"))
						  ? RC_TEMP
					      : in ? RC_OK
						   : RC_DENY;
		}
	return RC_OK;
}
enum rc
dir_login_password(struct dir_client *d, struct arena *a,
    const struct dir_login *in, struct deadline dl, struct dir_account *out)
{
	(void)a, (void)dl;
	if (d->f->dir_rc != RC_OK)
		return d->f->dir_rc;
	if (!str_eq(in->name, STR("ann")) ||
	    !str_eq(in->password, STR("secret")))
		return RC_DENY;
	*out = (struct dir_account){ .id = STR("id-ann"),
		.address = STR("ann@example.org"),
		.login = STR("ann") };
	return RC_OK;
}
enum rc
dir_sasl_mechs(
    struct dir_client *d, struct arena *a, struct deadline dl, struct str *out)
{
	(void)d, (void)a, (void)dl;
	*out = STR("GSSAPI");
	return RC_OK;
}
enum rc
dir_sasl_start(struct dir_client *d, struct arena *a, struct str mech,
    const struct dir_login *in, bool has_initial, struct str initial,
    struct deadline dl, struct dir_sasl *out)
{
	(void)d, (void)a, (void)in, (void)has_initial, (void)initial, (void)dl;
	if (!str_ieq(mech, STR("GSSAPI")))
		return RC_NOENT;
	*out =
	    (struct dir_sasl){ .handle = STR("h1"), .challenge = STR("more") };
	return RC_OK;
}
enum rc
dir_sasl_step(struct dir_client *d, struct arena *a, struct str handle,
    struct str response, struct deadline dl, struct dir_sasl *out)
{
	(void)d, (void)a, (void)dl;
	if (!str_eq(handle, STR("h1")) || !str_eq(response, STR("ticket")))
		return RC_DENY;
	*out = (struct dir_sasl){ .done = true,
		.challenge = STR("last"),
		.account = { .id = STR("id-ann"), .login = STR("ann") } };
	return RC_OK;
}
void
dir_sasl_cancel(struct dir_client *d, struct str handle)
{
	(void)d, (void)handle;
}

/* Without a client (gw.sgn) it is not asked. */
enum rc
sgn_sign(struct sgn_client *c, struct arena *a, const struct sgn_message *in,
    struct deadline dl, struct str *out)
{
	const struct fake *f = (const void *)c;

	(void)dl;
	if (f->sign_rc == RC_OK)
		*out = str_fmt(a, "DKIM-Signature: d=%.*s; over=%zu+%zu\r\n",
		    STRF(in->domain), in->edits.n, (size_t)in->size);
	return f->sign_rc;
}

/* Policy says what the test wants. */
void
pol_check_start(struct pol_client *p, const struct pol_check *in,
    struct deadline dl,
    void (*done)(void *arg, enum rc rc, const struct pol_verdict *out),
    void *arg)
{
	struct fake *f = p->f;
	enum rc rc = f->check_rc[MIN(f->checks, 1)];

	(void)dl;
	assert(in->nrcpt > 0 && in->submitter.n == 0);
	f->checks++;
	done(arg, rc, rc == RC_OK ? &f->verdict : NULL);
}

/* Delivery keeps what it is given. */
void
dlv_submit_start(struct dlv_client *d, const struct dlv_submit *in,
    struct deadline dl,
    void (*done)(void *arg, enum rc rc, const struct dlv_submitted *out),
    void *arg)
{
	struct dlv_submitted out = { .queue_id = STR("q1"), .delivered = 1 };
	struct fake *f = d->f;
	enum rc rc = f->submit_rc[MIN(f->submits, 1)];

	(void)dl;
	if (f->submits++ == 0)
		memcpy(f->first_id, in->id.p, sizeof(f->first_id));
	f->same_id = str_eq(in->id, str_n(f->first_id, sizeof(f->first_id)));
	buf_clear(&f->body);
	buf_clear(&f->rcpts);
	must(buf_reserve(&f->body, in->size));
	if (in->fd < 0) {
		must(buf_add(&f->body, in->inline_data));
	} else {
		must(fd_pread_all(in->fd, f->body.p, in->size, 0));
		f->body.n = in->size;
	}
	f->junk = in->junk;
	f->hold = in->hold;
	must(buf_add(&f->from, in->from));
	must(buf_add(&f->trace, in->trace));
	must(buf_add(&f->edits, in->edits));
	for (size_t i = 0; i < in->nto; i++) {
		must(buf_add(&f->rcpts, in->to[i].address));
		must(buf_add(&f->rcpts, STR(" ")));
	}
	done(arg, rc, &out);
}

struct str
fake_codes(struct arena *a, struct str out)
{
	struct str r = STR(""), line;

	while (str_split(&out, '\n', &line) && line.n > 4)
		if (line.p[3] == ' ')
			r = str_cat(a, r, str_sub(line, 0, 4));
	return str_trim(r);
}
