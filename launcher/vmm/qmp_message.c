/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/vmm/qmp_message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define EVENT_NAME_MAX 64

static int decode_greeting(struct qmp_message *message, json_t *value)
{
	message->kind = QMP_GREETING;
	return json_is_object(value) && json_is_object(json_object_get(value, "version")) ? 0
											  : -EPROTO;
}

static int take_id(struct qmp_message *message)
{
	const json_t *id = json_object_get(message->root, "id");

	message->id = json_integer_value(id);
	return json_is_integer(id) ? 0 : -EPROTO;
}

static int decode_return(struct qmp_message *message, json_t *value)
{
	message->kind = QMP_RETURN;
	message->value = value;
	return take_id(message);
}

static int decode_error(struct qmp_message *message, json_t *value)
{
	message->kind = QMP_ERROR;
	message->text = json_string_value(json_object_get(value, "desc"));
	if (message->text == NULL || !json_is_string(json_object_get(value, "class")))
		return -EPROTO;
	return take_id(message);
}

/* Names are written into logs: capital letters, digits and '_'. */
static int decode_event(struct qmp_message *message, json_t *value)
{
	const char *name = json_string_value(value);
	size_t len = name != NULL ? strlen(name) : 0;

	message->kind = QMP_EVENT;
	message->text = name;
	message->value = json_object_get(message->root, "data");
	if (len == 0 || len > EVENT_NAME_MAX ||
		strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != len)
		return -EPROTO;
	return message->value == NULL || json_is_object(message->value) ? 0 : -EPROTO;
}

static const struct {
	const char *key;
	int (*decode)(struct qmp_message *message, json_t *value);
} forms[] = {
	{ "QMP", decode_greeting },
	{ "return", decode_return },
	{ "error", decode_error },
	{ "event", decode_event },
};

static int decode_object(struct qmp_message *message)
{
	int ret = -EPROTO;
	unsigned n = 0;

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		json_t *value = json_object_get(message->root, forms[i].key);

		if (value == NULL)
			continue;
		n++;
		ret = forms[i].decode(message, value);
	}
	return n == 1 ? ret : -EPROTO;
}

int qmp_decode(const char *line, size_t len, struct qmp_message *message, struct err *err)
{
	json_error_t error;

	*message = (struct qmp_message) { 0 };
	message->root = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);
	if (message->root == NULL)
		return err_set(err, -EPROTO, "not JSON: %s", error.text);
	if (json_is_object(message->root) && decode_object(message) == 0)
		return 0;
	qmp_message_free(message);
	return err_set(err, -EPROTO, "not a message of QMP");
}

void qmp_message_free(struct qmp_message *message)
{
	json_decref(message->root);
	*message = (struct qmp_message) { 0 };
}

char *qmp_encode(const char *command, const json_t *arguments, json_int_t id)
{
	json_t *root =
		json_pack("{s:s, s:O*, s:I}", "execute", command, "arguments", arguments, "id", id);
	char *text = root != NULL ? json_dumps(root, JSON_COMPACT) : NULL;
	size_t len = text != NULL ? strlen(text) : 0;
	char *line = text != NULL ? malloc(len + 2) : NULL;

	if (line != NULL) {
		memcpy(line, text, len);
		memcpy(line + len, "\n", 2);
	}
	free(text);
	json_decref(root);
	return line;
}
