/* The console's history file: see history.h. */
#include "history.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/fd.h"

static char *join(const char *folder, const char *rest)
{
	char *path = NULL;

	return asprintf(&path, "%s%s", folder, rest) < 0 ? NULL : path;
}

char *history_find(void)
{
	const char *file = getenv("MSB_EXEC_HISTFILE");
	const char *state = getenv("XDG_STATE_HOME");
	const char *home = getenv("HOME");

	if (file)
		return file[0] ? strdup(file) : NULL;
	/* The specification: what is not absolute is to be ignored. */
	if (state && state[0] == '/')
		return join(state, "/msb-exec/history");
	return home && home[0] == '/' ? join(home, "/.local/state/msb-exec/history") : NULL;
}

bool history_keeps(const char *line, const char *previous)
{
	if (!line[0] || line[0] == ' ' || line[0] == '\t')
		return false;
	return !previous || strcmp(line, previous) != 0;
}

/* Each folder on the way that is missing, for us alone. */
static void make_folders(const char *path)
{
	char folder[PATH_MAX];

	if (strlen(path) >= sizeof(folder))
		return;
	strcpy(folder, path);
	for (char *slash = strchr(folder + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(folder, 0700);
		*slash = '/';
	}
}

int history_lock(const char *path)
{
	struct stat st;
	int fd;

	make_folders(path);
	fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return -EINVAL;
	}
	while (flock(fd, LOCK_EX) < 0)
		if (errno != EINTR)
			break;
	if ((st.st_mode & 0777) != 0600)
		fchmod(fd, 0600);
	return fd;
}
