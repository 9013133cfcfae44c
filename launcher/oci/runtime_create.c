/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/oci/runtime_create.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <syslog.h>
#include <unistd.h>

#include <linux/magic.h>

#include "launcher/oci/machine_parts.h"
#include "launcher/oci/machine_root.h"
#include "launcher/oci/oci_annotations.h"
#include "launcher/oci/oci_config.h"
#include "launcher/oci/oci_file.h"
#include "launcher/oci/oci_mount_points.h"
#include "launcher/oci/runtime_caller.h"
#include "launcher/oci/runtime_pod.h"

/* What is known of the container and of the node, and where it is kept. */
struct creation {
	struct oci_facts facts;
	struct machine_parts parts;
	char bundle[PATH_MAX], config[PATH_MAX], root[PATH_MAX];
	struct runtime_caller caller;
};

/* --- what is known --------------------------------------------------------------------------- */

static int join(char *path, const char *dir, const char *name, struct err *err)
{
	if (snprintf(path, PATH_MAX, "%s/%s", dir, name) >= PATH_MAX)
		return err_errno(err, ENAMETOOLONG, "%.64s", dir);
	return 0;
}

static int find_bundle(struct creation *c, const char *given, struct err *err)
{
	char here[PATH_MAX];
	int ret;

	if (given != NULL && given[0] == '/') {
		ret = join(c->bundle, "", given + 1, err);
	} else {
		if (getcwd(here, sizeof(here)) == NULL)
			return err_errno(err, errno, "cannot tell the working directory");
		ret = join(c->bundle, here, given != NULL ? given : ".", err);
	}
	if (ret == 0)
		ret = join(c->config, c->bundle, "config.json", err);
	return ret == 0 ? join(c->root, c->bundle, MACHINE_ROOT_NAME, err) : ret;
}

/* What a decision takes. */
static void look_at_container(struct creation *c, const struct runtime_settings *settings)
{
	c->facts = (struct oci_facts) {
		.settings = settings,
		.bundle = c->bundle,
		.machine_root = c->root,
	};
	runtime_caller_find(&c->caller, &c->facts);
}

/* A tmpfs of its own, as engines make them for pods, and not a directory in one. */
static bool is_tmpfs(const char *path, struct statfs *fs)
{
	struct statx st;

	return path != NULL && statfs(path, fs) == 0 && fs->f_type == TMPFS_MAGIC &&
	       statx(AT_FDCWD, path, 0, 0, &st) == 0 &&
	       (st.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

/* What is bound to /dev/shm. The node's own is of a size that means nothing to a guest. */
static void look_at_shm(struct creation *c, json_object *config)
{
	const char *source = oci_mount_points_source(config, "/dev/shm");
	struct stat own = { 0 }, bound = { 0 };
	struct statfs fs;

	if (!is_tmpfs(source, &fs))
		return;
	c->facts.shm_is_memory = true;
	if (stat("/dev/shm", &own) < 0 || stat(source, &bound) < 0 || own.st_dev != bound.st_dev)
		c->facts.shm_bytes = (uint64_t)fs.f_blocks * (uint64_t)fs.f_bsize;
}

/* What a VM takes besides. */
static int look_at_node(struct creation *c, struct err *err)
{
	struct rlimit nofile = { 0 };
	int ret = machine_parts_find(c->facts.settings->machine_root, &c->parts, err);

	if (ret < 0)
		return ret;
	(void)getrlimit(RLIMIT_NOFILE, &nofile);
	c->facts.has_kvm = c->parts.kvm;
	c->facts.has_tun = c->parts.tun;
	c->facts.has_cache = c->parts.cache;
	c->facts.has_alternatives = c->parts.alternatives;
	c->facts.has_config = c->parts.config;
	c->facts.machine_dirs = (const char *const *)c->parts.dirs;
	c->facts.nofile_hard = nofile.rlim_max;
	return 0;
}

/* --- what is made of it ---------------------------------------------------------------------- */

static int make_root(const struct creation *c, json_object *container, struct err *err)
{
	size_t len;
	const char *text = json_object_to_json_string_length(
		container, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);

	if (text == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	return machine_root_make(c->bundle, text, len, err);
}

/* config.json is last: what it speaks of is there when it does. */
static int write_all(
	const struct creation *c, json_object *config, json_object *container, struct err *err)
{
	int ret = make_root(c, container, err);

	if (ret == 0)
		ret = oci_mount_points_make(config, container, err);
	return ret == 0 ? oci_file_replace(c->config, config, err) : ret;
}

static int convert(struct creation *c, json_object *config, struct err *err)
{
	json_object *container = NULL;
	int ret = runtime_pod_check(config, err);

	if (ret == 0)
		ret = look_at_node(c, err);
	if (ret < 0)
		return ret;
	look_at_shm(c, config);
	ret = oci_convert(config, &c->facts, &container, err);
	if (ret < 0)
		ret = err_wrap(err, ret, "config.json");
	else
		ret = write_all(c, config, container, err);
	json_object_put(container);
	machine_parts_free(&c->parts);
	return ret;
}

/* Of one that stays a container in a pod with a VM: if it was to be that VM, this is the only place
 * to find out. Nobody else is heard by the engine after a success. */
static void tell_passed(const struct creation *c, json_object *config)
{
	const char *other = oci_annotations_other(config);

	if (other == NULL)
		return;
	openlog("sluice-runtime", LOG_PID | LOG_NDELAY, LOG_DAEMON);
	syslog(LOG_NOTICE, "%s stays a container: sluice.dev/vm of its pod names \"%s\"",
		c->facts.container_name != NULL ? c->facts.container_name : c->bundle, other);
	closelog();
}

int runtime_create(
	const struct runtime_words *words, const struct runtime_settings *settings, struct err *err)
{
	struct creation c;
	json_object *config;
	int ret = find_bundle(&c, words->bundle, err);

	if (ret == 0)
		ret = oci_file_read(c.config, &config, err);
	if (ret < 0)
		return ret;
	look_at_container(&c, settings);
	ret = oci_decide(config, &c.facts, err);
	if (ret < 0)
		ret = err_wrap(err, ret, "config.json");
	else if (ret == OCI_CONVERT)
		ret = convert(&c, config, err);
	else
		tell_passed(&c, config);
	json_object_put(config);
	return ret < 0 ? ret : 0;
}
