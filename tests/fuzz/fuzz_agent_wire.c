/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * What the agent reads of clients and clients of the agent: every frame of the input, as either end
 * sees it, with the decoder of its payload; and the line of a forwarded stream. What a decoder
 * takes can be put again and is then the same bytes.
 */

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/buffer.h>

#include "guest-agent/agent_forward.h"
#include "lib/agent_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What `again` has is what the frame's payload was. */
static void check_same(struct evbuffer *again, const uint8_t *payload, uint32_t len)
{
	assert(evbuffer_get_length(again) == AGENT_WIRE_HEADER_LEN + len);
	assert(len == 0 ||
		memcmp(evbuffer_pullup(again, -1) + AGENT_WIRE_HEADER_LEN, payload, len) == 0);
}

static int decode_numbers(
	struct evbuffer *in, enum agent_wire_type type, uint32_t len, struct evbuffer *again)
{
	struct agent_offsets offsets;
	struct agent_attached attached;
	struct agent_window window;
	struct agent_exit ex;
	uint32_t value;
	int ret;

	switch (type) {
	case AGENT_ATTACH:
	case AGENT_OUTPUT_ACK:
		ret = agent_wire_get_offsets(in, len, &offsets);
		return ret < 0 ? ret : agent_wire_put_offsets(again, type, &offsets);
	case AGENT_ATTACHED:
		ret = agent_wire_get_attached(in, len, &attached);
		return ret < 0 ? ret : agent_wire_put_attached(again, &attached);
	case AGENT_RESIZE:
		ret = agent_wire_get_window(in, len, &window);
		return ret < 0 ? ret : agent_wire_put_window(again, &window);
	case AGENT_EXIT:
		ret = agent_wire_get_exit(in, len, &ex);
		return ret < 0 ? ret : agent_wire_put_exit(again, &ex);
	default:
		ret = agent_wire_get_u32(in, len, &value);
		return ret < 0 ? ret : agent_wire_put_u32(again, type, value);
	}
}

static int decode_text(
	struct evbuffer *in, enum agent_wire_type type, uint32_t len, struct evbuffer *again)
{
	char **strings;
	uint32_t status;
	char *text;
	int ret;

	if (type == AGENT_ERROR) {
		ret = agent_wire_get_error(in, len, &status, &text);
		assert(ret == 0 && strlen(text) == len - 4);
		for (const char *c = text; *c != '\0'; c++)
			assert((unsigned char)*c >= 0x20 && *c != 0x7f);
		free(text);
		return -EAGAIN; /* it is not the same any more */
	}
	ret = agent_wire_get_strings(in, len, &strings);
	if (ret < 0)
		return ret;
	ret = agent_wire_put_strings(again, type, strings);
	free(strings);
	return ret;
}

static int decode(
	struct evbuffer *in, enum agent_wire_type type, uint32_t len, struct evbuffer *again)
{
	int ret;

	switch (type) {
	case AGENT_HELLO:
		ret = agent_wire_get_hello(in, len, NULL);
		return ret < 0 ? ret : agent_wire_put_hello(again);
	case AGENT_ARGV:
	case AGENT_ENV:
	case AGENT_ERROR:
		return decode_text(in, type, len, again);
	case AGENT_START:
	case AGENT_STATUS:
	case AGENT_STDIN:
	case AGENT_STDOUT:
	case AGENT_STDERR:
	case AGENT_STDIN_CLOSE:
	case AGENT_POWEROFF:
		return agent_wire_put_buffer(again, type, in, len);
	default:
		return decode_numbers(in, type, len, again);
	}
}

static void read_as(enum agent_wire_side receiver, const uint8_t *data, size_t size)
{
	struct evbuffer *in = evbuffer_new();
	struct err err = { "" };
	enum agent_wire_type type;
	uint32_t len;
	int ret;

	evbuffer_add(in, data, size);
	while ((ret = agent_wire_next(in, receiver, &type, &len, &err)) > 0) {
		struct evbuffer *again = evbuffer_new();
		size_t rest = evbuffer_get_length(in) - len;
		uint8_t *payload = malloc(len > 0 ? len : 1);

		assert(len <= agent_wire_payload_max(type));
		evbuffer_copyout(in, payload, len);
		if (decode(in, type, len, again) == 0) {
			assert(evbuffer_get_length(in) == rest);
			check_same(again, payload, len);
		} else if (evbuffer_get_length(in) > rest) {
			evbuffer_drain(in, evbuffer_get_length(in) - rest);
		}
		assert(evbuffer_get_length(in) == rest);
		free(payload);
		evbuffer_free(again);
	}
	assert(ret == 0 || err.text[0] != '\0');
	evbuffer_free(in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sockaddr_storage address;
	struct err err = { "" };

	read_as(AGENT_WIRE_AGENT, data, size);
	read_as(AGENT_WIRE_CLIENT, data, size);
	if (agent_forward_parse((const char *)data, size, &address, &err) == 0)
		assert(address.ss_family == AF_INET || address.ss_family == AF_INET6);
	else
		assert(err.text[0] != '\0');
	return 0;
}
