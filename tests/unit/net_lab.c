/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/net_lab.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "launcher/pod/pod_network_json.h"

#define POD_MAC   "02:00:00:00:aa:02"
#define GUEST_MAC "02:00:00:00:aa:99"

#define PATIENCE_S 60

static int open_ns(void)
{
	int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static int new_ns(void)
{
	if (unshare(CLONE_NEWNET) < 0)
		fail_msg("unshare: %s (tests need root)", strerror(errno));
	return open_ns();
}

void net_lab_enter(int ns)
{
	assert_int_equal(setns(ns, CLONE_NEWNET), 0);
}

void net_lab_run(int ns, const char *commands)
{
	char script[4096];
	int here = open_ns();

	assert_true(snprintf(script, sizeof(script), "set -e; %s", commands) < (int)sizeof(script));
	net_lab_enter(ns);
	if (system(script) != 0)
		fail_msg("failed: %s", commands);
	net_lab_enter(here);
	close(here);
}

/* A veth pair between the node and a namespace. */
static void connect_to(
	const struct net_lab *lab, int ns, const char *near, const char *far, const char *mac)
{
	char commands[512];

	snprintf(commands, sizeof(commands),
		"ip link add %s mtu 9000 type veth peer name %s address %s mtu 1500;"
		"ip link set %s addrgenmode none up; ip link set %s netns /proc/%d/fd/%d",
		near, far, mac, near, far, (int)getpid(), ns);
	net_lab_run(lab->node, commands);
}

struct net_lab net_lab_create(void)
{
	struct net_lab lab = { .start = open_ns(), .pod = -1 };

	lab.guest = new_ns();
	lab.node = new_ns();
	connect_to(&lab, lab.guest, "guest0", "ens3", GUEST_MAC);
	return lab;
}

void net_lab_destroy(struct net_lab *lab)
{
	net_lab_enter(lab->start);
	if (lab->pod >= 0)
		close(lab->pod);
	close(lab->node);
	close(lab->guest);
	close(lab->start);
}

void net_lab_new_pod(struct net_lab *lab, const char *commands)
{
	if (lab->pod >= 0) {
		net_lab_run(lab->node, "ip link del pod0");
		close(lab->pod);
	}
	lab->pod = new_ns();
	net_lab_enter(lab->node);
	connect_to(lab, lab->pod, "pod0", "eth0", POD_MAC);
	net_lab_run(lab->pod, "ip link set lo up; ip link set eth0 up");
	net_lab_run(lab->pod, commands);
}

struct pod_network net_lab_inspect(int ns)
{
	struct pod_network net;
	struct err err = { "" };
	int here = open_ns();

	net_lab_enter(ns);
	if (pod_network_read(&net, &err) < 0)
		fail_msg("%s", err.text);
	net_lab_enter(here);
	close(here);
	(void)pod_network_choose(&net, "eth0", NULL);
	return net;
}

/* --- comparing ------------------------------------------------------------------------------- */

/* Lines, one for each thing that is to be the same. */
struct lines {
	char *line[1024];
	size_t n;
};

static void add_line(struct lines *lines, const char *kind, const json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);

	assert_non_null(text);
	assert_true(lines->n < sizeof(lines->line) / sizeof(lines->line[0]));
	assert_true(asprintf(&lines->line[lines->n++], "%s %s", kind, text) > 0);
	free(text);
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Without flags and lifetimes; link-local ones are each kernel's own. */
static void add_addresses(struct lines *lines, json_t *interface)
{
	static const char *const keys[] = { "family", "local", "prefixlen", "scope", "address",
		"broadcast" };
	json_t *array = json_object_get(interface, "addresses"), *addr;
	size_t i;

	json_array_foreach (array, i, addr) {
		json_t *plain = json_object();

		for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++)
			json_object_set(plain, keys[k], json_object_get(addr, keys[k]));
		if (strncmp(json_string_value(json_object_get(addr, "local")), "fe80:", 5) != 0)
			add_line(lines, "address", plain);
		json_decref(plain);
	}
}

static void add_interface(struct lines *lines, json_t *interfaces)
{
	json_t *interface;
	size_t i;

	json_array_foreach (interfaces, i, interface) {
		if (strcmp(json_string_value(json_object_get(interface, "ifname")), "eth0") != 0)
			continue;
		add_line(lines, "mtu", json_object_get(interface, "mtu"));
		add_line(lines, "mac", json_object_get(interface, "address"));
		add_line(lines, "flags", json_object_get(interface, "flags"));
		add_addresses(lines, interface);
	}
}

static void add_all(struct lines *lines, const char *kind, json_t *array)
{
	json_t *entry;
	size_t i;

	json_array_foreach (array, i, entry)
		add_line(lines, kind, entry);
}

static void add_neighbours(struct lines *lines, json_t *array)
{
	json_t *entry, *want = json_pack("[s]", "PERMANENT");
	size_t i;

	json_array_foreach (array, i, entry)
		if (json_equal(json_object_get(entry, "state"), want))
			add_line(lines, "neighbour", entry);
	json_decref(want);
}

static struct lines lines_of(int ns)
{
	struct pod_network net = net_lab_inspect(ns);
	json_t *json = pod_network_encode(&net);
	struct lines lines = { .n = 0 };

	assert_non_null(json);
	add_interface(&lines, json_object_get(json, "interfaces"));
	add_all(&lines, "route", json_object_get(json, "routes"));
	add_all(&lines, "rule", json_object_get(json, "rules"));
	add_neighbours(&lines, json_object_get(json, "neighbours"));
	qsort(lines.line, lines.n, sizeof(lines.line[0]), compare);
	json_decref(json);
	pod_network_free(&net);
	return lines;
}

static bool is_same(const struct lines *a, const struct lines *b)
{
	for (size_t i = 0; i < a->n && a->n == b->n; i++)
		if (strcmp(a->line[i], b->line[i]) != 0)
			return false;
	return a->n == b->n;
}

static void print_lines(const char *who, const struct lines *lines)
{
	for (size_t i = 0; i < lines->n; i++)
		print_error("%s: %s\n", who, lines->line[i]);
}

static void free_lines(struct lines *lines)
{
	while (lines->n > 0)
		free(lines->line[--lines->n]);
}

void net_lab_assert_same(const struct net_lab *lab, const char *what)
{
	time_t deadline = time(NULL) + PATIENCE_S;
	bool same = false;

	while (!same) {
		struct lines pod = lines_of(lab->pod), guest = lines_of(lab->guest);
		bool over = time(NULL) > deadline;

		same = is_same(&pod, &guest);
		if (!same && over) {
			print_lines("pod", &pod);
			print_lines("guest", &guest);
		}
		free_lines(&pod);
		free_lines(&guest);
		if (!same && over)
			fail_msg("%s: the guest's network is not the pod's", what);
		if (!same)
			usleep(10000);
	}
}
