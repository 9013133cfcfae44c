/* SPDX-License-Identifier: BSD-3-Clause */

/* The control socket's decoders, and that what they accept can be answered in one line. */

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/json_rpc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_line(char *line)
{
	assert(line != NULL);
	assert(strchr(line, '\n') == line + strlen(line) - 1);
	free(line);
}

static void check_request(const char *text, size_t len)
{
	struct json_rpc_request req;
	struct err err = { 0 };
	enum json_rpc_code code = json_rpc_decode(text, len, &req, &err);

	if (code == JSON_RPC_OK) {
		assert(req.method != NULL);
		assert(req.params == NULL || json_is_object(req.params));
		check_line(json_rpc_result_line(req.id, req.root));
		check_line(json_rpc_request_line(req.id, req.method, req.params));
	} else {
		assert(err.text[0] != '\0');
	}
	/* The refusal quotes the peer's bytes. */
	check_line(json_rpc_error_line(req.id, code, err.text));
	json_rpc_request_free(&req);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *result = NULL;
	struct err err = { 0 };
	int ret;

	check_request((const char *)data, size);
	ret = json_rpc_decode_response((const char *)data, size, 1, &result, &err);
	assert((ret == 0) == (result != NULL));
	json_decref(result);
	return 0;
}
