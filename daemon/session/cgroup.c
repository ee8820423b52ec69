/*
 * Control groups for sessions: see cgroup.h.
 *
 *	/sys/fs/cgroup/...          the daemon's own, when it was started
 *	    msb-execd/              the daemon, if the kernel wants it out of the way of controllers
 *	    msb-PID-N/              a session's; PID is the daemon's
 */
#include "cgroup.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "shared/base.h"
#include "shared/fd.h"
#include "shared/log.h"

#define OWN_NAME       "msb-execd"
#define PREFIX	       "msb-"
#define NAME_ROOM      48
#define PATH_ROOM      (NAME_ROOM + 32)
#define CPU_PERIOD_US  100000 /* the kernel's own */
#define MOVES	       10     /* how often to move what keeps appearing */
#define NAMES	       1000   /* how many are tried that others have */
#define DEPTH_MAX      64     /* of groups below a session's that are removed with it */
#define SWEEP_FIRST_MS 20
#define SWEEP_LAST_MS  5000

struct cgroup {
	struct cgroups *cgroups;
	char name[NAME_ROOM];
	int oom_fd; /* memory.events, where memory is limited; held, since there may be no descriptor then */
	struct list_node node; /* of those that are left, each looked at by a clock of its own: */
	uint64_t pause_ms, due_ms;
};

/* In the order of their bits. */
static const char *const controllers[] = {"memory", "cpu", "pids"};

enum { NEED_MEMORY = 1 << 0, NEED_CPU = 1 << 1, NEED_PIDS = 1 << 2 };

static unsigned needs_of(const struct cgroup_limits *limits)
{
	return (limits->memory ? NEED_MEMORY : 0) | (limits->cpu_millis ? NEED_CPU : 0) |
	       (limits->pids ? NEED_PIDS : 0);
}

/* ---- files of a group ---- */

/* The whole of a short file as a text; its length, or -errno. */
static ssize_t read_at(int fd, const char *name, char *room, size_t room_len)
{
	cleanup_fd int file = openat(fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = file < 0 ? -1 : read(file, room, room_len - 1);

	if (n < 0)
		return -errno;
	room[n] = '\0';
	return n;
}

static int write_at(int fd, const char *name, const char *text)
{
	cleanup_fd int file = openat(fd, name, O_WRONLY | O_CLOEXEC | O_NONBLOCK);

	if (file < 0 || write(file, text, strlen(text)) < 0)
		return -errno;
	return 0;
}

/* Whether a text of words has this one. */
static bool has_word(const char *text, const char *word)
{
	size_t len = strlen(word);

	for (; *text; text += strcspn(text, " \n"), text += strspn(text, " \n"))
		if (strcspn(text, " \n") == len && memcmp(text, word, len) == 0)
			return true;
	return false;
}

/* The number behind a key at the beginning of a line. */
static uint64_t number_of(const char *text, const char *key)
{
	size_t len = strlen(key);

	for (; text; text = strchr(text, '\n'), text = text ? text + 1 : NULL)
		if (strncmp(text, key, len) == 0 && text[len] == ' ')
			return strtoull(text + len, NULL, 10);
	return 0;
}

/* The lines of a long one; NULL with errno set. */
static FILE *lines_at(int fd, const char *name)
{
	int file = openat(fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	FILE *lines = file < 0 ? NULL : fdopen(file, "r");

	if (!lines)
		fd_close(&file);
	return lines;
}

/* A group as a folder to walk, or NULL, and errno. */
static DIR *group_at(int at, const char *name)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	DIR *group = fd < 0 ? NULL : fdopendir(fd);

	if (!group)
		fd_close(&fd);
	return group;
}

/* The name of the next group in it, or NULL. */
static const char *next_below(DIR *group)
{
	struct dirent *entry;

	while ((entry = readdir(group)))
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
			return entry->d_name;
	return NULL;
}

/* ---- removing ---- */

/* With those that its commands made in it. Whether it is gone. */
static bool remove_tree(int at, const char *name, int depth)
{
	const char *child;
	DIR *group;

	if (unlinkat(at, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return true;
	group = depth < DEPTH_MAX ? group_at(at, name) : NULL;
	if (!group)
		return false;
	while ((child = next_below(group)))
		remove_tree(dirfd(group), child, depth + 1);
	closedir(group);
	return unlinkat(at, name, AT_REMOVEDIR) == 0;
}

/*
 * What daemons left that are gone; of those the kernel keeps what is not empty. One of our own number is one of
 * them, as process 1 of a container that was started again: we have made none yet.
 */
static void remove_stale(const struct cgroups *cgroups)
{
	DIR *own = group_at(cgroups->fd, ".");
	const char *name;

	if (!own)
		return;
	while ((name = next_below(own))) {
		int pid;

		if (sscanf(name, PREFIX "%d-%*d", &pid) == 1 && pid > 0 &&
		    (pid == getpid() || (kill(pid, 0) < 0 && errno == ESRCH)))
			remove_tree(cgroups->fd, name, 0);
	}
	closedir(own);
}

/* ---- the daemon's own group ---- */

/* Undoes what /proc/self/mountinfo does to blanks and the like. */
static void unescape(char *text)
{
	char *to = text;

	for (const char *at = text; *at; to++) {
		if (at[0] == '\\' && isdigit((unsigned char)at[1]) && at[2] && at[3]) {
			*to = (char)((at[1] - '0') * 64 + (at[2] - '0') * 8 + (at[3] - '0'));
			at += 4;
		} else {
			*to = *at++;
		}
	}
	*to = '\0';
}

/* 1: there is one more; 0: that was all; or -errno. */
static int next_line(FILE *file, char **line, size_t *size)
{
	if (getline(line, size, file) > 0)
		return 1;
	return feof(file) ? 0 : -errno;
}

/* The group that we are in, as its path from the root of our namespace; owned by the caller. */
static int find_own(char **ret)
{
	FILE *file = lines_at(AT_FDCWD, "/proc/self/cgroup");
	char *line = NULL;
	size_t size = 0;
	int r;

	if (!file)
		return -errno;
	do {
		r = next_line(file, &line, &size);
	} while (r > 0 && strncmp(line, "0::/", 4) != 0);
	if (r > 0) {
		line[strcspn(line, "\n")] = '\0';
		*ret = strdup(line + 3);
		r = *ret ? 0 : -ENOMEM;
	} else if (r == 0) {
		r = -ENOENT;
	}
	free(line);
	fclose(file);
	return r;
}

/* What is behind the root in our path, or NULL where it is somewhere else. */
static const char *below(const char *own, const char *root)
{
	size_t len = strcmp(root, "/") == 0 ? 0 : strlen(root);

	if (strncmp(own, root, len) != 0 || (own[len] != '/' && own[len] != '\0'))
		return NULL;
	return strcmp(own + len, "/") == 0 ? "" : own + len;
}

/* Of a mount, a line of mountinfo: where our own group is there; -ENOENT where it is not. */
static int path_below(const char *own, const char *line, char **ret_path)
{
	char *root = NULL, *point = NULL;
	const char *rest;
	int r = -ENOENT;

	errno = 0;
	if (sscanf(line, "%*s %*s %*s %ms %ms", &root, &point) == 2) {
		unescape(root);
		unescape(point);
		rest = below(own, root);
		if (rest)
			r = asprintf(ret_path, "%s%s", point, rest) < 0 ? -ENOMEM : 0;
	} else if (errno == ENOMEM) {
		r = -ENOMEM;
	}
	free(root);
	free(point);
	return r;
}

/*
 * Where cgroup v2 is mounted so that our own group is in it, of which there may be several mounts: our own group's
 * folder there, owned by the caller.
 */
static int find_mount(const char *own, char **ret_path)
{
	FILE *file = lines_at(AT_FDCWD, "/proc/self/mountinfo");
	char *line = NULL;
	size_t size = 0;
	int r = -ENOENT, more;

	if (!file)
		return -errno;
	while (r == -ENOENT && (more = next_line(file, &line, &size))) {
		const char *type = more < 0 ? NULL : strstr(line, " - ");

		if (more < 0)
			r = more;
		else if (type && strncmp(type, " - cgroup2 ", 11) == 0)
			r = path_below(own, line, ret_path);
	}
	free(line);
	fclose(file);
	return r;
}

static int open_own(struct cgroups *cgroups, struct err *err)
{
	char *own = NULL, *path = NULL;
	int r = find_own(&own);

	if (own)
		r = find_mount(own, &path);
	cgroups->whole = own && strcmp(own, "/") == 0;
	free(own);
	if (!path)
		return err_set(err, r == -ENOENT ? 0 : -r, NULL,
			       "there is no cgroup v2 for it here");
	cgroups->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
	if (cgroups->fd < 0) {
		r = err_set(err, errno, NULL, "%.200s", path);
		free(path);
		return r;
	}
	cgroups->path = path;
	remove_stale(cgroups);
	return 0;
}

/* ---- room for controllers ---- */

/*
 * Whether all that is in our group is ours to move: whoever made it says so, or it is all that there is in a
 * namespace of ours.
 */
static bool is_all_ours(const struct cgroups *cgroups)
{
	char value[8];

	return cgroups->whole ||
	       (fgetxattr(cgroups->fd, "trusted.delegate", value, sizeof(value)) == 1 &&
		value[0] == '1') ||
	       (fgetxattr(cgroups->fd, "user.delegate", value, sizeof(value)) == 1 &&
		value[0] == '1');
}

static void move_all(const struct cgroups *cgroups)
{
	FILE *file = lines_at(cgroups->fd, "cgroup.procs");
	char line[32];

	if (!file)
		return;
	while (fgets(line, sizeof(line), file))
		write_at(cgroups->fd, OWN_NAME "/cgroup.procs", line);
	fclose(file);
}

/* A group with processes of its own gives its children no controllers, but for the machine's root. */
static int step_aside(const struct cgroups *cgroups, const char *text)
{
	bool all = is_all_ours(cgroups);
	int r;

	if (mkdirat(cgroups->fd, OWN_NAME, 0755) < 0 && errno != EEXIST)
		return -errno;
	r = write_at(cgroups->fd, OWN_NAME "/cgroup.procs", "0");
	for (int i = 0; i < MOVES && r == 0; i++) {
		if (all)
			move_all(cgroups);
		r = write_at(cgroups->fd, "cgroup.subtree_control", text);
		if (r != -EBUSY || !all)
			return r;
		r = 0;
	}
	return r < 0 ? r : -EBUSY;
}

static int enable(struct cgroups *cgroups, unsigned needs, struct err *err)
{
	char text[64] = "", has[512] = "";
	ssize_t n;
	int r;

	if (!(needs & ~cgroups->enabled))
		return 0;
	n = read_at(cgroups->fd, "cgroup.controllers", has, sizeof(has));
	if (n < 0)
		return err_set(err, (int)-n, NULL, "%.200s/cgroup.controllers", cgroups->path);
	for (size_t i = 0; i < ARRAY_LEN(controllers); i++) {
		if (!(needs & 1U << i))
			continue;
		if (!has_word(has, controllers[i]))
			return err_set(err, 0, NULL, "this guest has no %s controller in %.200s",
				       controllers[i], cgroups->path);
		sprintf(text + strlen(text), "+%s ", controllers[i]);
	}
	r = write_at(cgroups->fd, "cgroup.subtree_control", text);
	if (r == -EBUSY)
		r = step_aside(cgroups, text);
	if (r == -EBUSY)
		return err_set(err, 0, NULL,
			       "the agent is not alone in its control group, %.150s (a unit with "
			       "Delegate=yes gives it one)",
			       cgroups->path);
	if (r < 0)
		return err_set(err, -r, NULL, "%.200s/cgroup.subtree_control", cgroups->path);
	cgroups->enabled |= needs;
	return 0;
}

int cgroups_prepare(struct cgroups *cgroups, const struct cgroup_limits *limits, struct err *err)
{
	int r = cgroups->path ? 0 : open_own(cgroups, err);

	return r < 0 ? r : enable(cgroups, needs_of(limits) | needs_of(&cgroups->bounds), err);
}

bool cgroups_want(const struct cgroups *cgroups, bool asked, const struct cgroup_limits *limits)
{
	return asked || needs_of(limits) || needs_of(&cgroups->bounds);
}

/* ---- one session's ---- */

static uint64_t lower(uint64_t asked, uint64_t bound)
{
	return !asked ? bound : !bound || asked < bound ? asked : bound;
}

/* A file of its group, from the folder that the groups are in. */
static const char *path_of(const struct cgroup *cgroup, const char *file, char room[PATH_ROOM])
{
	snprintf(room, PATH_ROOM, "%s/%s", cgroup->name, file);
	return room;
}

static int set(const struct cgroup *cgroup, const char *file, const char *text, struct err *err)
{
	char path[PATH_ROOM];
	int r;

	r = write_at(cgroup->cgroups->fd, path_of(cgroup, file, path), text);
	return r < 0 ? err_set(err, -r, NULL, "cannot set %s of its control group to %s", file,
			       text)
		     : 0;
}

static int set_number(const struct cgroup *cgroup, const char *file, uint64_t number,
		      struct err *err)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, number);
	return number ? set(cgroup, file, text, err) : 0;
}

static int limit_memory(struct cgroup *cgroup, uint64_t bytes, struct err *err)
{
	char path[PATH_ROOM];
	int r = set_number(cgroup, "memory.max", bytes, err);

	if (r < 0 || !bytes)
		return r;
	/* Of a kernel without swap there is none to limit. */
	r = set(cgroup, "memory.swap.max", "0", err);
	if (r < 0 && r != -ENOENT)
		return r;
	cgroup->oom_fd = openat(cgroup->cgroups->fd, path_of(cgroup, "memory.events", path),
				O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	return cgroup->oom_fd < 0 ? err_set(err, errno, NULL, "memory.events of its control group")
				  : 0;
}

static int set_limits(struct cgroup *cgroup, const struct cgroup_limits *limits, struct err *err)
{
	const struct cgroup_limits *bounds = &cgroup->cgroups->bounds;
	uint64_t cpu = lower(limits->cpu_millis, bounds->cpu_millis);
	char text[48];
	int r = limit_memory(cgroup, lower(limits->memory, bounds->memory), err);

	if (r == 0)
		r = set_number(cgroup, "pids.max", lower(limits->pids, bounds->pids), err);
	if (r < 0 || !cpu)
		return r;
	snprintf(text, sizeof(text), "%" PRIu64 " %d", cpu * (CPU_PERIOD_US / 1000), CPU_PERIOD_US);
	return set(cgroup, "cpu.max", text, err);
}

/* A daemon of our number that is gone may have left some. */
static int make_folder(struct cgroup *cgroup)
{
	struct cgroups *cgroups = cgroup->cgroups;

	for (int i = 0; i < NAMES; i++) {
		snprintf(cgroup->name, sizeof(cgroup->name), PREFIX "%d-%lu", (int)getpid(),
			 ++cgroups->made);
		if (mkdirat(cgroups->fd, cgroup->name, 0755) == 0)
			return 0;
		if (errno != EEXIST)
			return -errno;
	}
	return -EEXIST;
}

int cgroup_make(struct cgroups *cgroups, const struct cgroup_limits *limits, struct cgroup **ret,
		struct err *err)
{
	struct cgroup *cgroup;
	int r = cgroups_prepare(cgroups, limits, err);

	if (r < 0)
		return r;
	cgroup = calloc(1, sizeof(*cgroup));
	if (!cgroup)
		return err_set(err, ENOMEM, NULL, "cannot make a control group");
	cgroup->cgroups = cgroups;
	cgroup->oom_fd = -1;
	r = make_folder(cgroup);
	if (r < 0) {
		free(cgroup);
		return err_set(err, -r, NULL, "cannot make a control group in %.200s",
			       cgroups->path);
	}
	r = set_limits(cgroup, limits, err);
	if (r < 0)
		cgroup_leave(cgroup);
	else
		*ret = cgroup;
	return r;
}

int cgroup_open(const struct cgroup *cgroup)
{
	int fd = openat(cgroup->cgroups->fd, cgroup->name,
			O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);

	return fd < 0 ? -errno : fd;
}

static int kill_listed(int at)
{
	FILE *file = lines_at(at, "cgroup.procs");
	char line[32];

	if (!file)
		return -errno;
	/* 0 is who is not in our namespace. */
	while (fgets(line, sizeof(line), file))
		if (atoi(line) > 1)
			kill(atoi(line), SIGKILL);
	fclose(file);
	return 0;
}

/*
 * Before Linux 5.14 there is no file for it: each one, and in the groups that were made below. What forks
 * meanwhile is met by the next look.
 */
static int kill_each(int at, const char *name, int depth)
{
	DIR *group = group_at(at, name);
	const char *child;
	int r;

	if (!group)
		return -errno;
	r = kill_listed(dirfd(group));
	while (depth < DEPTH_MAX && (child = next_below(group)))
		kill_each(dirfd(group), child, depth + 1);
	closedir(group);
	return r;
}

int cgroup_kill(const struct cgroup *cgroup)
{
	char path[PATH_ROOM];
	int r;

	r = write_at(cgroup->cgroups->fd, path_of(cgroup, "cgroup.kill", path), "1");
	return r == -ENOENT ? kill_each(cgroup->cgroups->fd, cgroup->name, 0) : r;
}

int cgroup_is_populated(const struct cgroup *cgroup)
{
	char path[PATH_ROOM], text[256] = "";
	ssize_t n;

	n = read_at(cgroup->cgroups->fd, path_of(cgroup, "cgroup.events", path), text,
		    sizeof(text));
	/* Whoever may have removed it could do so only while nobody was in it. */
	if (n == -ENOENT || n == -ENODEV)
		return 0;
	/* What does not say so is not the whole of it. */
	if (n >= 0 && !strstr(text, "populated "))
		return -EIO;
	return n < 0 ? (int)n : number_of(text, "populated") != 0;
}

bool cgroup_had_oom(const struct cgroup *cgroup)
{
	char text[512] = "";
	ssize_t n = cgroup->oom_fd < 0 ? -1 : pread(cgroup->oom_fd, text, sizeof(text) - 1, 0);

	if (n <= 0)
		return false;
	text[n] = '\0';
	return number_of(text, "oom_kill") > 0;
}

/* ---- their end ---- */

/* Whether it is gone; its memory is the caller's to free. */
static bool remove_it(const struct cgroup *cgroup)
{
	return cgroup_is_populated(cgroup) == 0 &&
	       remove_tree(cgroup->cgroups->fd, cgroup->name, 0);
}

/*
 * Nothing but a look tells when the last one has left: who runs on behind a session may do so for days, and
 * there may be thousands. So each is looked at ever more seldom, whoever else leaves.
 */
static void on_sweep(struct loop_timer *timer)
{
	struct cgroups *cgroups = container_of(timer, struct cgroups, sweep);
	uint64_t now = loop_now_ms(), soonest = UINT64_MAX;
	struct cgroup *cgroup, *next;

	list_each_safe(cgroup, next, &cgroups->left, node) {
		if (cgroup->due_ms <= now) {
			if (remove_it(cgroup)) {
				list_remove(&cgroups->left, &cgroup->node);
				free(cgroup);
				continue;
			}
			if (cgroup->pause_ms < SWEEP_LAST_MS)
				cgroup->pause_ms *= 2;
			cgroup->due_ms = now + cgroup->pause_ms;
		}
		if (cgroup->due_ms < soonest)
			soonest = cgroup->due_ms;
	}
	if (list_first(&cgroups->left, struct cgroup, node))
		loop_arm(cgroups->loop, timer,
			 soonest - now > SWEEP_FIRST_MS ? soonest - now : SWEEP_FIRST_MS);
}

void cgroup_leave(struct cgroup *cgroup)
{
	struct cgroups *cgroups = cgroup ? cgroup->cgroups : NULL;

	if (!cgroup)
		return;
	fd_close(&cgroup->oom_fd);
	if (remove_it(cgroup)) {
		free(cgroup);
		return;
	}
	list_append(&cgroups->left, &cgroup->node);
	cgroup->pause_ms = SWEEP_FIRST_MS;
	cgroup->due_ms = loop_now_ms() + SWEEP_FIRST_MS;
	/* However fast they come, the look is not put off. */
	if (!cgroups->sweep.armed || cgroups->sweep.due_us / 1000 > cgroup->due_ms)
		loop_arm(cgroups->loop, &cgroups->sweep, SWEEP_FIRST_MS);
}

void cgroups_init(struct cgroups *cgroups, struct loop *loop, const struct cgroup_limits *bounds)
{
	*cgroups = (struct cgroups){.loop = loop, .bounds = *bounds, .fd = -1};
	cgroups->sweep.on_due = on_sweep;
}

void cgroups_release(struct cgroups *cgroups)
{
	struct cgroup *cgroup, *next;

	list_each_safe(cgroup, next, &cgroups->left, node) {
		remove_it(cgroup);
		free(cgroup);
	}
	cgroups->left = (struct list){NULL, NULL};
	if (cgroups->loop)
		loop_disarm(cgroups->loop, &cgroups->sweep);
	fd_close(&cgroups->fd);
	free(cgroups->path);
	cgroups->path = NULL;
}
