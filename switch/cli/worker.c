/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/cli/command.h"
#include "switch/cli/field.h"
#include "switch/cli/table.h"

/* "uplink/0 vm0/0"; "-" for none. A list that does not fit is cut. */
static const char *queue_list(const json_t *queues, char *text, size_t size)
{
	const json_t *queue;
	size_t len = 0;
	size_t i;

	snprintf(text, size, "-");
	json_array_foreach (queues, i, queue) {
		if (len < size)
			len += (size_t)snprintf(text + len, size - len, "%s%s/%lld",
				len > 0 ? " " : "", field_text(queue, "port", "?"),
				field_int(queue, "queue"));
	}
	return text;
}

static void busy_cell(struct table *table, const json_t *worker)
{
	long long loops = field_int(worker, "loops");

	if (loops > 0)
		table_cell(table, "%.1f%%",
			100.0 * (double)field_int(worker, "busy_loops") / (double)loops);
	else
		table_cell(table, "-");
}

void worker_show_print(const json_t *workers, FILE *out)
{
	static const struct table_column columns[] = {
		{ "WORKER", .right = true },
		{ "CPU", .right = true },
		{ "SPIN-US", .right = true },
		{ "LOOPS", .right = true },
		{ "BUSY", .right = true },
		{ "SLEEPS", .right = true },
		{ "ASLEEP-S", .right = true },
		{ "FRAMES", .right = true },
		{ "QUEUES" },
	};
	struct table table = TABLE(columns);
	const json_t *worker;
	size_t i;

	json_array_foreach (workers, i, worker) {
		char number[NUMBER_TEXT_MAX];
		char queues[1024];

		table_cell(&table, "%lld", field_int(worker, "worker"));
		table_cell(&table, "%s", field_number(worker, "cpu", "any", number));
		table_cell(&table, "%s", field_number(worker, "spin_us", "-", number));
		table_cell(&table, "%lld", field_int(worker, "loops"));
		busy_cell(&table, worker);
		table_cell(&table, "%lld", field_int(worker, "sleeps"));
		table_cell(&table, "%s", field_number(worker, "sleep_seconds", "-", number));
		table_cell(&table, "%lld", field_int(worker, "frames"));
		table_cell(&table, "%s",
			queue_list(json_object_get(worker, "queues"), queues, sizeof(queues)));
	}
	table_finish(&table, out);
}
