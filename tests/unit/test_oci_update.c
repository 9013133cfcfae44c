/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "launcher/oci/oci_update.h"
#include "tests/unit/oci_fixture.h"

static const struct runtime_settings inside = { .overhead_mib = 96 };
static const struct runtime_settings outside = { .memory_outside = true, .overhead_mib = 96 };

/* `expected`: the memory that it becomes, or what the refusal says. */
static void check(const char *resources, const char *was, const struct runtime_settings *settings,
	int code, const char *expected)
{
	json_object *asked = oci_text(resources), *old = oci_text(was), *memory;
	struct err err = { "" };
	int ret = oci_update_convert(asked, old, settings, &err);

	if (ret != code)
		fail_msg("%s: %d %s", resources, ret, err.text);
	if (ret < 0 && strstr(err.text, expected) == NULL)
		fail_msg("%s: %s", resources, err.text);
	memory = oci_at(asked, "memory");
	if (ret == 0 && strcmp(json_object_to_json_string(memory), expected) != 0)
		fail_msg("%s: %s", resources, json_object_to_json_string(memory));
	json_object_put(asked);
	json_object_put(old);
}

static void test_processors(void **state)
{
	check("{'cpu': {'quota': 1000, 'cpus': '0'}}", "{'memory': {'limit': 536870912}}", &inside,
		0, "null");
	check("{'memory': {}}", "{}", &inside, 0, "{ }");
}

/* Engines say it whenever they say anything. */
static void test_same_memory(void **state)
{
	check("{'memory': {'limit': 536870912, 'swap': 0}}", "{'memory': {'limit': 536870912}}",
		&inside, 0, "{ \"limit\": 536870912, \"swap\": 0 }");
	check("{'memory': {'limit': -1}}", "{}", &inside, 0, "{ \"limit\": -1 }");
	check("{'memory': {'limit': 9223372036854771712}}", "{'memory': {'limit': -1}}", &inside, 0,
		"{ \"limit\": 9223372036854771712 }");
	/* What the RuntimeClass accounts for is not to be taken away. */
	check("{'memory': {'limit': 536870912, 'swap': 1073741824, 'reservation': 1}}",
		"{'memory': {'limit': 637534208, 'swap': 1174405120}}", &outside, 0,
		"{ \"limit\": 637534208, \"swap\": 1174405120, \"reservation\": 1 }");
}

static void test_other_memory(void **state)
{
	static const char had[] = "{'memory': {'limit': 536870912}}";

	check("{'memory': {'limit': 536870913}}", had, &inside, -ENOTSUP,
		"memory.limit: the memory of a VM cannot be changed while it runs");
	check("{'memory': {'limit': 4096}}", had, &inside, -ENOTSUP, "memory.limit: ");
	check("{'memory': {'limit': -1}}", had, &inside, -ENOTSUP, "memory.limit: ");
	check("{'memory': {'limit': 536870912}}", "{}", &inside, -ENOTSUP, "memory.limit: ");
	check("{'memory': {'swap': 1}}", had, &inside, -ENOTSUP, "memory.swap: ");
	check("{'memory': {'limit': 536870912}}", had, &outside, -ENOTSUP, "memory.limit: ");
	check("{'memory': {'limit': 1152921504606846975}}", had, &outside, -ENOTSUP,
		"memory.limit: ");
}

static void test_no_resources(void **state)
{
	check("[]", "{}", &inside, -EINVAL, "is not a JSON object");
	check("{'memory': 1}", "{}", &inside, -EINVAL, "memory: must be an object");
	check("{'memory': {'limit': '1g'}}", "{}", &inside, -EINVAL, "memory.limit: ");
	check("{'memory': {'limit': 1}}", "{'memory': []}", &inside, -EINVAL,
		"linux.resources.memory: must be an object");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_processors),
		cmocka_unit_test(test_same_memory),
		cmocka_unit_test(test_other_memory),
		cmocka_unit_test(test_no_resources),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
