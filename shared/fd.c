/* File descriptors that are close-on-exec from birth: see fd.h. */
#include "fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* As the kernel has it on every machine. */
#define NULL_MAJOR 1
#define NULL_MINOR 3

void fd_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

void fd_cleanup(int *fd)
{
	fd_close(fd);
}

int fd_steal(int *fd)
{
	int stolen = *fd;

	*fd = -1;
	return stolen;
}

int fd_open_null(int flags)
{
	int fd = open("/dev/null", flags | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) &&
	    st.st_rdev == makedev(NULL_MAJOR, NULL_MINOR))
		return fd;
	fd_close(&fd);
	/* No /dev, or something else of that name: a file of nothing, which nothing can be added to. */
	fd = memfd_create("null", MFD_ALLOW_SEALING | (flags & O_CLOEXEC ? MFD_CLOEXEC : 0));
	if (fd >= 0)
		fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW);
	return fd < 0 ? -errno : fd;
}

int fd_open_standard(void)
{
	static const int flags[] = {O_RDONLY, O_RDONLY, O_WRONLY};

	for (int fd = 0; fd <= 2; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		/* The lowest free number is fd itself, since all below it are open. */
		if (fd_open_null(flags[fd]) != fd)
			return -errno;
	}
	return 0;
}

bool fd_is_scarce(void)
{
	int fds[FD_SCARCE];
	size_t count = 0;
	bool scarce;

	/* No number says how many there are below it: they are tried. */
	while (count < FD_SCARCE &&
	       (fds[count] = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1)) >= 0)
		count++;
	scarce = count < FD_SCARCE;
	while (count)
		close(fds[--count]);
	return scarce;
}

int fd_set_nonblock(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

bool fd_is_socket(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

int fd_reopen_nonblock(int fd, int flags)
{
	char path[32];
	int copy;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	copy = open(path, flags | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	return copy < 0 ? -errno : copy;
}
