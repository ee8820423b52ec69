/* Connecting to an address: see endpoint.h. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "endpoint.h"
#include "fd.h"

extern char **environ;

static int connect_unix(const struct endpoint *endpoint, struct err *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	cleanup_fd int fd = -1;

	/* The parser has seen that it fits. */
	memcpy(address.sun_path, endpoint->path, endpoint->path_len);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_set(err, errno, NULL, "cannot make a socket");
	while (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		if (errno != EINTR)
			return err_set(err, errno, NULL, "cannot connect to unix:%s",
				       endpoint->path);
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
	char name[ENDPOINT_NAME_MAX];

	*ret = (struct endpoint_stream){.fd = -1};
	switch (endpoint->kind) {
	case ENDPOINT_UNIX:
		ret->fd = connect_unix(endpoint, err);
		return ret->fd < 0 ? ret->fd : 0;
	case ENDPOINT_LOCAL:
		return connect_local(ret, err);
	default:
		return err_set(err, 0, NULL, "this msb-exec cannot connect to %s yet",
			       endpoint_name(endpoint, name, sizeof(name)));
	}
}
