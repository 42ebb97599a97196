/*
 * mime - read a message once, in pieces of any size, and say where its parts
 * are: the tree behind BODY[...], BODYSTRUCTURE and ENVELOPE.
 *
 * Formats    RFC 5322, 2045, 2046, 2183 (disposition), 2557 (location), 3282
 *            (language), 1864 (MD5); RFC 2231 parameters are left as they are
 *            written, as IMAP shows them.
 *            Boundaries as Dovecot and Cyrus read them: the line needs to begin
 *            with "--" and a boundary that is open, the longest one wins and
 *            then the innermost; a boundary of an outer part ends the inner
 *            ones; a missing end boundary is no error; a boundary line inside
 *            a part's header ends it.  The CRLF before a boundary belongs to
 * the boundary.  Only CRLF ends a line. Results    Offsets count from the first
 * byte fed.  The result does not depend on how the input was cut.  There is no
 * bad input: everything is a message. Ownership  mail_mime_new ..
 * mail_mime_free; the result lives in the arena. Threads    One owner at a
 * time. Limits     The ones below; past them parts are not taken apart
 * (`limited` is set and a part stays a leaf with its content type), header
 *            fields are cut or ignored.  Memory is bounded by them, not by the
 *            message.
 */
#ifndef MAIL_MIME_H
#define MAIL_MIME_H

#include "lib/base.h"
#include "mail/date.h"

#define MAIL_MIME_DEPTH_MAX    100
#define MAIL_MIME_PARTS_MAX    10000
#define MAIL_MIME_BOUNDARY_MAX 200
#define MAIL_MIME_HEADER_MAX   (256u << 10) /* bytes looked at per header */
#define MAIL_MIME_FIELD_MAX    (64u << 10)  /* bytes kept of one field */
#define MAIL_MIME_KEEP_MAX     (1u << 20)   /* bytes kept of one message */
#define MAIL_MIME_PARAMS_MAX   64           /* parameters of one field */

struct mail_param {
	struct str name;  /* as written */
	struct str value; /* quotes removed */
};

/*
 * Header fields of a message, unfolded.  p is NULL when the field is missing.
 * Of a field that comes twice the first one counts; address fields are joined
 * with a comma, so that none can hide.  Address fields go through
 * mail_addrlist_parse(), text through mail_words_decode().
 */
struct mail_envelope {
	struct str date;
	struct str subject;
	struct str from;
	struct str sender;
	struct str reply_to;
	struct str to;
	struct str cc;
	struct str bcc;
	struct str in_reply_to;
	struct str message_id;
	struct str references; /* not part of ENVELOPE; for THREAD */
	bool date_valid;
	struct mail_date when; /* `date` read by mail_date_parse */
};

enum mail_part_kind {
	MAIL_PART_LEAF,
	MAIL_PART_TEXT,      /* text/...: has a line count in BODYSTRUCTURE */
	MAIL_PART_MULTIPART, /* may have no child: show an empty text/plain */
	MAIL_PART_MESSAGE,   /* message/rfc822: one child, the inner message */
};

/*
 * One part.  The root is the message itself.  A MAIL_PART_MESSAGE has exactly
 * one child, whose header is the inner message's header and which has an
 * envelope; its body is that of the inner message.
 */
struct mail_part {
	struct mail_part *parent;
	struct mail_part *next;  /* next sibling */
	struct mail_part *child; /* first child */
	enum mail_part_kind kind;
	uint64_t header_off; /* use mail_part_header() and mail_part_body() */
	uint64_t header_len; /* with the empty line */
	uint64_t body_len;   /* the body follows the header */
	uint64_t body_lines; /* CRLFs in the body */

	struct str type;    /* as written, "text" when absent or unreadable */
	struct str subtype; /* likewise "plain" ("rfc822" within a digest) */
	const struct mail_param *param;
	size_t nparam;
	struct str id;          /* Content-ID; p NULL when absent */
	struct str description; /* Content-Description */
	struct str encoding;    /* "7bit" when absent */
	struct str md5;
	struct str disposition; /* p NULL when absent */
	const struct mail_param *dparam;
	size_t ndparam;
	const struct str *language; /* tags */
	size_t nlanguage;
	struct str location;
	struct mail_envelope *envelope; /* root and inner messages, else NULL */
};

/* What is known about a message: see also mail/meta.h. */
struct mail_meta {
	uint64_t size;  /* octets fed */
	uint64_t lines; /* CRLFs fed */
	bool has_nul;
	bool has_8bit;
	bool limited; /* a limit above was hit */
	uint32_t nparts;
	struct mail_part *root;
};

struct mail_mime;

struct mail_mime *mail_mime_new(struct arena *a);
void mail_mime_feed(struct mail_mime *m, struct str in);
/* After the last byte, once. */
void mail_mime_end(struct mail_mime *m, struct mail_meta *out);
void mail_mime_free(struct mail_mime **m);
/* All of it when the whole message is in memory. */
void mail_mime_parse(struct arena *a, struct str msg, struct mail_meta *out);

/*
 * Where a part is in the message as its recipient has it: with `prefix_len`
 * bytes of header lines in front of what was fed.  They belong to the root's
 * header.
 */
struct mail_span {
	uint64_t off;
	uint64_t len;
};

static inline struct mail_span
mail_part_header(const struct mail_part *p, uint64_t prefix_len)
{
	if (p->parent == NULL)
		return (struct mail_span){ 0, p->header_len + prefix_len };
	return (struct mail_span){ p->header_off + prefix_len, p->header_len };
}

static inline struct mail_span
mail_part_body(const struct mail_part *p, uint64_t prefix_len)
{
	return (struct mail_span){ p->header_off + p->header_len + prefix_len,
		p->body_len };
}

/* Value of a parameter by name in any case; p is NULL when absent. */
struct str mail_param_find(
    const struct mail_param *v, size_t n, struct str name);

/*
 * The part with the IMAP section number v[0].v[1]... (RFC 3501 section 6.4.5),
 * counted from 1, or NULL.  An inner message is entered on the way; n == 0
 * gives the root.  For a message/rfc822 part the result is that part, not
 * the inner message: HEADER, TEXT and the envelope are its child's.
 */
const struct mail_part *mail_part_at(
    const struct mail_part *root, const uint32_t *v, size_t n);

#endif
