/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/cni/cni_attachment.h"

#include <errno.h>
#include <stdio.h>

#include "lib/fnv1a.h"

/* One hash has four bytes: for the other two go through the names again, from there. */
struct mac cni_attachment_mac(const struct cni_attachment *who)
{
	uint32_t low = fnv1a(fnv1a_text(who->container_id), who->ifname, strlen(who->ifname));
	uint32_t high = fnv1a(low, who->container_id, strlen(who->container_id));
	struct mac mac;

	memcpy(mac.byte, &high, 2);
	memcpy(mac.byte + 2, &low, 4);
	mac.byte[0] = (uint8_t)((mac.byte[0] & 0xfc) | 0x02);
	return mac;
}

int cni_attachment_socket(const struct cni_attachment *who, const char *dir,
	char path[CNI_SOCKET_PATH_MAX], struct err *err)
{
	int n = snprintf(
		path, CNI_SOCKET_PATH_MAX, "%s/%s-%s.sock", dir, who->container_id, who->ifname);

	if (n < 0 || n >= CNI_SOCKET_PATH_MAX)
		return err_set(err, -EINVAL,
			"socketDir: \"%.80s\" and the container's ID make a path of %d bytes (a "
			"socket's has at most %d)",
			dir, n, CNI_SOCKET_PATH_MAX - 1);
	return 0;
}
