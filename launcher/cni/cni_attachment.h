/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* An attachment: one interface of one container. With the network's name it is what state is kept
 * by; what the interface is given is made of it, and so is the same at every call. */

#include "lib/err.h"
#include "lib/mac.h"

#define CNI_SOCKET_PATH_MAX 108 /* sun_path of sockaddr_un, with the NUL */

/* As the environment has them, checked; NULL where a call does without. */
struct cni_attachment {
	const char *container_id, *ifname;
	const char *netns; /* any text */
};

/* Unicast, locally administered. */
struct mac cni_attachment_mac(const struct cni_attachment *who);

/* Where its vhost-user socket is, below `dir`. -EINVAL: no socket can have so long a path. */
int cni_attachment_socket(const struct cni_attachment *who, const char *dir,
	char path[CNI_SOCKET_PATH_MAX], struct err *err);
