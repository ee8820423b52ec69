/*
 * The payload of one frame on its way from one descriptor to another without a copy: its pages
 * wait in a pipe of our own. What is in there has a known length, and whoever wrote it cannot take
 * it back, so the frame's head can go first. The queue that holds the head holds the place too.
 */
#ifndef MSB_BULK_H
#define MSB_BULK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define BULK_MAX (1024 * 1024) /* bytes at once; less where pipes may not be so large */

struct bulk {
	int read_fd, write_fd; /* owned; -1 before the first use */
	size_t len;	       /* bytes in the pipe, which come behind */
	size_t before;	       /* so many bytes of the queue */
	bool refused;	       /* this system does not do it */
};

void bulk_init(struct bulk *bulk);
void bulk_release(struct bulk *bulk);

/* Whether it can take a payload now. */
static inline bool bulk_is_free(const struct bulk *bulk)
{
	return !bulk->len && !bulk->refused;
}

/*
 * Takes up to max bytes from a pipe, when free: their number, 0 at its end, -EAGAIN when there is
 * nothing, -EOPNOTSUPP when they have to be read instead, or another -errno of that pipe.
 */
ssize_t bulk_fill(struct bulk *bulk, int from_fd, size_t max);

/* Moves on to a non-blocking socket: the number of bytes, or -errno. */
ssize_t bulk_drain(struct bulk *bulk, int to_fd);

#endif
