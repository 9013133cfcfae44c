/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <unistd.h>

#include "cli_lab.h"

/* What sluicectl changes and follows, and what it refuses to send. See cli_lab.h. */

/* What follows the answer to `events`. */
#define EVENT "{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":"
static const char event_lines[] = EVENT
	"{\"time\":\"2026-01-01T00:00:00.123Z\",\"event\":\"guest-connected\","
	"\"port\":\"vm0\",\"detail\":\"by pid 7\"}}\n"
	"{\"jsonrpc\":\"2.0\",\"method\":\"weather\"}\n" EVENT
	"{\"time\":\"2026-01-01T00:00:01.000Z\",\"event\":\"link-down\",\"port\":\"up\"}}\n" EVENT
	"{\"event\":\"events-lost\",\"count\":3}}\n";

static const struct cli_answer answers[] = {
	{ "port.add",
		"{\"name\":\"7\",\"kind\":\"vhost-user\",\"socket\":\"/a=b\",\"mtu\":9000,"
		"\"client\":true,\"trunks\":\"100-199,5\",\"workers\":\"0,1\"}",
		"[{\"ifname\":\"7\"}]" },
	{ "port.add", "{\"name\":\"up\",\"kind\":\"packet\",\"interfac\":\"eth0\"}", NULL,
		"interfac: unknown key (did you mean \"interface\"?)" },
	{ "port.del", "{\"name\":\"vm0\"}", "[]" },
	{ "port.del", "{\"name\":\"vm9\"}", NULL, "there is no port \"vm9\"" },
	{ "port.set", "{\"name\":\"vm0\",\"vlan\":null,\"mac-limit\":4,\"tso\":false}", "[]" },
	{ "fdb.add", "{\"mac\":\"02:00:00:00:00:01\",\"port\":\"vm0\"}", "[]" },
	{ "fdb.add", "{\"mac\":\"02:00:00:00:00:01\",\"port\":\"vm0\",\"vlan\":7}", "[]" },
	{ "fdb.del", "{\"mac\":\"02:00:00:00:00:01\"}", "[]" },
	{ "fdb.del", "{\"mac\":\"02:00:00:00:00:01\",\"vlan\":7}", "[]" },
	{ "fdb.flush", "{}", "[]" },
	{ "fdb.flush", "{\"port\":\"vm0\"}", "[]" },
	{ "worker.assign", "{\"port\":\"vm0\",\"queue\":1,\"worker\":2}", "[]" },
	{ "log.set", "{\"level\":\"debug\"}", "[]" },
	{ "log.show", "{}", "[{\"level\":\"info\",\"format\":\"text\"}]" },
	{ "config.show", "{}", "[{\"spin-us\":50,\"ports\":[{\"name\":\"vm0\"}]}]" },
	{ "config.check", "{\"text\":\"{ \\\"spin-us\\\": 0 }\\n\"}",
		"[{\"good\":true,\"changes\":[{\"what\":\"port-added\",\"name\":\"vm1\"},"
		"{\"what\":\"spin-us\"}]}]" },
	{ "config.check", "{\"text\":\"{ \\\"spin\\\": 0 }\\n\"}", NULL, "spin: unknown key" },
	{ "config.reload", "{}", "[{\"good\":true,\"changes\":[]}]" },
	{ "events", "{}", "[]", .more = event_lines },
};

/* The name is text whatever it looks like, the keys have the types that the file gives them. */
static void test_port_changes(void **state)
{
	cli_check(run("port", "add", "7", "kind=vhost-user", "socket=/a=b", "mtu=9000",
			  "client=true", "trunks=100-199,5", "workers=0,1"),
		0, "port 7 added\n", "");
	cli_check(run("port", "add", "up", "kind=packet", "interfac=eth0"), 1, "",
		"sluicectl: port add: interfac: unknown key (did you mean \"interface\"?)\n");
	cli_check(run("port", "del", "vm0"), 0, "port vm0 removed\n", "");
	cli_check(run("port", "del", "vm9"), 1, "",
		"sluicectl: port del: there is no port \"vm9\": \"sluicectl port list\" shows the "
		"names there are\n");
	cli_check(run("port", "set", "vm0", "vlan=none", "mac-limit=4", "tso=false"), 0,
		"port vm0 changed\n", "");
	cli_check(run("--json", "port", "del", "vm0"), 0, "[]\n", "");
}

static void test_fdb_changes(void **state)
{
	cli_check(run("fdb", "add", "02:00:00:00:00:01", "vm0"), 0,
		"02:00:00:00:00:01 is always at port vm0\n", "");
	cli_check(run("fdb", "add", "vlan=7", "02:00:00:00:00:01", "vm0"), 0,
		"02:00:00:00:00:01 is always at port vm0 in VLAN 7\n", "");
	cli_check(run("fdb", "del", "02:00:00:00:00:01"), 0, "02:00:00:00:00:01 forgotten\n", "");
	cli_check(run("fdb", "del", "02:00:00:00:00:01", "vlan=7"), 0,
		"02:00:00:00:00:01 forgotten in VLAN 7\n", "");
	cli_check(run("fdb", "flush"), 0, "what was learned is forgotten\n", "");
	cli_check(run("fdb", "flush", "vm0"), 0, "what was learned at port vm0 is forgotten\n", "");
}

static void test_worker_and_log(void **state)
{
	cli_check(run("worker", "assign", "vm0", "1", "2"), 0,
		"queue 1 of port vm0 is polled by worker 2\n", "");
	cli_check(run("log", "set", "debug"), 0, "log level is debug\n", "");
	cli_check(run("log", "show"), 0, "level: info\nformat: text\n", "");
}

static void write_file(char path[128], const char *text)
{
	FILE *file;

	snprintf(path, 128, "%s/config.json", cli_lab_directory());
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static void test_config(void **state)
{
	char path[128];
	char message[256];

	cli_check(run("config", "show"), 0,
		"{\n  \"spin-us\": 50,\n  \"ports\": [\n    {\n      \"name\": \"vm0\"\n    }\n  "
		"]\n}\n",
		"");
	cli_check(run("config", "reload"), 0, "no changes\n", "");
	write_file(path, "{ \"spin-us\": 0 }\n");
	cli_check(run("config", "check", path), 0, "port-added vm1\nspin-us\n", "");
	write_file(path, "{ \"spin\": 0 }\n");
	cli_check(run("config", "check", path), 1, "",
		"sluicectl: config check: spin: unknown key\n");
	write_file(path, "\xff");
	snprintf(message, sizeof(message), "sluicectl: config check: %s: is not UTF-8\n", path);
	cli_check(run("config", "check", path), 1, "", message);
	unlink(path);
	snprintf(message, sizeof(message),
		"sluicectl: config check: %s: cannot open: No such file or directory\n", path);
	cli_check(run("config", "check", path), 1, "", message);
	cli_check(run("config", "check", "/dev/zero"), 1, "",
		"sluicectl: config check: /dev/zero: longer than 1048576 bytes\n");
}

static void test_events(void **state)
{
	static const char end[] =
		"sluicectl: events: the connection was closed: see the log of sluiced\n";

	cli_check(run("events"), 1,
		"2026-01-01T00:00:00.123Z  guest-connected  vm0  by pid 7\n"
		"2026-01-01T00:00:01.000Z  link-down  up\n"
		"-                         events-lost  -  3\n",
		end);
	cli_check(run("events", "-j"), 1,
		"{\"time\":\"2026-01-01T00:00:00.123Z\",\"event\":\"guest-connected\",\"port\":"
		"\"vm0\",\"detail\":\"by pid 7\"}\n"
		"{\"time\":\"2026-01-01T00:00:01.000Z\",\"event\":\"link-down\",\"port\":\"up\"}\n"
		"{\"event\":\"events-lost\",\"count\":3}\n",
		end);
}

static const struct {
	const char *words[6];
	const char *text;
} usage_errors[] = {
	{ { "port" }, "port: incomplete command: use one of list, show, stats, add, del, set" },
	{ { "port", "lst" },
		"port lst: unknown command: use one of list, show, stats, add, del, set" },
	{ { "ports" }, "ports: unknown command: use one of port, fdb, neighbour, binding, worker, "
		       "config, log, "
		       "events, version (see --help)" },
	{ { "-j" }, "no command given: use one of port, fdb, neighbour, binding, worker, config, "
		    "log, events, "
		    "version (see --help)" },
	{ { "port", "list", "vm0" }, "port list: unexpected argument \"vm0\" (usage: "
				     "sluicectl port list)" },
	{ { "port", "show", "a", "b" }, "port show: unexpected argument \"b\" (usage: "
					"sluicectl port show [NAME])" },
	{ { "port", "add" }, "port add: NAME is missing (usage: sluicectl port add NAME "
			     "KEY=VALUE...)" },
	{ { "port", "set", "vm0" }, "port set: KEY=VALUE... is missing (usage: sluicectl "
				    "port set NAME KEY=VALUE...)" },
	{ { "port", "set", "vm0", "vlan" },
		"port set: \"vlan\" is not KEY=VALUE (usage: sluicectl port set NAME "
		"KEY=VALUE...)" },
	{ { "port", "set", "vm0", "=7" }, "port set: \"=7\" is not KEY=VALUE (usage: "
					  "sluicectl port set NAME KEY=VALUE...)" },
	{ { "port", "set", "vm0", "vlan=7", "vlan=none" },
		"port set: vlan: is given twice (usage: sluicectl port set NAME "
		"KEY=VALUE...)" },
	{ { "port", "add", "vm0", "name=vm1" }, "port add: name: is given twice (usage: "
						"sluicectl port add NAME KEY=VALUE...)" },
	{ { "port", "del", "\xff" },
		"port del: name: is not UTF-8 (usage: sluicectl port del NAME)" },
	{ { "fdb", "add", "02:00:00:00:00:01", "vlan=7" },
		"fdb add: PORT is missing (usage: sluicectl fdb add MAC PORT [vlan=N])" },
	{ { "fdb", "add", "02:00:00:00:00:01", "vm0", "vlan=x" },
		"fdb add: vlan: \"x\" is not a number (usage: sluicectl fdb add MAC PORT "
		"[vlan=N])" },
	{ { "worker", "assign", "vm0", "-1", "0" }, "-1: unknown option or unexpected "
						    "value: see --help" },
	{ { "worker", "assign", "vm0", "0", "1234567890" },
		"worker assign: WORKER: \"1234567890\" is not a number (usage: sluicectl "
		"worker assign PORT QUEUE WORKER)" },
	{ { "--yaml", "version" }, "--yaml: unknown option or unexpected value: see --help" },
	{ { "version", "-s" }, "-s: needs a value: see --help" },
	{ { "version", "--watch=0" },
		"--watch: \"0\" is not a number of seconds: use 0.1 to 3600" },
	{ { "version", "--watch=1s" },
		"--watch: \"1s\" is not a number of seconds: use 0.1 to 3600" },
	{ { "version", "--watch=nan" },
		"--watch: \"nan\" is not a number of seconds: use 0.1 to 3600" },
	{ { "fdb", "flush", "--watch" },
		"fdb flush: --watch is only for what shows the state of things" },
};

static void test_usage_errors(void **state)
{
	for (size_t i = 0; i < sizeof(usage_errors) / sizeof(usage_errors[0]); i++) {
		char line[512];

		snprintf(line, sizeof(line), "sluicectl: %s\n", usage_errors[i].text);
		cli_check(cli_run(usage_errors[i].words), 2, "", line);
	}
}

static int start_server(void **state)
{
	return cli_lab_start(answers, sizeof(answers) / sizeof(answers[0]));
}

static int stop_server(void **state)
{
	return cli_lab_stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_port_changes),
		cmocka_unit_test(test_fdb_changes),
		cmocka_unit_test(test_worker_and_log),
		cmocka_unit_test(test_config),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_usage_errors),
	};

	return cmocka_run_group_tests(tests, start_server, stop_server);
}
