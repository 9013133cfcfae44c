/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/cli/command.h"

#include <string.h>

#include "switch/cli/field.h"
#include "switch/cli/table.h"

static const char *peer_text(const json_t *port)
{
	const json_t *peer = json_object_get(port, "peer");

	if (peer == NULL)
		return field_text(port, "interface", field_text(port, "driver", "-"));
	return field_bool(peer, "connected") ? "connected" : "not connected";
}

void port_list_print(const json_t *ports, FILE *out)
{
	static const struct table_column columns[] = {
		{ "NAME" },
		{ "KIND" },
		{ "STATE" },
		{ "MAC" },
		{ "MTU", .right = true },
		{ "PEER" },
	};
	struct table table = TABLE(columns);
	const json_t *port;
	size_t i;

	json_array_foreach (ports, i, port) {
		char mtu[NUMBER_TEXT_MAX];

		table_cell(&table, "%s", field_text(port, "ifname", "?"));
		table_cell(&table, "%s", field_text(port, "kind", "?"));
		table_cell(&table, "%s", field_text(port, "operstate", "?"));
		table_cell(&table, "%s", field_text(port, "address", "-"));
		table_cell(&table, "%s", field_number(port, "mtu", "-", mtu));
		table_cell(&table, "%s", peer_text(port));
	}
	table_finish(&table, out);
}

#define ROW "  %-18s"

static void print_text_row(const json_t *object, const char *key, const char *title, FILE *out)
{
	const char *text = field_text(object, key, NULL);

	if (text != NULL)
		fprintf(out, ROW "%s\n", title, text);
}

static void print_feature_names(const json_t *peer, FILE *out)
{
	const json_t *name;
	size_t i;

	json_array_foreach (json_object_get(peer, "feature_names"), i, name) {
		const char *text = json_string_value(name);

		/* Wrapped by count: the names are of about the same length. */
		if (i % 6 == 0)
			fprintf(out, i == 0 ? ROW : "\n" ROW, "");
		fprintf(out, "%s%s", i % 6 == 0 ? "" : " ", text != NULL ? text : "?");
	}
	if (i > 0)
		fputc('\n', out);
}

/* A port that connects to its VMM: how that goes. */
static void print_attempts(const json_t *peer, FILE *out)
{
	const char *error = json_string_value(json_object_get(peer, "last_error"));

	if (json_object_get(peer, "attempts") == NULL)
		return;
	fprintf(out, ROW "%lld", "attempts", field_int(peer, "attempts"));
	if (!field_bool(peer, "connected"))
		fprintf(out, ", the next in %lld ms", field_int(peer, "next_attempt_ms"));
	fprintf(out, "%s%s\n", error ? "; " : "", error ? error : "");
}

static void print_peer(const json_t *peer, FILE *out)
{
	print_attempts(peer, out);
	if (!field_bool(peer, "connected")) {
		fprintf(out, ROW "not connected\n", "peer");
		return;
	}
	fprintf(out, ROW "connected, pid %lld, queues: %lld\n", "peer", field_int(peer, "pid"),
		field_int(peer, "queues"));
	print_text_row(peer, "features", "features", out);
	print_feature_names(peer, out);
	print_text_row(peer, "protocol_features", "protocol features", out);
}

/* ", 3 in flight" where the daemon counts that. */
static void print_count(const json_t *queue, const char *key, const char *what, FILE *out)
{
	if (json_is_integer(json_object_get(queue, key)))
		fprintf(out, ", %lld %s", field_int(queue, key), what);
}

static void print_queue(const json_t *queue, FILE *out)
{
	const char *state = field_bool(queue, "enabled") ? "enabled" : "disabled";
	char title[NUMBER_TEXT_MAX + 16];

	snprintf(title, sizeof(title), "queue %lld %s", field_int(queue, "queue"),
		field_text(queue, "direction", ""));
	if (json_object_get(queue, "mode") != NULL) {
		fprintf(out, ROW "%s mode, %lld frames received\n", title,
			field_text(queue, "mode", "?"), field_int(queue, "frames"));
		return;
	}
	state = field_text(queue, "state", state);
	fprintf(out, ROW "%s", title, state);
	if (strcmp(state, "stopped") != 0) {
		print_count(queue, "size", "descriptors", out);
		print_count(queue, "in_flight", "in flight", out);
		print_count(queue, "available", "available", out);
		fprintf(out, ", notified by %s",
			field_bool(queue, "event_idx") ? "event index" : "flag");
	}
	fputc('\n', out);
}

static void print_queues(const json_t *queues, FILE *out)
{
	const json_t *queue;
	size_t i;

	json_array_foreach (queues, i, queue)
		print_queue(queue, out);
}

/* What is shown as it is, where the daemon says it: settings of the port. */
static void print_settings(const json_t *port, FILE *out)
{
	static const struct {
		const char *key, *title;
	} rows[] = {
		{ "devargs", "device" },
		{ "client", "connects to VMM" },
		{ "role", "role" },
		{ "mac_mode", "MAC mode" },
		{ "neighbours", "neighbours" },
		{ "kernel_ports", "kernel's ports" },
		{ "addresses", "addresses" },
		{ "services", "services" },
		{ "anti_spoof", "anti-spoof" },
		{ "vlan", "vlan" },
		{ "trunks", "trunks" },
		{ "mac_limit", "mac limit" },
		{ "queues", "queues" },
		{ "workers", "workers" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const json_t *value = json_object_get(port, rows[i].key);
		char text[VALUE_TEXT_MAX];

		/* "queues" may be the queues themselves, which have rows of their own. */
		if (value != NULL && !json_is_null(value) &&
			!json_is_object(json_array_get(value, 0)) &&
			!(json_is_array(value) && json_array_size(value) == 0))
			fprintf(out, ROW "%s\n", rows[i].title, value_text(value, text));
	}
}

static void print_port(const json_t *port, FILE *out)
{
	const json_t *peer = json_object_get(port, "peer");
	char mtu[NUMBER_TEXT_MAX];

	fprintf(out, "%s: %s port, %s\n", field_text(port, "ifname", "?"),
		field_text(port, "kind", "?"), field_text(port, "operstate", "in unknown state"));
	print_text_row(port, "reason", "why", out);
	print_text_row(port, "hint", "what to do", out);
	print_text_row(port, "interface", "interface", out);
	print_text_row(port, "interface_now", "called now", out);
	print_text_row(port, "socket_path", "socket", out);
	if (json_is_false(json_object_get(port, "sleeps")))
		fprintf(out, ROW "no: its worker polls it and costs a core\n", "sleeps");
	print_text_row(port, "address", "address", out);
	if (json_is_integer(json_object_get(port, "mtu")))
		fprintf(out, ROW "%s\n", "mtu", field_number(port, "mtu", "", mtu));
	print_settings(port, out);
	if (peer != NULL)
		print_peer(peer, out);
	if (field_int(port, "recoveries") > 0)
		fprintf(out, ROW "%lld times\n", "recovered", field_int(port, "recoveries"));
	print_queues(json_object_get(port, "queues"), out);
}

void port_show_print(const json_t *ports, FILE *out)
{
	const json_t *port;
	size_t i;

	json_array_foreach (ports, i, port) {
		if (i > 0)
			fputc('\n', out);
		print_port(port, out);
	}
}

static void print_traffic(const json_t *ports, FILE *out)
{
	static const char *const directions[] = { "rx", "tx" };
	static const char *const counters[] = { "packets", "bytes", "errors", "dropped",
		"super_frames" };
	static const struct table_column columns[] = {
		{ "PORT" },
		{ "" },
		{ "PACKETS", .right = true },
		{ "BYTES", .right = true },
		{ "ERRORS", .right = true },
		{ "DROPPED", .right = true },
		{ "SUPER-FRAMES", .right = true },
	};
	struct table table = TABLE(columns);
	const json_t *port;
	size_t i;

	json_array_foreach (ports, i, port) {
		const json_t *stats = json_object_get(port, "stats64");

		for (size_t d = 0; d < 2; d++) {
			const json_t *side = json_object_get(stats, directions[d]);

			table_cell(&table, "%s", field_text(port, "ifname", "?"));
			table_cell(&table, "%s", directions[d]);
			for (size_t c = 0; c < sizeof(counters) / sizeof(counters[0]); c++)
				table_cell(&table, "%lld", field_int(side, counters[c]));
		}
	}
	table_finish(&table, out);
}

static void print_work(const json_t *ports, FILE *out)
{
	static const char *const counters[] = { "segmented", "checksummed", "wakeups", "landed",
		"kernel_drops" };
	static const struct table_column columns[] = {
		{ "PORT" },
		{ "SEGMENTED", .right = true },
		{ "CHECKSUMMED", .right = true },
		{ "WAKEUPS", .right = true },
		{ "LANDED", .right = true },
		{ "KERNEL-DROPS", .right = true },
	};
	struct table table = TABLE(columns);
	const json_t *port;
	size_t i;

	json_array_foreach (ports, i, port) {
		table_cell(&table, "%s", field_text(port, "ifname", "?"));
		for (size_t c = 0; c < sizeof(counters) / sizeof(counters[0]); c++) {
			char number[NUMBER_TEXT_MAX];

			table_cell(&table, "%s", field_number(port, counters[c], "-", number));
		}
	}
	table_finish(&table, out);
}

static void print_drops(const json_t *ports, FILE *out)
{
	static const struct table_column columns[] = {
		{ "PORT" },
		{ "DROP-REASON" },
		{ "COUNT", .right = true },
		{ "MEANING" },
	};
	struct table table = TABLE(columns);
	const json_t *port;
	size_t i;

	json_array_foreach (ports, i, port) {
		const char *reason;
		json_t *drop;

		json_object_foreach (json_object_get(port, "drop_reasons"), reason, drop) {
			if (field_int(drop, "count") == 0)
				continue;
			table_cell(&table, "%s", field_text(port, "ifname", "?"));
			table_cell(&table, "%s", reason);
			table_cell(&table, "%lld", field_int(drop, "count"));
			table_cell(&table, "%s", field_text(drop, "help", ""));
		}
	}
	if (table.n_cells == 0)
		fputs("no drops\n", out);
	else
		table_finish(&table, out);
}

void port_stats_print(const json_t *ports, FILE *out)
{
	print_traffic(ports, out);
	fputc('\n', out);
	print_work(ports, out);
	fputc('\n', out);
	print_drops(ports, out);
}
