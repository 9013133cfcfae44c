/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/oci/oci_exec.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "config/process_spec.h"
#include "launcher/oci/oci_json.h"

#define TARGET OCI_EXEC_TARGET
#define ID_MAX (UINT32_MAX - 1)

/* --- where ----------------------------------------------------------------------------------- */

int oci_exec_target(const char *string, const struct runtime_settings *settings, struct err *err)
{
	const char *target = string + strlen(TARGET);

	if (strncmp(string, TARGET, strlen(TARGET)) != 0)
		return OCI_EXEC_UNSAID;
	if (strcmp(target, "vm") == 0)
		return OCI_EXEC_VM;
	if (strcmp(target, "container") != 0)
		return err_set(
			err, -EINVAL, TARGET "%.32s: must be \"vm\" or \"container\"", target);
	if (!settings->exec_in_container)
		return err_set(err, -EPERM,
			TARGET "container: is not allowed (exec-in-container of \"runtime\" in "
			       "/etc/sluice/sluice.json)");
	return OCI_EXEC_CONTAINER;
}

bool oci_exec_is_home(const char *string)
{
	return strncmp(string, "HOME=", 5) == 0 && string[5] != '\0';
}

/* What is said last holds, as in any environment; what the image says is not said by the caller. */
static int find_target(json_object *process, const struct runtime_settings *settings,
	const char *image_target, struct err *err)
{
	int target = OCI_EXEC_VM, ret;
	json_object *env;

	ret = oci_get_array(process, "", "env", &env, err);
	for (size_t i = 0; ret == 0 && i < oci_n_items(env); i++) {
		const char *string;

		ret = oci_item_string(env, "env", i, &string, err);
		if (ret < 0)
			return ret;
		if (image_target != NULL && strcmp(string, image_target) == 0)
			continue;
		ret = oci_exec_target(string, settings, err);
		if (ret > OCI_EXEC_UNSAID)
			target = ret;
		ret = ret < 0 ? ret : 0;
	}
	return ret < 0 ? ret : target;
}

/* --- the client's words ---------------------------------------------------------------------- */

static int add(json_object *args, const char *word, struct err *err)
{
	return oci_append(args, json_object_new_string(word), err);
}

static int add_option(json_object *args, const char *name, const char *value, struct err *err)
{
	int ret = add(args, name, err);

	return ret < 0 ? ret : add(args, value, err);
}

/* Whether the environment says where home is. */
static int has_home(json_object *process, bool *has, struct err *err)
{
	json_object *env;
	int ret = oci_get_array(process, "", "env", &env, err);

	*has = false;
	for (size_t i = 0; ret == 0 && i < oci_n_items(env); i++) {
		const char *string;

		ret = oci_item_string(env, "env", i, &string, err);
		*has |= ret == 0 && oci_exec_is_home(string);
	}
	return ret;
}

/* The runtime adds a HOME where there is none, from the passwd of the root that the client has. */
static int add_env(json_object *args, json_object *process, struct err *err)
{
	bool home;
	int ret = has_home(process, &home, err);

	if (ret == 0)
		ret = add(args, "--inherit-env", err);
	return ret < 0 || home ? ret : add(args, "--guest-home", err);
}

/* "UID:GID"; no user is root, as the specification has it. */
static int add_user(json_object *args, json_object *user, struct err *err)
{
	uint64_t uid = 0, gid = 0;
	char text[32];
	int ret = oci_get_uint(user, "user.", "uid", ID_MAX, &uid, err);

	if (ret == 0)
		ret = oci_get_uint(user, "user.", "gid", ID_MAX, &gid, err);
	snprintf(text, sizeof(text), "%" PRIu64 ":%" PRIu64, uid, gid);
	return ret < 0 ? ret : add_option(args, "--user", text, err);
}

/* "4,24"; none are said too, or they would be the workload's. */
static int add_groups(json_object *args, json_object *user, struct err *err)
{
	char list[PROCESS_GROUPS_MAX] = "";
	json_object *gids;
	size_t len = 0;
	int ret = oci_get_array(user, "user.", "additionalGids", &gids, err);

	for (size_t i = 0; ret == 0 && i < oci_n_items(gids); i++) {
		uint64_t gid;

		ret = oci_item_uint(gids, "user.additionalGids", i, ID_MAX, &gid, err);
		if (ret < 0)
			break;
		len += (size_t)snprintf(
			list + len, sizeof(list) - len, "%s%" PRIu64, i > 0 ? "," : "", gid);
		if (len >= sizeof(list))
			ret = err_set(err, -ERANGE, "user.additionalGids: are too many");
	}
	return ret < 0 ? ret : add_option(args, "--group-add", list, err);
}

static int add_cwd(json_object *args, json_object *process, struct err *err)
{
	const char *cwd;
	int ret = oci_get_plain(process, "", "cwd", &cwd, err);

	if (ret < 0)
		return ret;
	if (cwd == NULL || cwd[0] != '/')
		return err_set(err, -EINVAL, "cwd: must be an absolute path");
	return add_option(args, "--cwd", cwd, err);
}

static int add_terminal(json_object *args, json_object *process, struct err *err)
{
	bool terminal = false;
	int ret = oci_get_bool(process, "", "terminal", &terminal, err);

	return ret < 0 || !terminal ? ret : add(args, "--tty", err);
}

static int add_command(json_object *args, json_object *process, struct err *err)
{
	json_object *command;
	int ret = oci_get_array(process, "", "args", &command, err);

	if (ret == 0 && oci_n_items(command) == 0)
		ret = err_set(err, -EINVAL, "args: there is no command");
	if (ret == 0)
		ret = add(args, "--", err);
	for (size_t i = 0; ret == 0 && i < oci_n_items(command); i++) {
		const char *word;

		ret = oci_item_string(command, "args", i, &word, err);
		if (ret == 0)
			ret = add(args, word, err);
	}
	return ret;
}

static int fill_words(json_object *args, json_object *process, const char *client, struct err *err)
{
	json_object *user;
	int ret = oci_get_object(process, "", "user", &user, err);

	if (ret == 0)
		ret = add(args, client, err);
	if (ret == 0)
		ret = add(args, "--interactive", err);
	if (ret == 0)
		ret = add_env(args, process, err);
	if (ret == 0)
		ret = add_user(args, user, err);
	if (ret == 0)
		ret = add_groups(args, user, err);
	if (ret == 0)
		ret = add_cwd(args, process, err);
	if (ret == 0)
		ret = add_terminal(args, process, err);
	return ret == 0 ? add_command(args, process, err) : ret;
}

/* --- what it runs with ----------------------------------------------------------------------- */

static int make_root(json_object *process, struct err *err)
{
	json_object *user = json_object_new_object();
	int ret = oci_put(process, "user", user, err);

	if (ret == 0)
		ret = oci_put(user, "uid", json_object_new_int(0), err);
	return ret == 0 ? oci_put(user, "gid", json_object_new_int(0), err) : ret;
}

/* Sets are said to be empty: what is not said would be the container's. */
static int take_capabilities(json_object *process, struct err *err)
{
	static const char *const sets[] = { "bounding", "effective", "inheritable", "permitted",
		"ambient" };
	json_object *capabilities = json_object_new_object();
	int ret = oci_put(process, "capabilities", capabilities, err);

	for (size_t i = 0; ret == 0 && i < sizeof(sets) / sizeof(sets[0]); i++)
		ret = oci_put(capabilities, sets[i], json_object_new_array(), err);
	return ret == 0 ? oci_put(process, "noNewPrivileges", json_object_new_boolean(true), err)
			: ret;
}

static int change(json_object *process, json_object *args, struct err *err)
{
	int ret = oci_put(process, "args", args, err);

	if (ret == 0)
		ret = oci_put(process, "cwd", json_object_new_string("/"), err);
	if (ret == 0)
		ret = make_root(process, err);
	if (ret == 0)
		ret = take_capabilities(process, err);
	json_object_object_del(process, "rlimits");
	return ret;
}

int oci_exec_convert(json_object *process, const char *client,
	const struct runtime_settings *settings, const char *image_target, struct err *err)
{
	json_object *args;
	int ret;

	if (!json_object_is_type(process, json_type_object))
		return err_set(err, -EINVAL, "is not a JSON object");
	ret = find_target(process, settings, image_target, err);
	if (ret < 0 || ret == OCI_EXEC_CONTAINER)
		return ret < 0 ? ret : 1;
	args = json_object_new_array();
	if (args == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	ret = fill_words(args, process, client, err);
	if (ret < 0) {
		json_object_put(args);
		return ret;
	}
	return change(process, args, err);
}
