/* SPDX-License-Identifier: BSD-3-Clause */

/* What a guest says about ports: the report of those it listens on, and the line by which it asks
 * for one of the pod's. Whatever the bytes, a bounded set of sound ports, or a line that says why
 * not; and nothing that was to be kept is bound. */

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "launcher/forward/port_mirror.h"
#include "launcher/forward/port_share.h"
#include "lib/port_report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_set(const struct port_report *report)
{
	assert(report->n <= PORT_REPORT_MAX);
	for (size_t i = 0; i < report->n; i++) {
		assert(report->item[i].port > 0);
		assert(i == 0 || port_listener_compare(&report->item[i - 1], &report->item[i]) < 0);
	}
}

static void check_wanted(const struct port_report *report)
{
	static struct port_report wanted;
	static struct port_mirror_plan plan;
	struct ip_addr pod, v4, v6;

	(void)ip_addr_parse("10.1.0.2", &pod);
	(void)ip_addr_parse("127.0.0.1", &v4);
	(void)ip_addr_parse("::1", &v6);
	plan.addresses = &pod;
	plan.n_addresses = 1;
	(void)l4_ports_parse("tcp/8080,tcp/61000-65535", &plan.kept, NULL);
	port_mirror_wanted(&plan, report, &wanted);
	check_set(&wanted);
	for (size_t i = 0; i < wanted.n; i++) {
		const struct port_listener *l = &wanted.item[i];

		assert(l->port != 8080 && l->port < 61000);
		assert(ip_addr_equal(&l->address, &v4) || ip_addr_equal(&l->address, &v6) ||
			ip_addr_equal(&l->address, &pod));
	}
}

static void check_encoding(const struct port_report *report)
{
	static struct port_report again;
	char *text = port_report_format(report);

	assert(text != NULL && strlen(text) <= PORT_REPORT_LINE_MAX);
	assert(port_report_parse(text, strlen(text), &again, NULL) == 0);
	assert(again.n == report->n);
	free(text);
}

static void check_request(const uint8_t *data, size_t size)
{
	char text[PORT_SHARE_LINE_MAX];
	uint16_t port = 0;

	if (port_share_parse((const char *)data, size, &port) < 0)
		return;
	snprintf(text, sizeof(text), "%u", port);
	assert(port > 0 && strlen(text) == size && memcmp(text, data, size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct port_report report;
	struct err err = { "" };
	int ret = port_report_parse((const char *)data, size, &report, &err);

	assert(ret == 0 || ret == -EPROTO);
	check_request(data, size);
	if (ret < 0) {
		assert(err.text[0] != '\0' && strchr(err.text, '\n') == NULL);
		return 0;
	}
	check_set(&report);
	check_wanted(&report);
	check_encoding(&report);
	return 0;
}
