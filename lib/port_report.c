/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib/port_report.h"

#include <errno.h>
#include <string.h>

#include <jansson.h>

int port_listener_compare(const struct port_listener *a, const struct port_listener *b)
{
	if (a->port != b->port)
		return a->port < b->port ? -1 : 1;
	return memcmp(&a->address, &b->address, sizeof(a->address));
}

bool port_report_add(struct port_report *report, const struct ip_addr *address, uint16_t port)
{
	const struct port_listener new = { .address = *address, .port = port };
	size_t from = 0, to = report->n;

	while (from < to) {
		size_t middle = (from + to) / 2;
		int order = port_listener_compare(&new, &report->item[middle]);

		if (order == 0)
			return true;
		if (order < 0)
			to = middle;
		else
			from = middle + 1;
	}
	if (report->n == PORT_REPORT_MAX)
		return false;
	memmove(&report->item[from + 1], &report->item[from],
		(report->n - from) * sizeof(report->item[0]));
	report->item[from] = new;
	report->n++;
	return true;
}

char *port_report_format(const struct port_report *report)
{
	json_t *rows = json_array(), *root = json_pack("{s:o}", "ports", rows);
	char address[IP_ADDR_TEXT_MAX], *text;

	for (size_t i = 0; i < report->n; i++)
		(void)json_array_append_new(
			rows, json_pack("{s:i, s:s}", "port", (int)report->item[i].port, "address",
				      ip_addr_format(&report->item[i].address, address)));
	text = json_dumps(root, JSON_COMPACT);
	json_decref(root);
	return text;
}

static int take_row(json_t *row, struct port_report *report, struct err *err)
{
	struct ip_addr address;
	const char *text;
	json_int_t port;

	if (json_unpack_ex(row, NULL, JSON_STRICT, "{s:I, s:s}", "port", &port, "address", &text) <
		0)
		return err_set(err, -EPROTO, "a row is not { port, address }");
	if (port < 1 || port > UINT16_MAX)
		return err_set(err, -EPROTO, "a port is none");
	if (ip_addr_parse(text, &address) < 0)
		return err_set(err, -EPROTO, "an address is none");
	if (!port_report_add(report, &address, (uint16_t)port))
		return err_set(err, -EPROTO, "more than %d ports", PORT_REPORT_MAX);
	return 0;
}

static int take(json_t *root, struct port_report *report, struct err *err)
{
	json_t *rows, *row;
	size_t i;
	int ret = 0;

	if (json_unpack_ex(root, NULL, JSON_STRICT, "{s:o}", "ports", &rows) < 0 ||
		!json_is_array(rows))
		return err_set(err, -EPROTO, "it is not { ports: [ ] }");
	json_array_foreach (rows, i, row) {
		ret = take_row(row, report, err);
		if (ret < 0)
			break;
	}
	return ret;
}

int port_report_parse(const char *line, size_t len, struct port_report *report, struct err *err)
{
	json_t *root;
	int ret;

	report->n = 0;
	if (len > PORT_REPORT_LINE_MAX)
		return err_set(err, -EPROTO, "it has more than %d bytes", PORT_REPORT_LINE_MAX);
	/* What the parser would say has the guest's words in it. */
	root = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	if (root == NULL)
		return err_set(err, -EPROTO, "it is no JSON");
	ret = take(root, report, err);
	json_decref(root);
	return ret;
}
