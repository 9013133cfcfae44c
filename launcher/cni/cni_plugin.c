/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/cni/cni_plugin.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "launcher/cni/cni_name.h"
#include "launcher/cni/cni_verbs.h"
#include "lib/cleanup.h"
#include "lib/whole_file.h"

/* What of a container a verb is about. */
#define OF_INTERFACE 1
#define OF_NETNS     2

static int version(const struct cni_request *request, json_t **result, struct err *err);

static const struct verb {
	const char *name;
	cni_verb_fn run;
	unsigned needs;
	bool takes_back; /* so it reads no more of the configuration than it must */
	enum cni_version since;
} verbs[] = {
	{ "ADD", cni_add, OF_INTERFACE | OF_NETNS, false, CNI_0_3_1 },
	{ "DEL", cni_del, OF_INTERFACE, true, CNI_0_3_1 },
	{ "CHECK", cni_check, OF_INTERFACE | OF_NETNS, false, CNI_0_4_0 },
	{ "GC", cni_gc, 0, true, CNI_1_1_0 },
	{ "STATUS", cni_status, 0, false, CNI_1_1_0 },
	{ "VERSION", version, 0, false, CNI_0_3_1 },
};

#define N_VERBS (sizeof(verbs) / sizeof(verbs[0]))

static int find_verb(const char *command, const struct verb **verb, struct err *err)
{
	if (command == NULL || command[0] == '\0')
		return err_set(err, -EDESTADDRREQ,
			"CNI_COMMAND: is missing (a container runtime calls this program)");
	for (size_t i = 0; i < N_VERBS; i++) {
		if (strcmp(verbs[i].name, command) == 0) {
			*verb = &verbs[i];
			return 0;
		}
	}
	return err_set(err, -EDESTADDRREQ,
		"CNI_COMMAND: \"%.40s\" is none of ADD, DEL, CHECK, GC, STATUS and VERSION",
		command);
}

static int check_text(const char *text, struct err *err)
{
	json_t *json = json_string(text);

	if (json == NULL)
		return err_set(err, -EINVAL, "is not UTF-8");
	json_decref(json);
	return 0;
}

/* *out is the value, if it passes. */
static int read_variable(const char *name, const char *value,
	int (*check)(const char *value, struct err *err), const char **out, struct err *err)
{
	if (value == NULL || value[0] == '\0')
		return err_set(err, -EDESTADDRREQ, "%s: is missing", name);
	if (check(value, err) < 0)
		return err_wrap(err, -EDESTADDRREQ, "%s", name);
	*out = value;
	return 0;
}

static int read_attachment(const struct verb *verb, const struct cni_environment *env,
	struct cni_attachment *who, struct err *err)
{
	int ret = 0;

	if (verb->needs & OF_INTERFACE) {
		ret = read_variable("CNI_CONTAINERID", env->container_id, cni_name_check,
			&who->container_id, err);
		if (ret == 0)
			ret = read_variable("CNI_IFNAME", env->ifname, cni_name_check_interface,
				&who->ifname, err);
	}
	if (ret == 0 && (verb->needs & OF_NETNS))
		ret = read_variable("CNI_NETNS", env->netns, check_text, &who->netns, err);
	return ret;
}

/* In the words of who asks, whatever version that is. */
static int version(const struct cni_request *request, json_t **result, struct err *err)
{
	const json_t *asked = json_object_get(request->json, "cniVersion");
	const char *text = json_string_value(asked);

	*result = json_pack("{s:s, s:[s, s, s, s]}", "cniVersion",
		text != NULL && text[0] != '\0' ? text : cni_version_text(CNI_NEWEST),
		"supportedVersions", cni_version_text(CNI_0_3_1), cni_version_text(CNI_0_4_0),
		cni_version_text(CNI_1_0_0), cni_version_text(CNI_1_1_0));
	return *result != NULL ? 0 : err_errno(err, ENOMEM, "cannot answer");
}

static int read_config(const struct verb *verb, struct cni_request *request, struct err *err)
{
	int ret;

	if (verb->run == version)
		return 0;
	ret = cni_config_read(request->json, &request->config, err);
	if (ret == 0 && request->config.version < verb->since)
		return err_set(err, -EPROTONOSUPPORT,
			"cniVersion: %s has no %s, which came with %s",
			cni_version_text(request->config.version), verb->name,
			cni_version_text(verb->since));
	if (ret < 0 || verb->takes_back)
		return ret;
	return cni_config_read_details(request->json, &request->config, err);
}

/* VERSION may be asked without a word on the standard input. */
static int read_input(int input, const struct verb *verb, json_t **json, struct err *err)
{
	cleanup_free char *text = NULL;
	size_t len;
	int ret = whole_file_read_fd(input, CNI_INPUT_MAX, &text, &len);

	if (ret < 0)
		return err_errno(err, -ret, "cannot read the network configuration");
	*json = len == 0 && verb->run == version ? json_object()
						 : cni_config_decode(text, len, err);
	return *json != NULL ? 0 : -EBADMSG;
}

/* What was read of the configuration stays in *json also on failure. */
static int act(const struct cni_environment *env, int input, json_t **json, json_t **result,
	struct err *err)
{
	struct cni_request request = { 0 };
	const struct verb *verb = NULL;
	int ret = find_verb(env->command, &verb, err);

	if (ret == 0)
		ret = read_input(input, verb, json, err);
	if (ret < 0)
		return ret;
	request.json = *json;
	ret = read_attachment(verb, env, &request.who, err);
	if (ret == 0)
		ret = read_config(verb, &request, err);
	return ret < 0 ? ret : verb->run(&request, result, err);
}

/* A message may have bytes of whatever was in the environment, or end within a character. */
static json_t *message_text(const struct err *err)
{
	char ascii[ERR_TEXT_MAX];
	json_t *text = json_string(err->text);

	if (text != NULL)
		return text;
	memcpy(ascii, err->text, sizeof(ascii));
	for (char *c = ascii; *c != '\0'; c++)
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	return json_string(ascii);
}

/* In the version of the configuration, if that could be read and is spoken. */
static json_t *make_error(const json_t *json, enum cni_code code, const struct err *err)
{
	enum cni_version version = CNI_NEWEST;

	(void)cni_config_read_version(json, &version, NULL);
	return json_pack("{s:s, s:i, s:o, s:s}", "cniVersion", cni_version_text(version), "code",
		(int)code, "msg", message_text(err), "details", cni_code_text(code));
}

enum cni_code cni_plugin_run(const struct cni_environment *env, int input, json_t **answer)
{
	json_t *json = NULL, *result = NULL;
	struct err err = { "" };
	int ret = act(env, input, &json, &result, &err);
	enum cni_code code = ret < 0 ? cni_code_of(ret) : CNI_OK;

	*answer = code != CNI_OK ? make_error(json, code, &err) : result;
	json_decref(json);
	return code;
}
