/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/oci/runtime_exec.h"

#include "launcher/oci/oci_exec.h"
#include "launcher/oci/oci_file.h"
#include "launcher/oci/runtime_client.h"
#include "launcher/oci/runtime_state.h"

static int convert_file(const char *path, const char *client,
	const struct runtime_settings *settings, const char *image_target, struct err *err)
{
	json_object *process;
	int ret = oci_file_read(path, &process, err);

	if (ret < 0)
		return ret;
	ret = oci_exec_convert(process, client, settings, image_target, err);
	if (ret < 0)
		ret = err_wrap(err, ret, "process.json");
	else if (ret == 0)
		ret = oci_file_replace(path, process, err);
	json_object_put(process);
	return ret < 0 ? ret : 0;
}

static int convert(const struct runtime_words *words, const struct runtime_settings *settings,
	char *const *argv, const struct runtime_state *state, struct exec_line *line,
	struct err *err)
{
	int ret = runtime_client_find(settings, "sluice-exec", line->client, err);

	if (ret < 0)
		return ret;
	if (words->process != NULL)
		return convert_file(
			words->process, line->client, settings, state->image_target, err);
	ret = exec_words_convert(words, argv, settings, line, err);
	return ret < 0 ? ret : 0;
}

int runtime_exec(const struct runtime_words *words, const struct runtime_settings *settings,
	char *const *argv, struct exec_line *line, struct err *err)
{
	struct runtime_state state;
	int ret;

	line->argv = NULL;
	if (words->id == NULL)
		return 0;
	ret = runtime_state_read(settings, words, argv, &state, err);
	if (ret < 0)
		return ret;
	if (state.converted)
		ret = convert(words, settings, argv, &state, line, err);
	runtime_state_free(&state);
	return ret;
}
