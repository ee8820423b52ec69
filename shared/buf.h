/*
 * A bounded queue of bytes in one contiguous piece of memory: append at the tail, consume at
 * the head. An empty queue owns no memory; what it had goes to the spare that queues of one
 * program share, so that a busy queue allocates nothing and an idle one costs nothing.
 */
#ifndef MSB_BUF_H
#define MSB_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * At most one piece of memory, of the last queue that ran empty; and what all queues that share it
 * hold together. All zero to start with.
 */
#define BUF_LARGE (512 * 1024)

struct buf_spare {
	uint8_t *data;
	size_t cap;
	size_t held;  /* bytes that are allocated for queues */
	size_t large; /* of these, by the ones that have over BUF_LARGE */
	size_t limit; /* of each, which owners heed by the two functions below; 0: none */
	struct buf_spare
		*whole; /* that this is a part of, which has the memory and counts, too; or NULL */
};

struct buf {
	uint8_t *data; /* owned; NULL while empty */
	size_t head;   /* the first byte that is queued */
	size_t tail;   /* one past the last */
	size_t cap;
	size_t max; /* never grows beyond this many bytes */
	struct buf_spare *spare;
};

/* max in bytes; spare may be NULL and is not owned. */
void buf_init(struct buf *buf, size_t max, struct buf_spare *spare);
void buf_release(struct buf *buf);
void buf_spare_release(struct buf_spare *spare);

static inline size_t buf_len(const struct buf *buf)
{
	return buf->data ? buf->tail - buf->head : 0;
}

static inline uint8_t *buf_head(const struct buf *buf)
{
	return buf->data ? buf->data + buf->head : NULL;
}

/*
 * Makes room for len more bytes at the tail; *ret_space points at it until the next call that
 * changes the queue. Returns 0, -ENOBUFS over the limit, -ENOMEM.
 */
int buf_reserve(struct buf *buf, size_t len, uint8_t **ret_space);

/* Bytes that buf_reserve() could give without moving or allocating anything. */
size_t buf_room(const struct buf *buf);

/* Counts len bytes, written into the reserved space, as queued. */
void buf_commit(struct buf *buf, size_t len);

/*
 * The same for bytes that begin gap bytes into the reserved space. The gap is closed: for free
 * when the queue was empty, else by moving the new bytes down.
 */
void buf_commit_after(struct buf *buf, size_t gap, size_t len);

/* Whether queues hold so much in all that each should hold less. */
static inline bool buf_spare_is_short(const struct buf_spare *spare)
{
	for (; spare; spare = spare->whole)
		if (spare->limit && spare->held > spare->limit / 2)
			return true;
	return false;
}

/*
 * Whether the limit lets the queue hold len bytes more: all large ones together keep to it, and one
 * alone may always be.
 */
bool buf_may_hold(const struct buf *buf, size_t len);

int buf_append(struct buf *buf, const void *data, size_t len);
void buf_consume(struct buf *buf, size_t len);

/* Forgets what is queued behind the first len bytes, which are there. */
void buf_truncate(struct buf *buf, size_t len);

/* An empty queue that was reserved from but got nothing gives its memory back. */
void buf_settle(struct buf *buf);

#endif
