/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "launcher/cni/cni_store.h"
#include "scratch.h"

static const struct cni_attachment web = { .container_id = "web", .ifname = "eth0" };
static const struct cni_attachment web1 = { .container_id = "web", .ifname = "eth1" };
static const struct cni_attachment db = { .container_id = "db", .ifname = "eth0" };

static struct cni_config config_of(void **state)
{
	return (struct cni_config) { .name = "net", .data_dir = scratch_path(state, "a/b") };
}

static struct cni_store opened(void **state)
{
	struct cni_config config = config_of(state);
	struct cni_store store;
	struct err err = { "" };

	if (cni_store_open(&config, &store, &err) != 0)
		fail_msg("%s", err.text);
	return store;
}

static struct ip_addr addr_of(const char *text)
{
	struct ip_addr addr;

	assert_int_equal(ip_addr_parse(text, &addr), 0);
	return addr;
}

static void take(struct cni_store *store, const char *text, const struct cni_attachment *who)
{
	struct ip_addr addr = addr_of(text);
	struct err err = { "" };

	if (cni_store_take(store, &addr, who, &err) != 0)
		fail_msg("%s", err.text);
}

/* Whose the address is, as "CONTAINER/INTERFACE", "" for nobody; NULL: it is free. */
static const char *owner(const struct cni_store *store, const char *text)
{
	struct ip_addr addr = addr_of(text);
	const struct cni_lease *lease = cni_store_find(store, &addr);
	static char name[300];

	if (lease == NULL)
		return NULL;
	snprintf(name, sizeof(name), "%s%s%s", lease->container_id,
		lease->container_id[0] != '\0' ? "/" : "", lease->ifname);
	return name;
}

static bool is_of(const struct cni_lease *lease, const void *who)
{
	return cni_lease_is_of(lease, who);
}

static bool exists(void **state, const char *name)
{
	struct stat st;

	return lstat(scratch_path(state, name), &st) == 0;
}

static void test_take_and_release(void **state)
{
	struct cni_store store = opened(state);

	assert_int_equal(store.n, 0);
	take(&store, "10.0.0.9", &web);
	take(&store, "fd00::2", &web);
	take(&store, "10.0.0.10", &web1);
	take(&store, "10.0.0.2", &db);
	assert_string_equal(owner(&store, "10.0.0.9"), "web/eth0");
	cni_store_close(&store);
	assert_int_equal(store.dir, -1);

	store = opened(state);
	assert_int_equal(store.n, 4);
	assert_string_equal(owner(&store, "fd00::2"), "web/eth0");
	assert_string_equal(owner(&store, "10.0.0.10"), "web/eth1");
	assert_string_equal(owner(&store, "10.0.0.2"), "db/eth0");
	assert_null(owner(&store, "10.0.0.3"));
	assert_int_equal(cni_store_release(&store, is_of, &web, NULL), 0);
	assert_int_equal(store.n, 2);
	cni_store_close(&store);

	store = opened(state);
	assert_null(owner(&store, "10.0.0.9"));
	assert_null(owner(&store, "fd00::2"));
	assert_string_equal(owner(&store, "10.0.0.10"), "web/eth1");
	cni_store_close(&store);
}

static void test_taken_twice(void **state)
{
	struct cni_store store = opened(state);
	struct ip_addr addr = addr_of("10.0.0.2");
	struct err err = { "" };

	take(&store, "10.0.0.2", &web);
	assert_int_equal(cni_store_take(&store, &addr, &db, &err), -EEXIST);
	assert_string_equal(err.text, "cannot make the file 10.0.0.2: File exists");
	assert_string_equal(owner(&store, "10.0.0.2"), "web/eth0");
	cni_store_close(&store);
}

static void test_nothing_there(void **state)
{
	struct cni_config config = config_of(state);
	struct cni_store store;

	assert_int_equal(cni_store_open_existing(&config, &store, NULL), 1);
	cni_store_close(&store);
	assert_false(exists(state, "a"));
}

/* What killed programs, and people, leave there. */
static void test_nobodys(void **state)
{
	struct cni_store store = opened(state);
	struct ip_addr addr = addr_of("10.0.0.7");
	struct err err = { "" };

	cni_store_close(&store);
	scratch_write(state, "a/b/net/10.0.0.2", "", 0600);
	scratch_write(state, "a/b/net/10.0.0.3", "web\neth", 0600);
	scratch_write(state, "a/b/net/10.0.0.4", "web\neth0\nmore", 0600);
	scratch_write(state, "a/b/net/10.0.0.5", "../web\neth0\n", 0600);
	scratch_write(state, "a/b/net/10.0.0.6", "web\neth0\n", 0600);
	scratch_write(state, "a/b/net/010.0.0.8", "web\neth0\n", 0600);
	scratch_write(state, "a/b/net/notes", "web\neth0\n", 0600);
	assert_int_equal(mkdir(scratch_path(state, "a/b/net/10.0.0.7"), 0700), 0);
	assert_int_equal(symlink("10.0.0.6", scratch_path(state, "a/b/net/10.0.0.9")), 0);
	assert_int_equal(mkfifo(scratch_path(state, "a/b/net/10.0.0.10"), 0600), 0);

	store = opened(state);
	assert_int_equal(store.n, 8);
	assert_string_equal(owner(&store, "10.0.0.3"), "");
	assert_string_equal(owner(&store, "10.0.0.5"), "");
	assert_string_equal(owner(&store, "10.0.0.6"), "web/eth0");
	assert_string_equal(owner(&store, "10.0.0.9"), "");
	assert_int_equal(cni_store_release(&store, is_of, &db, &err), 0);
	/* The owner's, and the directory: that is taken for good. */
	assert_int_equal(store.n, 2);
	assert_int_equal(cni_store_take(&store, &addr, &web, &err), -EEXIST);
	cni_store_close(&store);
	assert_false(exists(state, "a/b/net/10.0.0.2"));
	assert_false(exists(state, "a/b/net/10.0.0.10"));
	assert_true(exists(state, "a/b/net/notes"));
	assert_true(exists(state, "a/b/net/010.0.0.8"));
}

static void test_longest_names(void **state)
{
	char id[CNI_NAME_MAX + 1], name[300];
	const struct cni_attachment who = { .container_id = id, .ifname = "123456789012345" };
	struct cni_store store = opened(state);

	memset(id, 'i', sizeof(id));
	id[CNI_NAME_MAX] = '\0';
	take(&store, "10.0.0.2", &who);
	cni_store_close(&store);
	store = opened(state);
	snprintf(name, sizeof(name), "%s/%s", id, who.ifname);
	assert_string_equal(owner(&store, "10.0.0.2"), name);
	cni_store_close(&store);
}

static void test_locked(void **state)
{
	struct cni_store store = opened(state);
	int fd = open(scratch_path(state, "a/b/net"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), -1);
	assert_int_equal(errno, EWOULDBLOCK);
	cni_store_close(&store);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	close(fd);
}

static void test_no_directory(void **state)
{
	struct cni_config config = config_of(state);
	struct cni_store store;
	struct err err = { "" };

	scratch_write(state, "a", "a file", 0600);
	assert_int_equal(cni_store_open(&config, &store, &err), -ENOTDIR);
	assert_non_null(strstr(err.text, "cannot make "));
	cni_store_close(&store);
	/* What is there is not followed elsewhere. */
	assert_int_equal(unlink(scratch_path(state, "a")), 0);
	assert_int_equal(mkdir(scratch_path(state, "a"), 0700), 0);
	assert_int_equal(mkdir(scratch_path(state, "a/b"), 0700), 0);
	assert_int_equal(symlink("/tmp", scratch_path(state, "a/b/net")), 0);
	assert_int_equal(cni_store_open(&config, &store, &err), -ENOTDIR);
	cni_store_close(&store);
}

/* A hint: whatever is wrong with it, there is none. */
static void test_last(void **state)
{
	struct cni_store store = opened(state);
	struct ip_addr addr = addr_of("10.0.0.7"), v6 = addr_of("fd00::7"), last;

	assert_false(cni_store_last(&store, 0, &last));
	cni_store_set_last(&store, 0, &addr);
	cni_store_set_last(&store, 1, &v6);
	assert_true(cni_store_last(&store, 0, &last));
	assert_true(ip_addr_equal(&last, &addr));
	assert_true(cni_store_last(&store, 1, &last));
	assert_true(ip_addr_equal(&last, &v6));
	addr = addr_of("10.0.0.8");
	cni_store_set_last(&store, 1, &addr);
	assert_true(cni_store_last(&store, 1, &last));
	assert_true(ip_addr_equal(&last, &addr));
	cni_store_close(&store);

	scratch_write(state, "a/b/net/last.0", "10.0.0", 0600);
	assert_int_equal(unlink(scratch_path(state, "a/b/net/last.1")), 0);
	assert_int_equal(symlink("10.0.0.9", scratch_path(state, "a/b/net/last.1")), 0);
	assert_int_equal(mkdir(scratch_path(state, "a/b/net/last.2"), 0700), 0);
	store = opened(state);
	assert_int_equal(store.n, 0);
	for (unsigned set = 0; set < 3; set++)
		assert_false(cni_store_last(&store, set, &last));
	cni_store_set_last(&store, 1, &addr);
	cni_store_set_last(&store, 2, &addr);
	cni_store_close(&store);
	assert_false(exists(state, "a/b/net/10.0.0.9"));
}

/* More than one array's first size, in an order of their own. */
static void test_many(void **state)
{
	struct cni_store store = opened(state);
	char text[IP_ADDR_TEXT_MAX];

	for (int i = 0; i < 300; i++) {
		snprintf(text, sizeof(text), "10.0.%d.%d", i * 7 % 300 / 250, i * 7 % 300 % 250);
		take(&store, text, &web);
	}
	for (int i = 0; i < 300; i++) {
		snprintf(text, sizeof(text), "10.0.%d.%d", i / 250, i % 250);
		assert_non_null(owner(&store, text));
	}
	cni_store_close(&store);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_open, scratch_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_take_and_release),
		TEST(test_taken_twice),
		TEST(test_nothing_there),
		TEST(test_nobodys),
		TEST(test_longest_names),
		TEST(test_locked),
		TEST(test_no_directory),
		TEST(test_last),
		TEST(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
