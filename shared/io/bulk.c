/* Payloads that are moved and not copied: see bulk.h. */
#include "bulk.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "shared/fd.h"

void bulk_init(struct bulk *bulk)
{
	*bulk = (struct bulk){.read_fd = -1, .write_fd = -1};
}

void bulk_release(struct bulk *bulk)
{
	fd_close(&bulk->read_fd);
	fd_close(&bulk->write_fd);
	bulk->len = 0;
}

static int open_pipe(struct bulk *bulk)
{
	int ends[2];

	if (bulk->read_fd >= 0)
		return 0;
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	bulk->read_fd = ends[0];
	bulk->write_fd = ends[1];
	/* Over the user's limit it stays as it is, and so do we. */
	fcntl(bulk->write_fd, F_SETPIPE_SZ, BULK_MAX);
	return 0;
}

ssize_t bulk_fill(struct bulk *bulk, int from_fd, size_t max)
{
	ssize_t n;

	if (open_pipe(bulk) < 0)
		/* No descriptor is left: nothing that would last. */
		return -EOPNOTSUPP;
	do {
		n = splice(from_fd, NULL, bulk->write_fd, NULL, max < BULK_MAX ? max : BULK_MAX,
			   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno != EAGAIN && errno != EIO) {
		/* Not a pipe, or a filter forbids the call. */
		bulk->refused = true;
		return -EOPNOTSUPP;
	}
	if (n > 0)
		bulk->len = (size_t)n;
	return n < 0 ? -errno : n;
}

ssize_t bulk_drain(struct bulk *bulk, int to_fd)
{
	ssize_t n;

	do {
		n = splice(bulk->read_fd, NULL, to_fd, NULL, bulk->len,
			   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	} while (n < 0 && errno == EINTR);
	if (n > 0)
		bulk->len -= (size_t)n;
	return n < 0 ? -errno : n;
}
