/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/cni/cni_code.h"

#include <errno.h>
#include <stddef.h>

static const struct row {
	enum cni_code code;
	int errnum;
	const char *text;
} rows[] = {
	{ CNI_OK, 0, "no error" },
	{ CNI_INCOMPATIBLE_VERSION, EPROTONOSUPPORT, "incompatible version of CNI" },
	{ CNI_UNSUPPORTED_FIELD, EOPNOTSUPP, "unsupported field of the network configuration" },
	{ CNI_UNKNOWN_CONTAINER, ESRCH, "unknown container" },
	{ CNI_BAD_ENVIRONMENT, EDESTADDRREQ, "wrong environment variable" },
	{ CNI_IO_FAILURE, EIO, "input or output failed" },
	{ CNI_NOT_DECODED, EBADMSG, "not the JSON of a network configuration" },
	{ CNI_BAD_CONFIG, EINVAL, "wrong network configuration" },
	{ CNI_TRY_AGAIN, EADDRNOTAVAIL, "no address is free at the moment" },
	{ CNI_NOT_AVAILABLE, EHOSTDOWN, "no container can be added" },
	{ CNI_ADDED_ALREADY, EALREADY, "the container has been added already" },
	{ CNI_CHANGED, ESTALE, "not as it was when the container was added" },
};

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

enum cni_code cni_code_of(int ret)
{
	for (size_t i = 0; i < N_ROWS; i++)
		if (rows[i].errnum == -ret)
			return rows[i].code;
	return CNI_IO_FAILURE;
}

const char *cni_code_text(enum cni_code code)
{
	for (size_t i = 0; i < N_ROWS; i++)
		if (rows[i].code == code)
			return rows[i].text;
	return "error";
}
