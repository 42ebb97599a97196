/*
 * The MIME parser takes the message in pieces, so that memory does not depend
 * on its size.  Offsets are defined over edits + body (mail/meta.h); the
 * gateway's Received is part of each recipient's prefix and only counts as a
 * hop.
 *
 * A sealed memfd and a spool file are treated alike: copying through one
 * buffer costs less than setting up and tearing down a mapping below some
 * hundred KiB, and never depends on whether the seals are there.
 */
#include <errno.h>
#include <sys/stat.h>

#include "delivery/dlv_scan.h"
#include "mail/header.h"
#include "mail/meta.h"

#define PIECE (64u << 10)

/* Whole lines of header, nothing that could end it early. */
static bool
is_header(struct str s)
{
	struct mail_header_iter it = { s };
	struct mail_field f;
	size_t n = 0;

	while (mail_header_next(&it, &f)) {
		if (f.name.n == 0)
			return false;
		n += f.whole.n;
	}
	return n == s.n && (n == 0 || str_has_isuffix(s, STR("\r\n")));
}

static enum rc
check_fd(const struct log *log, const struct dlv_submit *in)
{
	struct stat st;

	if (fstat(in->fd, &st) != 0) {
		log_error(log, "submit.body", KVE(errno));
		return RC_TEMP;
	}
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != in->size) {
		log_error(log, "submit.body", KVU("size", st.st_size),
		    KVU("said", in->size));
		return RC_BAD;
	}
	return RC_OK;
}

static enum rc
read_piece(const struct log *log, int fd, char *p, size_t n, uint64_t at)
{
	enum rc rc = fd_pread_all(fd, p, n, at);

	if (rc == RC_OK)
		return RC_OK;
	log_error(log, "submit.body", KVC("why", rc_name(rc)), KVU("at", at));
	return rc == RC_NOENT ? RC_BAD : RC_TEMP;
}

/* Feed the body from a descriptor; keeps what may be its header. */
static enum rc
feed_fd(const struct log *log, struct arena *a, const struct dlv_submit *in,
    struct mail_mime *mime, struct str *out_head)
{
	size_t n = (size_t)MIN(in->size, (uint64_t)DLV_SCAN_HEADER);
	char *head = arena_alloc(a, n + 1), *p;
	enum rc rc = read_piece(log, in->fd, head, n, 0);

	if (rc != RC_OK)
		return rc;
	*out_head = str_n(head, n);
	mail_mime_feed(mime, *out_head);
	if (in->size == n)
		return RC_OK;
	p = arena_alloc(a, PIECE);
	for (uint64_t at = n; at < in->size; at += n) {
		n = (size_t)MIN(in->size - at, (uint64_t)PIECE);
		rc = read_piece(log, in->fd, p, n, at);
		if (rc != RC_OK)
			return rc;
		mail_mime_feed(mime, str_n(p, n));
	}
	return RC_OK;
}

static enum rc
feed(const struct log *log, struct arena *a, const struct dlv_submit *in,
    struct mail_mime *mime, struct str *out_head)
{
	mail_mime_feed(mime, in->edits);
	if (in->fd >= 0)
		return feed_fd(log, a, in, mime, out_head);
	mail_mime_feed(mime, in->inline_data);
	*out_head = in->inline_data;
	return RC_OK;
}

static void
count_hops(struct dlv_scan *scan, struct str block)
{
	struct mail_header_iter it = { block };
	struct mail_hops hops = mail_header_hops(block);
	struct mail_field f;

	scan->received += hops.received;
	if (hops.delivered_to == 0)
		return;
	while (mail_header_next_named(&it, STR("Delivered-To"), &f)) {
		if (scan->delivered < DLV_SCAN_DELIVERED)
			scan->field[scan->delivered] = f.whole;
		scan->delivered++;
	}
}

enum rc
dlv_scan(const struct log *log, struct arena *a, const struct dlv_submit *in,
    struct buf *meta, struct dlv_scan *out)
{
	struct mail_meta found;
	struct mail_mime *mime;
	struct mail_field f;
	struct str head;
	enum rc rc;

	if (!is_header(in->edits) || !is_header(in->trace)) {
		log_error(log, "submit.edits", KVC("why", "not a header"));
		return RC_BAD;
	}
	rc = in->fd >= 0 ? check_fd(log, in) : RC_OK;
	if (rc != RC_OK)
		return rc;
	mime = mail_mime_new(a);
	rc = feed(log, a, in, mime, &head);
	if (rc == RC_OK) {
		mail_mime_end(mime, &found);
		rc = mail_meta_encode(&found, meta);
	}
	mail_mime_free(&mime);
	if (rc != RC_OK)
		return rc;
	*out = (struct dlv_scan){
		.received = mail_header_hops(in->trace).received,
	};
	head = str_sub(head, 0, mail_header_len(head));
	count_hops(out, in->edits);
	count_hops(out, head);
	if (mail_header_find(head, STR("Message-ID"), &f) ||
	    mail_header_find(in->edits, STR("Message-ID"), &f))
		out->message_id = mail_header_unfold(a, f.value);
	return RC_OK;
}

bool
dlv_scan_loops(const struct dlv_scan *scan, struct str address)
{
	size_t n = MIN(scan->delivered, DLV_SCAN_DELIVERED);

	for (size_t i = 0; i < n; i++) {
		if (mail_header_delivered_to(scan->field[i], address))
			return true;
	}
	return false;
}
