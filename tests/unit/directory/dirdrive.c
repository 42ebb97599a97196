/*
 * dirdrive - the directory service without a supervisor, for system tests:
 *
 *   dirdrive CONF SOCKET
 *
 * Serves its own socket, asks itself through the client stub, one question a
 * line on stdin (fields separated by tabs), and writes one line for each part
 * of the answer and "." at its end.  Log lines go to stderr.
 */
#include <gssapi/gssapi.h>
#include <gssapi/gssapi_ext.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "conf/conf.h"
#include "directory/dir_client.h"
#include "directory/dir_service.h"
#include "directory/sasl.h"

#define FIELDS_MAX 1200
#define WAIT_MS    8000
#define EXPAND_MS  60000 /* thousands, of a slow server on a busy machine */

struct drive {
	struct log log;
	const struct conf *conf;
	struct dir_service *service;
	struct dir_client *client;
};

/* The checks' lines; lib's proc does this in a daemon. */
void
proc_check_line(struct ipc_msg *out, enum proc_grade grade, struct str tried,
    struct str found, struct str todo)
{
	(void)out;
	printf("%c\t%.*s\t%.*s\t%.*s\n", "GUF"[grade], STRF(tried), STRF(found),
	    STRF(todo));
}

static void
show_rcpt(const struct dir_rcpt *r)
{
	printf("%s\t%d\t%.*s\t%.*s\t%.*s\t%.*s\t%s%llu\n", rc_name(r->rc),
	    (int)r->kind, STRF(r->id), STRF(r->address), STRF(r->route),
	    STRF(r->why), r->has_quota ? "" : "-",
	    (unsigned long long)r->quota);
}

static void
show_account(enum rc rc, const struct dir_account *x)
{
	if (rc != RC_OK)
		printf("%s\n", rc_name(rc));
	else
		printf("ok\t%.*s\t%.*s\t%.*s\t%.*s\n", STRF(x->id),
		    STRF(x->address), STRF(x->login), STRF(x->ticket));
}

static void
on_rcpts(struct drive *d, struct arena *a, struct str *f, size_t n)
{
	struct dir_rcpt *out = arena_calloc(a, n, sizeof(*out));
	enum rc rc = dir_rcpts(d->client, a, f + 2, n - 2,
	    str_eq(f[1], STR("1")), deadline_in(WAIT_MS), out);

	if (rc != RC_OK)
		printf("%s\n", rc_name(rc));
	else
		for (size_t i = 0; i + 2 < n; i++)
			show_rcpt(&out[i]);
}

static void
on_expand(struct drive *d, struct arena *a, struct str *f, size_t n)
{
	struct dir_rcpt *out = NULL;
	size_t got = 0;
	enum rc rc =
	    dir_expand(d->client, a, f[1], deadline_in(EXPAND_MS), &out, &got);

	(void)n;
	if (rc != RC_OK)
		printf("%s\n", rc_name(rc));
	for (size_t i = 0; rc == RC_OK && i < got; i++)
		show_rcpt(&out[i]);
}

static void
on_id(struct drive *d, struct arena *a, struct str *f, size_t n)
{
	struct dir_rcpt out;
	enum rc rc = dir_by_id(d->client, a, f[1], deadline_in(WAIT_MS), &out);

	(void)n;
	if (rc != RC_OK)
		printf("%s\n", rc_name(rc));
	else
		show_rcpt(&out);
}

static void
on_login(struct drive *d, struct arena *a, struct str *f, size_t n)
{
	const struct dir_login in = { .name = f[1],
		.password = f[2],
		.service = f[3],
		.client_ip = f[4],
		.ticket = true };
	struct dir_account x;
	enum rc rc =
	    dir_login_password(d->client, a, &in, deadline_in(WAIT_MS), &x);

	(void)n;
	show_account(rc, &x);
}

static void
on_redeem(struct drive *d, struct arena *a, struct str *f, size_t n)
{
	struct dir_account x;
	enum rc rc = dir_ticket_redeem(
	    d->client, a, f[1], f[2], deadline_in(WAIT_MS), &x);

	(void)n;
	show_account(rc, &x);
}

static void
on_send(struct drive *d, struct arena *a, struct str *f, size_t n)
{
	enum rc *v = arena_calloc(a, n, sizeof(*v));
	enum rc rc = dir_may_send(
	    d->client, f[1], f + 2, n - 2, deadline_in(WAIT_MS), v);

	if (rc != RC_OK)
		printf("%s\n", rc_name(rc));
	for (size_t i = 0; rc == RC_OK && i + 2 < n; i++)
		printf("%s\n", rc_name(v[i]));
}

static void
on_explain(struct drive *d, struct arena *a, struct str *f, size_t n)
{
	struct str text = STR("");
	enum rc rc =
	    dir_explain(d->client, a, f[1], f[2], deadline_in(WAIT_MS), &text);

	(void)n;
	printf("%s\n%.*s", rc_name(rc), STRF(text));
}

/* The last two messages of RFC 4752: no layer, our name for authorisation. */
static bool
no_layer(gss_ctx_id_t ctx, struct arena *a, struct str in, struct str authzid,
    struct str *out)
{
	gss_buffer_desc got = { in.n, (void *)(uintptr_t)in.p }, plain, wire;
	struct str answer = str_cat(a, STR("\1\0\0\0"), authzid);
	gss_buffer_desc say = { answer.n, (void *)(uintptr_t)answer.p };
	OM_uint32 minor;

	if (gss_unwrap(&minor, ctx, &got, &plain, NULL, NULL) != GSS_S_COMPLETE)
		return false;
	gss_release_buffer(&minor, &plain);
	if (gss_wrap(&minor, ctx, 0, GSS_C_QOP_DEFAULT, &say, NULL, &wire) !=
	    GSS_S_COMPLETE)
		return false;
	*out = str_dup(a, str_n(wire.value, wire.length));
	gss_release_buffer(&minor, &wire);
	return true;
}

static enum rc
exchange(struct drive *d, struct arena *a, gss_cred_id_t cred, gss_name_t to,
    const struct dir_login *in, struct str authzid, struct dir_sasl *s)
{
	gss_ctx_id_t ctx = GSS_C_NO_CONTEXT;
	OM_uint32 major = GSS_S_CONTINUE_NEEDED, minor;
	struct str say = STR("");
	enum rc rc = RC_OK;
	bool first = true;

	*s = (struct dir_sasl){ 0 };
	while (rc == RC_OK && !s->done) {
		gss_buffer_desc token = { s->challenge.n,
			(void *)(uintptr_t)s->challenge.p };
		gss_buffer_desc out = GSS_C_EMPTY_BUFFER;

		if (major == GSS_S_CONTINUE_NEEDED) {
			major = gss_init_sec_context(&minor, cred, &ctx, to,
			    GSS_C_NO_OID, GSS_C_MUTUAL_FLAG | GSS_C_INTEG_FLAG,
			    0, NULL, &token, NULL, &out, NULL, NULL);
			if (GSS_ERROR(major))
				break;
			say = str_dup(a, str_n(out.value, out.length));
			gss_release_buffer(&minor, &out);
		} else if (!no_layer(ctx, a, s->challenge, authzid, &say)) {
			break;
		}
		rc = first ? dir_sasl_start(d->client, a, STR("GSSAPI"), in,
				 true, say, deadline_in(WAIT_MS), s)
			   : dir_sasl_step(d->client, a, s->handle, say,
				 deadline_in(WAIT_MS), s);
		first = false;
	}
	gss_delete_sec_context(&minor, &ctx, NULL);
	return rc == RC_OK && !s->done ? RC_BAD : rc;
}

/* gssapi CCACHE SERVICE HOST AUTHZID */
static void
on_gssapi(struct drive *d, struct arena *a, struct str *f, size_t n)
{
	const struct dir_login in = { .service = f[2],
		.client_ip = STR_INIT("192.0.2.9"),
		.ticket = true };
	struct str spn = str_fmt(a, "%.*s@%.*s", STRF(f[2]), STRF(f[3]));
	gss_buffer_desc text = { spn.n, (void *)(uintptr_t)spn.p };
	gss_key_value_element_desc place = { "ccache", str_dup(a, f[1]).p };
	gss_key_value_set_desc store = { 1, &place };
	gss_cred_id_t cred = GSS_C_NO_CREDENTIAL;
	gss_name_t to = GSS_C_NO_NAME;
	struct dir_sasl s;
	OM_uint32 minor;
	enum rc rc;

	if (n < 5 ||
	    gss_import_name(&minor, &text, GSS_C_NT_HOSTBASED_SERVICE, &to) !=
		GSS_S_COMPLETE ||
	    gss_acquire_cred_from(&minor, GSS_C_NO_NAME, GSS_C_INDEFINITE,
		GSS_C_NO_OID_SET, GSS_C_INITIATE, &store, &cred, NULL,
		NULL) != GSS_S_COMPLETE) {
		printf("no credentials\n");
		return;
	}
	rc = exchange(d, a, cred, to, &in, f[4], &s);
	show_account(rc, &s.account);
	gss_release_cred(&minor, &cred);
	gss_release_name(&minor, &to);
}

static void
on_mechs(struct drive *d, struct arena *a, struct str *f, size_t n)
{
	struct str out = STR("");
	enum rc rc = dir_sasl_mechs(d->client, a, deadline_in(WAIT_MS), &out);

	(void)f, (void)n;
	printf("%s\t%.*s\n", rc_name(rc), STRF(out));
}

static void
on_check(struct drive *d, struct arena *a, struct str *f, size_t n)
{
	AUTO_MSG m = { 0 };

	(void)a, (void)f, (void)n;
	ipc_msg_init(&m, 1);
	dir_service_check(d->service, &m);
}

static double
cpu_us(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

/* bench COUNT ADDRESS-with-%u LIMIT: microseconds of CPU for a look-up */
static void
on_bench(struct drive *d, struct arena *a, struct str *f, size_t n)
{
	size_t at = str_find(f[2], STR("%"));
	uint64_t count = 0, limit = 1, bad = 0;
	double from = cpu_us();

	(void)a;
	if (n < 4 || str_u64(f[1], 1000000, &count) != RC_OK ||
	    str_u64(f[3], 1000000, &limit) != RC_OK || limit == 0)
		return;
	for (uint64_t i = 0; i < count; i++) {
		AUTO_ARENA one = { 0 };
		struct str addr = str_fmt(&one, "%.*s%llu%.*s",
		    STRF(str_sub(f[2], 0, at)), (unsigned long long)(i % limit),
		    STRF(str_from(f[2], at + 1)));
		struct dir_rcpt out;

		bad += dir_rcpts(d->client, &one, &addr, 1, false,
			   deadline_in(WAIT_MS), &out) != RC_OK ||
		       out.rc != RC_OK;
	}
	printf("%.1f\t%llu\n", (cpu_us() - from) / (double)count,
	    (unsigned long long)bad);
}

/* logins COUNT NAME PASSWORD */
static void
on_logins(struct drive *d, struct arena *a, struct str *f, size_t n)
{
	uint64_t count = 0, bad = 0;
	double from = cpu_us();

	(void)a;
	if (n < 4 || str_u64(f[1], 1000000, &count) != RC_OK)
		return;
	for (uint64_t i = 0; i < count; i++) {
		const struct dir_login in = { .name = f[2],
			.password = f[3],
			.service = STR_INIT("imap"),
			.client_ip = STR_INIT("192.0.2.1"),
			.ticket = true };
		AUTO_ARENA one = { 0 };
		struct dir_account x;

		bad += dir_login_password(d->client, &one, &in,
			   deadline_in(WAIT_MS), &x) != RC_OK;
	}
	printf("%.1f\t%llu\n", (cpu_us() - from) / (double)count,
	    (unsigned long long)bad);
}

#define STORM_MAX 32u

struct storm {
	struct drive *d;
	struct str *address;
	size_t n;
	struct str name, password;
	uint64_t count;
	unsigned ok, temp, other; /* look-ups and logins */
};

static void
count(struct storm *s, enum rc rc)
{
	s->ok += rc == RC_OK;
	s->temp += rc == RC_TEMP;
	s->other += rc != RC_OK && rc != RC_TEMP;
}

static void *
storm_main(void *arg)
{
	struct storm *s = arg;

	for (uint64_t i = 0; i < s->count; i++) {
		const struct dir_login in = { .name = s->name,
			.password = s->password,
			.service = STR_INIT("imap"),
			.client_ip = STR_INIT("192.0.2.1") };
		AUTO_ARENA a = { 0 };
		struct dir_account x;
		struct dir_rcpt r;
		enum rc rc = dir_rcpts(s->d->client, &a, &s->address[i % s->n],
		    1, true, deadline_in(WAIT_MS), &r);

		count(s, rc == RC_OK ? r.rc : rc);
		count(s, dir_login_password(
			     s->d->client, &a, &in, deadline_in(WAIT_MS), &x));
	}
	return NULL;
}

/* storm THREADS COUNT NAME PASSWORD ADDRESS...: how many of each result */
static void
on_storm(struct drive *d, struct arena *a, struct str *f, size_t n)
{
	uint64_t threads, each;
	struct storm s[STORM_MAX];
	pthread_t t[STORM_MAX];
	unsigned ok = 0, temp = 0, other = 0;

	(void)a;
	if (str_u64(f[1], STORM_MAX, &threads) != RC_OK ||
	    str_u64(f[2], 1000000, &each) != RC_OK)
		return;
	for (size_t i = 0; i < threads; i++) {
		s[i] = (struct storm){ .d = d,
			.address = f + 5,
			.n = n - 5,
			.name = f[3],
			.password = f[4],
			.count = each };
		if (pthread_create(&t[i], NULL, storm_main, &s[i]) != 0)
			panic("no thread");
	}
	for (size_t i = 0; i < threads; i++) {
		pthread_join(t[i], NULL);
		ok += s[i].ok;
		temp += s[i].temp;
		other += s[i].other;
	}
	printf("%u\t%u\t%u\n", ok, temp, other);
}

static const struct {
	struct str name;
	size_t fields;
	void (*run)(struct drive *, struct arena *, struct str *, size_t);
} commands[] = {
	{ STR_INIT("rcpts"), 3, on_rcpts },
	{ STR_INIT("expand"), 2, on_expand },
	{ STR_INIT("id"), 2, on_id },
	{ STR_INIT("login"), 5, on_login },
	{ STR_INIT("redeem"), 3, on_redeem },
	{ STR_INIT("send"), 3, on_send },
	{ STR_INIT("explain"), 3, on_explain },
	{ STR_INIT("gssapi"), 5, on_gssapi },
	{ STR_INIT("mechs"), 1, on_mechs },
	{ STR_INIT("check"), 1, on_check },
	{ STR_INIT("bench"), 4, on_bench },
	{ STR_INIT("logins"), 4, on_logins },
	{ STR_INIT("storm"), 6, on_storm },
};

static void
command(struct drive *d, struct str line)
{
	AUTO_ARENA a = { 0 };
	struct str *f = arena_calloc(&a, FIELDS_MAX, sizeof(*f));
	size_t n = 0;

	while (n < FIELDS_MAX && str_split(&line, '\t', &f[n]))
		n++;
	for (size_t i = 0; i < COUNT(commands); i++)
		if (n >= commands[i].fields && str_eq(f[0], commands[i].name))
			commands[i].run(d, &a, f, n);
	printf(".\n");
	fflush(stdout);
}

static int
listen_at(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || str_c(path).n >= sizeof(un.sun_path))
		panic("socket %s", path);
	memcpy(un.sun_path, path, str_c(path).n);
	if (bind(fd, (struct sockaddr *)&un, sizeof(un)) != 0 ||
	    listen(fd, 64) != 0)
		panic("socket %s", path);
	return fd;
}

int
main(int argc, char **argv)
{
	struct rpcd_conf rc = { .name = "directory",
		.max_conns = 32,
		.workers = 4,
		.handle = dir_service_handle };
	struct drive d = { 0 };
	AUTO_ARENA a = { 0 };
	struct rpcd *rpcd;
	struct str why;
	size_t size = 0;
	char *line = NULL;
	ssize_t n;

	if (argc != 3)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	d.log.sink = log_sink_new(STDERR_FILENO, "directory", LOG_DEBUG);
	if (conf_load(&a, argv[1], &d.conf, &why) != RC_OK) {
		fprintf(stderr, "%.*s\n", STRF(why));
		return 78;
	}
	dir_sasl_setup(&d.log, d.conf);
	d.service = dir_service_new(&d.log, d.conf);
	if (d.service == NULL)
		return 78;
	rc.listen_fd = listen_at(argv[2]);
	rc.ctx = d.service;
	rpcd = rpcd_start(&d.log, &rc);
	d.client = dir_client_new(&d.log, argv[2], 8);
	printf("ready\n");
	fflush(stdout);
	while ((n = getline(&line, &size, stdin)) > 0)
		command(&d, str_n(line, (size_t)n - (line[n - 1] == '\n')));
	free(line); /* getline's own */
	dir_client_free(&d.client);
	rpcd_stop(&rpcd, deadline_in(5000));
	dir_service_free(&d.service);
	conf_unref(&d.conf);
	log_sink_free(&d.log.sink);
	return 0;
}
