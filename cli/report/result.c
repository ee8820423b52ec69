/* Where the result goes: see result.h. */
#include "result.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/base.h"
#include "shared/fd.h"

#define LINKS_MAX   40	  /* as many as the kernel follows */
#define NAMES_TRIED 100	  /* of a file that nobody else has */
#define WAIT_MS	    30000 /* for room in a pipe, each time */
#define LOOK_MS	    100	  /* between looks whether we are to end */
#define PIPE_ROOM   4096  /* what a pipe that poll(2) finds ready takes without blocking */

/* What is wrong, with the option before it. */
static int fail(const struct result *result, int num, struct err *err)
{
	err_set(err, num, NULL, "cannot write %s", result->where);
	return err_about(err, "--result");
}

/* ---- a descriptor ---- */

/* The number in fd:N and its likes; -1: it is none of them, -2: it is, and no number follows. */
static int number_of(const char *where)
{
	static const char *const folders[] = {"fd:", "/dev/fd/", "/proc/self/fd/"};
	long number;
	char *end;

	if (strcmp(where, "/dev/stdout") == 0)
		return STDOUT_FILENO;
	if (strcmp(where, "/dev/stderr") == 0)
		return STDERR_FILENO;
	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		size_t len = strlen(folders[i]);

		if (strncmp(where, folders[i], len) != 0)
			continue;
		errno = 0;
		number = strtol(where + len, &end, 10);
		return !isdigit((unsigned char)where[len]) || *end || errno || number > INT_MAX
			       ? -2
			       : (int)number;
	}
	return -1;
}

static int take_descriptor(struct result *result, int fd, struct err *err)
{
	int flags = fd < 0 ? -1 : fcntl(fd, F_GETFL);

	if (fd < 0) {
		err_set(err, 0, NULL, "%s is not the number of a descriptor", result->where);
		return err_about(err, "--result");
	}
	if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY) {
		err_set(err, 0, NULL, "%s is not open for writing", result->where);
		err_about(err, "--result");
		return err_hint(err, "a shell opens it with %d>FILE", fd);
	}
	result->fd = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (result->fd < 0)
		return fail(result, errno, err);
	/* Programs that we start would hold it open, and whoever reads it would wait for them. */
	if (fd > STDERR_FILENO)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	return 0;
}

/* ---- a file ---- */

/*
 * Where a shell's > would write: what a link points to, be it there or not. In malloced memory; or NULL with errno
 * set.
 */
static char *follow(const char *where)
{
	char *path = strdup(where), *name, *next;
	char target[PATH_MAX];
	ssize_t len;

	for (int i = 0; path && i < LINKS_MAX; i++) {
		len = readlink(path, target, sizeof(target) - 1);
		/* It is none, or not there. */
		if (len < 0)
			return path;
		target[len] = '\0';
		name = strrchr(path, '/');
		if (target[0] == '/' || !name)
			next = strdup(target);
		else if (asprintf(&next, "%.*s%s", (int)(name + 1 - path), path, target) < 0)
			next = NULL;
		free(path);
		path = next;
	}
	if (path)
		errno = ELOOP;
	free(path);
	return NULL;
}

/* FOLDER/.NAME.RANDOM, which nobody has, made in place: malloced, or NULL with errno set. */
static char *make_beside(const char *path, int *ret_fd)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	uint32_t bits = (uint32_t)getpid();
	char *made;

	for (int i = 0; i < NAMES_TRIED; i++) {
		if (getrandom(&bits, sizeof(bits), GRND_NONBLOCK) != (ssize_t)sizeof(bits))
			bits++;
		/* A name that is as long as a name may be has no room for more. */
		if (asprintf(&made, "%.*s.%.200s.%08x", (int)(name - path), path, name, bits) < 0) {
			errno = ENOMEM;
			return NULL;
		}
		*ret_fd = open(made, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0666);
		if (*ret_fd >= 0)
			return made;
		free(made);
		if (errno != EEXIST)
			return NULL;
	}
	return NULL;
}

/* Whether we may write it, and put another in its place. It is a regular file. 0 or -errno. */
static int may_replace(const char *path, const struct stat *file)
{
	const char *slash = strrchr(path, '/');
	cleanup_fd int fd = -1;
	struct stat folder;
	char *name;
	int r;

	/* Asked of the kernel as a shell would, without a change. */
	fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return -errno;
	if (asprintf(&name, "%.*s", slash ? (int)(slash + 1 - path) : 1, slash ? path : ".") < 0)
		return -ENOMEM;
	r = stat(name, &folder) < 0 ? -errno : 0;
	free(name);
	/* As in /tmp, where files of others stay. */
	if (r == 0 && (folder.st_mode & S_ISVTX) && geteuid() != 0 && geteuid() != file->st_uid &&
	    geteuid() != folder.st_uid)
		r = -EPERM;
	return r;
}

/* What it is that is there already decides how it is written. 1: it is written as it is, and open; 0 or -errno. */
static int look(struct result *result, const struct stat *there)
{
	struct stat ours;

	if (S_ISDIR(there->st_mode))
		return -EISDIR;
	if (!S_ISREG(there->st_mode)) {
		/* Our own description: it may be non-blocking, so that no FIFO makes us wait. */
		result->fd = open(result->where, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
		return result->fd < 0 ? -errno : 1;
	}
	/* Another file in its place would not have the output that went to this one. */
	for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fstat(fd, &ours) < 0 || ours.st_dev != there->st_dev ||
		    ours.st_ino != there->st_ino)
			continue;
		result->fd = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
		return result->fd < 0 ? -errno : 1;
	}
	return may_replace(result->path, there);
}

/* It stays whose it was, as far as we may say so, and is read by nobody who could not read it before. */
static void keep_modes(int fd, const struct stat *there)
{
	mode_t mode = there->st_mode & 0777;

	if (fchown(fd, there->st_uid, there->st_gid) < 0 &&
	    fchown(fd, (uid_t)-1, there->st_gid) < 0)
		mode &= 0707;
	fchmod(fd, mode);
}

static int take_file(struct result *result)
{
	size_t len = strlen(result->where);
	struct stat there;
	bool is_there = stat(result->where, &there) == 0;
	int r = 0;

	if (!is_there && errno != ENOENT)
		return -errno;
	if (!is_there && len && result->where[len - 1] == '/')
		return -EISDIR;
	result->path = follow(result->where);
	if (!result->path)
		return -errno;
	if (!result->path[0])
		return -ENOENT;
	r = is_there ? look(result, &there) : 0;
	if (r != 0) {
		free(result->path);
		result->path = NULL;
		return r < 0 ? r : 0;
	}
	result->unfinished = make_beside(result->path, &result->fd);
	if (!result->unfinished)
		return -errno;
	if (is_there)
		keep_modes(result->fd, &there);
	return 0;
}

int result_open(struct result *result, const char *where, struct err *err)
{
	int number = number_of(where), r;
	struct stat there;

	*result = (struct result){.where = where, .fd = -1};
	if (number != -1)
		return take_descriptor(result, number, err);
	r = take_file(result);
	if (r == 0)
		return 0;
	result_close(result);
	fail(result, -r, err);
	if (r == -ENXIO && stat(where, &there) == 0 && S_ISFIFO(there.st_mode))
		err_hint(err, "nobody reads this FIFO; whoever does has to be there first");
	return r;
}

/* ---- writing ---- */

/* Whoever watches signals has them blocked, and does not look at them any more. */
static bool is_told_to_end(void)
{
	sigset_t set;

	return sigpending(&set) == 0 &&
	       (sigismember(&set, SIGINT) == 1 || sigismember(&set, SIGTERM) == 1 ||
		sigismember(&set, SIGQUIT) == 1 || sigismember(&set, SIGHUP) == 1);
}

/* 0, or -errno. */
static int wait_for_room(int fd)
{
	struct pollfd ready = {.fd = fd, .events = POLLOUT};

	for (int waited = 0; waited < WAIT_MS; waited += LOOK_MS) {
		int r = poll(&ready, 1, LOOK_MS);

		if (r > 0)
			return 0;
		if (r < 0 && errno != EINTR)
			return -errno;
		if (is_told_to_end())
			return -EINTR;
	}
	return -ETIMEDOUT;
}

/* 0, or -errno. */
static int write_all(int fd, const char *data, size_t len)
{
	while (len) {
		int r = wait_for_room(fd);
		ssize_t n;

		if (r < 0)
			return r;
		n = write(fd, data, len < PIPE_ROOM ? len : PIPE_ROOM);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		if (n > 0) {
			data += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

/* Some file systems say only now that they have no room. */
static int close_checked(int fd)
{
	return close(fd) < 0 && errno != EINTR ? -errno : 0;
}

int result_write(struct result *result, const char *line, size_t len, struct err *err)
{
	int r;

	if (result->fd < 0)
		return 0;
	r = write_all(result->fd, line, len);
	if (r == 0)
		r = close_checked(fd_steal(&result->fd));
	if (r == 0 && result->path && rename(result->unfinished, result->path) < 0)
		r = -errno;
	if (r == 0) {
		free(result->unfinished);
		result->unfinished = NULL;
	}
	result_close(result);
	return r < 0 ? fail(result, -r, err) : 0;
}

void result_close(struct result *result)
{
	fd_close(&result->fd);
	if (result->unfinished)
		unlink(result->unfinished);
	free(result->unfinished);
	free(result->path);
	result->unfinished = result->path = NULL;
}
