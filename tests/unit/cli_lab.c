/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli_lab.h"

#include <poll.h>
#include <pthread.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/json_rpc.h"
#include "lib/unix_socket.h"

static char socket_dir[] = "/tmp/sluice-cli-XXXXXX";
static char socket_path[64];
static int listener = -1;
static pthread_t server;
static int n_served;
static const struct cli_answer *answers;
static size_t n_answers;

static bool params_are(const json_t *params, const char *expected)
{
	json_t *wanted = json_loads(expected, 0, NULL);
	bool same = json_equal(params, wanted);

	json_decref(wanted);
	return same;
}

static const struct cli_answer *find_answer(const struct json_rpc_request *req)
{
	for (size_t i = 0; i < n_answers; i++) {
		if (strcmp(answers[i].method, req->method) == 0 &&
			params_are(req->params, answers[i].params))
			return &answers[i];
	}
	return NULL;
}

/* The answer line for one request line. *more: what follows it, or NULL. */
static char *answer_line(const char *line, size_t len, const char **more)
{
	struct json_rpc_request req;
	struct err err = { 0 };
	enum json_rpc_code code = json_rpc_decode(line, len, &req, &err);
	const struct cli_answer *row = code == JSON_RPC_OK ? find_answer(&req) : NULL;
	char text[1024];
	char *out;

	*more = row != NULL ? row->more : NULL;
	if (row != NULL && row->answer != NULL) {
		json_t *result = json_loads(row->answer, 0, NULL);

		out = json_rpc_result_line(req.id, result);
		json_decref(result);
	} else {
		snprintf(text, sizeof(text), "not expected: %.*s", (int)len - 1, line);
		out = json_rpc_error_line(req.id, JSON_RPC_FAILED, row != NULL ? row->error : text);
	}
	json_rpc_request_free(&req);
	return out;
}

static void serve_one(int fd)
{
	char line[4096];
	size_t len = 0;
	const char *more;
	char *answer;

	while (len < sizeof(line) && memchr(line, '\n', len) == NULL) {
		ssize_t n = recv(fd, line + len, sizeof(line) - len, 0);

		if (n <= 0)
			break;
		len += (size_t)n;
	}
	answer = answer_line(line, len, &more);
	(void)!send(fd, answer, strlen(answer), MSG_NOSIGNAL);
	if (more != NULL)
		(void)!send(fd, more, strlen(more), MSG_NOSIGNAL);
	free(answer);
	__atomic_add_fetch(&n_served, 1, __ATOMIC_SEQ_CST);
}

/* Until the listener is shut down. */
static void *serve(void *arg)
{
	for (;;) {
		struct pollfd p = { .fd = listener, .events = POLLIN };
		int fd;

		poll(&p, 1, -1);
		fd = accept(listener, NULL, NULL);
		if (fd < 0)
			return NULL;
		serve_one(fd);
		close(fd);
	}
}

int cli_lab_start(const struct cli_answer *rows, size_t n)
{
	answers = rows;
	n_answers = n;
	if (mkdtemp(socket_dir) == NULL)
		return -1;
	snprintf(socket_path, sizeof(socket_path), "%s/s", socket_dir);
	listener = unix_listen(socket_path, 0600, NULL);
	if (listener < 0)
		return -1;
	setenv("SLUICE_CONTROL_SOCKET", socket_path, 1);
	return pthread_create(&server, NULL, serve, NULL);
}

int cli_lab_stop(void)
{
	shutdown(listener, SHUT_RDWR);
	pthread_join(server, NULL);
	close(listener);
	unlink(socket_path);
	return rmdir(socket_dir);
}

const char *cli_lab_directory(void)
{
	return socket_dir;
}

const char *cli_lab_socket(void)
{
	return socket_path;
}

int cli_lab_served(void)
{
	return __atomic_load_n(&n_served, __ATOMIC_SEQ_CST);
}

void cli_read_back(FILE *file, char *text)
{
	ssize_t n = pread(fileno(file), text, OUTPUT_MAX - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	fclose(file);
}

pid_t cli_spawn(const char *const *words, FILE *out, FILE *err)
{
	posix_spawn_file_actions_t actions;
	char *argv[16] = { getenv("SLUICECTL") };
	pid_t pid;

	assert_non_null(argv[0]);
	for (size_t i = 0; words[i] != NULL; i++)
		argv[i + 1] = (char *)words[i];
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fileno(out), STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, fileno(err), STDERR_FILENO);
	assert_int_equal(posix_spawn(&pid, argv[0], &actions, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	return pid;
}

struct outcome *cli_run(const char *const *words)
{
	static struct outcome outcome;
	FILE *out = tmpfile();
	FILE *err = tmpfile();
	pid_t pid = cli_spawn(words, out, err);

	assert_int_equal(waitpid(pid, &outcome.status, 0), pid);
	cli_read_back(out, outcome.out);
	cli_read_back(err, outcome.err);
	return &outcome;
}

void cli_check(const struct outcome *got, int status, const char *out, const char *err)
{
	assert_string_equal(got->err, err);
	assert_string_equal(got->out, out);
	assert_true(WIFEXITED(got->status));
	assert_int_equal(WEXITSTATUS(got->status), status);
}
