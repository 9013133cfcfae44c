/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/image/modules_dep.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/whole_file.h"

#define FILE_SIZE_MAX (16U << 20)

/* Part of a text. */
struct span {
	const char *at;
	size_t len;
};

struct row {
	struct span file, needs; /* needs: files with spaces between them */
};

struct modules_dep {
	struct row *rows;
	size_t n_rows;
	struct span *builtins;
	size_t n_builtins;
	char *dep_text, *builtin_text; /* NULL: the caller's */
};

/* --- reading --------------------------------------------------------------------------------- */

/* Takes the next word of `rest`, up to `end`; false: there is none left. */
static bool next_word(struct span *rest, char end, struct span *word)
{
	const char *found;

	while (rest->len > 0 && *rest->at == end) {
		rest->at++;
		rest->len--;
	}
	if (rest->len == 0)
		return false;
	found = memchr(rest->at, end, rest->len);
	*word = (struct span) { rest->at, found ? (size_t)(found - rest->at) : rest->len };
	rest->at += word->len;
	rest->len -= word->len;
	return true;
}

static bool is_component_sound(struct span part)
{
	return part.len > 0 && !(part.len == 1 && part.at[0] == '.') &&
	       !(part.len == 2 && memcmp(part.at, "..", 2) == 0);
}

/* The name in "kernel/fs/fuse/fuse.ko.xz": fuse. Empty: it is no module's file. */
static struct span module_name(struct span file)
{
	const char *slash = memrchr(file.at, '/', file.len);
	struct span name = { slash != NULL ? slash + 1 : file.at, 0 };
	size_t len = file.len - (size_t)(name.at - file.at);
	const char *suffix = memmem(name.at, len, ".ko", 3);
	size_t suffix_len = suffix != NULL ? len - (size_t)(suffix - name.at) : 0;

	if (suffix_len == 3 || (suffix_len > 4 && suffix[3] == '.'))
		name.len = (size_t)(suffix - name.at);
	return name;
}

/* A relative path without steps back or to itself, of printable characters, to a module. */
static bool is_file_sound(struct span file)
{
	const char *from = file.at, *end = file.at + file.len;

	if (file.len == 0 || file.len >= PATH_MAX || module_name(file).len == 0)
		return false;
	for (size_t i = 0; i < file.len; i++)
		if ((unsigned char)file.at[i] <= ' ' || file.at[i] == 0x7f)
			return false;
	for (const char *at = from; at <= end; at++) {
		if (at < end && *at != '/')
			continue;
		if (!is_component_sound((struct span) { from, (size_t)(at - from) }))
			return false;
		from = at + 1;
	}
	return true;
}

static int bad_entry(struct err *err, const char *name, size_t number, const char *what)
{
	return err_set(err, -EINVAL, "%s, entry %zu: %s", name, number, what);
}

static int parse_row(struct span line, size_t number, struct row *row, struct err *err)
{
	const char *colon = memchr(line.at, ':', line.len);
	struct span rest, word;

	if (colon == NULL)
		return bad_entry(err, "modules.dep", number, "no ':'");
	row->file = (struct span) { line.at, (size_t)(colon - line.at) };
	row->needs = (struct span) { colon + 1, line.len - row->file.len - 1 };
	if (!is_file_sound(row->file))
		return bad_entry(err, "modules.dep", number, "not the path of a module");
	rest = row->needs;
	while (next_word(&rest, ' ', &word))
		if (!is_file_sound(word))
			return bad_entry(err, "modules.dep", number, "needs what is no module");
	return 0;
}

static size_t count_lines(struct span text)
{
	size_t n = 1;

	for (size_t i = 0; i < text.len; i++)
		n += text.at[i] == '\n';
	return n;
}

static int parse_dep(struct modules_dep *dep, struct span text, struct err *err)
{
	struct span line;
	int ret = 0;

	dep->rows = calloc(count_lines(text), sizeof(*dep->rows));
	if (dep->rows == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	while (ret == 0 && next_word(&text, '\n', &line)) {
		ret = parse_row(line, dep->n_rows + 1, &dep->rows[dep->n_rows], err);
		dep->n_rows++;
	}
	return ret;
}

static int parse_builtin(struct modules_dep *dep, struct span text, struct err *err)
{
	struct span line;

	dep->builtins = calloc(count_lines(text), sizeof(*dep->builtins));
	if (dep->builtins == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	while (next_word(&text, '\n', &line)) {
		dep->builtins[dep->n_builtins++] = line;
		if (!is_file_sound(line))
			return bad_entry(err, "modules.builtin", dep->n_builtins,
				"not the path of a module");
	}
	return 0;
}

int modules_dep_parse(const char *dep, size_t dep_len, const char *builtin, size_t builtin_len,
	struct modules_dep **out, struct err *err)
{
	struct modules_dep *new = calloc(1, sizeof(*new));
	int ret;

	if (new == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	ret = parse_dep(new, (struct span) { dep, dep_len }, err);
	if (ret == 0)
		ret = parse_builtin(new, (struct span) { builtin, builtin_len }, err);
	if (ret < 0) {
		modules_dep_free(new);
		return ret;
	}
	*out = new;
	return 0;
}

/* A file of the directory; one that need not be there is empty then. */
static int read_file(
	const char *dir, const char *name, bool needed, char **text, size_t *len, struct err *err)
{
	char path[PATH_MAX];
	int ret;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	ret = whole_file_read(path, FILE_SIZE_MAX, text, len);
	if (ret == -ENOENT && !needed)
		return 0;
	if (ret == -ENOENT)
		return err_errno(err, ENOENT, "cannot read %s (has depmod(8) been run?)", path);
	return ret < 0 ? err_errno(err, -ret, "cannot read %s", path) : 0;
}

int modules_dep_read(const char *dir, struct modules_dep **out, struct err *err)
{
	cleanup_free char *dep = NULL, *builtin = NULL;
	size_t dep_len = 0, builtin_len = 0;
	int ret = read_file(dir, "modules.dep", true, &dep, &dep_len, err);

	if (ret == 0)
		ret = read_file(dir, "modules.builtin", false, &builtin, &builtin_len, err);
	if (ret < 0)
		return ret;
	ret = modules_dep_parse(
		dep, dep_len, builtin != NULL ? builtin : "", builtin_len, out, err);
	if (ret < 0)
		return err_wrap(err, ret, "%s", dir);
	(*out)->dep_text = steal_ptr(&dep);
	(*out)->builtin_text = steal_ptr(&builtin);
	return 0;
}

void modules_dep_free(struct modules_dep *dep)
{
	if (dep == NULL)
		return;
	free(dep->rows);
	free(dep->builtins);
	free(dep->dep_text);
	free(dep->builtin_text);
	free(dep);
}

/* --- order ----------------------------------------------------------------------------------- */

enum visit { UNSEEN, OPEN, DONE };

struct order {
	const struct modules_dep *dep;
	uint8_t *visits; /* of each row */
	size_t *rows;    /* indices, in the order in which they are loaded */
	size_t n;
};

static bool is_named(struct span file, const char *name)
{
	struct span own = module_name(file);

	if (own.len != strlen(name))
		return false;
	for (size_t i = 0; i < own.len; i++)
		if ((own.at[i] == '-' ? '_' : own.at[i]) != (name[i] == '-' ? '_' : name[i]))
			return false;
	return true;
}

/* n_rows: it is not there. */
static size_t find_named(const struct modules_dep *dep, const char *name)
{
	size_t i = 0;

	while (i < dep->n_rows && !is_named(dep->rows[i].file, name))
		i++;
	return i;
}

static size_t find_file(const struct modules_dep *dep, struct span file)
{
	size_t i = 0;

	while (i < dep->n_rows && !(dep->rows[i].file.len == file.len &&
					  memcmp(dep->rows[i].file.at, file.at, file.len) == 0))
		i++;
	return i;
}

static bool is_builtin(const struct modules_dep *dep, const char *name)
{
	for (size_t i = 0; i < dep->n_builtins; i++)
		if (is_named(dep->builtins[i], name))
			return true;
	return false;
}

/* Appends a module behind all that it needs. */
static int visit(struct order *order, size_t at, unsigned depth, struct err *err)
{
	const struct row *row = &order->dep->rows[at];
	struct span rest = row->needs, word;
	int ret = 0;

	if (order->visits[at] == DONE)
		return 0;
	if (order->visits[at] == OPEN || depth > MODULES_DEP_DEPTH_MAX)
		return err_set(err, -ELOOP, "modules.dep: %.*s needs itself, or too many others",
			(int)row->file.len, row->file.at);
	order->visits[at] = OPEN;
	while (ret == 0 && next_word(&rest, ' ', &word)) {
		size_t needed = find_file(order->dep, word);

		if (needed == order->dep->n_rows)
			return err_set(err, -ENOENT,
				"modules.dep: %.*s needs %.*s, which it has not",
				(int)row->file.len, row->file.at, (int)word.len, word.at);
		ret = visit(order, needed, depth + 1, err);
	}
	order->visits[at] = DONE;
	order->rows[order->n++] = at;
	return ret;
}

static int visit_names(struct order *order, const char *const *names, struct err *err)
{
	int ret = 0;

	for (size_t i = 0; ret == 0 && names[i] != NULL; i++) {
		bool optional = names[i][0] == '?';
		const char *name = names[i] + optional;
		size_t at = find_named(order->dep, name);

		if (at < order->dep->n_rows)
			ret = visit(order, at, 0, err);
		else if (!optional && !is_builtin(order->dep, name))
			ret = err_set(err, -ENOENT,
				"module %s: the kernel has it neither as a file nor built in",
				name);
	}
	return ret;
}

/* Pointers first, their strings behind them. */
static int copy_files(const struct order *order, char ***files)
{
	size_t size = (order->n + 1) * sizeof(char *);
	char **list;
	char *at;

	for (size_t i = 0; i < order->n; i++)
		size += order->dep->rows[order->rows[i]].file.len + 1;
	list = calloc(1, size);
	if (list == NULL)
		return -ENOMEM;
	at = (char *)&list[order->n + 1];
	for (size_t i = 0; i < order->n; i++) {
		struct span file = order->dep->rows[order->rows[i]].file;

		list[i] = at;
		memcpy(at, file.at, file.len);
		at += file.len + 1;
	}
	*files = list;
	return 0;
}

int modules_dep_order(
	const struct modules_dep *dep, const char *const *names, char ***files, struct err *err)
{
	cleanup_free uint8_t *visits = calloc(dep->n_rows + 1, sizeof(*visits));
	cleanup_free size_t *rows = calloc(dep->n_rows + 1, sizeof(*rows));
	struct order order = { .dep = dep, .visits = visits, .rows = rows };
	int ret = 0;

	if (visits == NULL || rows == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	ret = visit_names(&order, names, err);
	if (ret == 0 && copy_files(&order, files) < 0)
		ret = err_set(err, -ENOMEM, "out of memory");
	return ret;
}
