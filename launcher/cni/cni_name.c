/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/cni/cni_name.h"

#include <errno.h>
#include <string.h>

#define DIGITS_AND_LETTERS "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

int cni_name_check(const char *name, struct err *err)
{
	size_t len = strlen(name);

	if (len > CNI_NAME_MAX)
		return err_set(err, -EINVAL, "\"%.40s…\" is longer than %d characters", name,
			CNI_NAME_MAX);
	if (strspn(name, DIGITS_AND_LETTERS) == 0)
		return err_set(err, -EINVAL, "\"%s\" does not begin with a letter or digit", name);
	if (strspn(name, DIGITS_AND_LETTERS "_.-") != len)
		return err_set(err, -EINVAL,
			"\"%s\" has characters other than letters, digits, '_', '.' and '-'", name);
	return 0;
}

int cni_name_check_interface(const char *name, struct err *err)
{
	size_t len = strlen(name);

	if (len == 0 || len > CNI_IFNAME_MAX)
		return err_set(err, -EINVAL, "\"%.40s\" does not have 1 to %d characters", name,
			CNI_IFNAME_MAX);
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return err_set(err, -EINVAL, "\"%s\" is no name of an interface", name);
	for (size_t i = 0; i < len; i++)
		if (name[i] <= 0x20 || name[i] >= 0x7f || name[i] == '/' || name[i] == ':')
			return err_set(err, -EINVAL,
				"\"%s\" has a '/', a ':', a blank or no printable ASCII", name);
	return 0;
}
