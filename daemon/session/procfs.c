/* What is known of a process from outside: see procfs.h. */
#include "procfs.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/spawn/user.h"
#include "shared/fd.h"
#include "shared/utf8.h"

/* A file of it, as a text: its length, or 0. */
static size_t read_file(pid_t pid, const char *name, char *room, size_t room_len)
{
	cleanup_fd int fd = -1;
	char path[48];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	n = fd < 0 ? -1 : read(fd, room, room_len - 1);
	room[n > 0 ? n : 0] = '\0';
	return n > 0 ? (size_t)n : 0;
}

uint64_t procfs_cpu_us(pid_t pid)
{
	unsigned long long user, sys, waited_user, waited_sys;
	char text[512], *end;

	read_file(pid, "stat", text, sizeof(text));
	/* The name is in brackets and may hold anything; the last bracket ends it. */
	end = strrchr(text, ')');
	if (!end ||
	    sscanf(end + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %llu %llu",
		   &user, &sys, &waited_user, &waited_sys) != 4)
		return 0;
	return (user + sys + waited_user + waited_sys) * (1000000 / (uint64_t)sysconf(_SC_CLK_TCK));
}

size_t procfs_command(pid_t pid, char *room, size_t room_len, char **ret_argv, size_t max)
{
	size_t len = read_file(pid, "cmdline", room, room_len), count = 0;

	for (char *at = room; at < room + len && count < max; at += strlen(at) + 1)
		ret_argv[count++] = at;
	return count;
}

void procfs_user(uid_t uid, char *room, size_t room_len)
{
	struct user user;
	struct err err;
	int r = user_by_uid(uid, &user, &err);

	if (r == 0 && user.name)
		snprintf(room, room_len, "%s", user.name);
	else
		snprintf(room, room_len, "%u", uid);
	/* A long one is cut anywhere. */
	utf8_scrub(room, strlen(room));
	if (r == 0)
		user_release(&user);
}
