/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/oci/oci_seccomp.h"

#include "launcher/oci/oci_seccomp_text.h"

json_object *oci_seccomp_profile(void)
{
	return json_tokener_parse(OCI_SECCOMP_TEXT);
}
