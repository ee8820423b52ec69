/* Users and groups of the guest: see user.h. */
#include "user.h"

#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STAGE	   "user"
#define ID_INVALID UINT32_MAX /* the kernel takes -1 for "leave it as it is" */

struct part {
	const char *text;
	size_t len;
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

/* Reads passwd up to the entry of that name, or of that uid when name is NULL. */
static int find_passwd(const struct part *name, uid_t uid, struct user *ret, bool *ret_found)
{
	FILE *file = fopen("/etc/passwd", "re");
	struct passwd *entry;
	int r = 0;

	*ret_found = false;
	if (!file)
		return errno == ENOENT ? 0 : -errno;
	/* fgetpwent grows its own buffer: no entry is too long. */
	while ((entry = fgetpwent(file)))
		if (name ? part_is(*name, entry->pw_name) : entry->pw_uid == uid)
			break;
	if (entry) {
		ret->uid = entry->pw_uid;
		ret->gid = entry->pw_gid;
		ret->name = strdup(entry->pw_name);
		ret->home = strdup(entry->pw_dir ? entry->pw_dir : "");
		ret->shell = strdup(entry->pw_shell ? entry->pw_shell : "");
		if (!ret->name || !ret->home || !ret->shell)
			r = -ENOMEM;
		*ret_found = true;
	}
	fclose(file);
	return r;
}

static int find_group(struct part name, gid_t *ret_gid, bool *ret_found)
{
	FILE *file = fopen("/etc/group", "re");
	struct group *entry;

	*ret_found = false;
	if (!file)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = fgetgrent(file)))
		if (part_is(name, entry->gr_name))
			break;
	if (entry) {
		*ret_gid = entry->gr_gid;
		*ret_found = true;
	}
	fclose(file);
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
static int find_supplementary(struct user *user)
{
	struct group *entry;
	FILE *file;
	int r = add_group(user, user->gid);

	file = fopen("/etc/group", "re");
	if (!file)
		return r < 0 ? r : errno == ENOENT ? 0 : -errno;
	while (r == 0 && (entry = fgetgrent(file)))
		for (char **member = entry->gr_mem; r == 0 && *member; member++)
			if (strcmp(*member, user->name) == 0)
				r = add_group(user, entry->gr_gid);
	fclose(file);
	return r;
}

static int resolve_user(struct part part, struct user *ret, struct err *err)
{
	uint32_t uid = 0;
	bool numeric = parse_id(part, &uid), found;
	int r;

	if (!part.len)
		return err_set(err, 0, STAGE, "the user is empty");
	if (numeric && uid == ID_INVALID)
		return err_set(err, 0, STAGE, "user %u is not a usable uid", uid);
	r = find_passwd(numeric ? NULL : &part, uid, ret, &found);
	if (r < 0)
		return err_set(err, -r, STAGE, "user %.*s", (int)part.len, part.text);
	if (found)
		return 0;
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
	if (parse_id(part, &gid)) {
		if (gid == ID_INVALID)
			return err_set(err, 0, STAGE, "group %u is not a usable gid", gid);
		*ret_gid = gid;
		return 0;
	}
	r = find_group(part, ret_gid, &found);
	if (r < 0)
		return err_set(err, -r, STAGE, "group %.*s", (int)part.len, part.text);
	if (!found)
		return err_set(err, 0, STAGE, "group %.*s: no such group in the guest's /etc/group",
			       (int)part.len, part.text);
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
	if (r == 0 && user.name) {
		r = find_supplementary(&user);
		if (r < 0)
			err_set(err, -r, STAGE, "cannot read the groups of user %s", user.name);
	}
	if (r < 0) {
		user_release(&user);
		return r;
	}
	*ret = user;
	return 0;
}

int user_by_uid(uid_t uid, struct user *ret)
{
	bool found;

	*ret = (struct user){.uid = uid};
	return find_passwd(NULL, uid, ret, &found);
}

void user_release(struct user *user)
{
	free(user->name);
	free(user->home);
	free(user->shell);
	free(user->groups);
	*user = (struct user){0};
}
