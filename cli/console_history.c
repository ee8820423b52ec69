/* The console's history file: see console_history.h. */
#include "console_history.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../shared/fd.h"

#define FILE_BYTES_MAX (16 * 1024 * 1024) /* of a file that is not ours to have grown so */

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
	if (!line[0] || line[0] == ' ' || strchr(line, '\n'))
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

/* Open, locked, and private even if it was not. */
static int open_locked(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);

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

int history_append(const char *path, const char *line)
{
	cleanup_fd int fd = open_locked(path);
	size_t len = strlen(line);
	char *text;
	ssize_t n;

	if (fd < 0)
		return fd;
	text = malloc(len + 2);
	if (!text)
		return -ENOMEM;
	memcpy(text, line, len);
	text[len] = '\n';
	n = write(fd, text, len + 1);
	free(text);
	return n < 0 ? -errno : 0;
}

static char *read_all(int fd, size_t *ret_len)
{
	struct stat st;
	char *text;
	size_t len = 0;
	ssize_t n = 1;

	if (fstat(fd, &st) < 0 || st.st_size > FILE_BYTES_MAX)
		return NULL;
	text = malloc((size_t)st.st_size + 1);
	while (text && n > 0 && len < (size_t)st.st_size) {
		n = pread(fd, text + len, (size_t)st.st_size - len, (off_t)len);
		len += n > 0 ? (size_t)n : 0;
	}
	if (text)
		text[len] = '\0';
	*ret_len = len;
	return text;
}

/* Where the last lines begin, as many as are kept. */
static size_t begin_of_kept(const char *text, size_t len)
{
	size_t lines = 0, at = len;

	while (at > 0) {
		if (text[at - 1] == '\n' && at != len && ++lines == HISTORY_LINES_MAX)
			return at;
		at--;
	}
	return 0;
}

/* In place and under the lock, so that nobody appends to a file that is no more. */
static void cut(int fd, const char *text, size_t len)
{
	if (ftruncate(fd, 0) < 0)
		return;
	while (len) {
		ssize_t n = write(fd, text, len);

		if (n <= 0)
			return;
		text += n;
		len -= (size_t)n;
	}
}

int history_load(const char *path, void (*on_line)(const char *line))
{
	cleanup_fd int fd = -1;
	size_t len, begin;
	char *text, *next;

	make_folders(path);
	fd = open_locked(path);
	if (fd < 0)
		return fd;
	text = read_all(fd, &len);
	if (!text)
		return -EFBIG;
	begin = begin_of_kept(text, len);
	if (begin)
		cut(fd, text + begin, len - begin);
	for (char *line = text + begin; line < text + len; line = next) {
		char *end = memchr(line, '\n', (size_t)(text + len - line));

		next = end ? end + 1 : text + len;
		if (end)
			*end = '\0';
		on_line(line);
	}
	free(text);
	return 0;
}
