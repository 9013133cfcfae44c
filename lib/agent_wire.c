/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib/agent_wire.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>

#define MAGIC     "SLUICE\r\n"
#define MAGIC_LEN 8

#define HELLO_LEN    (MAGIC_LEN + 4)
#define U32_LEN      4
#define OFFSETS_LEN  16
#define ATTACHED_LEN 20
#define WINDOW_LEN   4
#define EXIT_LEN     8

#define BY_CLIENT 1
#define BY_AGENT  2
#define BY_BOTH   (BY_CLIENT | BY_AGENT)

static const struct frame_type {
	const char *name;
	unsigned sender;
	uint32_t min, max; /* bytes of payload */
} frame_types[AGENT_N_TYPES] = {
	[AGENT_HELLO] = { "HELLO", BY_BOTH, HELLO_LEN, HELLO_LEN },
	[AGENT_START] = { "START", BY_CLIENT, 1, AGENT_WIRE_DATA_MAX },
	[AGENT_ARGV] = { "ARGV", BY_CLIENT, 1, AGENT_WIRE_STRINGS_MAX },
	[AGENT_ENV] = { "ENV", BY_CLIENT, 0, AGENT_WIRE_STRINGS_MAX },
	[AGENT_STARTED] = { "STARTED", BY_AGENT, U32_LEN, U32_LEN },
	[AGENT_STDIN] = { "STDIN", BY_CLIENT, 1, AGENT_WIRE_DATA_MAX },
	[AGENT_STDIN_CREDIT] = { "STDIN_CREDIT", BY_AGENT, U32_LEN, U32_LEN },
	[AGENT_STDIN_CLOSE] = { "STDIN_CLOSE", BY_CLIENT, 0, 0 },
	[AGENT_STDOUT] = { "STDOUT", BY_AGENT, 1, AGENT_WIRE_DATA_MAX },
	[AGENT_STDERR] = { "STDERR", BY_AGENT, 1, AGENT_WIRE_DATA_MAX },
	[AGENT_RESIZE] = { "RESIZE", BY_CLIENT, WINDOW_LEN, WINDOW_LEN },
	[AGENT_SIGNAL] = { "SIGNAL", BY_CLIENT, U32_LEN, U32_LEN },
	[AGENT_EXIT] = { "EXIT", BY_AGENT, EXIT_LEN, EXIT_LEN },
	[AGENT_ERROR] = { "ERROR", BY_AGENT, U32_LEN, AGENT_WIRE_DATA_MAX },
	[AGENT_ATTACH] = { "ATTACH", BY_CLIENT, OFFSETS_LEN, OFFSETS_LEN },
	[AGENT_ATTACHED] = { "ATTACHED", BY_AGENT, ATTACHED_LEN, ATTACHED_LEN },
	[AGENT_OUTPUT_ACK] = { "OUTPUT_ACK", BY_CLIENT, OFFSETS_LEN, OFFSETS_LEN },
	[AGENT_STATUS] = { "STATUS", BY_BOTH, 0, AGENT_WIRE_DATA_MAX },
	[AGENT_POWEROFF] = { "POWEROFF", BY_CLIENT, 0, 0 },
};

/* NULL: there is no such type. */
static const struct frame_type *find_type(unsigned type)
{
	if (type >= AGENT_N_TYPES || frame_types[type].name == NULL)
		return NULL;
	return &frame_types[type];
}

const char *agent_wire_name(unsigned type)
{
	const struct frame_type *row = find_type(type);

	return row != NULL ? row->name : "unknown";
}

uint32_t agent_wire_payload_max(enum agent_wire_type type)
{
	const struct frame_type *row = find_type(type);

	return row != NULL ? row->max : 0;
}

/* --- numbers ---------------------------------------------------------------------------------- */

static uint8_t *put16(uint8_t *at, uint16_t value)
{
	value = htole16(value);
	memcpy(at, &value, sizeof(value));
	return at + sizeof(value);
}

static uint8_t *put32(uint8_t *at, uint32_t value)
{
	value = htole32(value);
	memcpy(at, &value, sizeof(value));
	return at + sizeof(value);
}

static uint8_t *put64(uint8_t *at, uint64_t value)
{
	value = htole64(value);
	memcpy(at, &value, sizeof(value));
	return at + sizeof(value);
}

static uint16_t get16(const uint8_t *at)
{
	uint16_t value;

	memcpy(&value, at, sizeof(value));
	return le16toh(value);
}

static uint32_t get32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return le32toh(value);
}

static uint64_t get64(const uint8_t *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof(value));
	return le64toh(value);
}

/* --- headers ---------------------------------------------------------------------------------- */

static int check_header(const uint8_t *header, enum agent_wire_side receiver, struct err *err)
{
	const struct frame_type *row = find_type(header[0]);
	unsigned sender = receiver == AGENT_WIRE_AGENT ? BY_CLIENT : BY_AGENT;
	uint32_t len = get32(header + 4);
	uint32_t max;

	if (row == NULL)
		return err_set(err, -EPROTO, "there is no frame of type %u", header[0]);
	if (header[1] != 0 || get16(header + 2) != 0)
		return err_set(err, -EPROTO, "a %s frame has an unknown header", row->name);
	if ((row->sender & sender) == 0)
		return err_set(
			err, -EPROTO, "a %s frame came from the end that sends none", row->name);
	/* The question has no payload, the answer has. */
	max = header[0] == AGENT_STATUS && sender == BY_CLIENT ? 0 : row->max;
	if (len < row->min || len > max)
		return err_set(err, -EPROTO, "a %s frame has a payload of %u bytes", row->name,
			(unsigned)len);
	return 0;
}

int agent_wire_next(struct evbuffer *in, enum agent_wire_side receiver, enum agent_wire_type *type,
	uint32_t *len, struct err *err)
{
	uint8_t header[AGENT_WIRE_HEADER_LEN];
	int ret;

	if (evbuffer_copyout(in, header, sizeof(header)) < (ev_ssize_t)sizeof(header))
		return 0;
	ret = check_header(header, receiver, err);
	if (ret < 0)
		return ret;
	*type = header[0];
	*len = get32(header + 4);
	if (evbuffer_get_length(in) < sizeof(header) + *len)
		return 0;
	evbuffer_drain(in, sizeof(header));
	return 1;
}

static int put_header(struct evbuffer *out, enum agent_wire_type type, size_t len)
{
	uint8_t header[AGENT_WIRE_HEADER_LEN] = { (uint8_t)type };

	assert(find_type(type) != NULL && len <= frame_types[type].max);
	put32(header + 4, (uint32_t)len);
	return evbuffer_add(out, header, sizeof(header)) == 0 ? 0 : -ENOMEM;
}

/* --- frames to send --------------------------------------------------------------------------- */

int agent_wire_put(struct evbuffer *out, enum agent_wire_type type, const void *payload, size_t len)
{
	int ret = put_header(out, type, len);

	if (ret < 0 || len == 0)
		return ret;
	return evbuffer_add(out, payload, len) == 0 ? 0 : -ENOMEM;
}

int agent_wire_put_buffer(
	struct evbuffer *out, enum agent_wire_type type, struct evbuffer *data, size_t len)
{
	int ret = put_header(out, type, len);

	assert(evbuffer_get_length(data) >= len);
	if (ret < 0)
		return ret;
	return evbuffer_remove_buffer(data, out, len) == (int)len ? 0 : -ENOMEM;
}

int agent_wire_put_hello(struct evbuffer *out)
{
	uint8_t payload[HELLO_LEN];

	memcpy(payload, MAGIC, MAGIC_LEN);
	put32(payload + MAGIC_LEN, AGENT_WIRE_VERSION);
	return agent_wire_put(out, AGENT_HELLO, payload, sizeof(payload));
}

int agent_wire_put_u32(struct evbuffer *out, enum agent_wire_type type, uint32_t value)
{
	uint8_t payload[U32_LEN];

	put32(payload, value);
	return agent_wire_put(out, type, payload, sizeof(payload));
}

int agent_wire_put_offsets(
	struct evbuffer *out, enum agent_wire_type type, const struct agent_offsets *offsets)
{
	uint8_t payload[OFFSETS_LEN];

	put64(put64(payload, offsets->n_stdout), offsets->n_stderr);
	return agent_wire_put(out, type, payload, sizeof(payload));
}

int agent_wire_put_attached(struct evbuffer *out, const struct agent_attached *attached)
{
	uint8_t payload[ATTACHED_LEN];

	put64(put64(put32(payload, attached->pid), attached->n_stdout), attached->n_stderr);
	return agent_wire_put(out, AGENT_ATTACHED, payload, sizeof(payload));
}

int agent_wire_put_window(struct evbuffer *out, const struct agent_window *window)
{
	uint8_t payload[WINDOW_LEN];

	put16(put16(payload, window->rows), window->columns);
	return agent_wire_put(out, AGENT_RESIZE, payload, sizeof(payload));
}

int agent_wire_put_exit(struct evbuffer *out, const struct agent_exit *ex)
{
	uint8_t payload[EXIT_LEN] = { ex->signalled, ex->dumped };

	put32(payload + 4, ex->value);
	return agent_wire_put(out, AGENT_EXIT, payload, sizeof(payload));
}

int agent_wire_put_error(struct evbuffer *out, uint32_t status, const char *text)
{
	size_t len = strnlen(text, ERR_TEXT_MAX);
	uint8_t number[U32_LEN];
	int ret = put_header(out, AGENT_ERROR, sizeof(number) + len);

	put32(number, status);
	if (ret < 0)
		return ret;
	if (evbuffer_add(out, number, sizeof(number)) < 0 || evbuffer_add(out, text, len) < 0)
		return -ENOMEM;
	return 0;
}

int agent_wire_put_strings(struct evbuffer *out, enum agent_wire_type type, char *const *strings)
{
	size_t len = 0;
	int ret;

	for (char *const *s = strings; *s != NULL; s++)
		len += strlen(*s) + 1;
	if (len > AGENT_WIRE_STRINGS_MAX)
		return -E2BIG;
	ret = put_header(out, type, len);
	for (char *const *s = strings; ret == 0 && *s != NULL; s++)
		if (evbuffer_add(out, *s, strlen(*s) + 1) < 0)
			ret = -ENOMEM;
	return ret;
}

/* --- payloads --------------------------------------------------------------------------------- */

/* Takes the payload from `in`: it must have the length that its type has. */
static int take(struct evbuffer *in, uint32_t len, uint8_t *payload, uint32_t expected)
{
	if (len != expected || evbuffer_get_length(in) < len) {
		evbuffer_drain(in, len);
		return -EPROTO;
	}
	evbuffer_remove(in, payload, len);
	return 0;
}

int agent_wire_get_hello(struct evbuffer *in, uint32_t len, struct err *err)
{
	uint8_t payload[HELLO_LEN];
	uint32_t version;

	if (take(in, len, payload, sizeof(payload)) < 0 || memcmp(payload, MAGIC, MAGIC_LEN) != 0)
		return err_set(err, -EPROTO, "the other end does not speak the agent's protocol");
	version = get32(payload + MAGIC_LEN);
	if (version != AGENT_WIRE_VERSION)
		return err_set(err, -EPROTO,
			"the other end speaks version %u of the agent's protocol, not %u",
			(unsigned)version, AGENT_WIRE_VERSION);
	return 0;
}

int agent_wire_get_u32(struct evbuffer *in, uint32_t len, uint32_t *value)
{
	uint8_t payload[U32_LEN];
	int ret = take(in, len, payload, sizeof(payload));

	if (ret == 0)
		*value = get32(payload);
	return ret;
}

int agent_wire_get_offsets(struct evbuffer *in, uint32_t len, struct agent_offsets *offsets)
{
	uint8_t payload[OFFSETS_LEN];
	int ret = take(in, len, payload, sizeof(payload));

	if (ret == 0)
		*offsets = (struct agent_offsets) {
			.n_stdout = get64(payload),
			.n_stderr = get64(payload + 8),
		};
	return ret;
}

int agent_wire_get_attached(struct evbuffer *in, uint32_t len, struct agent_attached *attached)
{
	uint8_t payload[ATTACHED_LEN];
	int ret = take(in, len, payload, sizeof(payload));

	if (ret == 0)
		*attached = (struct agent_attached) {
			.pid = get32(payload),
			.n_stdout = get64(payload + 4),
			.n_stderr = get64(payload + 12),
		};
	return ret;
}

int agent_wire_get_window(struct evbuffer *in, uint32_t len, struct agent_window *window)
{
	uint8_t payload[WINDOW_LEN];
	int ret = take(in, len, payload, sizeof(payload));

	if (ret == 0)
		*window = (struct agent_window) {
			.rows = get16(payload),
			.columns = get16(payload + 2),
		};
	return ret;
}

int agent_wire_get_exit(struct evbuffer *in, uint32_t len, struct agent_exit *ex)
{
	uint8_t payload[EXIT_LEN];
	int ret = take(in, len, payload, sizeof(payload));

	if (ret < 0)
		return ret;
	if (payload[0] > 1 || payload[1] > 1 || get16(payload + 2) != 0)
		return -EPROTO;
	*ex = (struct agent_exit) {
		.signalled = payload[0],
		.dumped = payload[1],
		.value = get32(payload + 4),
	};
	return 0;
}

int agent_wire_get_error(struct evbuffer *in, uint32_t len, uint32_t *status, char **text)
{
	size_t text_len = len - U32_LEN;
	uint8_t number[U32_LEN];
	char *copy;

	if (len < U32_LEN || len > AGENT_WIRE_DATA_MAX || evbuffer_get_length(in) < len)
		return -EPROTO;
	copy = malloc(text_len + 1);
	if (copy == NULL)
		return -ENOMEM;
	evbuffer_remove(in, number, sizeof(number));
	evbuffer_remove(in, copy, text_len);
	for (size_t i = 0; i < text_len; i++)
		if ((unsigned char)copy[i] < 0x20 || copy[i] == 0x7f)
			copy[i] = '?';
	copy[text_len] = '\0';
	*status = get32(number);
	*text = copy;
	return 0;
}

static size_t count_strings(const uint8_t *bytes, size_t len)
{
	size_t n = 0;

	for (const uint8_t *end; len > 0; n++) {
		end = memchr(bytes, '\0', len);
		if (end == NULL)
			break;
		len -= (size_t)(end + 1 - bytes);
		bytes = end + 1;
	}
	return n;
}

int agent_wire_get_strings(struct evbuffer *in, uint32_t len, char ***strings)
{
	const uint8_t *bytes = len > 0 ? evbuffer_pullup(in, len) : NULL;
	size_t n;
	char **list;
	char *at;

	if (len > AGENT_WIRE_STRINGS_MAX || evbuffer_get_length(in) < len)
		return -EPROTO;
	if (len > 0 && bytes == NULL)
		return -ENOMEM;
	if (len > 0 && bytes[len - 1] != '\0')
		return -EPROTO;
	n = count_strings(bytes, len);
	list = malloc((n + 1) * sizeof(*list) + len);
	if (list == NULL)
		return -ENOMEM;
	at = (char *)(list + n + 1);
	evbuffer_remove(in, at, len);
	for (size_t i = 0; i < n; i++, at += strlen(at) + 1)
		list[i] = at;
	list[n] = NULL;
	*strings = list;
	return 0;
}
