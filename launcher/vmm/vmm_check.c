/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/vmm/vmm_check.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "launcher/process/program.h"
#include "lib/cleanup.h"

static int check_readable(const char *what, const char *path, struct err *err)
{
	cleanup_close int fd = -1;
	struct stat st;

	if (path == NULL || path[0] == '\0')
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(err, errno, "cannot open the %s %s", what, path);
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return err_set(err, -EINVAL, "the %s %s is not a file", what, path);
	return 0;
}

static int check_drive(const struct vmm_drive *drive, struct err *err)
{
	if (access(drive->path, drive->readonly ? R_OK : R_OK | W_OK) < 0)
		return err_errno(err, errno, "cannot open the drive %s%s", drive->path,
			drive->readonly ? "" : " for writing");
	return check_readable("drive", drive->path, err);
}

int vmm_check_files(const struct vmm_plan *plan, const char *usual, struct err *err)
{
	char path[PATH_MAX];
	int ret = program_find(vmm_program(plan, usual), path, err);

	if (ret == 0)
		ret = check_readable("kernel", plan->kernel, err);
	if (ret == 0)
		ret = check_readable("initrd", plan->initrd, err);
	for (size_t i = 0; ret == 0 && i < plan->n_drives; i++)
		ret = check_drive(&plan->drives[i], err);
	return ret;
}
