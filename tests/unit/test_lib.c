/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/log.h"
#include "lib/mac.h"
#include "lib/sd_notify.h"
#include "lib/unix_socket.h"

static void test_err_texts(void **state)
{
	struct err err = { 0 };

	assert_int_equal(err_set(&err, -EINVAL, "mtu: %d", 7), -EINVAL);
	assert_string_equal(err.text, "mtu: 7");
	assert_int_equal(err_wrap(&err, -EINVAL, "port \"%s\"", "vm0"), -EINVAL);
	assert_string_equal(err.text, "port \"vm0\": mtu: 7");
	assert_int_equal(err_errno(&err, EACCES, "cannot open %s", "/x"), -EACCES);
	assert_string_equal(err.text, "cannot open /x: Permission denied");
	/* Arguments may point into the message that is replaced. */
	err_set(&err, -1, "again: %s", err.text);
	assert_string_equal(err.text, "again: cannot open /x: Permission denied");
}

static void test_err_without_reader(void **state)
{
	assert_int_equal(err_set(NULL, -EIO, "x"), -EIO);
	assert_int_equal(err_errno(NULL, EIO, "x"), -EIO);
	assert_int_equal(err_wrap(NULL, -EIO, "x"), -EIO);
}

static void test_err_stays_one_line(void **state)
{
	struct err err = { 0 };
	char longest[2 * ERR_TEXT_MAX];

	err_wrap(&err, -1, "alone");
	assert_string_equal(err.text, "alone");
	err_set(&err, -1, "a\nb\x1b[2J\x7f");
	assert_string_equal(err.text, "a?b?[2J?");

	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	err_set(&err, -1, "%s", longest);
	assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
	err_wrap(&err, -1, "front");
	assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
	assert_memory_equal(err.text, "front: xxx", 10);
}

static void test_mac(void **state)
{
	static const char *const bad[] = { "", "02:00:00:00:00", "02:00:00:00:00:0",
		"02:00:00:00:00:001", "02-00-00-00-00-01", "02:00:00:00:00:0g", "020:0:00:00:00:01",
		" 2:00:00:00:00:01", "+2:00:00:00:00:01" };
	struct mac mac;
	char text[MAC_TEXT_MAX];

	assert_int_equal(mac_parse("02:aB:00:fF:10:09", &mac), 0);
	assert_string_equal(mac_format(&mac, text), "02:ab:00:ff:10:09");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(mac_parse(bad[i], &mac), -EINVAL);
	assert_string_equal(mac_format(&mac, text), "02:ab:00:ff:10:09");
	assert_false(mac_is_multicast(&mac));
	assert_false(mac_is_zero(&mac));
	assert_int_equal(mac_parse("ff:ff:ff:ff:ff:ff", &mac), 0);
	assert_true(mac_is_multicast(&mac));
	assert_int_equal(mac_parse("00:00:00:00:00:00", &mac), 0);
	assert_true(mac_is_zero(&mac));
}

/* stderr is a file while one test writes log lines. */
static int saved_stderr = -1;
static FILE *captured;

static void capture_begin(enum log_level level, enum log_format format)
{
	fflush(stderr);
	captured = tmpfile();
	saved_stderr = dup(STDERR_FILENO);
	dup2(fileno(captured), STDERR_FILENO);
	log_configure(level, format);
}

/* Returns what was written, NUL-terminated, in `text`. */
static char *capture_end(char *text, size_t size)
{
	ssize_t n = pread(fileno(captured), text, size - 1, 0);

	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	fclose(captured);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void test_log_text(void **state)
{
	char text[1024];
	const char *rest;

	capture_begin(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	log_info("guest connected", log_str("port", "vm0"), log_int("queues", -2),
		log_str("said", "a\"b\\c\n\x1b\xffz"), log_str("none", NULL));
	log_debug("not shown");
	capture_end(text, sizeof(text));

	assert_memory_equal(text, "level=info ts=20", 16);
	rest = strstr(text, " msg=");
	assert_non_null(rest);
	assert_string_equal(rest, " msg=\"guest connected\" port=vm0 queues=-2 "
				  "said=\"a\\\"b\\\\c\\n\\x1b\\xffz\" none=\"\"\n");
}

static void test_log_json(void **state)
{
	char text[1024];
	json_t *root;

	capture_begin(LOG_LEVEL_DEBUG, LOG_FORMAT_JSON);
	log_debug("x", log_str("said", "a\"\\\n\x01\xff"), log_int("n", INT64_MIN));
	capture_end(text, sizeof(text));

	root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(root);
	assert_string_equal(json_string_value(json_object_get(root, "level")), "debug");
	assert_string_equal(json_string_value(json_object_get(root, "msg")), "x");
	assert_string_equal(
		json_string_value(json_object_get(root, "said")), "a\"\\\n\x01\xc3\xbf");
	assert_true(json_integer_value(json_object_get(root, "n")) == INT64_MIN);
	json_decref(root);
}

static void test_log_oversized_field(void **state)
{
	static char huge[5000];
	char text[8192];
	json_t *root;

	memset(huge, '"', sizeof(huge) - 1);
	capture_begin(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
	log_info("x", log_int("kept", 1), log_str("huge", huge), log_int("after", 2));
	capture_end(text, sizeof(text));

	root = json_loads(text, 0, NULL);
	assert_non_null(root);
	assert_int_equal(json_integer_value(json_object_get(root, "kept")), 1);
	assert_null(json_object_get(root, "huge"));
	json_decref(root);
}

static void test_log_levels(void **state)
{
	char text[1024];

	log_configure(LOG_LEVEL_WARN, LOG_FORMAT_TEXT);
	assert_true(log_enabled(LOG_LEVEL_ERROR));
	assert_true(log_enabled(LOG_LEVEL_WARN));
	assert_false(log_enabled(LOG_LEVEL_INFO));
	capture_begin(LOG_LEVEL_OFF, LOG_FORMAT_TEXT);
	assert_false(log_enabled(LOG_LEVEL_ERROR));
	log_error("not shown");
	assert_string_equal(capture_end(text, sizeof(text)), "");
}

static size_t count_lines(const char *text)
{
	size_t n = 0;

	for (; *text != '\0'; text++)
		n += *text == '\n';
	return n;
}

static void test_log_limited(void **state)
{
	struct log_limit limit = { 0 };
	char text[4096];

	capture_begin(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	for (int i = 0; i < 12; i++)
		log_write_limited(&limit, LOG_LEVEL_INFO, "again", LOG_FIELDS(), 1);
	capture_end(text, sizeof(text));
	assert_int_equal(count_lines(text), 5);
	assert_null(strstr(text, "suppressed"));

	limit.window_start_ms -= 10000; /* the window has passed */
	capture_begin(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	log_write_limited(&limit, LOG_LEVEL_INFO, "again", LOG_FIELDS(), 1);
	log_write_limited(&limit, LOG_LEVEL_INFO, "again", LOG_FIELDS(), 1);
	capture_end(text, sizeof(text));
	assert_int_equal(count_lines(text), 2);
	assert_non_null(strstr(text, "msg=again suppressed=7\n"));
	assert_null(strstr(strstr(text, "suppressed=7") + 1, "suppressed"));
}

struct place {
	char dir[32];
	char path[64];
};

static int place_setup(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	strcpy(place->dir, "/tmp/sluice-lib-XXXXXX");
	if (mkdtemp(place->dir) == NULL)
		return -1;
	snprintf(place->path, sizeof(place->path), "%s/s", place->dir);
	*state = place;
	return 0;
}

static int place_teardown(void **state)
{
	struct place *place = *state;

	unlink(place->path);
	rmdir(place->dir);
	free(place);
	return 0;
}

static void test_unix_listen_mode(void **state)
{
	const struct place *place = *state;
	mode_t before = umask(0077);
	struct err err = { 0 };
	struct stat st;
	int fd = unix_listen(place->path, 0660, &err);

	umask(before);
	assert_true(fd >= 0);
	assert_int_equal(stat(place->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
	assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
	assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	close(fd);
}

static void test_unix_listen_stale(void **state)
{
	const struct place *place = *state;
	struct err err = { 0 };
	int first = unix_listen(place->path, 0660, &err);
	int second;

	assert_true(first >= 0);
	assert_int_equal(unix_listen(place->path, 0660, &err), -EADDRINUSE);
	assert_non_null(strstr(err.text, place->path));
	close(first); /* as a killed process would: the file stays */
	second = unix_listen(place->path, 0600, &err);
	assert_true(second >= 0);
	close(second);
}

static void test_unix_listen_busy_backlog(void **state)
{
	const struct place *place = *state;
	struct err err = { 0 };
	int clients[64];
	size_t n = 0;
	int fd = unix_listen(place->path, 0660, &err);

	/* Nobody accepts: the backlog fills up, which still means that somebody listens. */
	while (n < 64 && (clients[n] = unix_connect(place->path, &err)) >= 0)
		n++;
	assert_true(n < 64);
	assert_int_equal(clients[n], -EAGAIN);
	assert_int_equal(unix_listen(place->path, 0660, &err), -EADDRINUSE);
	while (n > 0)
		close(clients[--n]);
	close(fd);
}

static void test_unix_listen_refuses(void **state)
{
	const struct place *place = *state;
	struct err err = { 0 };
	char longest[200];
	int file = open(place->path, O_CREAT | O_WRONLY, 0600);

	close(file);
	assert_int_equal(unix_listen(place->path, 0660, &err), -EEXIST);
	assert_int_equal(access(place->path, F_OK), 0);
	assert_int_equal(unix_listen("", 0660, &err), -EINVAL);
	assert_int_equal(unix_listen("/nonexistent/dir/s", 0660, &err), -ENOENT);
	memset(longest, 'a', sizeof(longest));
	longest[0] = '/';
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(unix_listen(longest, 0660, &err), -ENAMETOOLONG);
	assert_int_equal(unix_connect(longest, &err), -ENAMETOOLONG);
}

static void test_unix_peer(void **state)
{
	struct unix_peer peer;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(unix_peer(pair[0], &peer), 0);
	assert_int_equal(peer.pid, getpid());
	assert_int_equal(peer.uid, getuid());
	assert_int_equal(unix_peer(-1, &peer), -EBADF);
	close(pair[0]);
	close(pair[1]);
}

static size_t count_open(void)
{
	size_t n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void test_unix_fds(void **state)
{
	int pair[2];
	int got[2] = { -1, -1 };
	int sent[3] = { STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO };
	size_t n = 2;
	size_t open_before;
	char buf[8];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	open_before = count_open();
	assert_int_equal(unix_recv_fds(pair[1], buf, sizeof(buf), got, &n), -EAGAIN);
	assert_int_equal(n, 0);

	assert_int_equal(unix_send_fds(pair[0], "ab", 2, sent, 2), 2);
	n = 2;
	assert_int_equal(unix_recv_fds(pair[1], buf, sizeof(buf), got, &n), 2);
	assert_int_equal(n, 2);
	assert_true((fcntl(got[0], F_GETFD) & FD_CLOEXEC) != 0);
	close(got[0]);
	close(got[1]);

	/* One more than there is room for: it is closed, the others are ours. */
	assert_int_equal(unix_send_fds(pair[0], "ab", 2, sent, 3), 2);
	n = 2;
	assert_int_equal(unix_recv_fds(pair[1], buf, sizeof(buf), got, &n), -EMSGSIZE);
	assert_int_equal(n, 2);
	close(got[0]);
	close(got[1]);
	assert_int_equal(count_open(), open_before);

	assert_int_equal(unix_send_fds(pair[0], "abc", 3, NULL, 0), 3);
	n = 0;
	assert_int_equal(unix_recv_fds(pair[1], buf, sizeof(buf), NULL, &n), 3);
	close(pair[0]);
	n = 0;
	assert_int_equal(unix_recv_fds(pair[1], buf, sizeof(buf), NULL, &n), 0);
	assert_int_equal(unix_send_fds(pair[1], "x", 1, NULL, 0), -EPIPE);
	close(pair[1]);
}

static void test_sd_notify(void **state)
{
	const struct place *place = *state;
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	char buf[64] = "";

	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(sd_notify_send("READY=1"), 0);

	strcpy(addr.sun_path, place->path);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	setenv("NOTIFY_SOCKET", place->path, 1);
	assert_int_equal(sd_notify_send("READY=1\nSTATUS=up"), 0);
	assert_int_equal(recv(fd, buf, sizeof(buf), 0), 17);
	assert_string_equal(buf, "READY=1\nSTATUS=up");

	setenv("NOTIFY_SOCKET", "relative", 1);
	assert_int_equal(sd_notify_send("READY=1"), -EINVAL);
	unsetenv("NOTIFY_SOCKET");
	close(fd);
}

static void test_steal(void **state)
{
	int fd = 7;
	char *text = strdup("x");
	char *taken = steal_ptr(&text);

	assert_int_equal(steal_fd(&fd), 7);
	assert_int_equal(fd, -1);
	assert_null(text);
	assert_string_equal(taken, "x");
	free(taken);
}

#define in_place(test) cmocka_unit_test_setup_teardown(test, place_setup, place_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_err_texts),
		cmocka_unit_test(test_err_without_reader),
		cmocka_unit_test(test_err_stays_one_line),
		cmocka_unit_test(test_mac),
		cmocka_unit_test(test_log_text),
		cmocka_unit_test(test_log_json),
		cmocka_unit_test(test_log_oversized_field),
		cmocka_unit_test(test_log_levels),
		cmocka_unit_test(test_log_limited),
		in_place(test_unix_listen_mode),
		in_place(test_unix_listen_stale),
		in_place(test_unix_listen_busy_backlog),
		in_place(test_unix_listen_refuses),
		cmocka_unit_test(test_unix_peer),
		cmocka_unit_test(test_unix_fds),
		in_place(test_sd_notify),
		cmocka_unit_test(test_steal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
