/* SPDX-License-Identifier: BSD-3-Clause */

/* Images of real trees by the real mke2fs, as the real debugfs and e2fsck see them. Needs root. */

#include <setjmp.h>
#include <stdarg.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "launcher/image/ext4_image.h"
#include "launcher/image/sparse_copy.h"
#include "tests/unit/scratch.h"

#define LONG_TARGET                                                                                \
	"/a/target/that/does/not/fit/into/an/inode/because/it/is/longer/than/sixty/bytes/by/far"

static char *get(void **state)
{
	const struct ext4_plan plan = {
		.tree = scratch_path(state, "tree"),
		.cache_dir = scratch_path(state, "cache"),
		.free_mib = 16,
	};
	struct err err = { "" };
	char *path = NULL;

	if (ext4_image_get(&plan, &path, &err) < 0)
		fail_msg("%s", err.text);
	return path;
}

static int get_fails(void **state, const char *tree, const char *words)
{
	const struct ext4_plan plan = {
		.tree = tree, .cache_dir = scratch_path(state, "cache"), .free_mib = 16
	};
	struct err err = { "" };
	char *path = NULL;
	int ret = ext4_image_get(&plan, &path, &err);

	assert_null(path);
	if (strstr(err.text, words) == NULL)
		fail_msg("not \"%s\": %s", words, err.text);
	return ret;
}

static int open_tree_of(void **state)
{
	if (scratch_open(state) < 0 || mkdir(scratch_path(state, "tree"), 0755) < 0)
		return -1;
	scratch_write(state, "tree/file", "of four words here\n", 0644);
	return 0;
}

/* What debugfs says to a request; it must hold these words. */
static void expect(const char *image, const char *request, const char *words)
{
	char command[PATH_MAX], *said;
	int status;

	snprintf(command, sizeof(command), "debugfs -R '%s' %s 2>/dev/null", request, image);
	said = scratch_shell(command, &status);
	if (strstr(said, words) == NULL)
		fail_msg("debugfs -R '%s' does not say \"%s\":\n%s", request, words, said);
	free(said);
}

static void check_file_system(const char *image)
{
	char command[PATH_MAX], *said;
	int status;

	snprintf(command, sizeof(command), "e2fsck -f -n %s", image);
	said = scratch_shell(command, &status);
	if (status != 0)
		fail_msg("%s", said);
	free(said);
}

/* --- what is kept ---------------------------------------------------------------------------- */

static void own(void **state, const char *name, uid_t uid, gid_t gid, mode_t mode)
{
	const char *path = scratch_path(state, name);

	assert_int_equal(lchown(path, uid, gid), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static void test_keeps_owners_and_modes(void **state)
{
	char *image;

	scratch_write(state, "tree/secret", "", 0600);
	own(state, "tree/secret", 1234, 70000, 0640);
	own(state, "tree/file", 0, 0, 04755);
	assert_int_equal(mkdir(scratch_path(state, "tree/tmp"), 0755), 0);
	own(state, "tree/tmp", 5, 6, 03777);
	own(state, "tree", 7, 8, 01700);
	image = get(state);
	expect(image, "ls -p /", "/100640/1234/70000/secret/0/");
	expect(image, "ls -p /", "/104755/0/0/file/19/");
	expect(image, "ls -p /", "/043777/5/6/tmp//");
	expect(image, "ls -p /", "/041700/7/8/.//");
	check_file_system(image);
	free(image);
}

static void test_keeps_links_and_devices(void **state)
{
	struct stat st;
	char *image;

	assert_int_equal(symlink("/nowhere", scratch_path(state, "tree/dangling")), 0);
	assert_int_equal(symlink(LONG_TARGET, scratch_path(state, "tree/long")), 0);
	assert_int_equal(lchown(scratch_path(state, "tree/long"), 9, 10), 0);
	assert_int_equal(
		link(scratch_path(state, "tree/file"), scratch_path(state, "tree/same")), 0);
	assert_int_equal(mkfifo(scratch_path(state, "tree/fifo"), 0600), 0);
	assert_int_equal(mknod(scratch_path(state, "tree/null"), S_IFCHR | 0666, makedev(1, 3)), 0);
	image = get(state);
	expect(image, "stat /dangling", "Fast link dest: \"/nowhere\"");
	expect(image, "ls -p /", "/120777/9/10/long/");
	expect(image, "cat /long", LONG_TARGET);
	expect(image, "stat /same", "Links: 2");
	expect(image, "cat /same", "of four words here\n");
	expect(image, "stat /fifo", "Type: FIFO");
	expect(image, "stat /null", "Device major/minor number: 01:03");
	check_file_system(image);
	assert_int_equal(stat(image, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0400);
	free(image);
}

static void test_keeps_attributes(void **state)
{
	/* cap_net_raw=ep, as setcap(8) writes it */
	static const uint8_t capability[20] = { 1, 0, 0, 2, 0, 0x20 };
	const char *file = scratch_path(state, "tree/file");
	char *image;

	assert_int_equal(setxattr(file, "user.word", "a value", 7, 0), 0);
	assert_int_equal(setxattr(file, "security.capability", capability, 20, 0), 0);
	image = get(state);
	expect(image, "ea_list /file", "user.word (7) = \"a value\"");
	expect(image, "ea_list /file", "security.capability (20) = 01 00 00 02 00 20 00");
	check_file_system(image);
	free(image);
}

static void test_keeps_names(void **state)
{
	static const char *const names[] = { "with space", "-rf", "quo\"te", "back\\slash", "$HOME",
		"umlaut-\xc3\xa4", "no-utf8-\xff\xfe", ".hidden", "..." };
	char name[64], line[64], *image;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(name, sizeof(name), "tree/%s", names[i]);
		scratch_write(state, name, "x", 0644);
	}
	scratch_write(state, "tree/new\nline", "x", 0644);
	image = get(state);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(line, sizeof(line), "/%s/1/\n", names[i]);
		expect(image, "ls -p /", line);
	}
	expect(image, "ls -p /", "/new\nline/1/\n");
	check_file_system(image);
	free(image);
}

/* 3000 files (mke2fs 1.47 takes a time that grows with their square) and a gigabyte that is a hole
 * but for its ends. */
static void test_sizes(void **state)
{
	const char *hole;
	struct stat st;
	char *image;
	int fd;

	assert_int_equal(mkdir(scratch_path(state, "tree/many"), 0755), 0);
	fd = open(scratch_path(state, "tree/many"), O_RDONLY | O_DIRECTORY);
	for (int i = 0; i < 3000; i++) {
		char name[32];

		snprintf(name, sizeof(name), "a-name-of-middling-length-%05d", i);
		close(openat(fd, name, O_CREAT | O_WRONLY, 0644));
	}
	close(fd);
	hole = scratch_path(state, "tree/hole");
	fd = open(hole, O_CREAT | O_WRONLY, 0644);
	assert_int_equal(pwrite(fd, "begin", 5, 0), 5);
	assert_int_equal(pwrite(fd, "end", 3, (1 << 30) - 3), 3);
	close(fd);
	image = get(state);
	expect(image, "ls -p /many", "/a-name-of-middling-length-02999/0/");
	expect(image, "ls -p /", "/hole/1073741824/");
	check_file_system(image);
	assert_int_equal(stat(image, &st), 0);
	assert_true(st.st_size < 64 << 20);
	assert_true(st.st_blocks * 512 < 16 << 20);
	free(image);
}

/* --- the cache ------------------------------------------------------------------------------- */

/* Whether it is another image than before, whose name is freed; *image becomes its. */
static bool changed(void **state, char **image)
{
	char *now = get(state);
	bool other = strcmp(now, *image) != 0;

	free(*image);
	*image = now;
	return other;
}

static void test_is_cached_by_content(void **state)
{
	const struct timespec times[2] = { { .tv_sec = 1000000000 }, { .tv_sec = 1000000000 } };
	const char *file = scratch_path(state, "tree/file");
	char *image = get(state);
	struct stat before, after;

	assert_int_equal(stat(image, &before), 0);
	assert_false(changed(state, &image));
	assert_int_equal(stat(image, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);

	assert_int_equal(utimensat(AT_FDCWD, file, times, 0), 0);
	assert_true(changed(state, &image));
	scratch_write(state, "tree/file", "of five words here\n", 0644);
	assert_int_equal(utimensat(AT_FDCWD, file, times, 0), 0);
	assert_true(changed(state, &image));
	assert_int_equal(setxattr(file, "user.a", "b", 1, 0), 0);
	assert_true(changed(state, &image));
	assert_int_equal(chmod(file, 0600), 0);
	assert_true(changed(state, &image));
	assert_int_equal(chown(file, 1, 0), 0);
	assert_true(changed(state, &image));
	assert_int_equal(chmod(scratch_path(state, "tree"), 0700), 0);
	assert_true(changed(state, &image));
	free(image);
}

static void test_a_copy_of_the_tree_is_the_same(void **state)
{
	char command[2 * PATH_MAX + 64], *first = get(state), *second, *said;
	const struct ext4_plan plan = {
		.tree = scratch_path(state, "copy"),
		.cache_dir = scratch_path(state, "cache"),
		.free_mib = 16,
	};
	struct err err = { "" };
	int status;

	snprintf(command, sizeof(command), "cp -a %s %s", scratch_path(state, "tree"), plan.tree);
	said = scratch_shell(command, &status);
	assert_int_equal(status, 0);
	assert_int_equal(ext4_image_get(&plan, &second, &err), 0);
	assert_string_equal(first, second);
	free(said);
	free(first);
	free(second);
}

static void test_removes_what_others_left(void **state)
{
	const char *left, *at_work;
	int fd;

	assert_int_equal(mkdir(scratch_path(state, "cache"), 0755), 0);
	scratch_write(state, "cache/.new-left", "", 0600);
	scratch_write(state, "cache/.new-work", "", 0600);
	left = scratch_path(state, "cache/.new-left");
	at_work = scratch_path(state, "cache/.new-work");
	fd = open(at_work, O_RDONLY | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	free(get(state));
	assert_int_equal(access(left, F_OK), -1);
	assert_int_equal(access(at_work, F_OK), 0);
	close(fd);
}

/* --- copies ---------------------------------------------------------------------------------- */

static void test_copies(void **state)
{
	char *image = get(state), command[3 * PATH_MAX], *said;
	const char *copy = scratch_path(state, "copy.img");
	struct err err = { "" };
	struct stat st, of_image;
	int status;

	assert_int_equal(ext4_image_copy(image, copy, &err), 0);
	assert_int_equal(stat(copy, &st), 0);
	assert_int_equal(stat(image, &of_image), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_true(st.st_blocks <= of_image.st_blocks + 64);
	snprintf(command, sizeof(command),
		"cmp %s %s && debugfs -w -R 'rm /file' %s && ! cmp -s %s %s", image, copy, copy,
		image, copy);
	said = scratch_shell(command, &status);
	if (status != 0)
		fail_msg("%s", said);
	assert_int_equal(ext4_image_copy(image, copy, &err), -EEXIST);
	free(said);
	free(image);
}

/* From one file system to another, some of which the kernel does not copy between. */
static void test_copies_to_memory(void **state)
{
	int in = open(scratch_path(state, "sparse"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	int out = memfd_create("copy", MFD_CLOEXEC);
	char text[8] = "";
	struct stat st;

	assert_int_equal(ftruncate(in, 100 << 20), 0);
	assert_int_equal(pwrite(in, "one", 3, 0), 3);
	assert_int_equal(pwrite(in, "two", 3, 50 << 20), 3);
	assert_int_equal(sparse_copy(in, out), 0);
	assert_int_equal(fstat(out, &st), 0);
	assert_int_equal(st.st_size, 100 << 20);
	assert_true(st.st_blocks * 512 < 1 << 20);
	assert_int_equal(pread(out, text, 3, 50 << 20), 3);
	assert_string_equal(text, "two");
	close(in);
	close(out);
}

/* --- a look into it -------------------------------------------------------------------------- */

static void test_lists(void **state)
{
	char *image = get(state), text[1024] = "";
	struct err err = { "" };
	int fd = memfd_create("list", MFD_CLOEXEC);

	assert_int_equal(ext4_image_list(image, "/", fd, &err), 0);
	assert_true(pread(fd, text, sizeof(text) - 1, 0) > 0);
	assert_non_null(strstr(text, "100644"));
	assert_non_null(strstr(text, " file\n"));
	assert_int_equal(ext4_image_list(image, "/no such", fd, &err), -ENOENT);
	assert_int_equal(ext4_image_list(image, "/\" \"", fd, &err), -EINVAL);
	assert_int_equal(ext4_image_list(image, "relative", fd, &err), -EINVAL);
	close(fd);
	free(image);
}

/* --- what goes wrong ------------------------------------------------------------------------- */

static void test_missing_tree(void **state)
{
	assert_int_equal(get_fails(state, "/no/such/tree", "/no/such/tree"), -ENOENT);
}

static void test_full_disk(void **state)
{
	const char *cache = scratch_path(state, "cache"), *tree = scratch_path(state, "tree");
	int fd = open(scratch_path(state, "tree/large"), O_CREAT | O_WRONLY, 0644);
	char block[65536];

	memset(block, 'x', sizeof(block));
	for (int i = 0; i < 128; i++)
		assert_int_equal(write(fd, block, sizeof(block)), sizeof(block));
	close(fd);
	assert_int_equal(mkdir(cache, 0755), 0);
	assert_int_equal(mount("tmpfs", cache, "tmpfs", 0, "size=4m"), 0);
	assert_int_equal(get_fails(state, tree, "no space left in"), -ENOSPC);
	assert_int_equal(umount(cache), 0);
	assert_int_equal(rmdir(cache), 0);
}

/* A program in the place of mke2fs: found first in PATH. */
static char *before_mke2fs(void **state, const char *script)
{
	char *path = strdup(getenv("PATH")), *longer;

	scratch_write(state, "mke2fs", script, 0755);
	assert_true(asprintf(&longer, "%s:%s", (char *)*state, path) > 0);
	assert_int_equal(setenv("PATH", longer, 1), 0);
	free(longer);
	return path;
}

static void restore_path(char *path)
{
	assert_int_equal(setenv("PATH", path, 1), 0);
	free(path);
}

static void test_tree_that_changes(void **state)
{
	char script[PATH_MAX], *path;

	snprintf(script, sizeof(script),
		"#!/bin/sh\nPATH=${PATH#*:}\nprintf x >>%s\nexec mke2fs \"$@\"\n",
		scratch_path(state, "tree/file"));
	path = before_mke2fs(state, script);
	assert_int_equal(get_fails(state, scratch_path(state, "tree"), "was changed"), -EBUSY);
	restore_path(path);
	/* nothing was kept */
	assert_int_equal(rmdir(scratch_path(state, "cache")), 0);
}

static void test_mke2fs_that_fails(void **state)
{
	char *path = before_mke2fs(state, "#!/bin/sh\necho 'mke2fs: it is Monday' >&2\nexit 1\n");

	assert_int_equal(get_fails(state, scratch_path(state, "tree"), "it is Monday"), -EIO);
	assert_int_equal(setenv("PATH", "/nowhere", 1), 0);
	assert_int_equal(get_fails(state, scratch_path(state, "tree"), "e2fsprogs"), -ENOENT);
	restore_path(path);
	assert_int_equal(rmdir(scratch_path(state, "cache")), 0);
}

#define IN_TREE(test) cmocka_unit_test_setup_teardown(test, open_tree_of, scratch_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_TREE(test_keeps_owners_and_modes),
		IN_TREE(test_keeps_links_and_devices),
		IN_TREE(test_keeps_attributes),
		IN_TREE(test_keeps_names),
		IN_TREE(test_sizes),
		IN_TREE(test_is_cached_by_content),
		IN_TREE(test_a_copy_of_the_tree_is_the_same),
		IN_TREE(test_removes_what_others_left),
		IN_TREE(test_copies),
		IN_TREE(test_copies_to_memory),
		IN_TREE(test_lists),
		IN_TREE(test_missing_tree),
		IN_TREE(test_full_disk),
		IN_TREE(test_tree_that_changes),
		IN_TREE(test_mke2fs_that_fails),
	};

	/* What is mounted in a test is nobody else's. */
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		perror("cannot make a mount namespace");
		return 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
