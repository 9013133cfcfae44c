/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/oci/runtime_update.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "launcher/oci/oci_config.h"
#include "launcher/oci/oci_file.h"
#include "launcher/oci/oci_json.h"
#include "launcher/oci/oci_update.h"
#include "launcher/oci/runtime_caller.h"
#include "launcher/oci/runtime_state.h"
#include "lib/cleanup.h"
#include "lib/whole_file.h"

static bool is_verb(const struct runtime_words *words, const char *verb)
{
	return words->verb != NULL && strcmp(words->verb, verb) == 0;
}

bool runtime_update_is_meant(const struct runtime_words *words)
{
	return is_verb(words, "update") || is_verb(words, "checkpoint") ||
	       is_verb(words, "restore");
}

static int read_config(const char *bundle, json_object **config, struct err *err)
{
	cleanup_free char *path = NULL;

	*config = NULL;
	if (asprintf(&path, "%s/config.json", bundle) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	return oci_file_read(path, config, err);
}

/* --- update ---------------------------------------------------------------------------------- */

static int read_resources(const char *path, json_object **resources, struct err *err)
{
	cleanup_free char *text = NULL;
	size_t len = 0;
	int ret;

	*resources = NULL;
	if (strcmp(path, "-") != 0)
		return oci_file_read(path, resources, err);
	ret = whole_file_read_fd(STDIN_FILENO, OCI_FILE_MAX, &text, &len);
	if (ret < 0)
		return err_errno(err, -ret, "standard input");
	if (strlen(text) != len)
		return err_set(err, -EINVAL, "standard input: has a NUL in it");
	return oci_json_parse(text, len, resources, err);
}

/* The file is whoever called's: what it has become is read from standard input. */
static int hand_over(
	const struct runtime_words *words, json_object *resources, char **argv, struct err *err)
{
	static char joined[] = "--resources=-", alone[] = "-";
	cleanup_close int fd = memfd_create("resources", MFD_CLOEXEC);
	const char *text = json_object_to_json_string(resources);
	int ret;

	if (fd < 0)
		return err_errno(err, errno, "cannot make a file in memory");
	ret = text != NULL ? whole_file_write_fd(fd, text, strlen(text)) : -ENOMEM;
	if (ret == 0 && (lseek(fd, 0, SEEK_SET) < 0 || dup2(fd, STDIN_FILENO) < 0))
		ret = -errno;
	if (ret < 0)
		return err_errno(err, -ret, "cannot hand the resources on");
	argv[words->resources_at] = argv[words->resources_at] == words->resources ? alone : joined;
	return 0;
}

static int convert(const struct runtime_words *words, const struct runtime_settings *settings,
	json_object *config, char **argv, struct err *err)
{
	json_object *resources, *linux_part, *was = NULL;
	int ret = oci_get_object(config, "", "linux", &linux_part, err);

	if (ret == 0)
		ret = oci_get_object(linux_part, "linux.", "resources", &was, err);
	if (ret == 0)
		ret = read_resources(words->resources, &resources, err);
	if (ret < 0)
		return ret;
	ret = oci_update_convert(resources, was, settings, err);
	if (ret == 0)
		ret = hand_over(words, resources, argv, err);
	json_object_put(resources);
	return ret;
}

static int update(const struct runtime_words *words, const struct runtime_settings *settings,
	const struct runtime_state *state, char **argv, struct err *err)
{
	json_object *config;
	int ret;

	if (words->memory != NULL)
		return err_set(err, -ENOTSUP,
			"update: the memory of a VM cannot be changed while it runs: make "
			"container %.64s anew",
			words->id);
	if (words->resources == NULL)
		return 0;
	if (state->bundle == NULL)
		return err_set(
			err, -EIO, "update: the runtime does not say where %.64s is", words->id);
	ret = read_config(state->bundle, &config, err);
	if (ret == 0)
		ret = convert(words, settings, config, argv, err);
	json_object_put(config);
	return ret < 0 ? err_wrap(err, ret, "update") : 0;
}

/* --- checkpoint, restore --------------------------------------------------------------------- */

static int refuse(const struct runtime_words *words, struct err *err)
{
	return err_set(err, -ENOTSUP,
		"%s: container %.64s is a VM, whose devices and connections cannot be saved",
		words->verb, words->id);
}

/* What is restored is no container yet: its bundle says what it was, or would become. What `create`
 * would refuse is refused here as well: a checkpoint is no way around it. */
static int check_restore(
	const struct runtime_words *words, const struct runtime_settings *settings, struct err *err)
{
	const char *bundle = words->bundle != NULL ? words->bundle : ".";
	struct oci_facts facts = { .settings = settings, .bundle = bundle };
	json_object *config, *annotations = NULL;
	struct runtime_caller caller;
	int ret = read_config(bundle, &config, err);

	if (ret < 0)
		return err_wrap(err, ret, "restore");
	runtime_caller_find(&caller, &facts);
	(void)oci_get_object(config, "", "annotations", &annotations, NULL);
	if (json_object_object_get_ex(annotations, OCI_CONVERTED, NULL))
		ret = OCI_CONVERT;
	else
		ret = oci_decide(config, &facts, err);
	json_object_put(config);
	if (ret < 0)
		return err_wrap(err, ret, "restore");
	return ret == OCI_CONVERT ? refuse(words, err) : 0;
}

int runtime_update(const struct runtime_words *words, const struct runtime_settings *settings,
	char **argv, struct err *err)
{
	struct runtime_state state;
	int ret;

	if (words->id == NULL)
		return 0;
	if (is_verb(words, "restore"))
		return check_restore(words, settings, err);
	ret = runtime_state_read(settings, words, argv, &state, err);
	if (ret < 0)
		return ret == -EPROTONOSUPPORT ? ret : 0;
	if (state.converted)
		ret = is_verb(words, "update") ? update(words, settings, &state, argv, err)
					       : refuse(words, err);
	runtime_state_free(&state);
	return ret;
}
