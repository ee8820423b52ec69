/* Listening at an address: see endpoint.h. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#include "endpoint.h"
#include "fd.h"

#define BACKLOG 512

/* The parser has seen that it fits. */
static void unix_address(const struct endpoint *endpoint, struct sockaddr_un *ret)
{
	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(ret->sun_path, endpoint->path, endpoint->path_len);
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

static int listen_vsock(const struct endpoint *endpoint, struct err *err)
{
	struct sockaddr_vm address = {
		.svm_family = AF_VSOCK,
		.svm_cid = endpoint->cid,
		.svm_port = endpoint->port,
	};
	cleanup_fd int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 && errno == EAFNOSUPPORT)
		return err_set(err, 0, NULL,
			       "cannot listen on vsock:%u: this kernel has no vsock; in a virtual "
			       "machine the module is vmw_vsock_virtio_transport",
			       endpoint->port);
	if (fd < 0)
		return err_set(err, errno, NULL, "cannot make a vsock socket");
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, BACKLOG) < 0)
		return err_set(err, errno, NULL, "cannot listen on vsock:%u", endpoint->port);
	return fd_steal(&fd);
}

static int listen_unix(const struct endpoint *endpoint, ino_t *ret_ino, struct err *err)
{
	const char *path = endpoint->path;
	struct sockaddr_un address;
	cleanup_fd int lock = -1, fd = -1;
	struct stat st;
	mode_t mask;
	int r;

	unix_address(endpoint, &address);
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

int endpoint_listen(const struct endpoint *endpoint, ino_t *ret_ino, struct err *err)
{
	char name[ENDPOINT_NAME_MAX];

	switch (endpoint->kind) {
	case ENDPOINT_UNIX:
		return listen_unix(endpoint, ret_ino, err);
	case ENDPOINT_VSOCK:
		return listen_vsock(endpoint, err);
	default:
		return err_set(err, 0, NULL, "%s is no address of a listening socket",
			       endpoint_name(endpoint, name, sizeof(name)));
	}
}

void endpoint_unlink(const struct endpoint *endpoint, ino_t ino)
{
	struct stat st;

	if (endpoint->kind == ENDPOINT_UNIX && lstat(endpoint->path, &st) == 0 && st.st_ino == ino)
		unlink(endpoint->path);
}
