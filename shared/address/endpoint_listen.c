/* Listening at an address: see endpoint.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#include "endpoint.h"
#include "shared/fd.h"
#include "shared/io/loop.h"

#define BACKLOG	     512
#define LOCK_MS	     5000 /* for another daemon that starts at the same place */
#define LOCK_LOOK_US 20000

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

/* Ours alone: nobody else may open it, so that nobody else can hold it. */
static int open_lock(const char *name, struct err *err)
{
	cleanup_fd int fd =
		open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		err_set(err, errno, NULL, "cannot make %s", name);
		if (err->num == ENOENT || err->num == ENOTDIR)
			err_hint(err, "the folder of a socket has to be there");
		return -err->num;
	}
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_mode & 077)
		return err_set(err, 0, NULL, "%s is in the way and not ours; remove it", name);
	return fd_steal(&fd);
}

/* Whether the name is still that of the open file. */
static bool is_named(int fd, const char *name)
{
	struct stat open, there;

	return fstat(fd, &open) == 0 && lstat(name, &there) == 0 && open.st_ino == there.st_ino &&
	       open.st_dev == there.st_dev;
}

/*
 * Of two daemons that find a dead socket one wins. The file is there only meanwhile: whoever holds it
 * removes it, and whoever then gets a file that has no name any more begins anew.
 */
static int lock(const char *name, struct err *err)
{
	uint64_t due = loop_now_ms() + LOCK_MS;

	for (;;) {
		cleanup_fd int fd = open_lock(name, err);

		if (fd < 0)
			return fd;
		if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
			if (is_named(fd, name))
				return fd_steal(&fd);
		} else if (errno != EWOULDBLOCK && errno != EINTR) {
			return err_set(err, errno, NULL, "cannot lock %s", name);
		} else if (loop_now_ms() >= due) {
			return err_set(err, 0, NULL, "another daemon that starts there holds %s",
				       name);
		} else {
			usleep(LOCK_LOOK_US);
		}
	}
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

/* While the lock is held. */
static int bind_unix(const struct endpoint *endpoint, ino_t *ret_ino, struct err *err)
{
	const char *path = endpoint->path;
	struct sockaddr_un address;
	cleanup_fd int fd = -1;
	struct stat st;
	mode_t mask;
	int r;

	endpoint_unix_address(endpoint, &address);
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

/* Nobody else's can be in the way but a live one; and it is the uid alone that is checked. */
static int listen_abstract(const struct endpoint *endpoint, struct err *err)
{
	struct sockaddr_un address;
	socklen_t len = endpoint_unix_address(endpoint, &address);
	cleanup_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return err_set(err, errno, NULL, "cannot make a socket");
	if (bind(fd, (struct sockaddr *)&address, len) < 0 || listen(fd, BACKLOG) < 0)
		return err_set(err, errno, NULL, "cannot listen on unix:%s", endpoint->path);
	return fd_steal(&fd);
}

static int listen_unix(const struct endpoint *endpoint, ino_t *ret_ino, struct err *err)
{
	char name[ENDPOINT_NAME_MAX + sizeof(".lock")];
	cleanup_fd int held = -1;
	int r;

	snprintf(name, sizeof(name), "%s.lock", endpoint->path);
	held = lock(name, err);
	if (held < 0)
		return held;
	r = bind_unix(endpoint, ret_ino, err);
	unlink(name);
	return r;
}

int endpoint_listen(const struct endpoint *endpoint, ino_t *ret_ino, struct err *err)
{
	char name[ENDPOINT_NAME_MAX];

	switch (endpoint->kind) {
	case ENDPOINT_UNIX:
		return endpoint_is_file(endpoint) ? listen_unix(endpoint, ret_ino, err)
						  : listen_abstract(endpoint, err);
	case ENDPOINT_VSOCK:
		return listen_vsock(endpoint, err);
	default:
		return err_set(err, 0, NULL, "%s is no address of a listening socket",
			       endpoint_name(endpoint, name, sizeof(name)));
	}
}

int endpoint_unlink(const struct endpoint *endpoint, ino_t ino)
{
	struct stat st;

	if (!endpoint_is_file(endpoint))
		return 0;
	if (lstat(endpoint->path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	return st.st_ino == ino && unlink(endpoint->path) < 0 ? -errno : 0;
}
