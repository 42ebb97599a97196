#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "mail/header.h"
#include "policy/pol_body.h"

#define FIRST (16u << 10) /* holds most headers */

/*
 * F_GET_SEALS works on memory files only.  A spool file is the gateway's own
 * and has no seals.
 */
static bool
is_open_memfd(int fd)
{
	return fcntl(fd, F_GET_SEALS) >= 0 && !fd_is_sealed(fd);
}

enum rc
pol_body_check(const struct log *log, const struct pol_body *b)
{
	struct stat st;

	if (b->fd < 0)
		return b->inline_data.n == b->size ? RC_OK : RC_BAD;
	if (fstat(b->fd, &st) != 0) {
		log_error(log, "check.body", KVE(errno));
		return RC_TEMP;
	}
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != b->size ||
	    is_open_memfd(b->fd)) {
		log_error(log, "check.body", KVU("size", st.st_size),
		    KVU("said", b->size));
		return RC_BAD;
	}
	return RC_OK;
}

enum rc
pol_body_read(const struct log *log, const struct pol_body *b, uint64_t at,
    char *room, struct str *out)
{
	size_t n;
	enum rc rc;

	if (at >= b->size) {
		*out = STR("");
		return RC_OK;
	}
	if (b->fd < 0) {
		*out = str_sub(b->inline_data, at, POL_BODY_PIECE);
		return RC_OK;
	}
	n = (size_t)MIN(b->size - at, (uint64_t)POL_BODY_PIECE);
	rc = fd_pread_all(b->fd, room, n, at);
	if (rc != RC_OK) {
		log_error(
		    log, "check.body", KVC("rc", rc_name(rc)), KVU("at", at));
		return rc == RC_NOENT ? RC_BAD : RC_TEMP;
	}
	*out = str_n(room, n);
	return RC_OK;
}

/* The first n bytes of a descriptor. */
static enum rc
read_head(const struct log *log, const struct pol_body *b, struct arena *a,
    size_t n, struct str *out)
{
	char *p = arena_alloc(a, n + 1);
	enum rc rc = fd_pread_all(b->fd, p, n, 0);

	if (rc != RC_OK) {
		log_error(log, "check.body", KVC("rc", rc_name(rc)));
		return rc == RC_NOENT ? RC_BAD : RC_TEMP;
	}
	*out = str_n(p, n);
	return RC_OK;
}

enum rc
pol_body_header(const struct log *log, const struct pol_body *b,
    struct arena *a, struct str *out, bool *cut)
{
	struct str head = str_sub(b->inline_data, 0, POL_HEADER_MAX);
	size_t want = FIRST, len;

	*cut = false;
	for (;; want = POL_HEADER_MAX) {
		size_t n = (size_t)MIN(b->size, (uint64_t)want);

		if (b->fd >= 0) {
			enum rc rc = read_head(log, b, a, n, &head);

			if (rc != RC_OK)
				return rc;
		}
		len = mail_header_len(head);
		if (len < head.n || head.n == b->size || b->fd < 0 ||
		    want == POL_HEADER_MAX)
			break;
	}
	if (len == head.n && head.n < b->size) {
		*cut = true;
		while (len > 0 && head.p[len - 1] != '\n')
			len--;
	}
	*out = str_sub(head, 0, len);
	return RC_OK;
}
