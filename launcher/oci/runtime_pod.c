/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/oci/runtime_pod.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "launcher/oci/oci_json.h"
#include "launcher/pod/pod_lock.h"
#include "launcher/process/forked.h"
#include "lib/cleanup.h"

/* Of the network namespace that the container joins; NULL: it gets a new one. */
static const char *find_path(json_object *config)
{
	json_object *linux_part, *namespaces = NULL;

	if (oci_get_object(config, "", "linux", &linux_part, NULL) == 0)
		(void)oci_get_array(linux_part, "linux.", "namespaces", &namespaces, NULL);
	for (size_t i = 0; i < oci_n_items(namespaces); i++) {
		const char *type, *path;
		json_object *item;

		if (oci_item_object(namespaces, "linux.namespaces", i, &item, NULL) == 0 &&
			oci_get_string(item, "", "type", &type, NULL) == 0 && type != NULL &&
			strcmp(type, "network") == 0 &&
			oci_get_plain(item, "", "path", &path, NULL) == 0)
			return path;
	}
	return NULL;
}

/* A child looks: this process goes on to execute the runtime, in the namespaces it was given. */
static bool is_locked_in(int namespace)
{
	char who[POD_LOCK_WHO_MAX];
	pid_t pid = fork();
	int status = 0;

	if (pid == 0)
		forked_end(setns(namespace, CLONE_NEWNET) == 0 && pod_lock_is_taken(who));
	while (pid > 0 && waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return false;
	return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 1;
}

int runtime_pod_check(json_object *config, struct err *err)
{
	const char *path = find_path(config);
	cleanup_close int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;

	if (fd < 0 || !is_locked_in(fd))
		return 0;
	return err_set(err, -EBUSY,
		"there is a VM in this pod already: \"true\" in sluice.dev/vm is for pods with one "
		"container: name the one that becomes a VM");
}
