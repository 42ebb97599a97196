/*
 * Landlock first (seccomp would forbid its calls), then seccomp.
 *
 * Landlock is called directly: Debian 12's header ends before TRUNCATE, so
 * the rights are written down here and masked by the ABI of the kernel that
 * we run on.
 *
 * seccomp is an allow list.  What a daemon has no business to call gives
 * EPERM (a library may try and fall back); what only an intruder calls kills.
 * Accepted sockets are used by read and write, which need no address family;
 * without `inet` a socket of another family than AF_UNIX cannot be made, and
 * so cannot be connected (but for the listening ones, which listen already).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/sandbox.h"
#include "lib/sandbox_calls.h"

#define FS_EXECUTE    (1ull << 0)
#define FS_WRITE_FILE (1ull << 1)
#define FS_READ_FILE  (1ull << 2)
#define FS_READ_DIR   (1ull << 3)
#define FS_ABI1       ((1ull << 13) - 1) /* up to MAKE_SYM */
#define FS_REFER      (1ull << 13)       /* ABI 2 */
#define FS_TRUNCATE   (1ull << 14)       /* ABI 3 */
#define FS_IOCTL_DEV  (1ull << 15)       /* ABI 5 */
#define NET_BIND_TCP  (1ull << 0)        /* ABI 4 */
#define NET_CONNECT   (1ull << 1)        /* ABI 4 */

/* Rights that make sense on a file that is no directory. */
#define FS_FILE                                                                \
	(FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV)
#define FS_READ (FS_READ_FILE | FS_READ_DIR)

/* The kernel's structure as of ABI 4; older ones are told the older size. */
struct ruleset_attr {
	uint64_t fs, net;
};

static enum rc
add_path(const struct log *log, int ruleset, const char *path, uint64_t rights)
{
	AUTO_FD fd = open(path, O_PATH | O_CLOEXEC);
	struct landlock_path_beneath_attr attr;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		/* What is not there now cannot be allowed later. */
		log_debug(log, "sandbox.path", KVC("path", path), KVE(errno));
		return RC_OK;
	}
	if (!S_ISDIR(st.st_mode))
		rights &= FS_FILE;
	attr.parent_fd = fd;
	attr.allowed_access = rights;
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH,
		&attr, 0) < 0) {
		log_error(log, "sandbox.path", KVC("path", path), KVE(errno));
		return RC_TEMP;
	}
	return RC_OK;
}

static enum rc
add_paths(const struct log *log, int ruleset, const char *const *paths,
    uint64_t rights)
{
	enum rc rc = RC_OK;

	for (; rc == RC_OK && paths != NULL && *paths != NULL; paths++)
		rc = add_path(log, ruleset, *paths, rights);
	return rc;
}

/* RC_NOENT: the kernel has none. */
static enum rc
enter_landlock(const struct log *log, const struct sandbox *rules)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION);
	struct ruleset_attr attr = { .fs = FS_ABI1 };
	size_t size = sizeof(attr.fs);
	uint64_t read = FS_READ | (rules->exec ? FS_EXECUTE : 0);
	AUTO_FD ruleset = -1;

	if (abi <= 0)
		return RC_NOENT;
	if (abi >= 2)
		attr.fs |= FS_REFER;
	if (abi >= 3)
		attr.fs |= FS_TRUNCATE;
	if (abi >= 4 && !rules->inet) {
		attr.net = NET_BIND_TCP | NET_CONNECT;
		size = sizeof(attr);
	}
	if (abi >= 5)
		attr.fs |= FS_IOCTL_DEV;
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	if (ruleset < 0) {
		log_error(log, "sandbox.landlock", KVE(errno));
		return RC_TEMP;
	}
	if (add_paths(log, ruleset, sandbox_always_read, read & attr.fs) ||
	    add_paths(log, ruleset, sandbox_always_write,
		(FS_READ_FILE | FS_WRITE_FILE) & attr.fs) ||
	    add_paths(log, ruleset, rules->read, read & attr.fs) ||
	    add_paths(log, ruleset, rules->write,
		attr.fs & ~(FS_EXECUTE | FS_IOCTL_DEV)))
		return RC_TEMP;
	if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0) {
		log_error(log, "sandbox.landlock", KVE(errno));
		return RC_TEMP;
	}
	return RC_OK;
}

static int
allow(scmp_filter_ctx ctx, const int *calls, size_t n, uint32_t action)
{
	int rc = 0;

	/* Calls that this architecture lacks are negative and pass. */
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = seccomp_rule_add(ctx, action, calls[i], 0);
	return rc;
}

/*
 * clone makes threads of this process and nothing else.  The flags of clone3
 * are behind a pointer: glibc falls back to clone when there is none.
 */
static int
allow_threads(scmp_filter_ctx ctx, bool exec)
{
	const scmp_datum_t spaces = CLONE_NEWNS | CLONE_NEWCGROUP |
				    CLONE_NEWUTS | CLONE_NEWIPC |
				    CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
	const scmp_datum_t thread = exec ? 0 : CLONE_THREAD;
	int rc =
	    seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);

#ifdef GP_SANITIZED /* the leak check starts a process */
	(void)spaces, (void)thread;
	return rc;
#else
	if (rc != 0)
		return rc;
	return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
	    SCMP_A0(SCMP_CMP_MASKED_EQ, spaces | thread, thread));
#endif
}

static int
allow_sockets(scmp_filter_ctx ctx, bool inet)
{
	static const int families[] = { AF_UNIX, AF_INET, AF_INET6,
		AF_NETLINK };
	size_t n = inet ? COUNT(families) : 1;
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
		    SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i]));
	/* Nothing new may listen, with or without inet. */
	if (rc == 0 && inet)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(bind), 0);
	return rc;
}

static enum rc
enter_seccomp(const struct log *log, const struct sandbox *rules)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int rc;

	if (ctx == NULL)
		return RC_NOENT;
	rc = allow(ctx, sandbox_allowed, sandbox_nallowed, SCMP_ACT_ALLOW);
	if (rc == 0)
		rc = allow_sockets(ctx, rules->inet);
	if (rc == 0)
		rc = allow_threads(ctx, rules->exec);
	if (rc == 0 && rules->exec)
		rc = allow(ctx, sandbox_exec, sandbox_nexec, SCMP_ACT_ALLOW);
	else if (rc == 0)
		rc = allow(
		    ctx, sandbox_exec, sandbox_nexec, SCMP_ACT_KILL_PROCESS);
	if (rc == 0)
		rc = allow(ctx, sandbox_hostile, sandbox_nhostile,
		    SCMP_ACT_KILL_PROCESS);
	if (rc == 0)
		rc = seccomp_load(ctx);
	seccomp_release(ctx);
	if (rc == -EINVAL || rc == -ENOSYS || rc == -ECANCELED)
		return RC_NOENT;
	if (rc != 0) {
		log_error(log, "sandbox.seccomp", KVE(-rc));
		return RC_TEMP;
	}
	return RC_OK;
}

enum rc
sandbox_enter(
    const struct log *log, enum sandbox_mode mode, const struct sandbox *rules)
{
	static const struct {
		const char *name;
		enum rc (*enter)(const struct log *, const struct sandbox *);
	} parts[] = {
		{ "landlock", enter_landlock },
		{ "seccomp", enter_seccomp },
	};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
		log_error(log, "sandbox.no_new_privs", KVE(errno));
		return RC_TEMP;
	}
	if (mode == SANDBOX_OFF)
		return RC_OK;
	for (size_t i = 0; i < COUNT(parts); i++) {
		enum rc rc = parts[i].enter(log, rules);

		if (rc == RC_NOENT)
			log_warn(
			    log, "sandbox.missing", KVC("part", parts[i].name));
		if (rc != RC_OK && (rc != RC_NOENT || mode == SANDBOX_REQUIRED))
			return rc;
	}
	return RC_OK;
}
