/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>

#include "lib/agent_wire.h"

static struct evbuffer *buffer;

static int set_up(void **state)
{
	buffer = evbuffer_new();
	return buffer == NULL;
}

static int tear_down(void **state)
{
	evbuffer_free(buffer);
	return 0;
}

/* The next frame is of this type; returns its length. */
static uint32_t expect(enum agent_wire_side receiver, enum agent_wire_type wanted)
{
	enum agent_wire_type type = 0;
	struct err err = { "" };
	uint32_t len = 0;

	assert_int_equal(agent_wire_next(buffer, receiver, &type, &len, &err), 1);
	assert_int_equal(type, wanted);
	return len;
}

static void expect_bytes(const char *bytes, size_t len)
{
	assert_int_equal(evbuffer_get_length(buffer), len);
	assert_memory_equal(evbuffer_pullup(buffer, -1), bytes, len);
}

/* What is on the wire is written down here byte by byte: both ends could be wrong alike. */
static void test_bytes(void **state)
{
	agent_wire_put_hello(buffer);
	expect_bytes("\1\0\0\0\14\0\0\0SLUICE\r\n\1\0\0\0", 20);
	assert_int_equal(expect(AGENT_WIRE_AGENT, AGENT_HELLO), 12);
	assert_int_equal(agent_wire_get_hello(buffer, 12, NULL), 0);

	agent_wire_put_u32(buffer, AGENT_STDIN_CREDIT, 0x01020304);
	expect_bytes("\7\0\0\0\4\0\0\0\4\3\2\1", 12);
	evbuffer_drain(buffer, 12);

	agent_wire_put_attached(
		buffer, &(struct agent_attached) {
				.pid = 1, .n_stdout = 0x0102030405060708, .n_stderr = 9 });
	expect_bytes("\20\0\0\0\24\0\0\0\1\0\0\0\10\7\6\5\4\3\2\1\11\0\0\0\0\0\0\0", 28);
	evbuffer_drain(buffer, 28);

	agent_wire_put_exit(buffer, &(struct agent_exit) { .signalled = true, .value = 9 });
	expect_bytes("\15\0\0\0\10\0\0\0\1\0\0\0\11\0\0\0", 16);
	evbuffer_drain(buffer, 16);

	agent_wire_put_window(buffer, &(struct agent_window) { .rows = 0x102, .columns = 3 });
	expect_bytes("\13\0\0\0\4\0\0\0\2\1\3\0", 12);
	evbuffer_drain(buffer, 12);

	agent_wire_put_error(buffer, 127, "no");
	expect_bytes("\16\0\0\0\6\0\0\0\177\0\0\0no", 14);
}

static void test_numbers_come_back(void **state)
{
	const struct agent_offsets sent = { .n_stdout = UINT64_MAX, .n_stderr = 1 };
	const struct agent_window window = { .rows = 65535, .columns = 1 };
	const struct agent_exit ex = { .signalled = true, .dumped = true, .value = 11 };
	struct agent_offsets offsets;
	struct agent_window got_window;
	struct agent_exit got_exit;
	struct agent_attached attached;
	uint32_t len, value;

	agent_wire_put_offsets(buffer, AGENT_ATTACH, &sent);
	len = expect(AGENT_WIRE_AGENT, AGENT_ATTACH);
	assert_int_equal(agent_wire_get_offsets(buffer, len, &offsets), 0);
	assert_memory_equal(&offsets, &sent, sizeof(sent));

	agent_wire_put_window(buffer, &window);
	len = expect(AGENT_WIRE_AGENT, AGENT_RESIZE);
	assert_int_equal(agent_wire_get_window(buffer, len, &got_window), 0);
	assert_memory_equal(&got_window, &window, sizeof(window));

	agent_wire_put_exit(buffer, &ex);
	len = expect(AGENT_WIRE_CLIENT, AGENT_EXIT);
	assert_int_equal(agent_wire_get_exit(buffer, len, &got_exit), 0);
	assert_true(got_exit.signalled && got_exit.dumped && got_exit.value == 11);

	agent_wire_put_attached(buffer, &(struct agent_attached) { 7, 8, 9 });
	len = expect(AGENT_WIRE_CLIENT, AGENT_ATTACHED);
	assert_int_equal(agent_wire_get_attached(buffer, len, &attached), 0);
	assert_true(attached.pid == 7 && attached.n_stdout == 8 && attached.n_stderr == 9);

	agent_wire_put_u32(buffer, AGENT_SIGNAL, 15);
	len = expect(AGENT_WIRE_AGENT, AGENT_SIGNAL);
	assert_int_equal(agent_wire_get_u32(buffer, len, &value), 0);
	assert_int_equal(value, 15);
	assert_int_equal(evbuffer_get_length(buffer), 0);
}

static void test_strings(void **state)
{
	char one[] = "a", empty[] = "", odd[] = "b\nc\xff";
	char *sent[] = { one, empty, odd, NULL };
	char *none[] = { NULL };
	char *big[2] = { malloc(AGENT_WIRE_STRINGS_MAX + 1), NULL };
	char **got;
	uint32_t len;

	assert_int_equal(agent_wire_put_strings(buffer, AGENT_ARGV, sent), 0);
	len = expect(AGENT_WIRE_AGENT, AGENT_ARGV);
	assert_int_equal(agent_wire_get_strings(buffer, len, &got), 0);
	for (int i = 0; i < 3; i++)
		assert_string_equal(got[i], sent[i]);
	assert_null(got[3]);
	free(got);
	assert_int_equal(agent_wire_put_strings(buffer, AGENT_ENV, none), 0);
	len = expect(AGENT_WIRE_AGENT, AGENT_ENV);
	assert_int_equal(agent_wire_get_strings(buffer, len, &got), 0);
	assert_null(got[0]);
	free(got);

	memset(big[0], 'x', AGENT_WIRE_STRINGS_MAX);
	big[0][AGENT_WIRE_STRINGS_MAX] = '\0';
	assert_int_equal(agent_wire_put_strings(buffer, AGENT_ENV, big), -E2BIG);
	assert_int_equal(evbuffer_get_length(buffer), 0);
	big[0][AGENT_WIRE_STRINGS_MAX - 1] = '\0';
	assert_int_equal(agent_wire_put_strings(buffer, AGENT_ENV, big), 0);
	len = expect(AGENT_WIRE_AGENT, AGENT_ENV);
	assert_int_equal(agent_wire_get_strings(buffer, len, &got), 0);
	assert_int_equal(strlen(got[0]), AGENT_WIRE_STRINGS_MAX - 1);
	free(got);
	free(big[0]);

	evbuffer_add(buffer, "a\0b", 3);
	assert_int_equal(agent_wire_get_strings(buffer, 3, &got), -EPROTO);
}

static void test_data_and_errors(void **state)
{
	struct evbuffer *data = evbuffer_new();
	uint32_t len, status;
	char *text;

	evbuffer_add(data, "abcdef", 6);
	assert_int_equal(agent_wire_put_buffer(buffer, AGENT_STDOUT, data, 4), 0);
	assert_int_equal(evbuffer_get_length(data), 2);
	assert_int_equal(expect(AGENT_WIRE_CLIENT, AGENT_STDOUT), 4);
	expect_bytes("abcd", 4);
	evbuffer_drain(buffer, 4);
	evbuffer_free(data);

	agent_wire_put_error(buffer, 126, "a\nb\x1b[2J\x7f\xc3\xa4");
	len = expect(AGENT_WIRE_CLIENT, AGENT_ERROR);
	assert_int_equal(agent_wire_get_error(buffer, len, &status, &text), 0);
	assert_int_equal(status, 126);
	assert_string_equal(text, "a?b?[2J?\xc3\xa4");
	free(text);
}

/* Every prefix of a frame is "not yet", whoever reads it. */
static void test_prefixes(void **state)
{
	struct evbuffer *whole = evbuffer_new();
	enum agent_wire_type type;
	const uint8_t *bytes;
	uint32_t len;

	agent_wire_put_hello(whole);
	bytes = evbuffer_pullup(whole, -1);
	for (size_t n = 0; n < 20; n++) {
		evbuffer_add(buffer, bytes, n);
		assert_int_equal(agent_wire_next(buffer, AGENT_WIRE_CLIENT, &type, &len, NULL), 0);
		assert_int_equal(evbuffer_get_length(buffer), n);
		evbuffer_drain(buffer, n);
	}
	evbuffer_free(whole);
}

static void check_refused(enum agent_wire_side receiver, const char *header, const char *reason)
{
	enum agent_wire_type type;
	struct err err = { "" };
	uint32_t len;

	evbuffer_add(buffer, header, AGENT_WIRE_HEADER_LEN);
	assert_int_equal(agent_wire_next(buffer, receiver, &type, &len, &err), -EPROTO);
	if (strstr(err.text, reason) == NULL)
		fail_msg("%s: %s", reason, err.text);
	evbuffer_drain(buffer, AGENT_WIRE_HEADER_LEN);
}

static void test_headers_that_are_none(void **state)
{
	check_refused(AGENT_WIRE_AGENT, "\0\0\0\0\0\0\0\0", "no frame of type 0");
	check_refused(AGENT_WIRE_AGENT, "\24\0\0\0\0\0\0\0", "no frame of type 20");
	check_refused(AGENT_WIRE_AGENT, "\377\0\0\0\0\0\0\0", "no frame of type 255");
	check_refused(AGENT_WIRE_AGENT, "\6\1\0\0\1\0\0\0", "unknown header");
	check_refused(AGENT_WIRE_AGENT, "\6\0\0\1\1\0\0\0", "unknown header");
	check_refused(AGENT_WIRE_AGENT, "\6\0\0\0\0\0\0\0", "STDIN frame has a payload of 0");
	check_refused(AGENT_WIRE_AGENT, "\6\0\0\0\1\0\1\0", "payload of 65537");
	check_refused(AGENT_WIRE_AGENT, "\3\0\0\0\1\0\40\0", "payload of 2097153");
	check_refused(AGENT_WIRE_AGENT, "\3\0\0\0\0\0\0\0", "ARGV frame has a payload of 0");
	check_refused(AGENT_WIRE_AGENT, "\10\0\0\0\1\0\0\0", "STDIN_CLOSE frame has a payload");
	check_refused(AGENT_WIRE_AGENT, "\22\0\0\0\2\0\0\0", "STATUS frame has a payload");
	/* Each has frames that only the other sends. */
	check_refused(AGENT_WIRE_AGENT, "\11\0\0\0\1\0\0\0", "STDOUT frame came from");
	check_refused(AGENT_WIRE_AGENT, "\15\0\0\0\10\0\0\0", "EXIT frame came from");
	check_refused(AGENT_WIRE_CLIENT, "\6\0\0\0\1\0\0\0", "STDIN frame came from");
	check_refused(AGENT_WIRE_CLIENT, "\23\0\0\0\0\0\0\0", "POWEROFF frame came from");
}

static void test_payloads_that_are_none(void **state)
{
	struct agent_offsets offsets;
	struct agent_exit ex;
	struct err err = { "" };
	uint32_t value;
	char *text;

	evbuffer_add(buffer, "SLUICE\r\n\2\0\0\0", 12);
	assert_int_equal(agent_wire_get_hello(buffer, 12, &err), -EPROTO);
	assert_non_null(strstr(err.text, "version 2"));
	evbuffer_add(buffer, "SLUICE\n\n\1\0\0\0", 12);
	assert_int_equal(agent_wire_get_hello(buffer, 12, &err), -EPROTO);
	evbuffer_add(buffer, "\2\0\0\0\0\0\0\0", 8);
	assert_int_equal(agent_wire_get_exit(buffer, 8, &ex), -EPROTO);
	evbuffer_add(buffer, "\0\0\1\0\0\0\0\0", 8);
	assert_int_equal(agent_wire_get_exit(buffer, 8, &ex), -EPROTO);
	evbuffer_add(buffer, "\0\0\1\0\0\0\0\0", 8);
	assert_int_equal(agent_wire_get_offsets(buffer, 8, &offsets), -EPROTO);
	assert_int_equal(evbuffer_get_length(buffer), 0);
	evbuffer_add(buffer, "\0\0\1", 3);
	assert_int_equal(agent_wire_get_u32(buffer, 4, &value), -EPROTO);
	evbuffer_add(buffer, "\0\0\1", 3);
	assert_int_equal(agent_wire_get_error(buffer, 3, &value, &text), -EPROTO);
}

static void test_names(void **state)
{
	assert_string_equal(agent_wire_name(AGENT_STDIN), "STDIN");
	assert_string_equal(agent_wire_name(AGENT_POWEROFF), "POWEROFF");
	assert_string_equal(agent_wire_name(0), "unknown");
	assert_string_equal(agent_wire_name(4000000000), "unknown");
	assert_int_equal(agent_wire_payload_max(AGENT_ENV), AGENT_WIRE_STRINGS_MAX);
	assert_int_equal(agent_wire_payload_max(AGENT_STDIN), AGENT_WIRE_DATA_MAX);
	assert_int_equal(agent_wire_payload_max(77), 0);
}

#define row(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		row(test_bytes),
		row(test_numbers_come_back),
		row(test_strings),
		row(test_data_and_errors),
		row(test_prefixes),
		row(test_headers_that_are_none),
		row(test_payloads_that_are_none),
		row(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
