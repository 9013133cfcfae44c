/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest-agent/guest_user.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "lib/whole_file.h"

/* (uid_t)-1 means "no change" to the system calls. */
#define ID_MAX (UINT32_MAX - 1)

#define NAME_LEN_MAX 256
#define DATABASE_MAX (16U << 20)

/* A file that is read as a whole: of an open one the C library asks the position with every line,
 * two system calls for each of them, and these are dear under UML. */
struct database {
	char *text;
	FILE *file;
};

static bool parse_id(const char *text, id_t *id)
{
	unsigned long value;
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	value = strtoul(text, &end, 10);
	if (*end != '\0' || errno != 0 || value > ID_MAX)
		return false;
	*id = (id_t)value;
	return true;
}

/* Closes nothing that is not open. */
static void close_database(struct database *db)
{
	if (db->file != NULL)
		fclose(db->file);
	free(db->text);
}

/* file is NULL if it cannot be read, which is as if it were empty. The root may hold anything by
 * that name: a pipe, say. */
static struct database open_database(const char *path)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct database db = { 0 };
	struct stat st;
	size_t len;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return db;
	if (whole_file_read_fd(fd, DATABASE_MAX, &db.text, &len) == 0 && len > 0)
		db.file = fmemopen(db.text, len, "r");
	return db;
}

/* The first entry of that name or number counts. `member` gets its name. 0, or -ENOENT. */
static int find_user(const char *text, struct guest_user *user, char *member)
{
	struct database db = open_database("/etc/passwd");
	bool is_number = parse_id(text, &user->uid);
	uid_t wanted = user->uid;
	struct passwd *row = NULL;

	while (db.file != NULL && (row = fgetpwent(db.file)) != NULL)
		if (strcmp(row->pw_name, text) == 0 || (is_number && row->pw_uid == wanted))
			break;
	if (row != NULL) {
		user->uid = row->pw_uid;
		user->gid = row->pw_gid;
		user->home = strdup(row->pw_dir[0] != '\0' ? row->pw_dir : "/");
		snprintf(member, NAME_LEN_MAX, "%s", row->pw_name);
	}
	close_database(&db);
	return row != NULL || is_number ? 0 : -ENOENT;
}

static int find_group(const char *text, gid_t *gid)
{
	struct database db = open_database("/etc/group");
	bool is_number = parse_id(text, gid);
	struct group *row = NULL;

	while (db.file != NULL && (row = fgetgrent(db.file)) != NULL)
		if (strcmp(row->gr_name, text) == 0)
			break;
	if (row != NULL)
		*gid = row->gr_gid;
	close_database(&db);
	return row != NULL || is_number ? 0 : -ENOENT;
}

static int add_group(struct guest_user *user, gid_t gid)
{
	gid_t *bigger = reallocarray(user->groups, user->n_groups + 1, sizeof(*bigger));

	if (bigger == NULL)
		return -ENOMEM;
	user->groups = bigger;
	user->groups[user->n_groups++] = gid;
	return 0;
}

static bool has_member(const struct group *row, const char *member)
{
	for (char **name = row->gr_mem; *name != NULL; name++)
		if (strcmp(*name, member) == 0)
			return true;
	return false;
}

static int add_groups_of(struct guest_user *user, const char *member)
{
	struct database db = open_database("/etc/group");
	struct group *row;
	int ret = 0;

	while (ret == 0 && db.file != NULL && (row = fgetgrent(db.file)) != NULL)
		if (has_member(row, member) && user->n_groups < NGROUPS_MAX)
			ret = add_group(user, row->gr_gid);
	close_database(&db);
	return ret;
}

static int find(const char *name, const char *group, struct guest_user *user, struct err *err)
{
	char member[NAME_LEN_MAX] = "";

	if (find_user(name[0] != '\0' ? name : "0", user, member) < 0)
		return err_set(err, -ENOENT, "there is no user \"%s\" in /etc/passwd", name);
	if (group != NULL && find_group(group, &user->gid) < 0)
		return err_set(err, -ENOENT, "there is no group \"%s\" in /etc/group", group);
	/* Who names a group gets that one. */
	if (group == NULL && member[0] != '\0' && add_groups_of(user, member) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	if (user->home == NULL)
		user->home = strdup("/");
	return user->home != NULL ? 0 : err_set(err, -ENOMEM, "out of memory");
}

/* "audio,29". */
static int add_named(struct guest_user *user, const char *names, struct err *err)
{
	cleanup_free char *copy = strdup(names);
	char *rest = copy, *name;

	if (copy == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	while ((name = strsep(&rest, ",")) != NULL) {
		gid_t gid;

		if (find_group(name, &gid) < 0)
			return err_set(
				err, -ENOENT, "there is no group \"%s\" in /etc/group", name);
		if (user->n_groups < NGROUPS_MAX && add_group(user, gid) < 0)
			return err_set(err, -ENOMEM, "out of memory");
	}
	return 0;
}

static int add_more(struct guest_user *user, const struct process_spec *spec, struct err *err)
{
	for (size_t i = 0; i < spec->n_gids; i++)
		if (add_group(user, spec->gids[i]) < 0)
			return err_set(err, -ENOMEM, "out of memory");
	return spec->groups != NULL && spec->groups[0] != '\0' ? add_named(user, spec->groups, err)
							       : 0;
}

int guest_user_find(const struct process_spec *spec, struct guest_user *user, struct err *err)
{
	cleanup_free char *copy = strdup(spec->user != NULL ? spec->user : "");
	char *colon = copy != NULL ? strchr(copy, ':') : NULL;
	int ret;

	*user = (struct guest_user) { 0 };
	if (copy == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	if (colon != NULL)
		*colon++ = '\0';
	ret = find(copy, colon != NULL && colon[0] != '\0' ? colon : NULL, user, err);
	if (ret == 0)
		ret = add_more(user, spec, err);
	if (ret < 0)
		guest_user_free(user);
	return ret;
}

void guest_user_free(struct guest_user *user)
{
	free(user->groups);
	free(user->home);
	*user = (struct guest_user) { 0 };
}
