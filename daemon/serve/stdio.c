/* Standard input and output as the stream of one client: see stdio.h. */
#include "stdio.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/fd.h"

/* Whose flags had to be changed: a descriptor of it, and the flags it had. */
static struct {
	int fd, flags;
} changed[2] = {{-1, 0}, {-1, 0}};

static bool is_same_socket(int in, int out)
{
	struct stat a, b;

	return fd_is_socket(in) && fstat(in, &a) == 0 && fstat(out, &b) == 0 &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* A descriptor of it that does not block, as far as can be without changing what others share. */
static int take(int fd, int mode)
{
	int copy = isatty(fd) ? fd_reopen_nonblock(fd, mode) : -1, flags;

	if (copy >= 0)
		return copy;
	copy = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (copy < 0 || fd_is_socket(copy))
		return copy;
	flags = fcntl(copy, F_GETFL);
	if (flags < 0 || flags & O_NONBLOCK || fd_set_nonblock(copy) < 0)
		return copy;
	changed[fd].flags = flags;
	changed[fd].fd = fcntl(copy, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	return copy;
}

int stdio_take(int *ret_in, int *ret_out, struct err *err)
{
	bool one = is_same_socket(STDIN_FILENO, STDOUT_FILENO);
	cleanup_fd int in = take(STDIN_FILENO, O_RDONLY), null_fd = -1;
	cleanup_fd int out = one ? -1 : take(STDOUT_FILENO, O_WRONLY);

	/* Nothing but frames may get onto the stream. */
	null_fd = fd_open_null(O_RDWR | O_CLOEXEC);
	if (in < 0 || (!one && out < 0) || null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0 ||
	    dup2(null_fd, STDOUT_FILENO) < 0)
		return err_set(err, errno, NULL, "standard input and output");
	*ret_in = in;
	*ret_out = one ? in : out;
	fd_steal(&in);
	fd_steal(&out);
	return 0;
}

void stdio_give_back(void)
{
	for (int i = 0; i < 2; i++) {
		if (changed[i].fd >= 0)
			fcntl(changed[i].fd, F_SETFL, changed[i].flags);
		fd_close(&changed[i].fd);
	}
}
