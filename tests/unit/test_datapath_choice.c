/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "launcher/pod/pod_network.h"
#include "launcher/run/datapath_choice.h"

/* As a command line says it. */
static struct vm_settings load(const char *const *words)
{
	char *list[4] = { (char *)"--datapath=tap" };
	struct vm_settings s;
	struct err err = { "" };

	for (size_t i = 0; words[i] != NULL; i++)
		list[i + 1] = (char *)words[i];
	if (vm_settings_load(&(struct vm_sources) { .words = list }, &s, &err) < 0)
		fail_msg("%s", err.text);
	return s;
}

static const struct volumes no_volumes;

static void test_refused(void **state)
{
	static const struct {
		const char *word, *first, *instead;
	} cases[] = {
		{ "--mac-mode=substitute", "mac-mode: substitute", "set mac-mode to adopt" },
		{ "--guard=off", "guard: off", "set guard to exclusive" },
		{ "--guard=shared", "guard: shared", "set guard to exclusive" },
		{ "--outside-guard=true", "outside-guard", "leave it out" },
		{ "--kernel-ports=tcp/80", "kernel-ports", "leave it out" },
		{ "--switch-socket=/run/x", "switch-socket", "leave it out" },
		{ "--host-port=true", "host-port", "leave it out" },
		{ "--root=nfs", "root: nfs", "set root to auto" },
	};
	char expected[ERR_TEXT_MAX];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *const with[] = { cases[i].word, NULL };
		const char *const without[] = { cases[i].word, "--datapath=vhost-user", NULL };
		struct vm_settings s = load(with), plain = load(without);
		struct err err = { "" };

		assert_int_equal(datapath_check(&s, &no_volumes, &err), -ENOTSUP);
		snprintf(expected, sizeof(expected),
			"%s takes the switch, which datapath tap goes without: %s, or set datapath "
			"to vhost-user",
			cases[i].first, cases[i].instead);
		assert_string_equal(err.text, expected);
		assert_int_equal(datapath_check(&plain, &no_volumes, NULL), 0);
	}
}

static void test_taken(void **state)
{
	static const char *const words[] = { "--shared-ports=8080", "--forward-ports=on", NULL };
	static const char *const none[] = { NULL };
	struct vm_settings s = load(none);

	assert_true(datapath_is_tap(&s));
	assert_int_equal(datapath_check(&s, &no_volumes, NULL), 0);
	s = load(words);
	assert_int_equal(datapath_check(&s, &no_volumes, NULL), 0);
	s.datapath = VM_DATAPATH_VHOST_USER;
	assert_false(datapath_is_tap(&s));
}

static void test_volumes(void **state)
{
	static const char *const none[] = { NULL };
	struct vm_settings s = load(none);
	struct volumes volumes = { 0 };
	struct err err = { "" };

	assert_int_equal(volumes_add(&volumes, "/srv/a:/a", false, &err), 0);
	assert_int_equal(volumes_add(&volumes, "/b:size=1m", true, &err), 0);
	assert_int_equal(volumes_add(&volumes, "/srv/c:/c:nfs,optional", false, &err), 0);
	assert_int_equal(datapath_check(&s, &volumes, &err), 0);
	assert_int_equal(volumes_add(&volumes, "/srv/d:/d:nfs", false, &err), 0);
	assert_int_equal(datapath_check(&s, &volumes, &err), -ENOTSUP);
	assert_string_equal(err.text,
		"volume /srv/d:/d: NFS takes the switch, which datapath tap goes without: give it "
		"by virtio-fs (/srv/d:/d), or set datapath to vhost-user");
	volumes_free(&volumes);
}

static void test_pod(void **state)
{
	static const char *const none[] = { NULL };
	static const char *const direct[] = { "--dns=direct", NULL };
	struct vm_settings s = load(none);
	struct pod_interface eth0 = {
		.ifindex = 2, .name = "eth0", .mac = { { 2, 0, 0, 0, 0, 1 } }
	};
	struct pod_network net = { .interfaces = &eth0, .n_interfaces = 1, .pod_ifindex = 2 };
	struct resolv_conf *conf = &net.resolv_conf;
	struct err err = { "" };

	assert_int_equal(datapath_check_pod(&s, &net, &err), 0);
	conf->n_nameservers = 1;
	assert_int_equal(ip_addr_parse("10.0.0.1", &conf->nameservers[0].addr), 0);
	assert_int_equal(datapath_check_pod(&s, &net, &err), 0);
	assert_int_equal(ip_addr_parse("127.0.0.53", &conf->nameservers[0].addr), 0);
	assert_int_equal(datapath_check_pod(&s, &net, &err), -ENOTSUP);
	assert_non_null(strstr(err.text, "set dns to direct"));
	s = load(direct);
	assert_int_equal(datapath_check_pod(&s, &net, NULL), 0);
	/* As netkit's. */
	eth0.mac = (struct mac) { { 0 } };
	assert_int_equal(datapath_check_pod(&s, &net, &err), -ENOTSUP);
	assert_non_null(strstr(err.text, "eth0 has no MAC address"));
	s.datapath = VM_DATAPATH_VHOST_USER;
	assert_int_equal(datapath_check_pod(&s, &net, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_taken),
		cmocka_unit_test(test_volumes),
		cmocka_unit_test(test_pod),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
