/* Users and groups of the guest: see user.h. */
#include "user.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/fd.h"

#define STAGE	   "user"
#define ID_INVALID UINT32_MAX /* the kernel takes -1 for "leave it as it is" */

#define NAMES_MAX (16 * 1024 * 1024) /* bytes of a file of names */

struct part {
	const char *text;
	size_t len;
};

struct names {
	char *text;
	FILE *file; /* NULL where there is none */
};

static struct part trim(const char *text, size_t len)
{
	while (len && isspace((unsigned char)text[0])) {
		text++;
		len--;
	}
	while (len && isspace((unsigned char)text[len - 1]))
		len--;
	return (struct part){text, len};
}

static bool part_is(struct part part, const char *name)
{
	return strlen(name) == part.len && memcmp(name, part.text, part.len) == 0;
}

/* Whether the part is a number of 32 bits. */
static bool parse_id(struct part part, uint32_t *ret_id)
{
	uint64_t id = 0;

	if (!part.len)
		return false;
	for (size_t i = 0; i < part.len; i++) {
		if (!isdigit((unsigned char)part.text[i]))
			return false;
		id = id * 10 + (uint64_t)(part.text[i] - '0');
		if (id > UINT32_MAX)
			return false;
	}
	*ret_id = (uint32_t)id;
	return true;
}

static void close_names(struct names *names)
{
	if (names->file)
		fclose(names->file);
	free(names->text);
	*names = (struct names){NULL, NULL};
}

/*
 * The guest's file of names, as a stream over a copy of it: commands may have made it anything, and
 * nothing of that is waited for. 0, with *ret NULL where there is none, or -errno with *err filled.
 */
static int open_names(const char *path, struct names *ret, struct err *err)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	size_t len = 0;
	ssize_t n = 1;

	*ret = (struct names){NULL, NULL};
	if (fd < 0)
		return errno == ENOENT ? 0 : err_set(err, errno, STAGE, "the guest's %s", path);
	if (fstat(fd, &st) < 0)
		return err_set(err, errno, STAGE, "the guest's %s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, 0, STAGE, "the guest's %s is no regular file", path);
	if (st.st_size > NAMES_MAX)
		return err_set(err, 0, STAGE, "the guest's %s is over %d MiB", path,
			       NAMES_MAX / 1024 / 1024);
	ret->text = malloc((size_t)st.st_size + 1);
	if (!ret->text)
		return err_set(err, ENOMEM, STAGE, "the guest's %s", path);
	while (len < (size_t)st.st_size && n > 0) {
		n = read(fd, ret->text + len, (size_t)st.st_size - len);
		if (n > 0)
			len += (size_t)n;
	}
	if (n < 0)
		err_set(err, errno, STAGE, "the guest's %s", path);
	/* There is no stream over nothing. */
	ret->text[len] = '\n';
	if (n >= 0)
		ret->file = fmemopen(ret->text, len + 1, "r");
	if (n >= 0 && !ret->file)
		err_set(err, ENOMEM, STAGE, "the guest's %s", path);
	if (ret->file)
		return 0;
	close_names(ret);
	return err->num ? -err->num : -EIO;
}

static int take_entry(const struct passwd *entry, struct user *ret, struct err *err)
{
	user_release(ret);
	ret->uid = entry->pw_uid;
	ret->gid = entry->pw_gid;
	ret->name = strdup(entry->pw_name);
	ret->home = strdup(entry->pw_dir ? entry->pw_dir : "");
	ret->shell = strdup(entry->pw_shell ? entry->pw_shell : "");
	if (ret->name && ret->home && ret->shell)
		return 1;
	err_set(err, ENOMEM, STAGE, "user %s", entry->pw_name);
	return -ENOMEM;
}

/*
 * The entry of that name, if there is a name; else the first of that uid, if there is one. 1, 0 when
 * there is none, or -errno with *err filled.
 */
static int find_passwd(const struct part *name, const uid_t *uid, struct user *ret, struct err *err)
{
	struct names names;
	struct passwd *entry;
	int r = open_names("/etc/passwd", &names, err);

	/* fgetpwent grows its own buffer: no entry is too long. */
	while (r >= 0 && names.file && (entry = fgetpwent(names.file))) {
		if (name && part_is(*name, entry->pw_name)) {
			r = take_entry(entry, ret, err);
			break;
		}
		if (r == 0 && uid && *uid == entry->pw_uid)
			r = take_entry(entry, ret, err);
		if (r > 0 && !name)
			break;
	}
	close_names(&names);
	return r;
}

static int find_group(struct part name, gid_t *ret_gid, bool *ret_found, struct err *err)
{
	struct names names;
	struct group *entry;
	int r = open_names("/etc/group", &names, err);

	*ret_found = false;
	if (r < 0 || !names.file)
		return r;
	while ((entry = fgetgrent(names.file)))
		if (part_is(name, entry->gr_name))
			break;
	if (entry) {
		*ret_gid = entry->gr_gid;
		*ret_found = true;
	}
	close_names(&names);
	return 0;
}

static int add_group(struct user *user, gid_t gid)
{
	gid_t *groups;

	for (size_t i = 0; i < user->group_count; i++)
		if (user->groups[i] == gid)
			return 0;
	groups = reallocarray(user->groups, user->group_count + 1, sizeof(gid_t));
	if (!groups)
		return -ENOMEM;
	user->groups = groups;
	user->groups[user->group_count++] = gid;
	return 0;
}

/* The given gid and every group that lists the user, as initgroups(3) has it. */
static int find_supplementary(struct user *user, struct err *err)
{
	struct names names;
	struct group *entry;
	int r = open_names("/etc/group", &names, err);

	if (r < 0)
		return r;
	r = add_group(user, user->gid);
	while (r == 0 && names.file && (entry = fgetgrent(names.file)))
		for (char **member = entry->gr_mem; r == 0 && *member; member++)
			if (strcmp(*member, user->name) == 0)
				r = add_group(user, entry->gr_gid);
	close_names(&names);
	return r < 0 ? err_set(err, -r, STAGE, "cannot read the groups of user %s", user->name) : 0;
}

/* A name may be all digits, and goes before a number, as chown(1) has it. */
static int resolve_user(struct part part, struct user *ret, struct err *err)
{
	uint32_t uid = 0;
	bool numeric = parse_id(part, &uid);
	int r;

	if (!part.len)
		return err_set(err, 0, STAGE, "the user is empty");
	r = find_passwd(&part, numeric ? &uid : NULL, ret, err);
	if (r != 0)
		return r < 0 ? r : 0;
	if (!numeric)
		return err_set(err, 0, STAGE, "user %.*s: no such user in the guest's /etc/passwd",
			       (int)part.len, part.text);
	ret->uid = uid;
	ret->gid = getgid();
	return 0;
}

static int resolve_group(struct part part, gid_t *ret_gid, struct err *err)
{
	uint32_t gid = 0;
	bool found;
	int r;

	if (!part.len)
		return err_set(err, 0, STAGE, "the group is empty");
	r = find_group(part, ret_gid, &found, err);
	if (r < 0 || found)
		return r;
	if (!parse_id(part, &gid))
		return err_set(err, 0, STAGE, "group %.*s: no such group in the guest's /etc/group",
			       (int)part.len, part.text);
	*ret_gid = gid;
	return 0;
}

int user_resolve(const char *spec, size_t len, struct user *ret, struct err *err)
{
	const char *colon = memchr(spec, ':', len);
	size_t user_len = colon ? (size_t)(colon - spec) : len;
	struct user user = {0};
	int r;

	r = resolve_user(trim(spec, user_len), &user, err);
	if (r == 0 && colon)
		r = resolve_group(trim(colon + 1, len - user_len - 1), &user.gid, err);
	/* Whoever says so, the files too: it would be ours that the command keeps. */
	if (r == 0 && user.uid == ID_INVALID)
		r = err_set(err, 0, STAGE, "user %u is not a usable uid", user.uid);
	if (r == 0 && user.gid == ID_INVALID)
		r = err_set(err, 0, STAGE, "group %u is not a usable gid", user.gid);
	if (r == 0 && user.name)
		r = find_supplementary(&user, err);
	if (r < 0) {
		user_release(&user);
		return r;
	}
	*ret = user;
	return 0;
}

int user_by_uid(uid_t uid, struct user *ret, struct err *err)
{
	int r;

	*ret = (struct user){.uid = uid};
	r = find_passwd(NULL, &uid, ret, err);
	return r < 0 ? r : 0;
}

void user_release(struct user *user)
{
	free(user->name);
	free(user->home);
	free(user->shell);
	free(user->groups);
	*user = (struct user){0};
}
