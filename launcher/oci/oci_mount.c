/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/oci/oci_mount.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "launcher/oci/oci_json.h"
#include "lib/memstream.h"

static bool is_one_of(const char *const *words, const char *word)
{
	while (*words != NULL && strcmp(*words, word) != 0)
		words++;
	return *words != NULL;
}

/* --- what it is ------------------------------------------------------------------------------ */

/* Where the kernel's own file systems belong: anywhere else would be a path of the user's. */
static const struct {
	const char *type, *destination;
} kernel_mounts[] = {
	{ "proc", "/proc" },
	{ "sysfs", "/sys" },
	{ "tmpfs", "/dev" },
	{ "devpts", "/dev/pts" },
	{ "mqueue", "/dev/mqueue" },
	{ "cgroup", "/sys/fs/cgroup" },
	{ "cgroup2", "/sys/fs/cgroup" },
};

static bool is_kernel_mount(const struct oci_mount *mount)
{
	for (size_t i = 0; i < sizeof(kernel_mounts) / sizeof(kernel_mounts[0]); i++)
		if (strcmp(mount->type, kernel_mounts[i].type) == 0 &&
			strcmp(mount->destination, kernel_mounts[i].destination) == 0)
			return true;
	return false;
}

static bool is_at_or_below(const char *path, const char *top)
{
	size_t len = strlen(top);

	return strncmp(path, top, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

static bool is_bind(const struct oci_mount *mount)
{
	return strcmp(mount->type, "bind") == 0 || oci_has_word(mount->options, "bind") ||
	       oci_has_word(mount->options, "rbind");
}

/* Of the kernel that the guest has: the node's would hide its own. */
static int refuse_kernel_place(const struct oci_mount *mount, struct err *err)
{
	return err_set(err, -ENOTSUP,
		"mounts: %.128s: is the guest kernel's own in a VM, and cannot be a volume: leave "
		"it out, or sluice.dev/vm",
		mount->destination);
}

static int classify_share(struct oci_mount *mount, struct err *err)
{
	static const char *const taken[] = { "/dev", "/dev/pts", "/dev/mqueue", NULL };

	if (is_one_of(taken, mount->destination) || is_at_or_below(mount->destination, "/proc") ||
		is_at_or_below(mount->destination, "/sys"))
		return refuse_kernel_place(mount, err);
	if (!is_bind(mount) && strcmp(mount->type, "overlay") != 0)
		return err_set(err, -ENOTSUP,
			"mounts: %.128s: a file system of type \"%.32s\" cannot be given to a VM: "
			"leave it out, or sluice.dev/vm",
			mount->destination, mount->type);
	if (mount->source[0] == '\0')
		return err_set(err, -EINVAL, "mounts: %.128s: has no source", mount->destination);
	mount->use = OCI_MOUNT_SHARE;
	return 0;
}

static int classify(struct oci_mount *mount, struct err *err)
{
	static const char *const pod_files[] = { "/etc/resolv.conf", "/etc/hosts", "/etc/hostname",
		NULL };

	if (is_kernel_mount(mount))
		mount->use = OCI_MOUNT_KERNEL;
	else if (is_bind(mount) && strcmp(mount->destination, "/dev/shm") == 0)
		mount->use = OCI_MOUNT_SHM;
	else if (strcmp(mount->type, "tmpfs") == 0 && !is_bind(mount))
		mount->use = OCI_MOUNT_TMPFS;
	else if (is_bind(mount) && is_one_of(pod_files, mount->destination))
		mount->use = OCI_MOUNT_POD;
	else
		return classify_share(mount, err);
	return 0;
}

/* --- reading it ------------------------------------------------------------------------------ */

static int check_destination(const char *path, struct err *err)
{
	if (path == NULL || path[0] != '/' || strlen(path) >= PATH_MAX)
		return err_set(err, -EINVAL, "mounts[].destination: must be an absolute path");
	if (strspn(path, "/") == strlen(path))
		return err_set(
			err, -EINVAL, "mounts[].destination: \"%.64s\" is the root itself", path);
	return 0;
}

static int read_options(struct oci_mount *mount, struct err *err)
{
	int ret = oci_get_array(mount->object, "mounts[].", "options", &mount->options, err);

	for (size_t i = 0; ret == 0 && i < oci_n_items(mount->options); i++) {
		const char *word;

		ret = oci_item_string(mount->options, "mounts[].options", i, &word, err);
		if (ret == 0 && (strcmp(word, "ro") == 0 || strcmp(word, "rro") == 0))
			mount->readonly = true;
		else if (ret == 0 && strcmp(word, "rw") == 0)
			mount->readonly = false;
	}
	return ret;
}

int oci_mount_read(json_object *object, struct oci_mount *mount, struct err *err)
{
	static const char at[] = "mounts[].";
	int ret;

	*mount = (struct oci_mount) { .object = object };
	ret = oci_get_plain(object, at, "destination", &mount->destination, err);
	if (ret == 0)
		ret = check_destination(mount->destination, err);
	if (ret == 0)
		ret = oci_get_plain(object, at, "type", &mount->type, err);
	if (ret == 0)
		ret = oci_get_string(object, at, "source", &mount->source, err);
	if (ret == 0)
		ret = read_options(mount, err);
	if (ret < 0)
		return ret;
	if (mount->type == NULL)
		mount->type = "";
	if (mount->source == NULL)
		mount->source = "";
	return classify(mount, err);
}

/* --- options --------------------------------------------------------------------------------- */

static bool is_plain(const char *word)
{
	while (*word != '\0' && !iscntrl((unsigned char)*word))
		word++;
	return *word == '\0';
}

static bool is_tmpfs_option(const char *word)
{
	static const char *const known[] = {
		"size=", "mode=", "nr_inodes=", "nr_blocks=", "uid=", "gid="
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strncmp(word, known[i], strlen(known[i])) == 0)
			return is_plain(word) && strchr(word, ',') == NULL;
	return false;
}

char *oci_mount_guest_options(const struct oci_mount *mount, bool tmpfs)
{
	static const char *const flags[] = { "nosuid", "nodev", "noexec", "noatime", "nodiratime",
		NULL };
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	const char *comma = "";

	if (out == NULL)
		return NULL;
	for (size_t i = 0; i < oci_n_items(mount->options); i++) {
		const char *word =
			json_object_get_string(json_object_array_get_idx(mount->options, i));

		if (!is_one_of(flags, word) && !(tmpfs && is_tmpfs_option(word)))
			continue;
		fprintf(out, "%s%s", comma, word);
		comma = ",";
	}
	return memstream_text(out, &text);
}

json_object *oci_mount_share_options(const struct oci_mount *mount)
{
	static const char *const dropped[] = { "suid", "nosuid", "dev", "nodev", "exec", "noexec",
		"shared", "rshared", "slave", "rslave", "private", "rprivate", "unbindable",
		"runbindable", "tmpcopyup", NULL };
	static const char *const added[] = { "rslave", "nosuid", "nodev", "noexec", NULL };
	json_object *array = json_object_new_array();
	int ret = array != NULL ? 0 : -ENOMEM;

	for (size_t i = 0; ret == 0 && i < oci_n_items(mount->options); i++) {
		json_object *word = json_object_array_get_idx(mount->options, i);

		if (!is_one_of(dropped, json_object_get_string(word)))
			ret = oci_append(array, oci_copy(word), NULL);
	}
	if (ret == 0 && is_bind(mount) && !oci_has_word(mount->options, "bind") &&
		!oci_has_word(mount->options, "rbind"))
		ret = oci_append(array, json_object_new_string("rbind"), NULL);
	for (size_t i = 0; ret == 0 && added[i] != NULL; i++)
		ret = oci_append(array, json_object_new_string(added[i]), NULL);
	if (ret == 0)
		return array;
	json_object_put(array);
	return NULL;
}
