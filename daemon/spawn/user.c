/* Users and groups of the guest: see user.h. */
#include "user.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/fd.h"

#define STAGE	   "user"
#define ID_INVALID UINT32_MAX /* the kernel takes -1 for "leave it as it is" */

#define NAMES_MAX  (4 * 1024 * 1024) /* bytes of a file of names, all read while others wait */
#define GROUPS_MAX 65536	     /* the kernel takes no more (NGROUPS_MAX) */

struct part {
	const char *text;
	size_t len;
};

/* A file of names, and how far it has been read. */
struct names {
	char *text; /* owned; NULL where there is no file */
	const char *at, *end;
};

/* What both files begin their lines with: name, password, number. */
struct entry {
	struct part name;
	uint32_t id;
	struct part rest;
};

static struct part trim_left(struct part part)
{
	while (part.len && isspace((unsigned char)part.text[0])) {
		part.text++;
		part.len--;
	}
	return part;
}

static struct part trim(const char *text, size_t len)
{
	while (len && isspace((unsigned char)text[len - 1]))
		len--;
	return trim_left((struct part){text, len});
}

static bool part_is(struct part part, struct part name)
{
	return name.len == part.len && memcmp(name.text, part.text, part.len) == 0;
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
	free(names->text);
	*names = (struct names){NULL, NULL, NULL};
}

/*
 * A copy of the guest's file of names: commands may have made it anything, and nothing of that is waited
 * for. 0, with an empty one where there is no file, or -errno with *err filled.
 */
static int open_names(const char *path, struct names *ret, struct err *err)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	size_t len = 0;
	ssize_t n = 1;

	*ret = (struct names){NULL, NULL, NULL};
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
	if (n < 0) {
		err_set(err, errno, STAGE, "the guest's %s", path);
		close_names(ret);
		return -err->num;
	}
	ret->at = ret->text;
	ret->end = ret->text + len;
	return 0;
}

/* Takes off what stands before the next of these bytes, or all. */
static struct part cut(struct part *rest, char byte)
{
	const char *end = rest->len ? memchr(rest->text, byte, rest->len) : NULL;
	struct part taken = {rest->text, end ? (size_t)(end - rest->text) : rest->len};
	size_t gone = taken.len + (end ? 1 : 0);

	rest->text += gone;
	rest->len -= gone;
	return taken;
}

/*
 * The next line that is an entry. No line is too long, and each byte is looked at once, whatever the file
 * was made to be. Not entries are: lines of NIS (+ and -), whose numbers would be anything; those with a
 * NUL, before which others see another name; those whose number is none.
 */
static bool next_entry(struct names *names, struct entry *ret)
{
	while (names->at < names->end) {
		struct part file = {names->at, (size_t)(names->end - names->at)};
		struct part line = cut(&file, '\n');

		names->at = file.text;
		line = trim_left(line);
		if (!line.len || strchr("#+-:", line.text[0]) || memchr(line.text, '\0', line.len))
			continue;
		ret->name = cut(&line, ':');
		cut(&line, ':');
		if (!parse_id(cut(&line, ':'), &ret->id))
			continue;
		ret->rest = line;
		return true;
	}
	return false;
}

/* What is behind the gid: a comment, the home, and for the shell all the rest. 1, or -ENOMEM. */
static int take_entry(const struct entry *entry, gid_t gid, struct part rest, struct user *ret,
		      struct err *err)
{
	struct user made = {.uid = entry->id, .gid = gid};
	struct part home;

	cut(&rest, ':');
	home = cut(&rest, ':');
	made.name = strndup(entry->name.text, entry->name.len);
	made.home = strndup(home.text, home.len);
	made.shell = strndup(rest.text, rest.len);
	if (!made.name || !made.home || !made.shell) {
		user_release(&made);
		return err_set(err, ENOMEM, STAGE, "cannot read the guest's /etc/passwd");
	}
	user_release(ret);
	*ret = made;
	return 1;
}

/*
 * The entry of that name, if there is a name; else the first of that uid, if there is one. 1, 0 when
 * there is none, or -errno with *err filled.
 */
static int find_passwd(const struct part *name, const uid_t *uid, struct user *ret, struct err *err)
{
	struct names names;
	struct entry entry;
	int r = open_names("/etc/passwd", &names, err);

	while (r >= 0 && next_entry(&names, &entry)) {
		bool is_named = name && part_is(*name, entry.name);
		struct part rest = entry.rest;
		uint32_t gid;

		if (!is_named && (r > 0 || !uid || *uid != entry.id))
			continue;
		if (!parse_id(cut(&rest, ':'), &gid))
			continue;
		r = take_entry(&entry, gid, rest, ret, err);
		if (is_named || !name)
			break;
	}
	close_names(&names);
	return r;
}

static int find_group(struct part name, gid_t *ret_gid, bool *ret_found, struct err *err)
{
	struct names names;
	struct entry entry;
	int r = open_names("/etc/group", &names, err);

	*ret_found = false;
	while (r == 0 && !*ret_found && next_entry(&names, &entry)) {
		*ret_found = part_is(name, entry.name);
		if (*ret_found)
			*ret_gid = entry.id;
	}
	close_names(&names);
	return r;
}

/* Whether the group's list of members, between commas, has the name. */
static bool has_member(struct part members, struct part name)
{
	while (members.len) {
		struct part member = cut(&members, ',');

		if (part_is(name, trim(member.text, member.len)))
			return true;
	}
	return false;
}

/* In what order they were met, which is that of the file. */
struct met {
	gid_t gid;
	size_t index;
};

static int compare_gids(const void *left, const void *right)
{
	const struct met *a = left, *b = right;

	if (a->gid != b->gid)
		return a->gid < b->gid ? -1 : 1;
	return a->index < b->index ? -1 : a->index > b->index;
}

static int compare_indexes(const void *left, const void *right)
{
	const struct met *a = left, *b = right;

	return a->index < b->index ? -1 : a->index > b->index;
}

/* Each once, where it was first: sorted, since a file may say tens of thousands. 0 or -ENOMEM. */
static int take_groups(struct user *user, struct met *met, size_t count)
{
	size_t kept = 0;

	qsort(met, count, sizeof(*met), compare_gids);
	for (size_t i = 0; i < count; i++)
		if (!kept || met[kept - 1].gid != met[i].gid)
			met[kept++] = met[i];
	qsort(met, kept, sizeof(*met), compare_indexes);
	user->groups = reallocarray(NULL, kept, sizeof(gid_t));
	if (!user->groups)
		return -ENOMEM;
	for (size_t i = 0; i < kept; i++)
		user->groups[i] = met[i].gid;
	user->group_count = kept;
	return 0;
}

/* Room for one more grows by doubling. 0 or -ENOMEM. */
static int meet(struct met **met, size_t *count, gid_t gid)
{
	struct met *grown = *met;

	/* Only a power of two is full. */
	if (!(*count & (*count - 1))) {
		grown = reallocarray(*met, *count ? 2 * *count : 1, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		*met = grown;
	}
	grown[*count] = (struct met){gid, *count};
	*count += 1;
	return 0;
}

/* The given gid and every group that lists the user, as initgroups(3) has it. */
static int find_supplementary(struct user *user, struct err *err)
{
	struct part name = {user->name, strlen(user->name)};
	struct met *met = NULL;
	struct names names;
	struct entry entry;
	size_t count = 0;
	int r = open_names("/etc/group", &names, err);

	if (r < 0)
		return r;
	r = meet(&met, &count, user->gid);
	while (r == 0 && count <= GROUPS_MAX && next_entry(&names, &entry))
		if (has_member(entry.rest, name))
			r = meet(&met, &count, entry.id);
	if (r == 0 && count <= GROUPS_MAX)
		r = take_groups(user, met, count);
	if (r < 0)
		err_set(err, -r, STAGE, "cannot read the groups of user %s", user->name);
	else if (count > GROUPS_MAX)
		r = err_set(err, 0, STAGE, "user %s is in over %d groups of the guest's /etc/group",
			    user->name, GROUPS_MAX);
	free(met);
	close_names(&names);
	return r;
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
	if (r < 0)
		user_release(ret);
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
