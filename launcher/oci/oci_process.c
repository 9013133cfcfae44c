/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * What sluice-vm and its children may do in the machine root. Containers have most of it by
 * default; none of it reaches the node, whose namespaces they are not in:
 *
 *   NET_ADMIN, NET_RAW     the guard, sluice0, packet sockets of the switch, TAP
 *   NET_BIND_SERVICE       ports of the guest below 1024, bound in the pod; the DNS relay
 *   CHOWN, DAC_OVERRIDE, FOWNER, FSETID, SETFCAP, SETUID, SETGID
 *                          virtiofsd and nfs-ganesha, in the guest's users' names
 *   SYS_CHROOT, SETPCAP    virtiofsd shuts itself in and drops the rest
 *   KILL                   children that are somebody else (dnsmasq is nobody)
 *   DAC_READ_SEARCH        only for NFS: files are found by their handles (open_by_handle_at(2));
 *                          with it a process finds any file of a file system that it has one of
 *
 * Never SYS_ADMIN: the mounts that sluice-vm would make are made by the runtime (/sluice/share).
 * Nor SYS_PTRACE: UML traces its own children. Nor MKNOD: virtiofsd drops it, guests make no
 * devices in volumes.
 */

#include "launcher/oci/oci_process.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "config/container_spec.h"
#include "config/process_spec.h"
#include "launcher/oci/oci_json.h"
#include "launcher/oci/oci_limits.h"

#define ID_MAX (UINT32_MAX - 1) /* the last one means "none" */

/* --- the workload's -------------------------------------------------------------------------- */

static int take_gids(json_object *user, json_object *to, struct err *err)
{
	json_object *gids, *copy;
	int ret = oci_get_array(user, "process.user.", "additionalGids", &gids, err);

	if (ret < 0 || oci_n_items(gids) == 0)
		return ret;
	if (oci_n_items(gids) > PROCESS_GIDS_MAX)
		return err_set(
			err, -E2BIG, "process.user.additionalGids: more than %d", PROCESS_GIDS_MAX);
	copy = json_object_new_array();
	ret = oci_put(to, "additionalGids", copy, err);
	for (size_t i = 0; ret == 0 && i < oci_n_items(gids); i++) {
		uint64_t gid;

		ret = oci_item_uint(gids, "process.user.additionalGids", i, ID_MAX, &gid, err);
		if (ret == 0)
			ret = oci_append(copy, json_object_new_int64((int64_t)gid), err);
	}
	return ret;
}

static int take_user(json_object *process, json_object *to, struct err *err)
{
	uint64_t uid = 0, gid = 0;
	int64_t umask = -1;
	json_object *user;
	char text[32];
	int ret = oci_get_object(process, "process.", "user", &user, err);

	if (ret == 0)
		ret = oci_get_uint(user, "process.user.", "uid", ID_MAX, &uid, err);
	if (ret == 0)
		ret = oci_get_uint(user, "process.user.", "gid", ID_MAX, &gid, err);
	if (ret == 0)
		ret = oci_get_int(user, "process.user.", "umask", 0, 0777, &umask, err);
	snprintf(text, sizeof(text), "%" PRIu64 ":%" PRIu64, uid, gid);
	if (ret == 0)
		ret = oci_put(to, "user", json_object_new_string(text), err);
	if (ret == 0 && umask >= 0)
		ret = oci_put(to, "umask", json_object_new_int64(umask), err);
	return ret < 0 ? ret : take_gids(user, to, err);
}

static int take_cwd(json_object *process, json_object *to, struct err *err)
{
	const char *cwd;
	int ret = oci_get_plain(process, "process.", "cwd", &cwd, err);

	if (ret < 0)
		return ret;
	if (cwd == NULL || cwd[0] != '/' || strlen(cwd) >= PATH_MAX)
		return err_set(err, -EINVAL, "process.cwd: must be an absolute path");
	return oci_put(to, "cwd", json_object_new_string(cwd), err);
}

/* A size that no terminal has is none that was told. */
static int take_size(
	json_object *size, const char *from, json_object *to, const char *key, struct err *err)
{
	uint64_t n = 0;
	int ret = oci_get_uint(size, "process.consoleSize.", from, UINT64_MAX, &n, err);

	if (ret < 0 || n == 0 || n > UINT16_MAX)
		return ret;
	return oci_put(to, key, json_object_new_int64((int64_t)n), err);
}

static int take_terminal(json_object *process, json_object *to, struct err *err)
{
	bool terminal = false;
	json_object *size;
	int ret = oci_get_bool(process, "process.", "terminal", &terminal, err);

	if (ret == 0)
		ret = oci_get_object(process, "process.", "consoleSize", &size, err);
	if (ret == 0)
		ret = oci_put(to, "terminal", json_object_new_boolean(terminal), err);
	if (ret == 0 && terminal)
		ret = take_size(size, "height", to, "rows", err);
	if (ret == 0 && terminal)
		ret = take_size(size, "width", to, "columns", err);
	return ret;
}

static int take_spec(json_object *process, json_object *to, struct err *err)
{
	bool no_new_privileges = false;
	int ret = take_cwd(process, to, err);

	if (ret == 0)
		ret = take_user(process, to, err);
	if (ret == 0)
		ret = take_terminal(process, to, err);
	if (ret == 0)
		ret = oci_limits_take(process, to, err);
	if (ret == 0)
		ret = oci_capabilities_take(process, to, err);
	if (ret == 0)
		ret = oci_get_bool(process, "process.", "noNewPrivileges", &no_new_privileges, err);
	if (ret == 0)
		ret = oci_put(
			to, "noNewPrivileges", json_object_new_boolean(no_new_privileges), err);
	return ret;
}

/* --- its words ------------------------------------------------------------------------------- */

/* The strings, checked, as a new array in `to`. */
static int take_words(
	json_object *array, const char *at, json_object *to, const char *key, struct err *err)
{
	json_object *copy = json_object_new_array();
	int ret = oci_put(to, key, copy, err);

	for (size_t i = 0; ret == 0 && i < oci_n_items(array); i++) {
		const char *word;

		ret = oci_item_string(array, at, i, &word, err);
		if (ret == 0)
			ret = oci_append(copy, json_object_new_string(word), err);
	}
	return ret;
}

static int take_args(json_object *process, json_object *to, struct err *err)
{
	json_object *args;
	int ret = oci_get_array(process, "process.", "args", &args, err);

	if (ret < 0)
		return ret;
	if (oci_n_items(args) == 0)
		return err_set(err, -EINVAL, "process.args: has no command");
	return take_words(args, "process.args", to, "args", err);
}

static int check_env(json_object *env, struct err *err)
{
	for (size_t i = 0; i < oci_n_items(env); i++) {
		const char *word;
		int ret = oci_item_string(env, "process.env", i, &word, err);

		if (ret < 0)
			return ret;
		if (word[0] == '=' || strchr(word, '=') == NULL)
			return err_set(err, -EINVAL, "process.env[%zu]: is not NAME=VALUE", i);
	}
	return 0;
}

static int take_env(json_object *process, json_object *to, struct err *err)
{
	json_object *env;
	int ret = oci_get_array(process, "process.", "env", &env, err);

	if (ret == 0)
		ret = check_env(env, err);
	return ret < 0 ? ret : take_words(env, "process.env", to, "env", err);
}

int oci_process_take(json_object *process, json_object *container, struct err *err)
{
	json_object *spec = json_object_new_object();
	int ret = oci_put(container, "process", spec, err);

	if (ret == 0)
		ret = take_spec(process, spec, err);
	if (ret == 0)
		ret = take_args(process, container, err);
	return ret < 0 ? ret : take_env(process, container, err);
}

/* --- sluice-vm's ----------------------------------------------------------------------------- */

static const char *const capabilities[] = { "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER",
	"CAP_FSETID", "CAP_KILL", "CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE",
	"CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_SYS_CHROOT", "CAP_SETFCAP", NULL };

static int put_capabilities(json_object *process, bool nfs, struct err *err)
{
	static const char *const sets[] = { "bounding", "effective", "permitted" };
	json_object *all = json_object_new_object();
	int ret = oci_put(process, "capabilities", all, err);

	for (size_t i = 0; ret == 0 && i < sizeof(sets) / sizeof(sets[0]); i++) {
		json_object *set = oci_words(capabilities);

		ret = oci_put(all, sets[i], set, err);
		if (ret == 0 && nfs)
			ret = oci_append(set, json_object_new_string("CAP_DAC_READ_SEARCH"), err);
	}
	return ret;
}

static int put_args(json_object *process, const char *programs, struct err *err)
{
	/* Where an exec's client looks for it, whatever settings say. */
	static const char *const words[] = { "run", "--name=vm0", "--run-dir=/run/sluice",
		"--container", CONTAINER_SPEC_PATH };
	json_object *args = json_object_new_array();
	char path[PATH_MAX + 16];
	int ret = oci_put(process, "args", args, err);

	snprintf(path, sizeof(path), "%s/sluice-vm", programs);
	if (ret == 0)
		ret = oci_append(args, json_object_new_string(path), err);
	for (size_t i = 0; ret == 0 && i < sizeof(words) / sizeof(words[0]); i++)
		ret = oci_append(args, json_object_new_string(words[i]), err);
	return ret;
}

/* Nothing of the user's: it would be heard by the loader, and by sluice-vm as SLUICE_*. */
static int put_env(json_object *process, struct err *err)
{
	const char *const words[] = {
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"TMPDIR=/run/sluice",
		json_object_get_boolean(json_object_object_get(process, "terminal")) ? "TERM=xterm"
										     : NULL,
		NULL,
	};

	return oci_put(process, "env", oci_words(words), err);
}

static int put_user(json_object *process, struct err *err)
{
	json_object *user = json_object_new_object();
	int ret = oci_put(process, "user", user, err);

	if (ret == 0)
		ret = oci_put(user, "uid", json_object_new_int(0), err);
	return ret < 0 ? ret : oci_put(user, "gid", json_object_new_int(0), err);
}

int oci_process_convert(
	json_object *process, const struct oci_facts *facts, bool nfs, struct err *err)
{
	int ret = put_args(process, facts->settings->programs, err);

	if (ret == 0)
		ret = put_env(process, err);
	if (ret == 0)
		ret = put_user(process, err);
	if (ret == 0)
		ret = oci_put(process, "cwd", json_object_new_string("/"), err);
	if (ret == 0)
		ret = put_capabilities(process, nfs, err);
	if (ret == 0)
		ret = oci_limits_put(process, facts->nofile_hard, err);
	if (ret == 0)
		ret = oci_put(process, "noNewPrivileges", json_object_new_boolean(true), err);
	json_object_object_del(process, "scheduler");
	json_object_object_del(process, "ioPriority");
	return ret;
}
