/*
 * gatepost-sendmail: what programs of the machine call to send mail, also under
 * the names sendmail, mailq and newaliases.  It has no privileges: who calls it
 * is known to the gateway from the socket.  See gatepost-sendmail(1).
 */
#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "conf/conf.h"
#include "sendmail/sm_talk.h"

#define CONF_DEFAULT GP_SYSCONFDIR "/gatepost.conf"
#define RUN_DEFAULT  "/run/gatepost"
#define INPUT_MAX    (1u << 30) /* message_size_max has this limit */

static int
complain(int status, struct str why)
{
	fprintf(stderr, "sendmail: %.*s\n", STRF(why));
	return status;
}

/*
 * The socket's place: by the configuration if we may read it, which most users
 * may not.
 */
static enum rc
find_socket(struct arena *a, const struct sm_args *args, const char **out)
{
	const char *path = args->conf != NULL ? args->conf : CONF_DEFAULT;
	const struct conf *conf = NULL;
	struct stat st;
	struct str why;

	/* -C of others names a folder: nothing of ours is in it. */
	if (stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	    access(path, R_OK) == 0 &&
	    conf_load(a, path, &conf, &why) == RC_OK) {
		*out = str_fmt(a, "%s/sendmail.sock", conf->run_dir).p;
		conf_unref(&conf);
		return RC_OK;
	}
	if (args->conf != NULL && access(path, F_OK) == 0 &&
	    S_ISREG(st.st_mode))
		return RC_BAD;
	*out = RUN_DEFAULT "/sendmail.sock";
	return RC_OK;
}

/* Beside us, else where it was installed. */
static int
run_gatepost(
    struct arena *a, const struct sm_args *args, const char *const *do_)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self));
	struct str dir = str_n(self, n > 0 ? (size_t)n : 0);
	const char *program, *argv[8] = { "gatepost" };
	size_t k = 1;

	dir = str_sub(dir, 0, str_rchr(dir, '/'));
	program = str_fmt(a, "%.*s/gatepost", STRF(dir)).p;
	if (access(program, X_OK) < 0)
		program = GP_BINDIR "/gatepost";
	if (args->conf != NULL) {
		argv[k++] = "-c";
		argv[k++] = args->conf;
	}
	for (; *do_ != NULL; do_++)
		argv[k++] = *do_;
	execv(program, (char *const *)(uintptr_t)argv);
	return complain(
	    EX_OSFILE, str_fmt(a, "%s: %s", program, strerrordesc_np(errno)));
}

/* For what only an administrator may do. */
static int
administer(struct arena *a, const struct sm_args *args)
{
	static const char *const list[] = { "queue", "list", NULL };
	static const char *const retry[] = { "queue", "retry", "all", NULL };
	static const char *const reload[] = { "reload", NULL };
	const char *path;
	struct stat st;

	if (find_socket(a, args, &path) != RC_OK)
		return complain(EX_CONFIG, STR("cannot read the file of -C"));
	/* Where nothing runs, the file is read when it starts. */
	if (args->mode == SM_ALIASES && stat(path, &st) < 0 && errno == ENOENT)
		return EX_OK;
	/* Not by the uid: a site may run it all as another user. */
	if (geteuid() != 0 && stat(path, &st) == 0 && st.st_uid != geteuid())
		return complain(EX_NOPERM,
		    STR("only root may look at the queue or change it"));
	return run_gatepost(a, args,
	    args->mode == SM_LIST    ? list
	    : args->mode == SM_RETRY ? retry
				     : reload);
}

static enum rc
read_input(struct buf *b)
{
	for (;;) {
		ssize_t n;

		if (buf_reserve(b, 64u << 10) != RC_OK)
			return RC_BAD;
		n = read(STDIN_FILENO, b->p + b->n, 64u << 10);
		if (n == 0)
			return RC_OK;
		if (n > 0)
			b->n += (size_t)n;
		else if (errno != EINTR)
			return RC_TEMP;
	}
}

static void
know_caller(struct arena *a, struct sm_who *who)
{
	const struct passwd *p = getpwuid(getuid());

	if (p == NULL)
		return;
	who->user = str_dup(a, str_c(p->pw_name));
	who->name = sm_gecos_name(a, str_dup(a, str_c(p->pw_gecos)), who->user);
}

static int
send_input(
    struct arena *a, const struct sm_args *args, int fd, struct buf *input)
{
	struct sm_who who = { STR(""), STR(""), STR("") };
	struct sm_letter letter;
	AUTO_BUF lines = { 0 }, text = { 0 };
	struct str why = STR("");
	int status;

	buf_init(&lines, INPUT_MAX);
	buf_init(&text, INPUT_MAX);
	know_caller(a, &who);
	if (who.user.n == 0 && !args->has_sender)
		return complain(EX_OSERR, STR("your uid has no name here"));
	status = sm_greeting(a, fd, &who.host, &why);
	if (status != EX_OK)
		return complain(status, why);
	if (sm_lines(buf_str(input), args->dot_ends, &lines) != RC_OK)
		return complain(EX_DATAERR, STR("the message is too large"));
	buf_release(input);
	if (sm_letter(a, args, &who, buf_str(&lines), &text, &letter, &why) !=
	    RC_OK)
		return complain(letter.nto == 0 ? EX_USAGE : EX_DATAERR, why);
	status = sm_send(a, fd, args, &letter, buf_str(&text), &why);
	return status == EX_OK ? EX_OK : complain(status, why);
}

static int
deliver(struct arena *a, const struct sm_args *args)
{
	AUTO_BUF input = { 0 };
	AUTO_FD fd = -1;
	const char *path;

	buf_init(&input, INPUT_MAX);
	if (args->mode == SM_SEND && args->nto == 0 && !args->from_header)
		return complain(EX_USAGE, STR("no recipients"));
	/* First all of it: who writes slowly does not keep a session. */
	if (args->mode == SM_SEND && read_input(&input) != RC_OK)
		return complain(EX_IOERR, STR("cannot read the message"));
	if (find_socket(a, args, &path) != RC_OK)
		return complain(EX_CONFIG, STR("cannot read the file of -C"));
	fd = sm_connect(path);
	if (fd < 0)
		return complain(
		    EX_TEMPFAIL, str_fmt(a, "%s: %s: does gatepostd run?", path,
				     strerrordesc_np(errno)));
	return args->mode == SM_SMTP ? sm_relay(fd)
				     : send_input(a, args, fd, &input);
}

int
main(int argc, char **argv)
{
	AUTO_ARENA a = { 0 };
	struct sm_args args;
	const char *why = "";

	signal(SIGPIPE, SIG_IGN);
	if (sm_args_parse(argc, argv, &args, &why) != RC_OK)
		return complain(EX_USAGE, str_c(why));
	switch (args.mode) {
	case SM_SEND:
	case SM_SMTP:
		return deliver(&a, &args);
	case SM_NOTHING:
		return EX_OK;
	default:
		return administer(&a, &args);
	}
}
