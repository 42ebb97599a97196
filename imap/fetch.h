/*
 * fetch - what a FETCH asks for (RFC 3501 section 6.4.5), parsed.
 *
 * Ownership  The plan lives in the parse's arena.
 * Threads    Pure functions.
 * Limits     IMAP_FETCH_ITEMS_MAX items, IMAP_FETCH_FIELDS_MAX names in a
 *            HEADER.FIELDS, MAIL_MIME_DEPTH_MAX numbers in a section.
 */
#ifndef IMAP_FETCH_H
#define IMAP_FETCH_H

#include "imap/parse.h"

#define IMAP_FETCH_ITEMS_MAX  256u
#define IMAP_FETCH_FIELDS_MAX 1000u

enum fetch_kind {
	FETCH_FLAGS,
	FETCH_UID,
	FETCH_INTERNALDATE,
	FETCH_SIZE,
	FETCH_ENVELOPE,
	FETCH_BODY, /* structure without extensions */
	FETCH_BODYSTRUCTURE,
	FETCH_SECTION, /* bytes of the message */
};

enum fetch_text {
	TEXT_ALL, /* the part, or the message */
	TEXT_HEADER,
	TEXT_FIELDS,
	TEXT_FIELDS_NOT,
	TEXT_TEXT,
	TEXT_MIME,
};

struct fetch_item {
	enum fetch_kind kind;
	struct str label; /* as it is said in the response */
	/* FETCH_SECTION: */
	enum fetch_text text;
	const uint32_t *part;
	size_t nparts;
	const struct str *field;
	size_t nfields;
	bool peek;
	bool partial;
	uint32_t off, len; /* if partial */
};

struct fetch_plan {
	struct fetch_item *v;
	size_t n;
	bool structure; /* some item needs all of the MIME tree */
	bool envelope;  /* some item needs the envelope */
	bool seen;      /* some item sets \Seen */
	bool flags;     /* FLAGS is among the items */
};

/* fetch-att, a list of them, or a macro; the rest of the command. */
MUST_CHECK bool imap_fetch_parse(
    struct imap_parse *p, bool uid, struct fetch_plan *out);

#endif
