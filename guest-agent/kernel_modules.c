/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest-agent/kernel_modules.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/module.h>

#include "guest-agent/console.h"
#include "lib/cleanup.h"
#include "lib/whole_file.h"

#define LIST_SIZE_MAX (1U << 20)

/* "x.ko.xz": the kernel unpacks it, if it was built with that. */
static int flags_of(const char *path)
{
	size_t len = strlen(path);

	return len > 3 && strcmp(path + len - 3, ".ko") == 0 ? 0 : MODULE_INIT_COMPRESSED_FILE;
}

static bool load(const char *path)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd >= 0 && (syscall(SYS_finit_module, fd, "", flags_of(path)) == 0 || errno == EEXIST))
		return true;
	console_say("cannot load the module %s: %m", path);
	return false;
}

unsigned kernel_modules_load(const char *list)
{
	cleanup_free char *text = NULL;
	char *rest, *path;
	unsigned n = 0;
	size_t len;
	int ret = whole_file_read(list, LIST_SIZE_MAX, &text, &len);

	if (ret < 0) {
		if (ret != -ENOENT)
			console_say("cannot read %s: %s", list, strerror(-ret));
		return 0;
	}
	for (rest = text; (path = strsep(&rest, "\n")) != NULL;)
		if (path[0] != '\0')
			n += load(path);
	return n;
}
