/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The child is a plain one, made by posix_spawn(3) and waited for: this process goes on to execute
 * the runtime, and must not hand it signal handlers, or the duty of a subreaper, as child.h would.
 */

#include "launcher/oci/runtime_state.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "launcher/oci/oci_config.h"
#include "launcher/oci/oci_file.h"
#include "launcher/oci/oci_json.h"
#include "launcher/oci/runtime_option.h"
#include "lib/cleanup.h"
#include "lib/whole_file.h"

#define STATE_MAX (4U << 20) /* a state has all annotations in it */
#define SAID_MAX  4096       /* of what it says on stderr */

/* --- the question ---------------------------------------------------------------------------- */

static bool is_about_log(const struct runtime_option *option)
{
	return option != NULL &&
	       (option->id == RUNTIME_OPTION_LOG || option->id == RUNTIME_OPTION_LOG_FORMAT);
}

/* `runtime [GLOBAL]... state ID`, to be freed. */
static char **make_words(const struct runtime_settings *settings, const struct runtime_words *words,
	char *const *argv, struct err *err)
{
	char **to = calloc(words->n_global + 4, sizeof(*to));
	size_t n = 0;

	if (to == NULL) {
		(void)err_set(err, 0, "out of memory");
		return NULL;
	}
	to[n++] = (char *)settings->runtime;
	for (size_t i = 1; i < words->n_global;) {
		struct runtime_option_word word = { .n_words = 1 };

		if (argv[i][0] == '-')
			(void)runtime_option_read(argv + i, RUNTIME_GLOBAL, &word, NULL);
		for (size_t end = i + word.n_words; i < end; i++)
			if (!is_about_log(word.option))
				to[n++] = argv[i];
	}
	to[n++] = (char *)"state";
	to[n++] = (char *)words->id;
	return to;
}

/* --- the call -------------------------------------------------------------------------------- */

static int spawn(char *const *argv, int out, int said, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	int ret = posix_spawn_file_actions_init(&actions);

	if (ret != 0)
		return -ret;
	ret = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (ret == 0)
		ret = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	if (ret == 0)
		ret = posix_spawn_file_actions_adddup2(&actions, said, STDERR_FILENO);
	if (ret == 0)
		ret = posix_spawn_file_actions_addclosefrom_np(&actions, 3);
	if (ret == 0)
		ret = posix_spawn(pid, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return -ret;
}

static int wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
}

static int call(char *const *argv, int said, char **text, size_t *len)
{
	cleanup_close int in = -1, out = -1;
	int fds[2], ret, ended;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	in = fds[0];
	out = fds[1];
	ret = spawn(argv, out, said, &pid);
	if (ret < 0)
		return ret;
	close(steal_fd(&out));
	ret = whole_file_read_fd(in, STATE_MAX, text, len);
	if (ret < 0)
		kill(pid, SIGKILL);
	ended = wait_for(pid);
	return ret < 0 ? ret : ended;
}

/* The last line that it said. */
static int failed(const struct runtime_words *words, int said, int ret, struct err *err)
{
	char text[SAID_MAX + 1];
	ssize_t n = pread(said, text, SAID_MAX, 0);
	const char *line;

	n = n > 0 ? n : 0;
	while (n > 0 && text[n - 1] == '\n')
		n--;
	text[n] = '\0';
	line = strrchr(text, '\n');
	line = line != NULL ? line + 1 : text;
	return err_set(err, -EIO, "cannot tell whether container %.64s is a VM: %s", words->id,
		line[0] != '\0' ? line : strerror(-ret));
}

/* --- the answer ------------------------------------------------------------------------------ */

static int copy(const char *text, char **to, struct err *err)
{
	*to = text != NULL ? strdup(text) : NULL;
	return text == NULL || *to != NULL ? 0 : err_set(err, -ENOMEM, "out of memory");
}

static int take(json_object *state, struct runtime_state *out, struct err *err)
{
	const char *converted = NULL, *target = NULL, *bundle = NULL;
	json_object *annotations;
	int ret = oci_get_object(state, "", "annotations", &annotations, err);

	if (ret == 0)
		ret = oci_get_string(annotations, "annotations.", OCI_CONVERTED, &converted, err);
	if (ret == 0)
		ret = oci_get_string(annotations, "annotations.", OCI_IMAGE_TARGET, &target, err);
	if (ret == 0)
		ret = oci_get_plain(state, "", "bundle", &bundle, err);
	if (ret < 0)
		return ret;
	if (converted != NULL && strcmp(converted, OCI_CONVERSION) != 0)
		return err_set(err, -EPROTONOSUPPORT,
			"it was made a VM by another version of Sluice (" OCI_CONVERTED
			" is %.16s, not " OCI_CONVERSION "): end it and create it anew",
			converted);
	out->converted = converted != NULL;
	ret = copy(target, &out->image_target, err);
	return ret < 0 ? ret : copy(bundle, &out->bundle, err);
}

static int read_state(const char *text, size_t len, struct runtime_state *out, struct err *err)
{
	json_object *state;
	int ret = oci_json_parse(text, len, &state, err);

	if (ret < 0)
		return ret;
	ret = take(state, out, err);
	json_object_put(state);
	return ret;
}

int runtime_state_read(const struct runtime_settings *settings, const struct runtime_words *words,
	char *const *argv, struct runtime_state *out, struct err *err)
{
	cleanup_free char **question = make_words(settings, words, argv, err);
	cleanup_close int said = memfd_create("stderr", MFD_CLOEXEC);
	cleanup_free char *text = NULL;
	size_t len;
	int ret;

	*out = (struct runtime_state) { .converted = false };
	if (question == NULL)
		return -ENOMEM;
	if (said < 0)
		return err_errno(err, errno, "cannot make a file in memory");
	ret = call(question, said, &text, &len);
	if (ret < 0)
		return failed(words, said, ret, err);
	ret = read_state(text, len, out, err);
	if (ret < 0)
		runtime_state_free(out);
	return ret < 0 ? err_wrap(err, ret, "state of container %.64s", words->id) : 0;
}

void runtime_state_free(struct runtime_state *state)
{
	free(state->image_target);
	free(state->bundle);
	*state = (struct runtime_state) { .converted = false };
}
