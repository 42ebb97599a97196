#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/lib/test.h"
#include "lib/log.h"

struct world {
	int fd[2];
	struct log log;
	char text[2 * LOG_LINE_MAX];
	size_t n;
};

static int
setup(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));

	assert_int_equal(pipe(w->fd), 0);
	w->log.sink = log_sink_new(w->fd[1], "mx", LOG_INFO);
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	log_sink_free(&w->log.sink);
	close(w->fd[0]);
	close(w->fd[1]);
	xfree(w);
	return 0;
}

/* What was written, from "event=" on. */
static const char *
line(struct world *w)
{
	ssize_t n = read(w->fd[0], w->text, sizeof(w->text) - 1);
	const char *p;

	assert_true(n > 0);
	w->n = (size_t)n;
	w->text[n] = '\0';
	p = strstr(w->text, "event=");
	assert_non_null(p);
	return p;
}

static void
values_are_escaped(void **state)
{
	static const struct {
		struct str in;
		const char *out;
	} rows[] = {
		{ STR_INIT("plain@example.org"), "k=plain@example.org\n" },
		{ STR_INIT(""), "k=\"\"\n" },
		{ STR_INIT("a b"), "k=\"a b\"\n" },
		{ STR_INIT("a\"b"), "k=\"a\\x22b\"\n" },
		{ STR_INIT("a\\b"), "k=\"a\\x5cb\"\n" },
		{ STR_INIT("a\nevent=x"), "k=\"a\\x0aevent=x\"\n" },
		{ STR_INIT("a\0b"), "k=\"a\\x00b\"\n" },
		{ STR_INIT("gr\xc3\xbc\xc3\x9f"), "k=gr\xc3\xbc\xc3\x9f\n" },
		{ STR_INIT("\xff"), "k=\"\\xff\"\n" },
		{ STR_INIT("\xc3"), "k=\"\\xc3\"\n" },
		{ STR_INIT("\xc2\x9b"), "k=\"\\xc2\\x9b\"\n" },
		{ STR_INIT("\x7f"), "k=\"\\x7f\"\n" },
		{ STR_INIT("\xf0\x9f\x93\xa7"), "k=\xf0\x9f\x93\xa7\n" },
		{ STR_INIT("\xed\xa0\x80"), "k=\"\\xed\\xa0\\x80\"\n" },
	};
	struct world *w = *state;

	for (size_t i = 0; i < COUNT(rows); i++) {
		log_info(&w->log, "t", KV("k", rows[i].in));
		assert_string_equal(line(w) + strlen("event=t "), rows[i].out);
	}
}

static void
a_line_has_time_level_process_event_context(void **state)
{
	struct world *w = *state;
	struct log l = log_with(&w->log, "sid", STR("a b"));

	log_warn(&l, "rcpt.deny", KVU("n", UINT64_MAX), KVI("i", -5),
	    KVE(ENOSPC), KVC("none", NULL));
	assert_string_equal(line(w),
	    "event=rcpt.deny sid=\"a b\" n=18446744073709551615 i=-5 "
	    "error=\"No space left on device\" none=\"\"\n");
	assert_memory_equal(w->text, "ts=20", 5);
	/* ts=2026-11-22T05:32:19.123Z level=... */
	assert_memory_equal(w->text + 27 - 1, "Z level=warn proc=mx ", 21);
	assert_int_equal(w->text[13], 'T');
	assert_int_equal(w->text[22], '.');
}

static void
long_values_are_cut_and_the_line_stays_whole(void **state)
{
	struct world *w = *state;
	static char big[9000];
	const char *p;

	memset(big, 1, sizeof(big));
	log_info(&w->log, "t", KV("a", str_n(big, sizeof(big))),
	    KV("b", str_n(big, sizeof(big))), KV("c", str_n(big, 2000)),
	    KV("d", str_n(big, 2000)), KV("e", str_n(big, 2000)),
	    KVC("f", "x"));
	p = line(w);
	assert_true(w->n <= LOG_LINE_MAX);
	assert_int_equal(w->text[w->n - 1], '\n');
	assert_ptr_equal(strchr(w->text, '\n'), w->text + w->n - 1);
	assert_non_null(strstr(p, "\\x01...\" b=\""));
	/* Unescaped text is cut as well. */
	memset(big, 'x', sizeof(big));
	log_info(&w->log, "t", KV("a", str_n(big, sizeof(big))), KVC("b", "y"));
	assert_non_null(strstr(line(w), "xxx...\" b=y\n"));
}

static void
debug_is_silent_until_switched_on(void **state)
{
	struct world *w = *state;
	struct log none = { 0 };

	assert_false(log_on(&w->log, LOG_DEBUG));
	assert_false(log_on(&none, LOG_ERROR));
	log_debug(&w->log, "hidden", KVU("x", 1));
	log_error(&none, "hidden", KVU("x", 1));
	log_sink_set(w->log.sink, w->fd[1], LOG_DEBUG);
	log_debug(&w->log, "seen", KVU("x", 1));
	assert_string_equal(line(w), "event=seen x=1\n");
}

static void
a_reload_moves_to_another_file(void **state)
{
	struct world *w = *state;
	int other[2];
	char text[256];
	ssize_t n;

	assert_int_equal(pipe(other), 0);
	log_sink_set(w->log.sink, other[1], LOG_INFO);
	close(other[1]);
	log_info(&w->log, "moved", KVU("x", 1));
	n = read(other[0], text, sizeof(text));
	assert_true(n > 0);
	assert_non_null(memmem(text, (size_t)n, "event=moved", 11));
	close(other[0]);
}

static void
a_context_that_does_not_fit_is_left_out(void **state)
{
	struct world *w = *state;
	struct log l = w->log;
	char big[200];

	memset(big, 'q', sizeof(big));
	for (int i = 0; i < 40; i++)
		l = log_with(&l, "key", str_n(big, 20));
	assert_true(strlen(l.ctx) < LOG_CTX_MAX);
	assert_true(strlen(l.ctx) > 20);
	log_info(&l, "t", KVC("k", "v"));
	assert_non_null(strstr(line(w), " k=v\n"));
}

/* What was written after the process's name, as JSON. */
static const char *
json_line(struct world *w)
{
	ssize_t n = read(w->fd[0], w->text, sizeof(w->text) - 1);
	const char *p;

	assert_true(n > 0);
	w->n = (size_t)n;
	w->text[n] = '\0';
	assert_memory_equal(w->text, "{\"ts\":\"20", 9);
	p = strstr(w->text, "\"event\":");
	assert_non_null(p);
	return p;
}

static void
json_holds_any_byte(void **state)
{
	static const struct {
		struct str in;
		const char *out;
	} rows[] = {
		{ STR_INIT("plain"), "plain" },
		{ STR_INIT(""), "" },
		{ STR_INIT("a b"), "a b" },
		{ STR_INIT("\"\\/"), "\\\"\\\\/" },
		{ STR_INIT("a\0\r\n\t\x7f"),
		    "a\\u0000\\u000d\\u000a\\u0009\\u007f" },
		{ STR_INIT("\xc3\xa9"), "\xc3\xa9" },
		{ STR_INIT("\xc2\x85z"), "\\u0085z" },
		{ STR_INIT("\xff\xc3"), "\\\\xff\\\\xc3" },
		{ STR_INIT("\xed\xa0\x80"), "\\\\xed\\\\xa0\\\\x80" },
	};
	struct world *w = *state;

	log_sink_format(w->log.sink, LOG_JSON);
	for (size_t i = 0; i < COUNT(rows); i++) {
		char want[200];

		snprintf(want, sizeof(want), "\"event\":\"t\",\"k\":\"%s\"}\n",
		    rows[i].out);
		log_info(&w->log, "t", KV("k", rows[i].in));
		assert_string_equal(json_line(w), want);
	}
	log_info(&w->log, "t", KVU("u", UINT64_MAX), KVI("i", -1), KVE(ENOSPC));
	assert_string_equal(json_line(w),
	    "\"event\":\"t\",\"u\":18446744073709551615,\"i\":-1,"
	    "\"error\":\"No space left on device\"}\n");
}

/* The context is kept as text, and comes out as what it was. */
static void
json_context(void **state)
{
	struct world *w = *state;
	struct log l = log_with(&w->log, "sid", STR("ab12"));

	l = log_with(&l, "who", STR("a \"b\\\n\xff"));
	l = log_with(&l, "n", STR(""));
	log_sink_format(w->log.sink, LOG_JSON);
	log_info(&l, "t", KVC("k", "v"));
	assert_string_equal(json_line(w),
	    "\"event\":\"t\",\"sid\":\"ab12\","
	    "\"who\":\"a \\\"b\\\\\\u000a\\\\xff\",\"n\":\"\",\"k\":\"v\"}\n");
	log_sink_format(w->log.sink, LOG_TEXT);
	log_info(&l, "t", KVC("k", "v"));
	assert_non_null(strstr(line(w), "event=t sid=ab12 who=\"a \\x22b"));
}

static void
json_stays_whole_when_cut(void **state)
{
	struct world *w = *state;
	char big[3000];

	log_sink_format(w->log.sink, LOG_JSON);
	for (int c = 0; c < 256; c += 51) {
		memset(big, c, sizeof(big));
		for (size_t n = 900; n < 1100; n += 7) {
			const char *p;

			log_info(&w->log, "t", KV("a", str_n(big, n)),
			    KV("b", str_n(big, 3000)),
			    KV("c", str_n(big, 1000)), KV("d", str_n(big, n)),
			    KV("e", str_n(big, 1000)), KVU("f", n));
			p = json_line(w);
			assert_true(w->n <= LOG_LINE_MAX);
			assert_int_equal(
			    strlen(p) + (size_t)(p - w->text), w->n);
			/* A string or number, and the end. */
			assert_non_null(
			    strchr("\"0123456789", w->text[w->n - 3]));
			assert_string_equal(w->text + w->n - 2, "}\n");
		}
	}
}

static void
syslog_gets_lines_and_the_number_it_missed(void **state)
{
	struct world *w = *state;
	int pair[2], sent = 0, got = 0;
	char text[8192];
	ssize_t n;

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair), 0);
	log_sink_syslog(w->log.sink, pair[0], "/nonexistent/log");
	log_warn(&w->log, "some.event", KVC("k", "a b"));
	(void)line(w);
	n = recv(pair[1], text, sizeof(text) - 1, 0);
	assert_true(n > 0);
	text[n] = '\0';
	assert_memory_equal(text, "<20>1 20", 8);
	assert_non_null(strstr(text, "Z - gatepost-mx "));
	assert_non_null(strstr(text, " some.event - ts=20"));
	assert_string_equal(text + n - 8, " k=\"a b\"");

	/* Nobody reads: nothing waits, and the file has all of it. */
	for (int i = 0; i < 5000; i++) {
		log_warn(&w->log, "flood", KVU("n", i));
		(void)line(w);
		sent++;
	}
	while (recv(pair[1], text, sizeof(text), 0) > 0)
		got++;
	assert_true(got > 0 && got < sent);
	log_warn(&w->log, "again", KVU("n", 1));
	(void)line(w);
	n = recv(pair[1], text, sizeof(text) - 1, 0);
	assert_true(n > 0);
	assert_non_null(memmem(text, (size_t)n, " again - ", 9));
	n = recv(pair[1], text, sizeof(text) - 1, 0);
	assert_true(n > 0);
	text[n] = '\0';
	{
		char want[64];

		snprintf(want, sizeof(want), "event=log.dropped lines=%d",
		    sent - got);
		assert_non_null(strstr(text, want));
	}
	log_sink_syslog(w->log.sink, -1, "");
	log_warn(&w->log, "off", KVU("n", 1));
	assert_int_equal(recv(pair[1], text, sizeof(text), 0), -1);
	close(pair[0]);
	close(pair[1]);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(values_are_escaped),
		T(a_line_has_time_level_process_event_context),
		T(long_values_are_cut_and_the_line_stays_whole),
		T(debug_is_silent_until_switched_on),
		T(a_reload_moves_to_another_file),
		T(a_context_that_does_not_fit_is_left_out),
		T(json_holds_any_byte),
		T(json_context),
		T(json_stays_whole_when_cut),
		T(syslog_gets_lines_and_the_number_it_missed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
