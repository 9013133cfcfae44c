/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/cni/cni_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/whole_file.h"

#define TEXT_MAX (CNI_NAME_MAX + CNI_IFNAME_MAX + 2) /* of a complete file */

static int make_dirs(char *path, struct err *err)
{
	for (char *slash = path; slash != NULL;) {
		slash = strchr(slash + 1, '/');
		if (slash != NULL)
			*slash = '\0';
		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			return err_errno(err, errno, "cannot make %s", path);
		if (slash != NULL)
			*slash = '/';
	}
	return 0;
}

static int lock(int dir)
{
	while (flock(dir, LOCK_EX) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

/* The first line of *text if it is complete, of which its NUL takes the place of the end; *text is
 * moved behind it. */
static const char *take_line(char **text)
{
	char *line = *text, *end = strchr(line, '\n');

	if (end == NULL)
		return NULL;
	*end = '\0';
	*text = end + 1;
	return line;
}

/* Leaves the lease nobody's if the file is not complete. */
static void read_owner(struct cni_lease *lease, char *text)
{
	const char *container_id = take_line(&text);
	const char *ifname = container_id != NULL ? take_line(&text) : NULL;

	if (ifname == NULL || text[0] != '\0' || cni_name_check(container_id, NULL) < 0 ||
		cni_name_check_interface(ifname, NULL) < 0)
		return;
	strcpy(lease->container_id, container_id);
	strcpy(lease->ifname, ifname);
}

/* A link, a directory and the like are nobody's. */
static int read_lease(int dir, const char *name, struct cni_lease *lease, struct err *err)
{
	cleanup_close int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	cleanup_free char *text = NULL;
	struct stat st;
	size_t len;
	int ret;

	if (fd < 0 && errno == ELOOP)
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(err, errno, "cannot open %s", name);
	if (!S_ISREG(st.st_mode))
		return 0;
	ret = whole_file_read_fd(fd, TEXT_MAX, &text, &len);
	if (ret < 0)
		return ret == -EFBIG ? 0 : err_errno(err, -ret, "cannot read %s", name);
	if (strlen(text) == len)
		read_owner(lease, text);
	return 0;
}

/* The entries that are called after an address; the same address is not there twice. */
static bool is_address(const char *name, struct ip_addr *addr)
{
	char text[IP_ADDR_TEXT_MAX];

	return ip_addr_parse(name, addr) == 0 && strcmp(ip_addr_format(addr, text), name) == 0;
}

/* Room for one more: the array doubles whenever it has a power of two of them. */
static int reserve(struct cni_store *store)
{
	void *larger;

	if ((store->n & (store->n - 1)) != 0)
		return 0;
	larger = reallocarray(
		store->leases, store->n == 0 ? 1 : 2 * store->n, sizeof(*store->leases));
	if (larger == NULL)
		return -ENOMEM;
	store->leases = larger;
	return 0;
}

static int add_lease(struct cni_store *store, const char *name, struct err *err)
{
	struct cni_lease lease = { .container_id = "" };
	int ret;

	if (!is_address(name, &lease.addr))
		return 0;
	ret = reserve(store);
	if (ret < 0)
		return err_errno(err, -ret, "cannot read %s", name);
	ret = read_lease(store->dir, name, &lease, err);
	if (ret == 0)
		store->leases[store->n++] = lease;
	return ret;
}

static int compare_leases(const void *a, const void *b)
{
	const struct cni_lease *x = a, *y = b;

	return cni_addr_compare(&x->addr, &y->addr);
}

/* Of a descriptor of its own: a DIR closes what it reads. */
static int read_all(struct cni_store *store, struct err *err)
{
	int fd = openat(store->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;
	int ret = 0;

	if (dir == NULL) {
		ret = err_errno(err, errno, "cannot read it");
		if (fd >= 0)
			close(fd);
		return ret;
	}
	while (ret == 0 && (errno = 0, entry = readdir(dir)) != NULL)
		ret = add_lease(store, entry->d_name, err);
	if (ret == 0 && errno != 0)
		ret = err_errno(err, errno, "cannot read it");
	closedir(dir);
	if (ret == 0 && store->n > 0)
		qsort(store->leases, store->n, sizeof(*store->leases), compare_leases);
	return ret;
}

/* 1: there is no such directory. */
static int open_path(const char *path, struct cni_store *store, struct err *err)
{
	int ret;

	*store = CNI_STORE_NONE;
	store->dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (store->dir < 0)
		return errno == ENOENT ? 1 : err_errno(err, errno, "cannot open %s", path);
	ret = lock(store->dir);
	if (ret < 0)
		err_errno(err, -ret, "cannot lock %s", path);
	if (ret == 0) {
		ret = read_all(store, err);
		if (ret < 0)
			err_wrap(err, ret, "%s", path);
	}
	if (ret < 0)
		cni_store_close(store);
	return ret;
}

static void path_of(const struct cni_config *config, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/%s", config->data_dir, config->name);
}

int cni_store_open_existing(
	const struct cni_config *config, struct cni_store *store, struct err *err)
{
	char path[PATH_MAX];

	path_of(config, path);
	return open_path(path, store, err);
}

int cni_store_open(const struct cni_config *config, struct cni_store *store, struct err *err)
{
	char path[PATH_MAX];
	int ret;

	path_of(config, path);
	*store = CNI_STORE_NONE;
	ret = make_dirs(path, err);
	if (ret == 0)
		ret = open_path(path, store, err);
	return ret == 1 ? err_set(err, -EIO, "%s was removed", path) : ret;
}

void cni_store_close(struct cni_store *store)
{
	if (store->dir >= 0)
		close(store->dir);
	free(store->leases);
	*store = CNI_STORE_NONE;
}

const struct cni_lease *cni_store_find(const struct cni_store *store, const struct ip_addr *addr)
{
	const struct cni_lease key = { .addr = *addr };

	return store->n > 0 ? bsearch(&key, store->leases, store->n, sizeof(key), compare_leases)
			    : NULL;
}

bool cni_lease_is_of(const struct cni_lease *lease, const struct cni_attachment *who)
{
	return strcmp(lease->container_id, who->container_id) == 0 &&
	       strcmp(lease->ifname, who->ifname) == 0;
}

static int write_file(int fd, const struct cni_attachment *who)
{
	char text[TEXT_MAX + 1];
	int n = snprintf(text, sizeof(text), "%s\n%s\n", who->container_id, who->ifname);

	return whole_file_write_fd(fd, text, (size_t)n);
}

static int make_file(int dir, const char *name, const struct cni_attachment *who, struct err *err)
{
	cleanup_close int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int ret;

	if (fd < 0)
		return err_errno(err, errno, "cannot make the file %s", name);
	ret = write_file(fd, who);
	if (ret < 0) {
		unlinkat(dir, name, 0);
		return err_errno(err, -ret, "cannot write the file %s", name);
	}
	return 0;
}

int cni_store_take(struct cni_store *store, const struct ip_addr *addr,
	const struct cni_attachment *who, struct err *err)
{
	struct cni_lease lease = { .addr = *addr };
	char name[IP_ADDR_TEXT_MAX];
	int ret = reserve(store);

	if (ret < 0)
		return err_errno(err, -ret, "cannot take %s", ip_addr_format(addr, name));
	ret = make_file(store->dir, ip_addr_format(addr, name), who, err);
	if (ret < 0)
		return ret;
	strcpy(lease.container_id, who->container_id);
	strcpy(lease.ifname, who->ifname);
	store->leases[store->n++] = lease;
	qsort(store->leases, store->n, sizeof(lease), compare_leases);
	return 0;
}

int cni_store_release(struct cni_store *store,
	bool (*is_stale)(const struct cni_lease *lease, const void *context), const void *context,
	struct err *err)
{
	size_t kept = 0;
	int ret = 0;

	for (size_t i = 0; i < store->n; i++) {
		const struct cni_lease lease = store->leases[i];
		bool is_nobodys = lease.container_id[0] == '\0';
		char name[IP_ADDR_TEXT_MAX];

		if (is_nobodys || is_stale(&lease, context)) {
			if (unlinkat(store->dir, ip_addr_format(&lease.addr, name), 0) == 0)
				continue;
			if (!is_nobodys && ret == 0)
				ret = err_errno(err, errno, "cannot remove the file %s", name);
		}
		store->leases[kept++] = lease;
	}
	store->n = kept;
	return ret;
}

static int open_last(const struct cni_store *store, unsigned set, int flags)
{
	char name[32];

	snprintf(name, sizeof(name), "last.%u", set);
	return openat(store->dir, name, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
}

bool cni_store_last(const struct cni_store *store, unsigned set, struct ip_addr *addr)
{
	cleanup_close int fd = open_last(store, set, O_RDONLY);
	cleanup_free char *text = NULL;
	size_t len;

	return fd >= 0 && whole_file_read_fd(fd, IP_ADDR_TEXT_MAX, &text, &len) == 0 &&
	       ip_addr_parse(text, addr) == 0;
}

void cni_store_set_last(const struct cni_store *store, unsigned set, const struct ip_addr *addr)
{
	cleanup_close int fd = open_last(store, set, O_WRONLY | O_CREAT | O_TRUNC);
	char text[IP_ADDR_TEXT_MAX];

	ip_addr_format(addr, text);
	if (fd >= 0)
		(void)whole_file_write_fd(fd, text, strlen(text));
}
