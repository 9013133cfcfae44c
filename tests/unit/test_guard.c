/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#include "launcher/pod/guard.h"
#include "launcher/pod/guard_check.h"
#include "launcher/pod/guard_holder.h"
#include "launcher/pod/guard_show.h"

#define PATIENCE_MS 30000

/* The guard in this machine's kernel, in a network namespace of the test's own; on its loopback. */

static struct guard_plan plan_for(enum guard_mode mode)
{
	return (struct guard_plan) { .interface = "lo", .mode = mode };
}

static bool table_exists(void)
{
	struct guard_holder holder;
	struct err err = { "" };

	if (guard_find_holder(&holder, &err) < 0)
		fail_msg("%s", err.text);
	return holder.exists;
}

static struct guard *hold(const struct guard_plan *plan, bool plain)
{
	struct guard *guard = NULL;
	struct err err = { "" };

	if (guard_hold(plan, plain, &guard, &err) < 0)
		fail_msg("%s", err.text);
	return guard;
}

static int setup_namespace(void **state)
{
	if (unshare(CLONE_NEWNET) < 0)
		fail_msg("unshare: %s (tests need root)", strerror(errno));
	assert_int_equal(system("ip link set lo up"), 0);
	return 0;
}

static void test_held_and_released(void **state)
{
	struct guard_plan plan = plan_for(GUARD_EXCLUSIVE);
	struct guard *guard = hold(&plan, false);
	struct guard_holder holder;

	assert_true(guard_is_owned(guard));
	assert_int_equal(guard_find_holder(&holder, NULL), 0);
	assert_true(holder.exists && holder.owned);
	assert_int_equal(holder.pid, getpid());
	assert_string_equal(holder.program, "test_guard");
	guard_release(guard);
	assert_false(table_exists());
}

/* --- the end of a holder --------------------------------------------------------------------- */

/* Holds a guard, starts a program that lives on, says so, and is killed where it stands. */
static void run_holder(bool plain, int ready)
{
	struct guard_plan plan = plan_for(GUARD_EXCLUSIVE);
	struct guard *guard;
	pid_t child;

	if (guard_hold(&plan, plain, &guard, NULL) < 0)
		_exit(1);
	child = fork();
	if (child == 0) {
		execlp("sleep", "sleep", "60", NULL);
		_exit(1);
	}
	(void)!write(ready, &child, sizeof(child));
	pause();
	_exit(1);
}

/* The child has called execve(2): its own name is gone from there. */
static void wait_for_exec(pid_t child)
{
	char path[64], name[16] = "";

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)child);
	while (strcmp(name, "sleep\n") != 0) {
		FILE *file = fopen(path, "re");

		assert_non_null(file);
		assert_non_null(fgets(name, sizeof(name), file));
		fclose(file);
	}
}

/* Returns the child of a holder that was killed; it is alive. */
static pid_t kill_holder(bool plain)
{
	pid_t holder, child = 0;
	int ready[2], status;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	holder = fork();
	if (holder == 0)
		run_holder(plain, ready[1]);
	close(ready[1]);
	assert_int_equal(read(ready[0], &child, sizeof(child)), sizeof(child));
	close(ready[0]);
	wait_for_exec(child);
	assert_true(table_exists());
	assert_int_equal(kill(holder, SIGKILL), 0);
	assert_int_equal(waitpid(holder, &status, 0), holder);
	assert_int_equal(kill(child, 0), 0);
	return child;
}

static void test_killed_with_living_child(void **state)
{
	pid_t child = kill_holder(false);

	assert_false(table_exists());
	kill(child, SIGKILL);
}

/* A plain table, as old kernels have it, stays behind; the next holder replaces it, or off does. */
static void test_plain_is_replaced(void **state)
{
	struct guard_plan plan = plan_for(GUARD_EXCLUSIVE);
	struct guard_plan off = plan_for(GUARD_OFF);
	struct guard_holder holder;
	struct guard *guard;

	kill(kill_holder(true), SIGKILL);
	assert_int_equal(guard_find_holder(&holder, NULL), 0);
	assert_true(holder.exists && !holder.owned);
	guard = hold(&plan, true);
	assert_false(guard_is_owned(guard));
	assert_true(table_exists());
	guard_release(guard);
	assert_false(table_exists());

	kill(kill_holder(true), SIGKILL);
	guard = hold(&plan, false);
	assert_true(guard_is_owned(guard));
	guard_release(guard);
	assert_false(table_exists());

	kill(kill_holder(true), SIGKILL);
	guard = hold(&off, false);
	assert_false(table_exists());
	guard_release(guard);
}

static void test_second_holder(void **state)
{
	struct guard_plan plan = plan_for(GUARD_EXCLUSIVE);
	struct guard *first = hold(&plan, false), *second = NULL;
	struct err err = { "" };

	assert_int_equal(guard_hold(&plan, false, &second, &err), -EIO);
	assert_string_equal(err.text, "cannot guard lo: nftables: Could not process rule: "
				      "Operation not permitted");
	assert_true(table_exists());
	guard_release(first);
}

/* --- changes --------------------------------------------------------------------------------- */

/* An echo request to ourselves. The loopback may deliver it later, where the kernel is busy. */
static void send_packet(void)
{
	static const uint8_t echo_request[8] = { 8, 0, 0xf7, 0xff };
	const struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);

	assert_true(fd >= 0);
	assert_int_equal(sendto(fd, echo_request, sizeof(echo_request), 0,
				 (const struct sockaddr *)&to, sizeof(to)),
		sizeof(echo_request));
	close(fd);
}

static json_int_t n_packets(const char *counter)
{
	struct err err = { "" };
	json_t *shown;
	json_int_t n;

	if (guard_show_json(&shown, &err) < 0)
		fail_msg("%s", err.text);
	n = json_integer_value(json_object_get(
		json_object_get(json_object_get(shown, "counters"), counter), "packets"));
	json_decref(shown);
	return n;
}

static void await_packets(const char *counter, json_int_t n)
{
	for (int ms = 0; ms < PATIENCE_MS && n_packets(counter) < n; ms += 10)
		usleep(10000);
	if (n_packets(counter) != n)
		fail_msg("%s has %d packets, not %d", counter, (int)n_packets(counter), (int)n);
}

static bool has_rule(const char *rule)
{
	char *text = NULL;
	bool found;

	assert_int_equal(guard_show_text(&text, NULL), 0);
	found = strstr(text, rule) != NULL;
	free(text);
	return found;
}

static void check_update(bool plain)
{
	struct guard_plan plan = plan_for(GUARD_EXCLUSIVE);
	struct guard *guard = hold(&plan, plain);
	struct err err = { "" };

	send_packet();
	await_packets("guest", 1);
	assert_false(has_rule("tcp dport"));

	plan.mode = GUARD_SHARED;
	assert_int_equal(l4_ports_parse("tcp/80,tcp/90-95", &plan.kernel_ports, NULL), 0);
	if (guard_update(guard, &plan, &err) < 0)
		fail_msg("%s", err.text);
	assert_true(has_rule("tcp dport { 80, 90-95 } accept"));
	assert_int_equal(n_packets("guest"), 1); /* they go on */
	send_packet();
	await_packets("echo_request", 1);
	assert_int_equal(n_packets("guest"), 1);

	plan.mode = GUARD_EXCLUSIVE;
	assert_int_equal(guard_update(guard, &plan, &err), 0);
	assert_false(has_rule("tcp dport"));
	guard_release(guard);
}

static void test_update(void **state)
{
	check_update(false);
	check_update(true);
}

/* As kernels before 6.16 leave it behind an interface that was deleted. */
static void test_update_without_chain(void **state)
{
	struct guard_plan plan = plan_for(GUARD_EXCLUSIVE);
	struct guard *guard = hold(&plan, true);
	struct err err = { "" };

	assert_int_equal(system("nft flush chain netdev sluice_guard uplink && "
				"nft delete chain netdev sluice_guard uplink"),
		0);
	assert_false(has_rule("chain uplink"));
	if (guard_update(guard, &plan, &err) < 0)
		fail_msg("%s", err.text);
	assert_true(has_rule("chain uplink"));
	assert_true(has_rule("counter name \"guest\" drop"));
	guard_release(guard);
}

static void test_refusals(void **state)
{
	struct guard_plan plan = plan_for(GUARD_EXCLUSIVE);
	struct guard_interface found;
	struct guard *guard = NULL;
	struct err err = { "" };

	strcpy(plan.interface, "lo\"");
	assert_int_equal(guard_hold(&plan, false, &guard, &err), -EINVAL);
	assert_string_equal(err.text, "\"lo\"\" is no name of an interface to guard");
	strcpy(plan.interface, "nothing");
	assert_int_equal(guard_hold(&plan, false, &guard, &err), -ENODEV);
	assert_string_equal(err.text, "there is no interface \"nothing\"");
	assert_false(table_exists());
	assert_int_equal(guard_look_at_interface("nothing", &found, &err), -ENODEV);
	assert_string_equal(err.text, "there is no interface \"nothing\"");
}

static void make_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	close(fd);
}

/* As the machine's own network namespace shows itself, and one whose sysctls are hidden. */
static void test_initial_namespace(void **state)
{
	char root[] = "/tmp/test_guard.XXXXXX", command[128], path[128];

	assert_non_null(mkdtemp(root));
	assert_int_equal(guard_namespace_is_initial(root), -ENOENT);
	snprintf(command, sizeof(command), "mkdir -p %s/sys/net/core", root);
	assert_int_equal(system(command), 0);
	assert_int_equal(guard_namespace_is_initial(root), -ENOENT);
	snprintf(path, sizeof(path), "%s/sys/net/core/somaxconn", root);
	make_file(path);
	assert_int_equal(guard_namespace_is_initial(root), 0);
	snprintf(path, sizeof(path), "%s/sys/net/core/netdev_max_backlog", root);
	make_file(path);
	assert_int_equal(guard_namespace_is_initial(root), 1);
	snprintf(command, sizeof(command), "rm -r %s", root);
	assert_int_equal(system(command), 0);
}

static void test_namespace(void **state)
{
	assert_int_equal(guard_namespace_is_initial("/proc"), 0);
	assert_int_equal(guard_namespace_is_initial("/nothing"), -ENOENT);
	assert_int_equal(guard_check_namespace(NULL), 0);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void test_ephemeral_ports(void **state)
{
	static const char path[] = "/proc/sys/net/ipv4/ip_local_port_range";
	struct err err = { "" };

	assert_int_equal(guard_check_ephemeral_ports(&err), -EINVAL);
	assert_string_equal(err.text,
		"the pod's kernel takes ports 32768 to 60999 for its own connections, which are "
		"the guest's in shared mode: set the pod's safe sysctl "
		"net.ipv4.ip_local_port_range to \"61000 65535\"");
	write_file(path, "60999 65535");
	assert_int_equal(guard_check_ephemeral_ports(&err), -EINVAL);
	write_file(path, "61000 65535");
	assert_int_equal(guard_check_ephemeral_ports(&err), 0);
	write_file(path, "62000 63000");
	assert_int_equal(guard_check_ephemeral_ports(&err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_held_and_released, setup_namespace),
		cmocka_unit_test_setup(test_killed_with_living_child, setup_namespace),
		cmocka_unit_test_setup(test_plain_is_replaced, setup_namespace),
		cmocka_unit_test_setup(test_second_holder, setup_namespace),
		cmocka_unit_test_setup(test_update, setup_namespace),
		cmocka_unit_test_setup(test_update_without_chain, setup_namespace),
		cmocka_unit_test_setup(test_refusals, setup_namespace),
		cmocka_unit_test(test_initial_namespace),
		cmocka_unit_test_setup(test_namespace, setup_namespace),
		cmocka_unit_test_setup(test_ephemeral_ports, setup_namespace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
