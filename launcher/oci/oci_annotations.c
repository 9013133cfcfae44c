/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/oci/oci_annotations.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "config/vm_settings.h"
#include "launcher/oci/oci_config.h"
#include "launcher/oci/oci_json.h"

#define AT      "annotations."
#define VM      VM_ANNOTATION_PREFIX "vm"
#define VOLUMES VM_ANNOTATION_PREFIX "volumes"

#define NAME_LEN_MAX 253 /* of a pod, or of a podman container of one */

/* --- what engines say ------------------------------------------------------------------------ */

static int read_name(json_object *object, const char **name, struct err *err)
{
	int ret = oci_get_plain(object, AT, "io.kubernetes.cri.container-name", name, err);

	if (ret == 0 && *name == NULL)
		ret = oci_get_plain(object, AT, "io.kubernetes.container.name", name, err);
	return ret;
}

static int read_word(
	json_object *object, const char *key, const char *word, bool *out, struct err *err)
{
	const char *value;
	int ret = oci_get_string(object, AT, key, &value, err);

	*out = ret == 0 && value != NULL && strcasecmp(value, word) == 0;
	return ret;
}

static int read_sandbox(json_object *object, struct oci_annotations *out, struct err *err)
{
	static const char containerd[] = "io.kubernetes.cri.container-type";
	static const char crio[] = "io.kubernetes.cri-o.ContainerType"; /* podman says it, too */
	int ret = read_word(object, containerd, "sandbox", &out->containerd_sandbox, err);

	out->in_pod = json_object_object_get_ex(object, containerd, NULL) ||
		      json_object_object_get_ex(object, crio, NULL);
	return ret < 0 ? ret : read_word(object, crio, "sandbox", &out->crio_sandbox, err);
}

int oci_annotations_read(json_object *config, struct oci_annotations *out, struct err *err)
{
	int ret;

	*out = (struct oci_annotations) { .object = NULL };
	if (!json_object_is_type(config, json_type_object))
		return err_set(err, -EINVAL, "must be an object ({ ... })");
	ret = oci_get_object(config, "", "annotations", &out->object, err);
	if (ret < 0 || out->object == NULL)
		return ret;
	if (json_object_object_get_ex(out->object, OCI_CONVERTED, NULL))
		return err_set(err, -EINVAL,
			OCI_CONVERTED
			": is for Sluice to set; leave it out. If nobody wrote it, this "
			"bundle has been through create before: make it anew");
	ret = read_sandbox(out->object, out, err);
	if (ret == 0)
		ret = read_name(out->object, &out->name, err);
	if (ret == 0)
		ret = read_word(out->object, "io.container.manager", "libpod", &out->podman, err);
	if (ret == 0)
		ret = read_word(out->object, "io.podman.annotations.privileged", "true",
			&out->privileged, err);
	if (ret == 0)
		ret = oci_get_plain(out->object, "", VM, &out->vm, err);
	if (ret == 0)
		ret = oci_get_plain(out->object, "", VOLUMES, &out->volumes, err);
	return ret;
}

/* --- settings -------------------------------------------------------------------------------- */

static bool is_plain(const char *text)
{
	while (*text != '\0' && !iscntrl((unsigned char)*text))
		text++;
	return *text == '\0';
}

static int take_setting(json_object *object, const char *key, const char *allowed,
	json_object *settings, struct err *err)
{
	const char *name = key + strlen(VM_ANNOTATION_PREFIX), *value;
	int ret;

	if (!is_plain(key))
		return err_set(
			err, -EINVAL, VM_ANNOTATION_PREFIX ": a key has a control character");
	ret = oci_get_plain(object, "", key, &value, err);
	if (ret < 0)
		return ret;
	if (value == NULL)
		return err_set(err, -EINVAL, "%.64s: must be a string", key);
	ret = vm_settings_check_annotation(name, value, allowed, err);
	if (ret < 0 || settings == NULL)
		return ret;
	return oci_put(settings, name, json_object_new_string(value), err);
}

int oci_annotations_settings(const struct oci_annotations *annotations, const char *allowed,
	json_object *settings, struct err *err)
{
	struct lh_entry *entry;
	int ret = 0;

	if (annotations->object == NULL)
		return 0;
	lh_foreach (json_object_get_object(annotations->object), entry) {
		const char *key = lh_entry_k(entry);

		if (ret == 0 &&
			strncmp(key, VM_ANNOTATION_PREFIX, strlen(VM_ANNOTATION_PREFIX)) == 0 &&
			strcmp(key, VM) != 0 && strcmp(key, VOLUMES) != 0)
			ret = take_setting(annotations->object, key, allowed, settings, err);
	}
	return ret;
}

/* --- which container ------------------------------------------------------------------------- */

static bool is_name(const char *text)
{
	size_t len = strlen(text);

	for (const char *c = text; *c != '\0'; c++)
		if (!isalnum((unsigned char)*c) && strchr("_.-", *c) == NULL)
			return false;
	return len > 0 && len <= NAME_LEN_MAX && isalnum((unsigned char)text[0]) &&
	       strcasecmp(text, "true") != 0 && strcasecmp(text, "false") != 0;
}

/* podman's name is POD-CONTAINER in `kube play`: with the pod's name known (it is its hostname)
 * all of what is behind it; otherwise an end of it. */
static bool is_engine_name(const char *name, const char *wanted, const char *pod)
{
	size_t len = strlen(name), wanted_len = strlen(wanted);
	size_t pod_len = pod != NULL ? strlen(pod) : 0;

	if (strcmp(name, wanted) == 0)
		return true;
	if (pod_len > 0 && strncmp(name, pod, pod_len) == 0 && name[pod_len] == '-')
		return strcmp(name + pod_len + 1, wanted) == 0;
	return len > wanted_len + 1 && name[len - wanted_len - 1] == '-' &&
	       strcmp(name + len - wanted_len, wanted) == 0;
}

int oci_annotations_mean(const struct oci_annotations *annotations, const char *engine_name,
	const char *pod, struct err *err)
{
	const char *wanted = annotations->vm;

	if (wanted == NULL || strcmp(wanted, "false") == 0)
		return 0;
	if (strcmp(wanted, "true") == 0)
		return 1;
	if (!is_name(wanted))
		return err_set(err, -EINVAL,
			VM ": \"%.64s\" is not allowed (must be \"true\", \"false\" or the name of "
			   "the container that becomes a VM)",
			wanted);
	if (annotations->name != NULL)
		return strcmp(annotations->name, wanted) == 0;
	if (engine_name == NULL)
		return err_set(err, -EINVAL,
			VM ": \"%.64s\": the engine did not say this container's name; in a pod "
			   "with one container write \"true\"",
			wanted);
	if (is_engine_name(engine_name, wanted, pod))
		return 1;
	/* One of podman's that is in no pod: nobody else can be meant. */
	if (annotations->podman && !annotations->in_pod)
		return err_set(err, -EINVAL,
			VM
			": \"%.64s\" is not the name of this container, \"%.64s\", which is in no "
			"pod: write that, or \"true\"",
			wanted, engine_name);
	return 0;
}

const char *oci_annotations_other(json_object *config)
{
	struct oci_annotations says;
	const char *wanted;

	if (oci_annotations_read(config, &says, NULL) < 0 || says.containerd_sandbox ||
		says.crio_sandbox)
		return NULL;
	wanted = says.vm;
	return wanted != NULL && is_name(wanted) ? wanted : NULL;
}
