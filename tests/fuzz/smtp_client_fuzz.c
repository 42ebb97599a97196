/*
 * A server that says anything, in any pieces, while our output leaves in any
 * pieces: what we say stays well-formed, each recipient has a result in the
 * end, and none is taken for delivered whose message was not sent whole.
 */
#include "mail/smtp_client.h"
#include "tests/fuzz/fuzz.h"

#define MESSAGES 4u

static const struct mail_client_rcpt to[] = {
	{ .address = STR_INIT("b@y.test"), .orcpt = STR_INIT("rfc822;b") },
	{ .address = STR_INIT("c@y.test"), .notify = MAIL_NOTIFY_FAILURE },
};
static const struct mail_client_tx tx = {
	.from = STR_INIT("a@x.test"), .to = to, .nto = COUNT(to), .size = 12
};

struct world {
	struct mail_client c;
	uint32_t seed;
	bool cr;    /* the last byte that left was a CR */
	bool ended; /* this message left with its dot */
	unsigned begun;
};

static void
leave(struct world *w, size_t n)
{
	struct str out = str_sub(mail_client_out(&w->c), 0, n);

	for (size_t i = 0; i < out.n; i++) {
		PROMISE((out.p[i] == '\n') == w->cr);
		w->cr = out.p[i] == '\r';
	}
	mail_client_sent(&w->c, out.n);
}

static void
check_results(const struct world *w)
{
	const struct mail_client *c = &w->c;

	for (size_t i = 0; c->tx != NULL && i < c->tx->nto; i++) {
		const struct mail_client_result *r = &c->to[i];

		PROMISE(r->set && r->status.n >= 5);
		PROMISE(r->rc == RC_OK || r->rc == RC_DENY || r->rc == RC_TEMP);
		PROMISE(r->rc != RC_OK || (w->ended && r->from_server));
		PROMISE(!r->elsewhere || r->rc == RC_TEMP);
		PROMISE(r->reply.n <= MAIL_REPLY_TEXT);
		for (size_t k = 0; k < r->reply.n; k++)
			PROMISE(r->reply.p[k] >= ' ' && r->reply.p[k] <= '~');
	}
}

/* False: the connection is over. */
static bool
act(struct world *w)
{
	struct mail_client *c = &w->c;

	switch (c->want) {
	case MAIL_CLIENT_INPUT:
		return true;
	case MAIL_CLIENT_TLS:
		leave(w, SIZE_MAX);
		mail_client_tls(c);
		return true;
	case MAIL_CLIENT_DONE:
		check_results(w);
		/* fall through */
	case MAIL_CLIENT_READY:
		w->ended = false;
		if (w->begun++ < MESSAGES)
			mail_client_begin(c, &tx);
		else
			mail_client_quit(c);
		return true;
	case MAIL_CLIENT_BODY:
		PROMISE(mail_client_body(c, STR("x\r\n.\ry\n")) == RC_OK);
		if (fuzz_piece(&w->seed) & 1) {
			PROMISE(mail_client_body_end(c) == RC_OK);
			w->ended = true;
		}
		return true;
	case MAIL_CLIENT_DEAD:
		check_results(w);
		return false;
	}
	return false;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_n(data, size);
	unsigned flags = fuzz_byte(&in);
	struct world w = { .seed = fuzz_byte(&in) + 1u };
	const struct mail_client_conf conf = {
		.helo = STR("me.test"),
		.lmtp = flags & 1,
		.tls = flags & 2 ? MAIL_CLIENT_TLS_MAY : MAIL_CLIENT_TLS_NEVER,
		.user = flags & 4 ? STR("user") : STR(""),
		.password = STR("pass"),
		.auth_in_clear = flags & 8,
	};
	bool slow = flags & 16;

	mail_client_init(&w.c, &conf);
	while (act(&w) && in.n > 0) {
		size_t n = fuzz_piece(&w.seed);

		leave(&w, slow ? fuzz_piece(&w.seed) : SIZE_MAX);
		mail_client_input(&w.c, str_sub(in, 0, n));
		in = str_from(in, n);
	}
	mail_client_fail(&w.c, "4.4.2", STR("gone"));
	check_results(&w);
	mail_client_free(&w.c);
	return 0;
}
