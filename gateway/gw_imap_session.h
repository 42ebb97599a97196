/*
 * gw_imap_session - the state of one IMAP client that has not logged in,
 * shared by the gw_imap*.c files and by nobody else.
 */
#ifndef GW_IMAP_SESSION_H
#define GW_IMAP_SESSION_H

#include "gateway/gw_imap.h"
#include "gateway/gw_imap_parse.h"
#include "gateway/gw_login.h"

/* What the next bytes of the client are. */
enum gw_imap_mode {
	GI_LINE,
	GI_LITERAL, /* `left` bytes of the command */
	GI_DISCARD, /* `left` bytes of a literal that was refused */
	GI_SASL,    /* a line that answers a challenge */
};

struct gw_imap {
	struct gw *gw;
	const struct conf *conf;
	struct netd_conn *c;
	const struct log *log;
	enum gw_imap_mode mode;
	uint64_t left;
	/* A command that came with literals; holds passwords. */
	char *cmd;
	size_t cmd_n, cmd_size;
	struct arena unit; /* reset after each unit */
	struct gw_login login;
	struct str tag;   /* of AUTHENTICATE */
	struct str later; /* a reply that is held back */
	unsigned errors, failures;
	struct gw_guard_seat seat;
	int64_t until; /* CLOCK_MONOTONIC ns: the login must be over */
};

/* "TAG text\r\n"; tag may be empty: "*". */
enum next gw_imap_reply(struct gw_imap *s, struct str tag, const char *text);
enum next gw_imap_bad(struct gw_imap *s, struct str tag, const char *text);
enum next gw_imap_bye(struct gw_imap *s, const char *text);

/* gw_imap_auth.c */
struct str gw_imap_capabilities(struct gw_imap *s);
enum next gw_imap_login(
    struct gw_imap *s, struct str tag, struct gw_imap_in *in);
enum next gw_imap_authenticate(
    struct gw_imap *s, struct str tag, struct gw_imap_in *in);
/* The client's answer to a challenge, without CRLF. */
enum next gw_imap_sasl_line(struct gw_imap *s, struct str line);
void gw_imap_sasl_reset(struct gw_imap *s);

#endif
