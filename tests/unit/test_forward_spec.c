/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "launcher/forward/forward_spec.h"
#include "launcher/forward/guest_dial.h"

static void good(const char *text, const char *address, uint16_t local, uint16_t remote)
{
	char shown[IP_ADDR_TEXT_MAX];
	struct forward_spec spec;
	struct err err = { "" };

	if (forward_spec_parse(text, &spec, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(spec.has_address, address != NULL);
	if (address != NULL)
		assert_string_equal(ip_addr_format(&spec.address, shown), address);
	assert_int_equal(spec.local, local);
	assert_int_equal(spec.remote, remote);
}

static void test_good(void **state)
{
	good("8080:80", NULL, 8080, 80);
	good("80", NULL, 80, 80);
	good(":80", NULL, 0, 80);
	good("0:65535", NULL, 0, 65535);
	good("10.0.0.2:1:2", "10.0.0.2", 1, 2);
	good("0.0.0.0::2", "0.0.0.0", 0, 2);
	good("[::1]:8080:80", "::1", 8080, 80);
	good("[::]:8080:80", "::", 8080, 80);
}

static void test_refused(void **state)
{
	static const char *const bad[] = { "", ":", "0", "80:", "80:0", "80:65536", "a:80", "80:a",
		"-1:80", " 80", "80 ", "1:2:3", "::1:8080:80", "[::1]", "[10.0.0.2]:1:2", "[]:1:2",
		"10.0.0.2:80", "localhost:1:2", "::2", "000080:80" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct forward_spec spec;
		struct err err = { "" };

		if (forward_spec_parse(bad[i], &spec, &err) != -EINVAL)
			fail_msg("\"%s\" was taken", bad[i]);
		assert_non_null(strstr(err.text, bad[i]));
		assert_non_null(strstr(err.text, "want [ADDRESS:]LOCAL:REMOTE"));
	}
}

static void answers(const char *line, int expected, const char *reason)
{
	struct err err = { "" };

	assert_int_equal(guest_dial_answer(line, strlen(line), &err), expected);
	assert_string_equal(err.text, reason);
}

/* The guest may say anything. */
static void test_answers(void **state)
{
	static const char strange[] = "the guest's agent did not answer as one does";

	answers("OK", 0, "");
	answers("ERROR Connection refused", -ECONNREFUSED, "Connection refused");
	answers("ERROR ", -ECONNREFUSED, "");
	answers("ERROR \x1b[2J\r\xff", -ECONNREFUSED, "?[2J??");
	answers("", -EPROTO, strange);
	answers("OK ", -EPROTO, strange);
	answers("O", -EPROTO, strange);
	answers("ERROR", -EPROTO, strange);
	answers("error x", -EPROTO, strange);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
