/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/sluiced_config.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "config/roff.h"
#include "config/log_words.h"
#include "config/settings.h"
#include "config/settings_man.h"
#include "lib/cleanup.h"

#define FILE_LEN_MAX (1024 * 1024)

static const struct setting_word spin_words[] = { { "max", SPIN_FOREVER }, { NULL } };
static const struct setting_word cpu_words[] = { { "auto", -1 }, { NULL } };

#define FIELD(member) SETTING_FIELD(struct sluiced_config, member)

static const struct setting rows[] = {
	{ "control-socket", SETTING_PATH, FIELD(control_socket), .unit = "PATH",
		.preset = "/run/sluice/sluiced.sock",
		.help = "unix socket on which sluicectl is served" },
	{ "log-level", SETTING_ENUM, FIELD(log_level), .unit = "LEVEL", .preset = "info",
		.words = log_level_words,
		.help = "least severe events that are written to stderr" },
	{ "log-format", SETTING_ENUM, FIELD(log_format), .unit = "FORMAT", .preset = "text",
		.words = log_format_words, .help = "how a line of the log is written" },
	{ "spin-us", SETTING_U32, FIELD(spin_us), .unit = "N", .preset = "50", .min = 0,
		.max = 1000000, .words = spin_words,
		.help = "microseconds without work until a worker sleeps; 0 is event-driven, max "
			"never sleeps" },
	{ "worker-cpus", SETTING_LIST,
		SETTING_LIST_FIELD(struct sluiced_config, worker_cpus, n_workers),
		.unit = "N,N-N,...", .preset = "auto", .min = 0, .max = 1023, .words = cpu_words,
		.as_text = true,
		.help = "one worker for each entry: the CPU it is bound to; auto lets the kernel "
			"choose" },
	{ "fdb-size", SETTING_U32, FIELD(fdb_size), .unit = "N", .preset = "8192", .min = 64,
		.max = 1048576, .help = "addresses the forwarding table can hold" },
	{ "fdb-ageing", SETTING_U32, FIELD(fdb_ageing_s), .unit = "SECONDS", .preset = "300",
		.min = 10, .max = 1000000,
		.help = "seconds without traffic until a learned address is forgotten" },
	{ "forward-reserved", SETTING_BOOL, FIELD(forward_reserved), .preset = "false",
		.help = "forward frames to 01:80:c2:00:00:00 to 0f, which bridges keep to "
			"themselves: "
			"LLDP, LACP, STP" },
	{ "telemetry", SETTING_BOOL, FIELD(telemetry), .preset = "false",
		.help = "serve DPDK's telemetry socket" },
	{ "fdb-static", SETTING_ARRAY,
		.help = "addresses that are always behind the same port, at most 4096" },
	{ "neighbour-static", SETTING_ARRAY,
		.help = "stations behind the uplink whose MAC address never changes, at most "
			"16384" },
	{ "ports", SETTING_ARRAY, .help = "the switch's ports, at most 256" },
};

static const struct settings table = SETTINGS(rows, "SLUICE_");

static const struct setting fdb_rows[] = {
	{ "mac", SETTING_MAC, SETTING_FIELD(struct fdb_static_config, mac), .unit = "MAC",
		.required = true, .help = "the address" },
	{ "port", SETTING_NAME, SETTING_FIELD(struct fdb_static_config, port), .unit = "NAME",
		.required = true, .help = "the port it is behind" },
	{ "vlan", SETTING_U32, SETTING_FIELD(struct fdb_static_config, vlan), .unit = "N", .min = 1,
		.max = VLAN_ID_MAX, .help = "the VLAN it is in" },
};

static const struct settings fdb_table = SETTINGS(fdb_rows, NULL);

/* As it is in the file: one address. */
struct neighbour_entry {
	struct mac mac;
	uint8_t n;
	struct ip_addr ip[1];
};

static const struct setting neighbour_rows[] = {
	{ "ip", SETTING_ADDRS, SETTING_ADDRS_FIELD(struct neighbour_entry, ip, n),
		.unit = "ADDRESS", .required = true, .help = "the station" },
	{ "mac", SETTING_MAC, SETTING_FIELD(struct neighbour_entry, mac), .unit = "MAC",
		.required = true, .help = "its address" },
};

static const struct settings neighbour_table = SETTINGS(neighbour_rows, NULL);

/* A zeroed array for the entries of `array`, with one to spare: NULL is for no memory. */
static void *alloc_entries(
	const json_t *array, const char *key, size_t n_max, size_t size, struct err *err)
{
	size_t n = json_array_size(array);
	void *entries;

	if (n > n_max) {
		err_set(err, -EINVAL, "%s: has %zu entries (at most %zu)", key, n, n_max);
		return NULL;
	}
	entries = calloc(n + 1, size);
	if (entries == NULL)
		err_errno(err, ENOMEM, "%s", key);
	return entries;
}

static int decode_ports(const json_t *array, struct sluiced_config *config, struct err *err)
{
	const json_t *entry;
	size_t i;

	config->ports = alloc_entries(array, "ports", N_PORTS_MAX, sizeof(*config->ports), err);
	if (config->ports == NULL)
		return -EINVAL;
	json_array_foreach (array, i, entry) {
		char at[40];
		int ret;

		snprintf(at, sizeof(at), "ports[%zu].", i);
		ret = port_config_decode(&config->ports[i], entry, at, err);
		if (ret < 0)
			return ret;
		config->n_ports++;
	}
	return 0;
}

/* One entry of an array that is called `key`, described by `entries`. */
static int decode_entry(const struct settings *entries, const char *key, size_t i,
	const json_t *entry, void *out, struct err *err)
{
	char at[40];

	if (!json_is_object(entry))
		return err_set(err, -EINVAL, "%s[%zu]: must be an object ({ ... })", key, i);
	snprintf(at, sizeof(at), "%s[%zu].", key, i);
	return settings_from_json(entries, entry, at, 0, "", out, NULL, err);
}

static int decode_fdb_static(const json_t *array, struct sluiced_config *config, struct err *err)
{
	const json_t *entry;
	size_t i;

	config->fdb_static = alloc_entries(
		array, "fdb-static", FDB_STATIC_MAX, sizeof(*config->fdb_static), err);
	if (config->fdb_static == NULL)
		return -EINVAL;
	json_array_foreach (array, i, entry) {
		int ret = decode_entry(
			&fdb_table, "fdb-static", i, entry, &config->fdb_static[i], err);

		if (ret < 0)
			return ret;
		config->n_fdb_static++;
	}
	return 0;
}

static int decode_neighbour_static(
	const json_t *array, struct sluiced_config *config, struct err *err)
{
	const json_t *item;
	size_t i;

	config->neighbour_static = alloc_entries(array, "neighbour-static", NEIGHBOUR_STATIC_MAX,
		sizeof(*config->neighbour_static), err);
	if (config->neighbour_static == NULL)
		return -EINVAL;
	json_array_foreach (array, i, item) {
		struct neighbour_entry entry = { 0 };
		int ret = decode_entry(&neighbour_table, "neighbour-static", i, item, &entry, err);

		if (ret == 0 && entry.n != 1)
			ret = err_set(
				err, -EINVAL, "neighbour-static[%zu].ip: must be one address", i);
		if (ret < 0)
			return ret;
		config->neighbour_static[i].ip = entry.ip[0];
		config->neighbour_static[i].mac = entry.mac;
		config->n_neighbour_static++;
	}
	return 0;
}

static json_t *encode_neighbour_static(const struct neighbour_static_config *entry)
{
	const struct neighbour_entry file = { .mac = entry->mac, .n = 1, .ip = { entry->ip } };
	char text[IP_ADDR_TEXT_MAX];
	json_t *o = settings_to_json(&neighbour_table, 0, &file);

	/* A file may have it as a list of one, people write a text. */
	json_object_set_new(o, "ip", json_string(ip_addr_format(&entry->ip, text)));
	return o;
}

static int decode_root(struct sluiced_config *config, const json_t *root, struct err *err)
{
	int ret;

	if (!json_is_object(root))
		return err_set(err, -EINVAL, "must be an object ({ ... })");
	ret = settings_from_json(&table, root, "", 0, "", config, NULL, err);
	if (ret < 0)
		return ret;
	ret = decode_ports(json_object_get(root, "ports"), config, err);
	if (ret == 0)
		ret = decode_fdb_static(json_object_get(root, "fdb-static"), config, err);
	return ret < 0 ? ret
		       : decode_neighbour_static(
				 json_object_get(root, "neighbour-static"), config, err);
}

/* Leaves what was decoded in *config also on failure. */
static int decode_text(struct sluiced_config *config, const char *text, size_t len, struct err *err)
{
	json_error_t why;
	json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);
	int ret;

	if (root == NULL && json_error_code(&why) == json_error_null_character)
		return err_set(err, -EINVAL, "line %d: \\u0000 is not allowed in text", why.line);
	if (root == NULL)
		return err_set(err, -EINVAL, "line %d: %s", why.line, why.text);
	ret = decode_root(config, root, err);
	json_decref(root);
	return ret;
}

int sluiced_config_decode(
	struct sluiced_config *config, const char *text, size_t len, struct err *err)
{
	int ret;

	*config = (struct sluiced_config) { 0 };
	settings_apply_defaults(&table, 0, config);
	ret = decode_text(config, text, len, err);
	if (ret == 0)
		ret = sluiced_config_check(config, err);
	if (ret < 0)
		sluiced_config_free(config);
	return ret;
}

static int read_file(const char *path, char **text, size_t *len, struct err *err)
{
	FILE *file = fopen(path, "re");
	int ret = 0;

	if (file == NULL)
		return err_errno(err, errno, "cannot open");
	*text = malloc(FILE_LEN_MAX + 1);
	*len = *text != NULL ? fread(*text, 1, FILE_LEN_MAX + 1, file) : 0;
	if (*text == NULL)
		ret = err_errno(err, ENOMEM, "cannot read");
	else if (ferror(file))
		ret = err_errno(err, errno, "cannot read");
	else if (*len > FILE_LEN_MAX)
		ret = err_set(err, -EFBIG, "longer than %d bytes", FILE_LEN_MAX);
	fclose(file);
	return ret;
}

/* Systems that Sluice replaces name the level in capitals; theirs is honoured as a default. */
static int apply_foreign_log_level(struct sluiced_config *config, struct err *err)
{
	const char *level = getenv("RUNCVM_LOG_LEVEL");
	const char *own = getenv("SLUICE_LOG_LEVEL");

	if ((own != NULL && own[0] != '\0') || level == NULL || level[0] == '\0')
		return 0;
	for (const struct setting_word *w = log_level_words; w->name != NULL; w++) {
		if (strcasecmp(w->name, level) == 0) {
			config->log_level = (enum log_level)w->value;
			return 0;
		}
	}
	return err_set(err, -EINVAL,
		"RUNCVM_LOG_LEVEL: \"%.40s\" is not ERROR, WARN, INFO, DEBUG or OFF", level);
}

/* `text` is the file's content, NULL: there is none. */
static int load_layers(struct sluiced_config *config, const char *text, size_t len,
	const char *name, char *const *words, struct err *err)
{
	int ret = 0;

	*config = (struct sluiced_config) { 0 };
	settings_apply_defaults(&table, 0, config);
	if (text != NULL)
		ret = decode_text(config, text, len, err);
	if (ret < 0)
		return err_wrap(err, ret, "%s", name);
	ret = apply_foreign_log_level(config, err);
	if (ret == 0)
		ret = settings_from_env(&table, config, err);
	if (ret == 0)
		ret = settings_from_args(&table, words, config, err);
	if (ret < 0)
		return ret;
	ret = sluiced_config_check(config, err);
	return ret < 0 ? err_wrap(err, ret, "%s", name) : 0;
}

int sluiced_config_layer(struct sluiced_config *config, const char *text, size_t len,
	const char *name, char *const *words, struct err *err)
{
	int ret = load_layers(config, text, len, name, words, err);

	if (ret < 0)
		sluiced_config_free(config);
	return ret;
}

int sluiced_config_load(
	struct sluiced_config *config, const char *path, char *const *words, struct err *err)
{
	cleanup_free char *text = NULL;
	size_t len = 0;
	int ret = 0;

	*config = (struct sluiced_config) { 0 };
	if (path != NULL)
		ret = read_file(path, &text, &len, err);
	if (ret < 0)
		return err_wrap(err, ret, "%s", path);
	return sluiced_config_layer(
		config, text, len, path != NULL ? path : "settings", words, err);
}

int sluiced_config_set(
	struct sluiced_config *config, const char *name, const char *text, struct err *err)
{
	return settings_set(&table, name, text, config, err);
}

/* Takes `entry` over; false if it is NULL or memory is short. */
static bool append(json_t *array, json_t *entry)
{
	return json_array_append_new(array, entry) == 0;
}

json_t *sluiced_config_encode(const struct sluiced_config *config)
{
	json_t *root = settings_to_json(&table, 0, config);
	json_t *fdb_static = json_array();
	json_t *neighbour_static = json_array();
	json_t *ports = json_array();
	bool ok = root != NULL;

	for (size_t i = 0; i < config->n_fdb_static; i++)
		ok &= append(fdb_static, settings_to_json(&fdb_table, 0, &config->fdb_static[i]));
	for (size_t i = 0; i < config->n_neighbour_static; i++)
		ok &= append(
			neighbour_static, encode_neighbour_static(&config->neighbour_static[i]));
	for (size_t i = 0; i < config->n_ports; i++)
		ok &= append(ports, port_config_encode(&config->ports[i]));
	ok &= json_object_set_new(root, "fdb-static", fdb_static) == 0;
	ok &= json_object_set_new(root, "neighbour-static", neighbour_static) == 0;
	ok &= json_object_set_new(root, "ports", ports) == 0;
	if (!ok) {
		json_decref(root);
		root = NULL;
	}
	return root;
}

void sluiced_config_free(struct sluiced_config *config)
{
	free(config->ports);
	free(config->fdb_static);
	free(config->neighbour_static);
	*config = (struct sluiced_config) { 0 };
}

const struct port_config *sluiced_config_port(const struct sluiced_config *config, const char *name)
{
	for (size_t i = 0; i < config->n_ports; i++)
		if (strcmp(config->ports[i].name, name) == 0)
			return &config->ports[i];
	return NULL;
}

void sluiced_config_print_help(FILE *out)
{
	fputs("Settings, by option, environment variable or key of the file (the first that is "
	      "there counts):\n",
		out);
	settings_print_help(&table, "--", out);
	fputs("\nKeys of an entry of \"ports\":\n", out);
	port_config_print_help(out);
	fputs("\nKeys of an entry of \"fdb-static\":\n", out);
	settings_print_help(&fdb_table, "", out);
	fputs("\nKeys of an entry of \"neighbour-static\":\n", out);
	settings_print_help(&neighbour_table, "", out);
}

static void print_keys_man(const char *of, const struct settings *keys, FILE *out)
{
	roff_heading(of, out);
	settings_man(keys, 0, "", out);
}

void sluiced_config_print_man(FILE *out)
{
	fputs(".SH SETTINGS\n", out);
	roff_text("By option, environment variable or key of the file: the first that is there "
		  "counts.\n",
		out);
	settings_man(&table, 0, "--", out);
	roff_heading("Keys of an entry of \"ports\"", out);
	port_config_print_man(out);
	print_keys_man("Keys of an entry of \"fdb-static\"", &fdb_table, out);
	print_keys_man("Keys of an entry of \"neighbour-static\"", &neighbour_table, out);
}
