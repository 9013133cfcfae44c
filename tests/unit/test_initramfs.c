/* SPDX-License-Identifier: BSD-3-Clause */

/* Archives are unpacked by cpio(1), and compared with what went in. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "launcher/image/cpio_list.h"
#include "launcher/image/image_cache.h"
#include "launcher/image/initramfs.h"
#include "lib/whole_file.h"

static char dir[] = "/tmp/test-initramfs-XXXXXX";
static char *archive;
static struct err err;

static const char *const modules[] = { "fuse", "ext4", "virtiofs", NULL };
static char agent[64], modules_dir[64], tree[64], cache[64];
static struct initramfs_plan plan;

static void shell(const char *command)
{
	if (system(command) != 0)
		fail_msg("%s", command);
}

/* $D is our directory. */
static int setup(void **state)
{
	assert_non_null(mkdtemp(strcpy(dir, "/tmp/test-initramfs-XXXXXX")));
	setenv("D", dir, 1);
	snprintf(agent, sizeof(agent), "%s/agent", dir);
	snprintf(modules_dir, sizeof(modules_dir), "%s/lib/6.1.7/", dir);
	snprintf(tree, sizeof(tree), "%s/tree", dir);
	snprintf(cache, sizeof(cache), "%s/var/cache", dir);
	shell("cd $D; head -c 300001 /dev/urandom >agent; mkdir -p lib/6.1.7/k tree/sub/empty; "
	      "cd lib/6.1.7; printf 'k/virtiofs.ko: k/fuse.ko\\nk/fuse.ko:\\n' >modules.dep; "
	      "echo k/ext4.ko >modules.builtin; echo FUSE >k/fuse.ko; echo VFS >k/virtiofs.ko; "
	      "cd ../../tree; echo a >a; : >sub/none; ln -s ../../etc/passwd sub/link; "
	      "printf xy >sub/two; chmod 4751 sub/two; chmod 0700 sub/empty; mkfifo fifo; "
	      "touch -d @1000000000 a; [ $(id -u) != 0 ] || chown 1234:4321 a");
	plan = (struct initramfs_plan) { agent, modules_dir, modules, tree, cache };
	return 0;
}

static int teardown(void **state)
{
	free(archive);
	archive = NULL;
	shell("rm -rf $D");
	return 0;
}

static void get(void)
{
	free(archive);
	archive = NULL;
	if (initramfs_get(&plan, &archive, &err) != 0)
		fail_msg("%s", err.text);
	setenv("A", archive, 1);
}

static void assert_refused(int expected, const char *words)
{
	char *path = NULL;

	assert_int_equal(initramfs_get(&plan, &path, &err), expected);
	assert_null(path);
	if (strstr(err.text, words) == NULL)
		fail_msg("\"%s\" is not in: %s", words, err.text);
	shell("[ ! -e $D/var/cache/.new ]");
}

static void test_cpio_unpacks_it(void **state)
{
	get();
	shell("mkdir $D/out; cd $D/out; cpio -idm --quiet <$A 2>&1; cmp init ../agent; "
	      "[ $(stat -c %a init) = 755 ]; cmp lib/modules/fuse.ko ../lib/6.1.7/k/fuse.ko");
	shell("cd $D/out; printf '/lib/modules/fuse.ko\\n/lib/modules/virtiofs.ko\\n' "
	      "| cmp - etc/sluice/modules && [ -d proc ] && [ -d dev ] && [ -d sys ]");
	shell("cd $D; list() { (cd $1 && find . -printf '%P %y %m %U %G %l\\n' | sort); }; "
	      "diff -r --no-dereference --exclude fifo tree out/image && "
	      "[ \"$(list tree)\" = \"$(list out/image)\" ]");
	shell("[ $(stat -c %Y $D/out/image/a) = 1000000000 ]");
}

static void test_name_is_the_hash(void **state)
{
	get();
	shell("[ $(basename $A) = 6.1.7_$(sha256sum <$A | cut -c 1-64).cpio ]");
	shell("[ $(stat -c %a $A) = 600 ] && [ $(stat -c %a $D/var/cache) = 755 ]");
}

static void test_second_time_it_is_there(void **state)
{
	get();
	shell("stat -c %i,%z $A >$D/before");
	get();
	shell("stat -c %i,%z $A | cmp - $D/before && [ $(ls -A $D/var/cache | wc -l) = 1 ]");
}

static void test_change_gives_another(void **state)
{
	get();
	shell("echo B >$D/tree/a");
	get();
	shell("[ $(ls -A $D/var/cache | wc -l) = 2 ]");
	shell("echo more >>$D/agent");
	get();
	shell("[ $(ls -A $D/var/cache | wc -l) = 3 ]");
}

static void test_cut_file_is_made_anew(void **state)
{
	get();
	shell("truncate -s 1000 $A; echo old >$D/var/cache/.new");
	get();
	shell("[ $(basename $A) = 6.1.7_$(sha256sum <$A | cut -c 1-64).cpio ] && "
	      "[ $(ls -A $D/var/cache | wc -l) = 1 ]");
}

static void test_without_modules_and_tree(void **state)
{
	plan.modules_dir = plan.tree = NULL;
	get();
	shell("cpio -t --quiet <$A | sort | tr '\\n' ' ' | "
	      "grep -qx 'dev etc etc/sluice etc/sluice/modules init lib lib/modules proc run sys "
	      "'");
}

static void test_missing_parts_are_named(void **state)
{
	static const char *const wanted[] = { "fuse", "warp_drive", NULL };

	plan.modules = wanted;
	assert_refused(-ENOENT, "warp_drive");
	plan.modules = modules;
	plan.agent = "/nowhere/agent";
	assert_refused(-ENOENT, "/nowhere/agent");
	plan.agent = dir;
	assert_refused(-EINVAL, dir);
	plan.agent = agent;
	shell("rm $D/lib/6.1.7/k/virtiofs.ko");
	assert_refused(-ENOENT, "k/virtiofs.ko");
	plan.modules_dir = "/nowhere";
	assert_refused(-ENOENT, "depmod");
}

/* Machines that start together: one of them makes it, all have it. */
static void test_many_at_once(void **state)
{
	pid_t children[8];

	for (size_t i = 0; i < 8; i++) {
		children[i] = fork();
		if (children[i] == 0)
			_exit(initramfs_get(&plan, &archive, &err) == 0 ? 0 : 1);
	}
	for (size_t i = 0; i < 8; i++) {
		int status = -1;

		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		assert_int_equal(status, 0);
	}
	get();
	shell("[ $(ls -A $D/var/cache | wc -l) = 1 ]");
	shell("[ $(basename $A) = 6.1.7_$(sha256sum <$A | cut -c 1-64).cpio ]");
}

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void check_name(const char *name, enum image_kind kind, const char *kernel)
{
	struct cached_image found;

	assert_int_equal(image_cache_parse(name, &found), 0);
	assert_int_equal(found.kind, kind);
	assert_string_equal(found.name, name);
	assert_string_equal(found.hash, HASH);
	assert_string_equal(found.kernel, kernel);
}

static void test_names(void **state)
{
	static const char *const bad[] = { "", ".new", ".new-AbCdEf", ".cpio", HASH,
		"_" HASH ".cpio", "x" HASH ".cpio", "6.1-" HASH ".cpio", "6.1_0" HASH ".cpi",
		"6.1_g" HASH ".cpio", "ext4-" HASH ".img", "ext4-" HASH "-.img",
		"ext4-" HASH "-1x.img", "ext4-" HASH "-1", "ext4-0" HASH "-1.img", "vmlinux-",
		"vmlinux-" HASH "0", "vmlinux-" HASH ".cpi", ("vmlinuz-" HASH) };
	struct cached_image found;

	check_name("6.1_x_" HASH ".cpio", IMAGE_INITRAMFS, "6.1_x");
	check_name(HASH ".cpio", IMAGE_INITRAMFS, "");
	check_name("ext4-" HASH "-1024.img", IMAGE_EXT4, "");
	check_name("vmlinux-" HASH, IMAGE_KERNEL, "");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (image_cache_parse(bad[i], &found) != -EINVAL)
			fail_msg("taken: %s", bad[i]);
}

static void test_list(void **state)
{
	struct cached_image *list = NULL;
	size_t n = 9;

	assert_int_equal(image_cache_list(cache, &list, &n, &err), 0);
	assert_int_equal(n, 0);
	get();
	shell("touch -d '1 hour ago' $A; echo x >$D/var/cache/README");
	plan.modules_dir = NULL;
	get();
	shell("cd $D/var/cache && truncate -s 1M ext4-" HASH "-8.img && "
	      "touch -d '2 hours ago' ext4-" HASH "-8.img && mkdir vmlinux-" HASH);
	assert_int_equal(image_cache_list(cache, &list, &n, &err), 0);
	assert_int_equal(n, 3);
	assert_string_equal(list[0].kernel, "");
	assert_string_equal(list[1].kernel, "6.1.7");
	assert_true(list[1].len > 300001 && list[1].used > 0);
	assert_int_equal(list[2].kind, IMAGE_EXT4);
	assert_int_equal(list[2].len, 1 << 20);
	assert_int_equal(list[2].used, 0);
	free(list);
	assert_int_equal(image_cache_list(agent, &list, &n, &err), -ENOTDIR);
}

static void test_finds_what_is_meant(void **state)
{
	char path[PATH_MAX], wanted[128];
	enum image_kind kind;

	get();
	shell("cd $D/var/cache && touch ext4-" HASH "-8.img vmlinux-" HASH "; "
	      "printf '\\177ELF' >vmlinux-" HASH);
	assert_int_equal(image_cache_find(cache, "vmlinux-" HASH, path, &err), 0);
	snprintf(wanted, sizeof(wanted), "%s/vmlinux-%.8s", cache, HASH);
	assert_memory_equal(path, wanted, strlen(wanted));
	assert_int_equal(image_cache_look(path, &kind, &err), 0);
	assert_int_equal(kind, IMAGE_KERNEL);
	assert_int_equal(image_cache_look(archive, &kind, &err), 0);
	assert_int_equal(kind, IMAGE_INITRAMFS);
	assert_int_equal(image_cache_find(cache, archive, path, &err), 0);
	assert_string_equal(path, archive);
	assert_int_equal(image_cache_find(cache, strchr(archive, '_') + 1, path, &err), -ENOENT);
	*(strchr(archive, '_') + 1 + 12) = '\0';
	assert_int_equal(image_cache_find(cache, strchr(archive, '_') + 1, path, &err), 0);
	assert_memory_equal(path, archive, strlen(archive));
	assert_int_equal(image_cache_find(cache, "0123456", path, &err), -EEXIST);
	assert_int_equal(image_cache_find(cache, "012", path, &err), -ENOENT);
	assert_int_equal(image_cache_find(cache, "0123456789ab" HASH, path, &err), -ENOENT);
	assert_int_equal(image_cache_look(cache, &kind, &err), -EISDIR);
	assert_int_equal(image_cache_look(agent, &kind, &err), -EINVAL);
}

/* What an archive has at `path`, to be freed. */
static char *files_at(const char *path, int expected)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_int_equal(cpio_list(archive, path, out, &err), expected);
	fclose(out);
	return text;
}

static void check_files(const char *path, int expected, const char *text)
{
	char *found = files_at(path, expected);

	assert_string_equal(found, text);
	free(found);
}

static void test_lists_files(void **state)
{
	char *top;

	get();
	top = files_at("/", 0);
	assert_non_null(strstr(top, " 100755      0      0     300001 init\n"));
	assert_non_null(strstr(top, "  40755      0      0          0 lib\n"));
	assert_null(strstr(top, "modules"));
	free(top);
	check_files("/image/sub", 0,
		"  40700      0      0          0 empty\n"
		" 120777      0      0         16 link\n"
		" 100644      0      0          0 none\n"
		" 104751      0      0          2 two\n");
	check_files("/image/sub/empty/", 0, "");
	check_files("image/a", 0, " 100644   1234   4321          2 image/a\n");
	check_files("/image/su", -ENOENT, "");
	check_files("/imag", -ENOENT, "");
	shell("truncate -s 300000 $A");
	free(files_at("/", -EBADMSG));
	assert_non_null(strstr(err.text, "damaged at byte"));
}

/* What a full disk says, only that it is the limit of a file's length. */
static void test_what_cannot_be_written_leaves_nothing(void **state)
{
	struct rlimit before, small = { 100000, RLIM_INFINITY };
	int ret;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small.rlim_max = before.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	ret = initramfs_get(&plan, &archive, &err);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(ret, -EFBIG);
	assert_null(archive);
	shell("[ -z \"$(ls -A $D/var/cache)\" ]");
}

static void seal(size_t n, const struct initramfs_file *files, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (initramfs_seal(archive, files, n, path, &err) != 0)
		fail_msg("%s", err.text);
	setenv("S", path, 1);
}

static const struct initramfs_file secrets[] = {
	{ "run/sluice/machine.json", "{}\n", 3 },
	{ "run/sluice/argv", "a\0\1\377\n", 5 },
	{ "run/sluice/env", NULL, 0 },
};

static void test_sealed_segment(void **state)
{
	get();
	seal(3, secrets, "sealed");
	shell("[ $(stat -c %a $S) = 600 ] && cmp -n $(stat -c %s $A) $A $S");
	shell("mkdir $D/out; cd $D/out; n=$(( ($(stat -c %s $A) + 3) / 4 * 4 )); "
	      "tail -c +$((n + 1)) $S | cpio -id --quiet; [ \"$(cat run/sluice/machine.json)\" = "
	      "{} ] "
	      "&& printf 'a\\0\\001\\377\\n' | cmp - run/sluice/argv && [ ! -s run/sluice/env ] && "
	      "[ -e run/sluice/env ] && [ $(stat -c %a run/sluice) = 700 ] && "
	      "[ $(stat -c %a run/sluice/argv) = 600 ]");
	/* Each directory once. */
	shell("n=$(( ($(stat -c %s $A) + 3) / 4 * 4 )); "
	      "[ $(tail -c +$((n + 1)) $S | cpio -t --quiet | wc -l) = 5 ]");
}

/* Any archive can be sealed, of any length, on any file system. */
static void test_segment_is_aligned(void **state)
{
	for (int i = 1; i <= 4; i++) {
		char command[128];

		get();
		snprintf(command, sizeof(command),
			"rm -f $D/sealed; truncate -s +%d $A; cp $A $D/odd", i);
		shell(command);
		seal(3, secrets, "sealed");
		shell("n=$(( ($(stat -c %s $D/odd) + 3) / 4 * 4 )); cmp -n $(stat -c %s $D/odd) "
		      "$S $D/odd && tail -c +$((n + 1)) $S | head -c 6 | grep -qx 070701");
	}
}

static void test_seal_onto_another_file_system(void **state)
{
	char path[64];

	snprintf(path, sizeof(path), "/dev/shm/test-initramfs-%d", getpid());
	setenv("S", path, 1);
	get();
	assert_int_equal(initramfs_seal(archive, secrets, 3, path, &err), 0);
	shell("cmp -n $(stat -c %s $A) $A $S; r=$?; rm $S; exit $r");
}

static void test_seal_refuses_and_cleans_up(void **state)
{
	char path[128];

	get();
	snprintf(path, sizeof(path), "%s/sealed", dir);
	assert_int_equal(initramfs_seal("/nowhere/a", secrets, 3, path, &err), -ENOENT);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(whole_file_write(path, 0644, "mine", 4), 0);
	assert_int_equal(initramfs_seal(archive, secrets, 3, path, &err), -EEXIST);
	shell("[ \"$(cat $D/sealed)\" = mine ]");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_cpio_unpacks_it, setup, teardown),
		cmocka_unit_test_setup_teardown(test_name_is_the_hash, setup, teardown),
		cmocka_unit_test_setup_teardown(test_second_time_it_is_there, setup, teardown),
		cmocka_unit_test_setup_teardown(test_change_gives_another, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cut_file_is_made_anew, setup, teardown),
		cmocka_unit_test_setup_teardown(test_without_modules_and_tree, setup, teardown),
		cmocka_unit_test_setup_teardown(test_missing_parts_are_named, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_at_once, setup, teardown),
		cmocka_unit_test(test_names),
		cmocka_unit_test_setup_teardown(test_list, setup, teardown),
		cmocka_unit_test_setup_teardown(test_finds_what_is_meant, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lists_files, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_what_cannot_be_written_leaves_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sealed_segment, setup, teardown),
		cmocka_unit_test_setup_teardown(test_segment_is_aligned, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_seal_onto_another_file_system, setup, teardown),
		cmocka_unit_test_setup_teardown(test_seal_refuses_and_cleans_up, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
