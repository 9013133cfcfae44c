/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/oci/oci_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/whole_file.h"

#define TEXT_FLAGS (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)

/* --- reading --------------------------------------------------------------------------------- */

/* How many members the objects of a tree have. Its depth is limited. */
static size_t count_members(json_object *value)
{
	struct lh_entry *entry;
	size_t n = 0;

	if (json_object_is_type(value, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(value); i++)
			n += count_members(json_object_array_get_idx(value, i));
	} else if (json_object_is_type(value, json_type_object)) {
		lh_foreach (json_object_get_object(value), entry)
			n += 1 + count_members((json_object *)lh_entry_v(entry));
	}
	return n;
}

struct looks {
	size_t n_members;
	bool has_nul;   /* in a string */
	char extension; /* outside of strings; '\0': none */
};

/* What JSON has outside of strings: json-c also takes names in single quotes, and more. */
static const char plain[] = "{}[]:, \t\r\n+-.0123456789Eaeflnrstu";

/* Of text that json-c takes: outside of strings a colon is a member, and nothing else is. */
static struct looks look_at(const char *text, size_t len)
{
	struct looks looks = { 0 };
	bool in_string = false;

	for (size_t i = 0; i < len; i++) {
		if (text[i] == '"') {
			in_string = !in_string;
		} else if (in_string && text[i] == '\\') {
			looks.has_nul |= strncmp(text + i, "\\u0000", 6) == 0;
			i++;
		} else if (!in_string) {
			looks.n_members += text[i] == ':';
			if (strchr(plain, text[i]) == NULL)
				looks.extension = text[i];
		}
	}
	return looks;
}

static int check(const char *text, size_t len, json_object *value, struct err *err)
{
	struct looks looks = look_at(text, len);

	if (looks.extension != '\0')
		return err_set(
			err, -EINVAL, "\"%c\" is not JSON outside of a string", looks.extension);
	if (looks.has_nul)
		return err_set(err, -EINVAL, "a string has a NUL in it");
	if (looks.n_members != count_members(value))
		return err_set(err, -EINVAL, "an object has two members of the same name");
	return 0;
}

static int refuse(const json_tokener *tokener, enum json_tokener_error how, struct err *err)
{
	return err_set(err, -EINVAL, "byte %zu: %s",
		json_tokener_get_parse_end((json_tokener *)tokener),
		how == json_tokener_success ? "there is more behind it"
					    : json_tokener_error_desc(how));
}

/* With the NUL, which ends what could go on (a number). */
static int parse(
	json_tokener *tokener, const char *text, size_t len, json_object **out, struct err *err)
{
	json_object *value = json_tokener_parse_ex(tokener, text, (int)len + 1);
	enum json_tokener_error how = json_tokener_get_error(tokener);
	size_t end = json_tokener_get_parse_end(tokener);
	int ret = 0;

	if (how == json_tokener_success && end < len)
		end += strspn(text + end, " \t\r\n");
	if (how != json_tokener_success || end != len)
		ret = refuse(tokener, how, err);
	else
		ret = check(text, len, value, err);
	if (ret < 0)
		json_object_put(value);
	else
		*out = value;
	return ret;
}

int oci_json_parse(const char *text, size_t len, json_object **out, struct err *err)
{
	json_tokener *tokener;
	int ret;

	*out = NULL;
	if (len > OCI_FILE_MAX)
		return err_errno(err, EFBIG, "JSON");
	tokener = json_tokener_new_ex(OCI_FILE_DEPTH);
	if (tokener == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	ret = parse(tokener, text, len, out, err);
	json_tokener_free(tokener);
	return ret;
}

/* A pipe would keep us waiting, a device has no end. */
static int open_plain(const char *path, struct stat *st)
{
	cleanup_close int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 || fstat(fd, st) < 0)
		return -errno;
	return S_ISREG(st->st_mode) ? steal_fd(&fd) : -EINVAL;
}

int oci_file_read(const char *path, json_object **out, struct err *err)
{
	struct stat st;
	cleanup_close int fd = open_plain(path, &st);
	cleanup_free char *text = NULL;
	size_t len;
	int ret;

	*out = NULL;
	if (fd == -EINVAL)
		return err_set(err, -EINVAL, "%s: is no plain file", path);
	ret = fd < 0 ? fd : whole_file_read_fd(fd, OCI_FILE_MAX, &text, &len);
	if (ret < 0)
		return err_errno(err, -ret, "%s", path);
	if (strlen(text) != len)
		return err_set(err, -EINVAL, "%s: has a NUL in it", path);
	ret = oci_json_parse(text, len, out, err);
	return ret < 0 ? err_wrap(err, ret, "%s", path) : 0;
}

/* --- writing --------------------------------------------------------------------------------- */

static int write_value(int fd, json_object *value)
{
	size_t len;
	const char *text = json_object_to_json_string_length(value, TEXT_FLAGS, &len);

	return text != NULL ? whole_file_write_fd(fd, text, len) : -ENOMEM;
}

/* A file that nobody else has a hand on, of that owner and mode. */
static int create(const char *path, const struct stat *like, json_object *value)
{
	cleanup_close int fd =
		open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	if ((like->st_uid != geteuid() || like->st_gid != getegid()) &&
		fchown(fd, like->st_uid, like->st_gid) < 0)
		return -errno;
	if (fchmod(fd, like->st_mode & 07777) < 0)
		return -errno;
	return write_value(fd, value);
}

int oci_file_create(const char *path, mode_t mode, json_object *value, struct err *err)
{
	const struct stat like = { .st_uid = geteuid(), .st_gid = getegid(), .st_mode = mode };
	int ret = create(path, &like, value);

	return ret < 0 ? err_errno(err, -ret, "cannot write %s", path) : 0;
}

static int replace(const char *path, const char *temporary, json_object *value)
{
	struct stat st;
	int ret;

	if (stat(path, &st) < 0)
		return -errno;
	if (unlink(temporary) < 0 && errno != ENOENT)
		return -errno;
	ret = create(temporary, &st, value);
	if (ret == 0 && rename(temporary, path) < 0)
		ret = -errno;
	if (ret < 0)
		(void)unlink(temporary);
	return ret;
}

int oci_file_replace(const char *path, json_object *value, struct err *err)
{
	char temporary[PATH_MAX];
	int ret = -ENAMETOOLONG;

	if (snprintf(temporary, sizeof(temporary), "%s.sluice", path) < (int)sizeof(temporary))
		ret = replace(path, temporary, value);
	return ret < 0 ? err_errno(err, -ret, "cannot replace %s", path) : 0;
}
