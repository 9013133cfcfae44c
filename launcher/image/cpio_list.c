/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/image/cpio_list.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "launcher/image/cpio.h"
#include "lib/cleanup.h"

#define MAGIC      "070701"
#define TRAILER    "TRAILER!!!"
#define HEADER_LEN 110
#define DIGITS     8 /* of a number */

/* Numbers of the header, in their order. */
enum {
	INO,
	MODE,
	UID,
	GID,
	N_LINKS,
	MTIME,
	LEN,
	MAJOR,
	MINOR,
	RMAJOR,
	RMINOR,
	NAME_LEN,
	N_NUMBERS
};

/* --- entries --------------------------------------------------------------------------------- */

static int damaged(uint64_t at, struct err *err)
{
	return err_set(
		err, -EBADMSG, "the archive is damaged at byte %llu", (unsigned long long)at);
}

static int read_at(int fd, void *bytes, size_t len, uint64_t at, struct err *err)
{
	ssize_t n = pread(fd, bytes, len, (off_t)at);

	if (n < 0)
		return err_errno(err, errno, "cannot read the archive");
	return (size_t)n == len ? 0 : damaged(at, err);
}

static bool parse_number(const char *digits, uint32_t *value)
{
	*value = 0;
	for (int i = 0; i < DIGITS; i++) {
		char c = digits[i];

		if (!isxdigit((unsigned char)c))
			return false;
		*value = *value << 4 | (uint32_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
	}
	return true;
}

static bool parse_header(const char *header, uint32_t *numbers)
{
	bool ok = memcmp(header, MAGIC, strlen(MAGIC)) == 0;

	for (size_t i = 0; ok && i < N_NUMBERS; i++)
		ok = parse_number(header + strlen(MAGIC) + i * DIGITS, &numbers[i]);
	return ok;
}

static uint64_t aligned(uint64_t at)
{
	return (at + CPIO_ALIGN - 1) / CPIO_ALIGN * CPIO_ALIGN;
}

int cpio_list_next(int fd, uint64_t *at, struct cpio_row *row, struct err *err)
{
	char header[HEADER_LEN];
	uint32_t numbers[N_NUMBERS];
	int ret = read_at(fd, header, sizeof(header), *at, err);

	if (ret < 0)
		return ret;
	if (!parse_header(header, numbers) || numbers[NAME_LEN] == 0 ||
		numbers[NAME_LEN] > sizeof(row->name))
		return damaged(*at, err);
	ret = read_at(fd, row->name, numbers[NAME_LEN], *at + HEADER_LEN, err);
	if (ret < 0)
		return ret;
	if (row->name[numbers[NAME_LEN] - 1] != '\0')
		return damaged(*at, err);
	row->mode = numbers[MODE];
	row->uid = numbers[UID];
	row->gid = numbers[GID];
	row->len = numbers[LEN];
	*at = aligned(aligned(*at + HEADER_LEN + numbers[NAME_LEN]) + row->len);
	return strcmp(row->name, TRAILER) != 0;
}

/* --- the list -------------------------------------------------------------------------------- */

static void print_row(const struct cpio_row *row, const char *name, FILE *out)
{
	fprintf(out, " %6o %6u %6u %10u ", row->mode, row->uid, row->gid, row->len);
	for (; *name != '\0'; name++)
		fputc(isprint((unsigned char)*name) ? *name : '?', out);
	fputc('\n', out);
}

/* What is behind the directory in a path; NULL: it is elsewhere. */
static const char *behind(const char *name, const char *dir, size_t dir_len)
{
	if (dir_len == 0)
		return name;
	return strncmp(name, dir, dir_len) == 0 && name[dir_len] == '/' ? name + dir_len + 1 : NULL;
}

/* Whether this is what was asked for; `dir` is without '/' at its ends. */
static bool list_row(const struct cpio_row *row, const char *dir, size_t dir_len, FILE *out)
{
	const char *name = row->name + strspn(row->name, "/");
	const char *rest = behind(name, dir, dir_len);

	if (strlen(name) == dir_len && memcmp(name, dir, dir_len) == 0) {
		if (!S_ISDIR(row->mode))
			print_row(row, name, out);
		return true;
	}
	if (rest == NULL || strchr(rest, '/') != NULL)
		return false;
	print_row(row, rest, out);
	return true;
}

int cpio_list(const char *archive, const char *path, FILE *out, struct err *err)
{
	cleanup_close int fd = open(archive, O_RDONLY | O_CLOEXEC);
	const char *dir = path + strspn(path, "/");
	size_t dir_len = strlen(dir);
	struct cpio_row row;
	bool found = false;
	uint64_t at = 0;
	int ret;

	if (fd < 0)
		return err_errno(err, errno, "cannot open %s", archive);
	while (dir_len > 0 && dir[dir_len - 1] == '/')
		dir_len--;
	while ((ret = cpio_list_next(fd, &at, &row, err)) > 0)
		found |= list_row(&row, dir, dir_len, out);
	if (ret < 0)
		return err_wrap(err, ret, "%s", archive);
	return found ? 0 : err_set(err, -ENOENT, "there is no %s in %s", path, archive);
}
