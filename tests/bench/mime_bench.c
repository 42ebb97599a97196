/*
 * mime_bench - what reading a message costs: structure, stored form, decoder of
 * DATA.  Prints microseconds for a message of 4 KiB and one of 40 KiB.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "mail/dot.h"
#include "mail/meta.h"

#define ROUNDS 20000

static void
add(struct buf *b, struct str s)
{
	if (buf_add(b, s) != RC_OK)
		panic("message too long");
}

/* A header as mail has it, a text part and an attachment in base64. */
static void
make_message(struct buf *b, size_t size)
{
	add(b,
	    STR("Received: from client.example (host.example [192.0.2.1])\r\n"
		"\tby mx.example.org with ESMTPS (TLS1.3"
		" TLS_AES_256_GCM_SHA384)\r\n"
		"\tid 4ABC;\r\n\tSun, 22 Nov 2026 05:22:52 +0000\r\n"
		"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;"
		" d=example;\r\n\ts=s1; h=from:to:subject:date;\r\n"
		"\tb=dGhpcyBpcyBub3QgYSBzaWduYXR1cmUgYnV0IGl0IGlzIGxvbmc=\r\n"
		"Message-ID: <1234567890.abcdef@client.example>\r\n"
		"Date: Sun, 22 Nov 2026 06:22:50 +0100\r\n"
		"From: =?utf-8?q?Anna_M=C3=BCller?= <anna@client.example>\r\n"
		"To: Bert <bert@example.org>, \"C, D\" <c@example.org>\r\n"
		"Subject: The minutes of the meeting\r\n"
		"References: <1@client.example> <2@example.org>\r\n"
		"In-Reply-To: <2@example.org>\r\nMIME-Version: 1.0\r\n"
		"Content-Type: multipart/mixed;"
		" boundary=\"----=_Part_1234_5678\"\r\n\r\n"
		"------=_Part_1234_5678\r\n"
		"Content-Type: text/plain; charset=utf-8\r\n"
		"Content-Transfer-Encoding: quoted-printable\r\n\r\n"));
	while (b->n < size / 2)
		add(b, STR("The quick brown fox jumps over the lazy dog, and"
			   " then it does so again.\r\n"));
	add(b, STR("------=_Part_1234_5678\r\n"
		   "Content-Type: application/pdf; name=\"minutes.pdf\"\r\n"
		   "Content-Disposition: attachment; filename=minutes.pdf\r\n"
		   "Content-Transfer-Encoding: base64\r\n\r\n"));
	while (b->n < size)
		add(b,
		    STR("dGhpcyBpcyBub3QgYSBQREYgYnV0IGl0IGlzIGFzIGxvbmcgYXMg"
			"b25lIGFuZCB0aGF0IGlz\r\n"));
	add(b, STR("------=_Part_1234_5678--\r\n"));
}

static double
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static void
say(const char *what, struct str msg, double start)
{
	double us = (now_us() - start) / ROUNDS;

	printf("%-8s %6zu bytes %8.2f us %8.0f MB/s\n", what, msg.n, us,
	    (double)msg.n / us);
}

static void
measure(struct str msg)
{
	AUTO_ARENA a = { 0 };
	AUTO_BUF blob = { 0 };
	struct mail_meta meta;
	double start = now_us();

	for (int i = 0; i < ROUNDS; i++) {
		arena_reset(&a);
		mail_mime_parse(&a, msg, &meta);
	}
	say("parse", msg, start);

	buf_init(&blob, MAIL_META_MAX);
	start = now_us();
	for (int i = 0; i < ROUNDS; i++) {
		buf_clear(&blob);
		if (mail_meta_encode(&meta, &blob) != RC_OK)
			panic("encode");
	}
	say("encode", msg, start);

	start = now_us();
	for (int i = 0; i < ROUNDS; i++) {
		arena_reset(&a);
		if (mail_meta_decode(&a, buf_str(&blob), &meta) != RC_OK)
			panic("decode");
	}
	say("decode", msg, start);

	start = now_us();
	for (int i = 0; i < ROUNDS; i++) {
		struct str in = msg, out;
		struct mail_dot d;

		mail_dot_init(&d);
		while (mail_dot_next(&d, &in, &out))
			;
		if (d.crlf.bare)
			panic("bare");
	}
	say("dot", msg, start);
	printf("blob     %6zu bytes\n", blob.n);
}

int
main(void)
{
	static const size_t sizes[] = { 4096, 40960 };

	for (size_t i = 0; i < COUNT(sizes); i++) {
		AUTO_BUF b = { 0 };

		buf_init(&b, 1u << 20);
		make_message(&b, sizes[i]);
		measure(buf_str(&b));
	}
	return 0;
}
