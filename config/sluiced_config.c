/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/sluiced_config.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "config/settings.h"
#include "lib/cleanup.h"

#define FILE_LEN_MAX (1024 * 1024)

static const struct setting_word log_levels[] = {
	{ "error", LOG_LEVEL_ERROR },
	{ "warn", LOG_LEVEL_WARN },
	{ "info", LOG_LEVEL_INFO },
	{ "debug", LOG_LEVEL_DEBUG },
	{ "off", LOG_LEVEL_OFF },
	{ NULL },
};

static const struct setting_word log_formats[] = {
	{ "text", LOG_FORMAT_TEXT },
	{ "json", LOG_FORMAT_JSON },
	{ NULL },
};

static const struct setting_word spin_words[] = { { "max", SPIN_FOREVER }, { NULL } };
static const struct setting_word cpu_words[] = { { "auto", -1 }, { NULL } };

#define FIELD(member) SETTING_FIELD(struct sluiced_config, member)

static const struct setting rows[] = {
	{ "control-socket", SETTING_PATH, FIELD(control_socket), .unit = "PATH",
		.preset = "/run/sluice/sluiced.sock",
		.help = "unix socket on which sluicectl is served" },
	{ "log-level", SETTING_ENUM, FIELD(log_level), .unit = "LEVEL", .preset = "info",
		.words = log_levels, .help = "least severe events that are written to stderr" },
	{ "log-format", SETTING_ENUM, FIELD(log_format), .unit = "FORMAT", .preset = "text",
		.words = log_formats, .help = "how a line of the log is written" },
	{ "spin-us", SETTING_U32, FIELD(spin_us), .unit = "N", .preset = "50", .min = 0,
		.max = 1000000, .words = spin_words,
		.help = "microseconds without work until a worker sleeps; 0 is event-driven, max "
			"never sleeps" },
	{ "worker-cpu", SETTING_U32, FIELD(worker_cpus[0]), .unit = "N", .preset = "auto", .min = 0,
		.max = 1023, .words = cpu_words,
		.help = "CPU the worker is bound to; auto lets the kernel choose" },
	{ "fdb-size", SETTING_U32, FIELD(fdb_size), .unit = "N", .preset = "8192", .min = 64,
		.max = 1048576, .help = "addresses the forwarding table can hold" },
	{ "fdb-ageing", SETTING_U32, FIELD(fdb_ageing_s), .unit = "SECONDS", .preset = "300",
		.min = 10, .max = 1000000,
		.help = "seconds without traffic until a learned address is forgotten" },
	{ "ports", SETTING_ARRAY, .help = "the switch's ports, at most 256" },
};

static const struct settings table = SETTINGS(rows, "SLUICE_");

#undef FIELD
#define FIELD(member) SETTING_FIELD(struct port_config, member)
#define PACKET        (1U << PORT_KIND_PACKET)
#define VHOST_USER    (1U << PORT_KIND_VHOST_USER)

static const struct setting_word kinds[] = {
	{ "packet", PORT_KIND_PACKET },
	{ "vhost-user", PORT_KIND_VHOST_USER },
	{ NULL },
};

static const struct setting port_rows[] = {
	{ "name", SETTING_NAME, FIELD(name), .unit = "NAME", .required = true,
		.help = "what the port is called" },
	{ "kind", SETTING_ENUM, FIELD(kind), .unit = "KIND", .words = kinds, .required = true,
		.help = "what is behind it: a netdev or a virtual machine" },
	{ "interface", SETTING_STRING, FIELD(interface), .unit = "NAME", .groups = PACKET,
		.required = true, .help = "packet: the netdev" },
	{ "socket", SETTING_PATH, FIELD(socket), .unit = "PATH", .groups = VHOST_USER,
		.required = true, .help = "vhost-user: socket on which the VMM is awaited" },
	{ "promiscuous", SETTING_BOOL, FIELD(promiscuous), .groups = PACKET, .preset = "false",
		.help = "packet: have the interface accept frames to any address, while sluiced "
			"runs; "
			"for a physical interface and guests with addresses of their own" },
	{ "mac", SETTING_MAC, FIELD(mac), .unit = "MAC", .groups = VHOST_USER,
		.help = "vhost-user: address told to the guest" },
	{ "mtu", SETTING_U32, FIELD(mtu), .unit = "N", .groups = VHOST_USER, .min = 68,
		.max = 65535, .help = "vhost-user: MTU told to the guest" },
	{ "csum", SETTING_BOOL, FIELD(offload_csum), .groups = VHOST_USER, .preset = "true",
		.help = "vhost-user: offer checksum offload, both directions" },
	{ "tso", SETTING_BOOL, FIELD(offload_tso), .groups = VHOST_USER, .preset = "true",
		.help = "vhost-user: offer TCP segmentation offload, both directions; needs csum" },
	{ "uso", SETTING_BOOL, FIELD(offload_uso), .groups = PACKET | VHOST_USER, .preset = "true",
		.help = "vhost-user: offer UDP segmentation offload, both directions; needs csum. "
			"packet: leave UDP super-frames to the kernel, if it can (Linux 6.2)" },
	{ "mergeable", SETTING_BOOL, FIELD(mergeable), .groups = VHOST_USER, .preset = "true",
		.help = "vhost-user: offer mergeable receive buffers" },
	{ "indirect", SETTING_BOOL, FIELD(indirect), .groups = VHOST_USER, .preset = "true",
		.help = "vhost-user: offer indirect descriptors" },
	{ "event-idx", SETTING_BOOL, FIELD(event_idx), .groups = VHOST_USER, .preset = "true",
		.help = "vhost-user: offer notification by event index" },
};

static const struct settings port_table = SETTINGS(port_rows, NULL);

static bool was_given(uint64_t given, const char *name)
{
	return given >> (settings_find(&port_table, name) - port_rows) & 1;
}

/* TSO and USO leave a checksum to whoever takes the frame: without csum the defaults follow it, an
 * explicit true is a contradiction. */
static int settle_offloads(
	struct port_config *port, const char *at, uint64_t given, struct err *err)
{
	struct {
		const char *name;
		bool *value;
	} const followers[] = { { "tso", &port->offload_tso }, { "uso", &port->offload_uso } };

	for (size_t i = 0; i < 2 && !port->offload_csum; i++) {
		if (*followers[i].value && was_given(given, followers[i].name))
			return err_set(err, -EINVAL, "%s%s: true needs csum, which is false", at,
				followers[i].name);
		*followers[i].value = false;
	}
	return 0;
}

/* The kind comes first: it says which other keys there may be. */
static int decode_kind(
	const json_t *object, const char *at, struct port_config *port, struct err *err)
{
	const struct setting *row = settings_find(&port_table, "kind");
	const json_t *value = json_object_get(object, row->name);
	char allowed[64];
	int ret;

	if (value == NULL)
		return err_set(err, -EINVAL, "%skind: missing (must be %s)", at,
			setting_allowed(row, allowed, sizeof(allowed)));
	ret = setting_set_json(row, value, port, err);
	return ret < 0 ? err_wrap(err, ret, "%skind", at) : 0;
}

static int decode_port(
	const json_t *object, size_t index, struct port_config *port, struct err *err)
{
	static const char *const groups[] = {
		[PORT_KIND_PACKET] = "kind \"packet\"",
		[PORT_KIND_VHOST_USER] = "kind \"vhost-user\"",
	};
	uint64_t given = 0;
	char at[24];
	int ret;

	snprintf(at, sizeof(at), "ports[%zu].", index);
	if (!json_is_object(object))
		return err_set(err, -EINVAL, "ports[%zu]: must be an object ({ ... })", index);
	ret = decode_kind(object, at, port, err);
	if (ret < 0)
		return ret;
	settings_apply_defaults(&port_table, 1U << port->kind, port);
	ret = settings_from_json(
		&port_table, object, at, 1U << port->kind, groups[port->kind], port, &given, err);
	if (ret < 0)
		return ret;
	return port->kind == PORT_KIND_VHOST_USER ? settle_offloads(port, at, given, err) : 0;
}

static int decode_ports(const json_t *array, struct sluiced_config *config, struct err *err)
{
	size_t n = json_array_size(array);

	if (n > N_PORTS_MAX)
		return err_set(err, -EINVAL, "ports: has %zu entries (at most %d)", n, N_PORTS_MAX);
	if (n == 0)
		return 0;
	config->ports = calloc(n, sizeof(*config->ports));
	if (config->ports == NULL)
		return err_errno(err, ENOMEM, "ports");
	for (size_t i = 0; i < n; i++) {
		int ret = decode_port(json_array_get(array, i), i, &config->ports[i], err);

		if (ret < 0)
			return ret;
		config->n_ports++;
	}
	return 0;
}

/* Whether two ports claim the same thing. Fields that do not belong to a kind are empty. */
static int check_pair(
	const struct sluiced_config *config, size_t first, size_t second, struct err *err)
{
	const struct port_config *a = &config->ports[first];
	const struct port_config *b = &config->ports[second];
	struct {
		const char *key, *of_a, *of_b;
	} const claims[] = {
		{ "name", a->name, b->name },
		{ "interface", a->interface, b->interface },
		{ "socket", a->socket, b->socket },
	};

	for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
		if (claims[i].of_a[0] != '\0' && strcmp(claims[i].of_a, claims[i].of_b) == 0)
			return err_set(err, -EINVAL,
				"ports[%zu].%s: \"%s\" is taken by ports[%zu] (must be unique)",
				second, claims[i].key, claims[i].of_b, first);
	}
	return 0;
}

static int check_claims(const struct sluiced_config *config, struct err *err)
{
	for (size_t second = 0; second < config->n_ports; second++) {
		const char *socket = config->ports[second].socket;

		if (strcmp(socket, config->control_socket) == 0)
			return err_set(err, -EINVAL,
				"ports[%zu].socket: \"%s\" is the control socket (must be unique)",
				second, socket);
		for (size_t first = 0; first < second; first++) {
			int ret = check_pair(config, first, second, err);

			if (ret < 0)
				return ret;
		}
	}
	return 0;
}

static int decode_root(struct sluiced_config *config, const json_t *root, struct err *err)
{
	int ret;

	if (!json_is_object(root))
		return err_set(err, -EINVAL, "must be an object ({ ... })");
	ret = settings_from_json(&table, root, "", 0, "", config, NULL, err);
	if (ret < 0)
		return ret;
	return decode_ports(json_object_get(root, "ports"), config, err);
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

	*config = (struct sluiced_config) { .n_workers = 1 };
	settings_apply_defaults(&table, 0, config);
	ret = decode_text(config, text, len, err);
	if (ret == 0)
		ret = check_claims(config, err);
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
	for (const struct setting_word *w = log_levels; w->name != NULL; w++) {
		if (strcasecmp(w->name, level) == 0) {
			config->log_level = (enum log_level)w->value;
			return 0;
		}
	}
	return err_set(err, -EINVAL,
		"RUNCVM_LOG_LEVEL: \"%.40s\" is not ERROR, WARN, INFO, DEBUG or OFF", level);
}

static int load_layers(
	struct sluiced_config *config, const char *path, char *const *words, struct err *err)
{
	cleanup_free char *text = NULL;
	size_t len = 0;
	int ret = 0;

	if (path != NULL) {
		ret = read_file(path, &text, &len, err);
		if (ret == 0)
			ret = decode_text(config, text, len, err);
		if (ret < 0)
			return err_wrap(err, ret, "%s", path);
	}
	ret = apply_foreign_log_level(config, err);
	if (ret == 0)
		ret = settings_from_env(&table, config, err);
	if (ret == 0)
		ret = settings_from_args(&table, words, config, err);
	if (ret < 0)
		return ret;
	ret = check_claims(config, err);
	return ret < 0 ? err_wrap(err, ret, "%s", path != NULL ? path : "settings") : 0;
}

int sluiced_config_load(
	struct sluiced_config *config, const char *path, char *const *words, struct err *err)
{
	int ret;

	*config = (struct sluiced_config) { .n_workers = 1 };
	settings_apply_defaults(&table, 0, config);
	ret = load_layers(config, path, words, err);
	if (ret < 0)
		sluiced_config_free(config);
	return ret;
}

void sluiced_config_free(struct sluiced_config *config)
{
	free(config->ports);
	*config = (struct sluiced_config) { .n_workers = 1 };
}

void sluiced_config_print_help(FILE *out)
{
	fputs("Settings, by option, environment variable or key of the file (the first that is "
	      "there counts):\n",
		out);
	settings_print_help(&table, "--", out);
	fputs("\nKeys of an entry of \"ports\":\n", out);
	settings_print_help(&port_table, "", out);
}
