/* Addresses: see endpoint.h. */
#include "endpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "fd.h"

#define BACKLOG 512

extern char **environ;

int endpoint_parse(const char *text, struct endpoint *ret, struct err *err)
{
	if (strcmp(text, "local:") == 0) {
		*ret = (struct endpoint){.kind = ENDPOINT_LOCAL};
		return 0;
	}
	if (strcmp(text, "stdio:") == 0) {
		*ret = (struct endpoint){.kind = ENDPOINT_STDIO};
		return 0;
	}
	*ret = (struct endpoint){.kind = ENDPOINT_UNIX};
	if (strncmp(text, "unix:", 5) == 0)
		ret->path = text + 5;
	else if (text[0] == '/')
		ret->path = text;
	if (!ret->path || !ret->path[0])
		return err_set(err, 0, NULL, "%s is not an address; use unix:/path or /path", text);
	return 0;
}

static int unix_address(const char *path, struct sockaddr_un *ret, struct err *err)
{
	ret->sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(ret->sun_path))
		return err_set(err, ENAMETOOLONG, NULL, "socket path %s (at most %zu bytes)", path,
			       sizeof(ret->sun_path) - 1);
	strcpy(ret->sun_path, path);
	return 0;
}

static int connect_unix(const char *path, struct err *err)
{
	struct sockaddr_un address;
	cleanup_fd int fd = -1;
	int r = unix_address(path, &address, err);

	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_set(err, errno, NULL, "cannot make a socket");
	while (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		if (errno != EINTR)
			return err_set(err, errno, NULL, "cannot connect to unix:%s", path);
	return fd_steal(&fd);
}

/* The msb-execd beside our own program, or where make install puts it, or in PATH. */
static void find_execd(char *out, size_t len)
{
	static const char *const places[] = {"msb-execd", "../sbin/msb-execd"};
	ssize_t n = readlink("/proc/self/exe", out, len - 32);
	char *slash;

	out[n > 0 ? n : 0] = '\0';
	slash = strrchr(out, '/');
	for (size_t i = 0; slash && i < sizeof(places) / sizeof(places[0]); i++) {
		strcpy(slash + 1, places[i]);
		if (access(out, X_OK) == 0)
			return;
	}
	strcpy(out, "msb-execd");
}

/*
 * A group of its own, deaf to the terminal's keys: Ctrl-C is for the command, not for what
 * carries it.
 */
static int spawn_apart(const char *program, char *const argv[], int fd, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none;
	int r;

	sigemptyset(&none);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fd, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, fd, STDOUT_FILENO);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setsigmask(&attr, &none);
	r = posix_spawnp(ret_pid, program, &actions, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return -r;
}

static int connect_local(struct endpoint_stream *ret, struct err *err)
{
	char program[PATH_MAX];
	char *argv[] = {program, (char *)"--listen", (char *)"stdio:", NULL};
	cleanup_fd int ours = -1, theirs = -1;
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_set(err, errno, NULL, "cannot make a socket pair");
	ours = pair[0];
	theirs = pair[1];
	find_execd(program, sizeof(program));
	r = spawn_apart(program, argv, theirs, &ret->process);
	if (r < 0)
		return err_set(err, -r, NULL, "cannot start %s", program);
	ret->fd = fd_steal(&ours);
	return 0;
}

int endpoint_connect(const struct endpoint *endpoint, struct endpoint_stream *ret, struct err *err)
{
	*ret = (struct endpoint_stream){.fd = -1};
	switch (endpoint->kind) {
	case ENDPOINT_UNIX:
		ret->fd = connect_unix(endpoint->path, err);
		return ret->fd < 0 ? ret->fd : 0;
	case ENDPOINT_LOCAL:
		return connect_local(ret, err);
	default:
		return err_set(err, 0, NULL, "stdio: is an address for msb-execd, not for clients");
	}
}

/* Whether a file in the way is a socket that nobody listens on. */
static int check_dead(const char *path, const struct sockaddr_un *address, struct err *err)
{
	cleanup_fd int probe = -1;
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : err_set(err, errno, NULL, "cannot look at %s", path);
	if (!S_ISSOCK(st.st_mode))
		return err_set(err, EADDRINUSE, NULL, "%s exists and is no socket", path);
	probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (probe < 0)
		return err_set(err, errno, NULL, "cannot make a socket");
	if (connect(probe, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
	    errno != ECONNREFUSED)
		return err_set(err, EADDRINUSE, NULL,
			       "another daemon listens on %s; stop it or choose another path",
			       path);
	if (unlink(path) < 0)
		return err_set(err, errno, NULL, "cannot remove the dead socket %s", path);
	return 0;
}

/* Locks the socket's folder, so that of two daemons that find a dead socket one wins. */
static int lock_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	char folder[PATH_MAX];
	int fd;

	snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - path) + 1 : 1,
		 slash ? path : ".");
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (flock(fd, LOCK_EX) < 0) {
		if (errno == EINTR)
			continue;
		fd_close(&fd);
		return -errno;
	}
	return fd;
}

int endpoint_listen(const struct endpoint *endpoint, ino_t *ret_ino, struct err *err)
{
	const char *path = endpoint->path;
	struct sockaddr_un address;
	cleanup_fd int lock = -1, fd = -1;
	struct stat st;
	mode_t mask;
	int r;

	r = unix_address(path, &address, err);
	if (r < 0)
		return r;
	lock = lock_folder(path);
	if (lock < 0)
		return err_set(err, -lock, NULL, "cannot listen on unix:%s", path);
	r = check_dead(path, &address, err);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set(err, errno, NULL, "cannot make a socket");
	/* By umask and not by a chmod after the fact, so that it is never open to others. */
	mask = umask(0177);
	r = bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
	umask(mask);
	if (r < 0)
		return err_set(err, -r, NULL, "cannot listen on unix:%s", path);
	if (listen(fd, BACKLOG) < 0 || lstat(path, &st) < 0)
		return err_set(err, errno, NULL, "cannot listen on unix:%s", path);
	*ret_ino = st.st_ino;
	return fd_steal(&fd);
}

void endpoint_unlink(const struct endpoint *endpoint, ino_t ino)
{
	struct stat st;

	if (lstat(endpoint->path, &st) == 0 && st.st_ino == ino)
		unlink(endpoint->path);
}
