/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/oci/oci_config.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "config/container_spec.h"
#include "config/sysctls.h"
#include "config/vm_settings.h"
#include "launcher/oci/oci_annotations.h"
#include "launcher/oci/oci_exec.h"
#include "launcher/oci/oci_init.h"
#include "launcher/oci/oci_json.h"
#include "launcher/oci/oci_machine_mounts.h"
#include "launcher/oci/oci_mounts.h"
#include "launcher/oci/oci_node.h"
#include "launcher/oci/oci_process.h"
#include "launcher/oci/oci_resources.h"
#include "lib/cleanup.h"

#define HOSTNAME_LEN_MAX 64

/* What is at hand while a container is made into a VM's. */
struct conversion {
	json_object *config;
	const struct oci_facts *facts;
	struct oci_annotations says;
	struct oci_volumes wishes;
	struct oci_mounts mounts;
	json_object *container, *settings;
	bool nfs;  /* something is served over NFS */
	bool init; /* the engine had put one before the command */
};

/* --- container.json -------------------------------------------------------------------------- */

static bool is_hostname(const char *name)
{
	size_t len = strlen(name);

	for (const char *c = name; *c != '\0'; c++)
		if (!isalnum((unsigned char)*c) && strchr("._-", *c) == NULL)
			return false;
	return len > 0 && len <= HOSTNAME_LEN_MAX;
}

static int put_hostname(struct conversion *c, struct err *err)
{
	const char *name;
	int ret = oci_get_plain(c->config, "", "hostname", &name, err);

	if (ret < 0 || name == NULL || name[0] == '\0')
		return ret;
	if (!is_hostname(name))
		return err_set(err, -EINVAL,
			"hostname: \"%.64s\" is not allowed (must be 1 to %d letters, digits, '.', "
			"'_' or '-')",
			name, HOSTNAME_LEN_MAX);
	return oci_put(c->container, "hostname", json_object_new_string(name), err);
}

/* The pod's namespaces keep them too, as they would have them without a VM: programs beside it may
 * count on that. */
static int put_sysctls(struct conversion *c, json_object *linux_part, struct err *err)
{
	json_object *from, *to;
	struct lh_entry *entry;
	int ret = oci_get_object(linux_part, "linux.", "sysctl", &from, err);

	if (ret < 0 || from == NULL)
		return ret;
	to = json_object_new_object();
	ret = oci_put(c->container, "sysctl", to, err);
	lh_foreach (json_object_get_object(from), entry) {
		const char *key = lh_entry_k(entry), *value = NULL;

		if (ret == 0 && !sysctls_is_key(key))
			ret = err_set(err, -EINVAL, "linux.sysctl: a key is no name of a sysctl");
		if (ret == 0)
			ret = oci_get_string(from, "linux.sysctl.", key, &value, err);
		if (ret == 0 && value != NULL)
			ret = oci_put(to, key, json_object_new_string(value), err);
	}
	return ret;
}

static int begin_container(struct conversion *c, struct err *err)
{
	json_object *linux_part = oci_make_object(c->config, "linux");
	int ret =
		oci_put(c->container, "version", json_object_new_int(CONTAINER_SPEC_VERSION), err);

	if (linux_part == NULL)
		return err_set(err, -EINVAL, "linux: must be an object ({ ... })");
	c->settings = oci_make_object(c->container, "settings");
	if (ret == 0 && c->settings == NULL)
		ret = err_set(err, -ENOMEM, "out of memory");
	if (ret == 0)
		ret = oci_annotations_settings(
			&c->says, c->facts->settings->annotations, c->settings, err);
	if (ret == 0)
		ret = oci_resources_convert(linux_part, c->facts->settings, c->settings, err);
	if (ret == 0)
		ret = put_sysctls(c, linux_part, err);
	return ret < 0 ? ret : put_hostname(c, err);
}

/* --- what is asked for ----------------------------------------------------------------------- */

static bool setting_is(const struct conversion *c, const char *key, const char *value)
{
	const char *text = NULL;

	(void)oci_get_string(c->settings, "", key, &text, NULL);
	return text != NULL && strcmp(text, value) == 0;
}

/* --- mounts ---------------------------------------------------------------------------------- */

static int append_all(json_object *to, json_object *from, struct err *err)
{
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < oci_n_items(from); i++)
		ret = oci_append(to, oci_copy(json_object_array_get_idx(from, i)), err);
	return ret;
}

/* The kernel's first, which others lie upon; the user's last. */
static int convert_mounts(struct conversion *c, bool *readonly, struct err *err)
{
	json_object *all = c->mounts.kept;
	int ret = oci_machine_mounts_add(all, c->facts, err);

	if (ret == 0)
		ret = oci_machine_mounts_add_root(all, c->config, c->facts->bundle, readonly, err);
	if (ret == 0)
		ret = append_all(all, c->mounts.shared, err);
	return ret < 0 ? ret : oci_put(c->config, "mounts", steal_ptr(&c->mounts.kept), err);
}

static int put_storage(struct conversion *c, bool readonly, struct err *err)
{
	int ret = oci_put(c->container, "share", json_object_new_string(CONTAINER_SHARE), err);

	if (ret == 0)
		ret = oci_put(c->container, "readonly", json_object_new_boolean(readonly), err);
	return ret < 0 ? ret : oci_put(c->container, "volumes", steal_ptr(&c->mounts.volumes), err);
}

static int convert_root(struct conversion *c, struct err *err)
{
	json_object *root = json_object_new_object();
	int ret = oci_put(c->config, "root", root, err);

	if (ret == 0)
		ret = oci_put(root, "path", json_object_new_string(c->facts->machine_root), err);
	return ret < 0 ? ret : oci_put(root, "readonly", json_object_new_boolean(true), err);
}

/* --- all of it ------------------------------------------------------------------------------- */

static int put_init(struct conversion *c, struct err *err)
{
	json_object *spec = json_object_object_get(c->container, "process");

	return c->init ? oci_put(spec, "init", json_object_new_boolean(true), err) : 0;
}

static int convert_process(struct conversion *c, struct err *err)
{
	json_object *process;
	int ret = oci_get_object(c->config, "", "process", &process, err);

	if (ret < 0)
		return ret;
	if (process == NULL)
		return err_set(err, -EINVAL, "process: missing");
	ret = oci_process_take(process, c->container, err);
	if (ret == 0)
		ret = put_init(c, err);
	return ret < 0 ? ret : oci_process_convert(process, c->facts, c->nfs, err);
}

/* What exec is not to hear, as it is the image's. */
static int mark_target(struct conversion *c, json_object *annotations, struct err *err)
{
	json_object *env = json_object_object_get(c->container, "env");
	const char *target = NULL;

	for (size_t i = 0; i < oci_n_items(env); i++) {
		const char *word = json_object_get_string(json_object_array_get_idx(env, i));

		if (strncmp(word, OCI_EXEC_TARGET, strlen(OCI_EXEC_TARGET)) != 0)
			continue;
		if (target != NULL)
			return err_set(
				err, -EINVAL, "process.env: " OCI_EXEC_TARGET " is there twice");
		target = word;
	}
	json_object_object_del(annotations, OCI_IMAGE_TARGET);
	if (target == NULL)
		return 0;
	return oci_put(annotations, OCI_IMAGE_TARGET, json_object_new_string(target), err);
}

static int mark(struct conversion *c, struct err *err)
{
	json_object *annotations = oci_make_object(c->config, "annotations");
	int ret;

	if (annotations == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	ret = oci_put(annotations, OCI_CONVERTED, json_object_new_string(OCI_CONVERSION), err);
	return ret < 0 ? ret : mark_target(c, annotations, err);
}

static int convert(struct conversion *c, struct err *err)
{
	bool readonly = false;
	json_object *mounts;
	int ret = begin_container(c, err);

	if (ret == 0)
		ret = oci_init_strip(c->config, &c->init, err);
	if (ret == 0)
		ret = oci_get_array(c->config, "", "mounts", &mounts, err);
	if (ret == 0)
		ret = oci_mounts_part(mounts, c->facts, &c->wishes, &c->mounts, err);
	if (ret < 0)
		return ret;
	c->nfs = oci_volumes_have_nfs(&c->wishes) || setting_is(c, "root", "nfs");
	ret = convert_process(c, err);
	if (ret == 0)
		ret = convert_mounts(c, &readonly, err);
	if (ret == 0)
		ret = put_storage(c, readonly, err);
	if (ret == 0)
		ret = convert_root(c, err);
	if (ret == 0)
		ret = oci_node_convert(json_object_object_get(c->config, "linux"), c->facts, err);
	return ret < 0 ? ret : mark(c, err);
}

int oci_convert(json_object *config, const struct oci_facts *facts, json_object **container,
	struct err *err)
{
	struct conversion c = { .config = config, .facts = facts };
	int ret = oci_annotations_read(config, &c.says, err);

	if (ret < 0)
		return ret;
	ret = oci_volumes_parse(c.says.volumes, &c.wishes, err);
	if (ret < 0)
		return ret;
	/* What it costs: CAP_DAC_READ_SEARCH for the server (oci_process.c). */
	if (oci_volumes_have_nfs(&c.wishes))
		ret = vm_settings_check_allowed("volumes", facts->settings->annotations, err);
	if (ret < 0) {
		oci_volumes_free(&c.wishes);
		return ret;
	}
	c.container = json_object_new_object();
	ret = c.container != NULL ? convert(&c, err) : err_set(err, -ENOMEM, "out of memory");
	oci_volumes_free(&c.wishes);
	oci_mounts_free(&c.mounts);
	if (ret == 0)
		*container = c.container;
	else
		json_object_put(c.container);
	return ret;
}
