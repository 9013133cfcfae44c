/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/settings.h"
#include "config/sluiced_config.h"
#include "config/sluiced_options.h"

/*
 * SOURCE_ROOT names the source tree. The tests run inside its tests/data/config, because messages
 * name files as they were given.
 */

#define EXAMPLE       "../../../config/sluiced.example.json"
#define FULL_HELP_MAX 16384

/* A command line made of literals; nobody writes into the words themselves. */
#define WORDS(...) ((char **)(const char *[]) { __VA_ARGS__, NULL })

/* Compares the message of one file below bad/ with the one line beside it. */
static void check_bad(const char *json_name)
{
	struct sluiced_config config;
	struct err err = { 0 };
	char txt_name[256];
	char expected[ERR_TEXT_MAX + 2] = "";
	FILE *txt;

	snprintf(txt_name, sizeof(txt_name), "%.*s.txt", (int)strlen(json_name) - 5, json_name);
	txt = fopen(txt_name, "r");
	if (txt == NULL)
		fail_msg("%s is missing", txt_name);
	assert_non_null(fgets(expected, sizeof(expected), txt));
	assert_int_equal(fgetc(txt), EOF);
	fclose(txt);
	expected[strcspn(expected, "\n")] = '\0';

	if (sluiced_config_load(&config, json_name, NULL, &err) == 0)
		fail_msg("%s was accepted", json_name);
	assert_string_equal(err.text, expected);
	assert_null(config.ports);
	assert_null(config.fdb_static);
}

static void test_bad_files(void **state)
{
	DIR *dir;
	struct dirent *entry;
	size_t n = 0;

	dir = opendir(".");
	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		const char *dot = strrchr(entry->d_name, '.');

		if (dot == NULL || strcmp(dot, ".json") != 0)
			continue;
		check_bad(entry->d_name);
		n++;
	}
	closedir(dir);
	assert_true(n >= 90);
}

static void check_defaults(const struct sluiced_config *config)
{
	assert_string_equal(config->control_socket, "/run/sluice/sluiced.sock");
	assert_int_equal(config->log_level, LOG_LEVEL_INFO);
	assert_int_equal(config->log_format, LOG_FORMAT_TEXT);
	assert_int_equal(config->spin_us, 50);
	assert_int_equal(config->n_workers, 1);
	assert_int_equal(config->worker_cpus[0], -1);
	assert_false(config->forward_reserved || config->telemetry);
	assert_int_equal(config->n_fdb_static, 0);
	assert_int_equal(config->fdb_size, 8192);
	assert_int_equal(config->fdb_ageing_s, 300);
	assert_int_equal(config->n_ports, 0);
}

static void test_defaults(void **state)
{
	struct sluiced_config config;
	struct err err = { 0 };

	assert_int_equal(sluiced_config_load(&config, NULL, NULL, &err), 0);
	check_defaults(&config);
	sluiced_config_free(&config);
	assert_int_equal(sluiced_config_decode(&config, "{}", 2, &err), 0);
	check_defaults(&config);
	sluiced_config_free(&config);
	sluiced_config_free(&config);
}

static void check_good_ports(const struct port_config *ports)
{
	static const struct mac mac = { { 0x02, 0xab, 0xcd, 0, 0, 0x01 } };

	assert_string_equal(ports[0].name, "uplink");
	assert_int_equal(ports[0].kind, PORT_KIND_PACKET);
	assert_string_equal(ports[0].interface, "eth0");
	assert_true(ports[0].offload_uso);
	assert_false(ports[0].promiscuous || ports[0].offload_csum);

	assert_string_equal(ports[1].name, "vm0");
	assert_int_equal(ports[1].kind, PORT_KIND_VHOST_USER);
	assert_string_equal(ports[1].socket, "/run/lab/vm0.sock");
	assert_true(mac_is_zero(&ports[1].mac));
	assert_int_equal(ports[1].mtu, 0);
	assert_true(ports[1].offload_csum && ports[1].offload_tso && ports[1].offload_uso);
	assert_true(ports[1].mergeable && ports[1].indirect && ports[1].event_idx);

	/* csum false takes the defaults of tso and uso along. */
	assert_memory_equal(&ports[2].mac, &mac, sizeof(mac));
	assert_int_equal(ports[2].mtu, 68);
	assert_false(ports[2].offload_csum || ports[2].offload_tso || ports[2].offload_uso);
	assert_false(ports[2].mergeable || ports[2].indirect || ports[2].event_idx);

	assert_string_equal(ports[4].interface, "enp1s0");
	assert_true(ports[4].promiscuous);
	assert_false(ports[4].offload_uso);

	assert_int_equal(ports[3].mtu, 65535);
	assert_true(ports[3].offload_csum && ports[3].offload_uso);
	assert_false(ports[3].offload_tso);
}

static unsigned count_vlans(const struct vlan_set *set)
{
	unsigned n = 0;

	for (unsigned vlan = 0; vlan < VLAN_N; vlan++)
		n += vlan_set_has(set, vlan);
	return n;
}

static void check_good_vlans(const struct port_config *ports)
{
	static const uint8_t access_workers[WORKERS_MAX] = { 3, 0, 3 };
	static const uint8_t trunk_workers[WORKERS_MAX] = { 1, 2 };

	assert_true(ports[0].vlan == 0 && !ports[0].has_trunks && ports[0].n_workers == 0);
	assert_true(ports[0].queues == 1 && !ports[1].client);

	assert_true(ports[5].client && ports[5].queues == 16 && ports[5].vlan == 4094);
	assert_true(!ports[5].has_trunks && ports[5].mac_limit == 1048576);
	assert_int_equal(ports[5].n_workers, 3);
	assert_memory_equal(ports[5].workers, access_workers, WORKERS_MAX);

	assert_int_equal(ports[6].kind, PORT_KIND_ETHDEV);
	assert_string_equal(ports[6].devargs, "net_af_packet0,iface=eth1");
	assert_true(ports[6].mtu == 9000 && ports[6].vlan == 1 && ports[6].has_trunks);
	assert_int_equal(count_vlans(&ports[6].trunks), 102);
	assert_true(vlan_set_has(&ports[6].trunks, 1) && vlan_set_has(&ports[6].trunks, 4094));
	assert_true(vlan_set_has(&ports[6].trunks, 100) && vlan_set_has(&ports[6].trunks, 199));
	assert_int_equal(ports[6].n_workers, 2);
	assert_memory_equal(ports[6].workers, trunk_workers, WORKERS_MAX);

	assert_int_equal(count_vlans(&ports[7].trunks), 1);
	assert_true(vlan_set_has(&ports[7].trunks, 64));
}

static void test_good_file(void **state)
{
	static const int32_t cpus[WORKERS_MAX] = { 1, -1, 4, 5 };
	struct sluiced_config config;
	struct err err = { 0 };

	assert_int_equal(sluiced_config_load(&config, "good.json", NULL, &err), 0);
	assert_string_equal(config.control_socket, "/run/lab/control.sock");
	assert_int_equal(config.log_level, LOG_LEVEL_DEBUG);
	assert_int_equal(config.log_format, LOG_FORMAT_JSON);
	assert_true(config.spin_us == SPIN_FOREVER);
	assert_int_equal(config.n_workers, 4);
	assert_memory_equal(config.worker_cpus, cpus, sizeof(cpus));
	assert_int_equal(config.fdb_size, 64);
	assert_int_equal(config.fdb_ageing_s, 1000000);
	assert_true(config.forward_reserved && config.telemetry);
	assert_int_equal(config.n_ports, 8);
	check_good_ports(config.ports);
	check_good_vlans(config.ports);
	assert_int_equal(config.n_fdb_static, 2);
	assert_string_equal(config.fdb_static[0].port, "uplink");
	assert_int_equal(config.fdb_static[0].vlan, 0);
	assert_int_equal(config.fdb_static[1].vlan, 4094);
	assert_int_equal(config.fdb_static[1].mac.byte[5], 0x11);
	sluiced_config_free(&config);
}

static void test_example_file(void **state)
{
	struct sluiced_config config;
	struct err err = { 0 };

	if (sluiced_config_load(&config, EXAMPLE, NULL, &err) < 0)
		fail_msg("%s", err.text);
	assert_true(config.n_ports >= 2);
	sluiced_config_free(&config);
}

static void test_unreadable_files(void **state)
{
	struct sluiced_config config;
	struct err err = { 0 };

	assert_int_equal(sluiced_config_load(&config, "/nonexistent.json", NULL, &err), -ENOENT);
	assert_string_equal(err.text, "/nonexistent.json: cannot open: No such file or directory");
	assert_int_equal(sluiced_config_load(&config, "/", NULL, &err), -EISDIR);
	assert_int_equal(sluiced_config_load(&config, "/dev/zero", NULL, &err), -EFBIG);
}

static void clear_environment(void)
{
	unsetenv("SLUICE_SPIN_US");
	unsetenv("SLUICE_LOG_LEVEL");
	unsetenv("SLUICE_WORKER_CPUS");
	unsetenv("RUNCVM_LOG_LEVEL");
}

static void test_precedence(void **state)
{
	char **words = WORDS("--spin-us", "7", "--worker-cpus=auto,5-6,auto");
	struct sluiced_config config;
	struct err err = { 0 };

	setenv("SLUICE_SPIN_US", "5", 1);
	setenv("SLUICE_WORKER_CPUS", "3,0,0,0", 1);
	setenv("SLUICE_LOG_LEVEL", "", 1); /* empty counts as unset */
	assert_int_equal(sluiced_config_load(&config, "good.json", NULL, &err), 0);
	assert_int_equal(config.spin_us, 5);
	assert_int_equal(config.n_workers, 4);
	assert_int_equal(config.worker_cpus[0], 3);
	assert_int_equal(config.worker_cpus[3], 0);
	assert_int_equal(config.log_level, LOG_LEVEL_DEBUG);
	sluiced_config_free(&config);

	assert_int_equal(sluiced_config_load(&config, "good.json", words, &err), 0);
	assert_int_equal(config.spin_us, 7);
	assert_int_equal(config.n_workers, 4);
	assert_int_equal(config.worker_cpus[0], -1);
	assert_int_equal(config.worker_cpus[2], 6);
	sluiced_config_free(&config);
	clear_environment();
}

static void test_foreign_log_level(void **state)
{
	struct sluiced_config config;
	struct err err = { 0 };

	setenv("RUNCVM_LOG_LEVEL", "ERROR", 1);
	assert_int_equal(sluiced_config_load(&config, NULL, NULL, &err), 0);
	assert_int_equal(config.log_level, LOG_LEVEL_ERROR);
	setenv("SLUICE_LOG_LEVEL", "warn", 1);
	assert_int_equal(sluiced_config_load(&config, NULL, NULL, &err), 0);
	assert_int_equal(config.log_level, LOG_LEVEL_WARN);
	unsetenv("SLUICE_LOG_LEVEL");
	setenv("RUNCVM_LOG_LEVEL", "LOUD", 1);
	assert_int_equal(sluiced_config_load(&config, NULL, NULL, &err), -EINVAL);
	assert_string_equal(
		err.text, "RUNCVM_LOG_LEVEL: \"LOUD\" is not ERROR, WARN, INFO, DEBUG or OFF");
	clear_environment();
}

static void test_environment_errors(void **state)
{
	struct sluiced_config config;
	struct err err = { 0 };

	setenv("SLUICE_SPIN_US", "1000001", 1);
	assert_int_equal(sluiced_config_load(&config, "good.json", NULL, &err), -ERANGE);
	assert_string_equal(
		err.text, "SLUICE_SPIN_US: 1000001 is out of range (0 to 1000000 or \"max\")");
	assert_null(config.ports);
	clear_environment();
}

static void test_argument_errors(void **state)
{
	static const struct {
		const char *words[3];
		const char *text;
	} rows[] = {
		{ { "--spin-uss", "5" }, "--spin-uss: unknown option (see --help)" },
		{ { "spin-us", "5" }, "spin-us: unknown option (see --help)" },
		{ { "--spin-us" }, "--spin-us: needs a value" },
		{ { "--spin-us=" }, "--spin-us: \"\" is not allowed (must be a number from 0 to "
				    "1000000 or \"max\")" },
		{ { "--spin-us", "-1" }, "--spin-us: \"-1\" is not allowed (must be a number "
					 "from 0 to 1000000 or \"max\")" },
		{ { "--spin-us", "0x10" }, "--spin-us: \"0x10\" is not allowed (must be a number "
					   "from 0 to 1000000 or \"max\")" },
		{ { "--spin-us", "99999999999999999999" },
			"--spin-us: \"99999999999999999999\" is not allowed (must be a number "
			"from 0 to 1000000 or \"max\")" },
		{ { "--worker-cpus=2-" },
			"--worker-cpus: \"2-\" is not allowed (must be a list of at most 16 "
			"numbers from 0 to 1023, ranges such as \"4-7\" or \"auto\")" },
		{ { "--control-socket=/\xff" },
			"--control-socket: \"/\xff\" is not allowed (must be an absolute path of "
			"at most 107 bytes)" },
		{ { "--fdb-static=[]" }, "--fdb-static=[]: unknown option (see --help)" },
		{ { "--ports=[]" }, "--ports=[]: unknown option (see --help)" },
		{ { "--" }, "--: unknown option (see --help)" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sluiced_config config;
		struct err err = { 0 };

		assert_true(sluiced_config_load(&config, NULL, (char **)rows[i].words, &err) < 0);
		assert_string_equal(err.text, rows[i].text);
	}
}

static void test_overridden_control_socket_is_checked(void **state)
{
	char **words = WORDS("--control-socket=/run/lab/vm0.sock");
	struct sluiced_config config;
	struct err err = { 0 };

	assert_int_equal(sluiced_config_load(&config, "good.json", words, &err), -EINVAL);
	assert_string_equal(err.text, "good.json: ports[1].socket: \"/run/lab/vm0.sock\" is the "
				      "control socket (must be unique)");
}

/* The parts of the engine that sluiced's own table does not use from text. */
struct sample {
	bool flag;
	uint16_t small;
	struct mac mac;
	char name[8];
};

static const struct setting sample_rows[] = {
	{ "flag", SETTING_BOOL, SETTING_FIELD(struct sample, flag), .help = "h" },
	{ "small", SETTING_U32, SETTING_FIELD(struct sample, small), .help = "h", .max = 65535,
		.preset = "9" },
	{ "mac", SETTING_MAC, SETTING_FIELD(struct sample, mac), .help = "h" },
	{ "name", SETTING_NAME, SETTING_FIELD(struct sample, name), .help = "h" },
};

static const struct settings sample_table = SETTINGS(sample_rows, NULL);

static void test_engine_text(void **state)
{
	char **on = WORDS("--flag", "--name", "abc");
	char **off = WORDS("--flag=false");
	struct sample sample = { 0 };
	struct err err = { 0 };

	settings_apply_defaults(&sample_table, 0, &sample);
	assert_int_equal(sample.small, 9);
	assert_int_equal(settings_from_args(&sample_table, on, &sample, &err), 0);
	assert_true(sample.flag);
	assert_string_equal(sample.name, "abc");
	assert_int_equal(settings_from_args(&sample_table, off, &sample, &err), 0);
	assert_false(sample.flag);
	assert_int_equal(settings_set(&sample_table, "small", "65535", &sample, &err), 0);
	assert_int_equal(sample.small, 65535);
	assert_int_equal(settings_set(&sample_table, "small", "65536", &sample, &err), -ERANGE);
	assert_int_equal(sample.small, 65535);
	assert_int_equal(settings_set(&sample_table, "mac", "02:00:00:00:00:05", &sample, &err), 0);
	assert_int_equal(sample.mac.byte[5], 5);
	assert_int_equal(settings_set(&sample_table, "name", "12345678", &sample, &err), -EINVAL);
	assert_string_equal(sample.name, "abc");
	assert_int_equal(settings_set(&sample_table, "names", "x", &sample, &err), -EINVAL);
	assert_string_equal(err.text, "names: unknown key (did you mean \"name\"?)");
	assert_int_equal(settings_set(&sample_table, "flag", "yes", &sample, &err), -EINVAL);
	assert_string_equal(err.text, "flag: \"yes\" is not allowed (must be true or false)");
}

static void test_help_names_everything(void **state)
{
	static const char *const words[] = { "--config", "--check", "--control-socket",
		"--log-level", "--log-format", "--spin-us", "--worker-cpus", "--fdb-size",
		"--fdb-ageing", "SLUICE_FDB_AGEING", "\n  interface NAME\n", "\n  socket PATH\n",
		"\n  event-idx\n", "default 50", "\n  fdb-static\n", "--telemetry",
		"--forward-reserved", "SLUICE_WORKER_CPUS", "\n  client\n", "\n  devargs ",
		"\n  trunks ", "\n  mac-limit ", "\n  workers " };
	char *text = calloc(1, FULL_HELP_MAX);
	FILE *out = fmemopen(text, FULL_HELP_MAX, "w");

	sluiced_options_print_help(out);
	fclose(out);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strstr(text, words[i]) == NULL)
			fail_msg("--help lacks %s", words[i]);
	}
	free(text);
}

static void test_options(void **state)
{
	char **argv = WORDS("sluiced", "--spin-us", "0", "-c", "/a.json", "--fdb-size=64");
	char **check = WORDS("sluiced", "--check=/b.json");
	char **none = WORDS("sluiced");
	char **help = WORDS("sluiced", "--check", "/b.json", "-h");
	struct sluiced_options opts;

	assert_int_equal(sluiced_options_parse(6, argv, &opts, NULL), 0);
	assert_int_equal(opts.action, SLUICED_RUN);
	assert_string_equal(opts.config_path, "/a.json");
	assert_string_equal(opts.settings[0], "--spin-us");
	assert_string_equal(opts.settings[1], "0");
	assert_string_equal(opts.settings[2], "--fdb-size=64");
	assert_null(opts.settings[3]);

	assert_int_equal(sluiced_options_parse(2, check, &opts, NULL), 0);
	assert_int_equal(opts.action, SLUICED_CHECK);
	assert_string_equal(opts.config_path, "/b.json");
	assert_null(opts.settings[0]);

	assert_int_equal(sluiced_options_parse(1, none, &opts, NULL), 0);
	assert_string_equal(opts.config_path, SLUICED_CONFIG_PATH);
	assert_int_equal(sluiced_options_parse(4, help, &opts, NULL), 0);
	assert_int_equal(opts.action, SLUICED_HELP);
}

static void test_option_errors(void **state)
{
	char **no_file = WORDS("sluiced", "--config");
	char **with_value = WORDS("sluiced", "--help=x");
	struct sluiced_options opts;
	struct err err = { 0 };

	assert_int_equal(sluiced_options_parse(2, no_file, &opts, &err), -EINVAL);
	assert_string_equal(err.text, "--config: needs a FILE");
	assert_int_equal(sluiced_options_parse(2, with_value, &opts, &err), -EINVAL);
	assert_string_equal(err.text, "--help: takes no value");
}

static int enter_data_directory(void **state)
{
	const char *root = getenv("SOURCE_ROOT");

	return root != NULL && chdir(root) == 0 ? chdir("tests/data/config") : -1;
}

static int enter_bad_directory(void **state)
{
	return chdir("bad");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_bad_files, enter_bad_directory, enter_data_directory),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_good_file),
		cmocka_unit_test(test_example_file),
		cmocka_unit_test(test_unreadable_files),
		cmocka_unit_test(test_precedence),
		cmocka_unit_test(test_foreign_log_level),
		cmocka_unit_test(test_environment_errors),
		cmocka_unit_test(test_argument_errors),
		cmocka_unit_test(test_overridden_control_socket_is_checked),
		cmocka_unit_test(test_engine_text),
		cmocka_unit_test(test_help_names_everything),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_option_errors),
	};

	clear_environment();
	return cmocka_run_group_tests(tests, enter_data_directory, NULL);
}
