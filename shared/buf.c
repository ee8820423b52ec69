/* A bounded queue of bytes: see buf.h. */
#include "buf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BUF_MIN_CAP   4096
#define BUF_SPARE_MAX (1024 * 1024) /* the queue of one huge frame is not kept for ever */

void buf_init(struct buf *buf, size_t max, struct buf_spare *spare)
{
	*buf = (struct buf){.max = max, .spare = spare};
}

static size_t large_part(size_t cap)
{
	return cap > BUF_LARGE ? cap : 0;
}

static void set_cap(struct buf *buf, size_t cap)
{
	for (struct buf_spare *spare = buf->spare; spare; spare = spare->whole) {
		spare->held += cap - buf->cap;
		spare->large += large_part(cap) - large_part(buf->cap);
	}
	buf->cap = cap;
}

/* What it would have to be to hold so much. */
static size_t cap_for(const struct buf *buf, size_t need)
{
	size_t cap = buf->cap > BUF_MIN_CAP ? buf->cap : BUF_MIN_CAP;

	while (cap < need)
		cap *= 2;
	return cap < buf->max ? cap : buf->max;
}

bool buf_may_hold(const struct buf *buf, size_t len)
{
	size_t need = buf_len(buf) + len, cap, others;

	if (need <= buf->cap)
		return true;
	cap = cap_for(buf, need);
	for (const struct buf_spare *spare = buf->spare; spare && large_part(cap);
	     spare = spare->whole) {
		others = spare->large - large_part(buf->cap);
		if (spare->limit && others && others + cap > spare->limit)
			return false;
	}
	return true;
}

/* Where the memory is. */
static struct buf_spare *spare_of(const struct buf *buf)
{
	struct buf_spare *spare = buf->spare;

	while (spare && spare->whole)
		spare = spare->whole;
	return spare;
}

/* Parts with the memory: the larger of it and the spare is kept, the other is freed. */
static void give_back(struct buf *buf)
{
	struct buf_spare *spare = spare_of(buf);

	if (spare && buf->cap > spare->cap && buf->cap <= BUF_SPARE_MAX) {
		free(spare->data);
		spare->data = buf->data;
		spare->cap = buf->cap;
	} else {
		free(buf->data);
	}
	buf->data = NULL;
	buf->head = buf->tail = 0;
	set_cap(buf, 0);
}

void buf_release(struct buf *buf)
{
	free(buf->data);
	buf->data = NULL;
	buf->head = buf->tail = 0;
	set_cap(buf, 0);
}

void buf_spare_release(struct buf_spare *spare)
{
	free(spare->data);
	spare->data = NULL;
	spare->cap = 0;
}

static bool take_spare(struct buf *buf, size_t len)
{
	struct buf_spare *spare = spare_of(buf);

	if (!spare || spare->cap < len || spare->cap > buf->max)
		return false;
	buf->data = spare->data;
	set_cap(buf, spare->cap);
	spare->data = NULL;
	spare->cap = 0;
	return true;
}

/* A fresh piece of memory with the queued bytes at its start. */
static int grow(struct buf *buf, size_t need)
{
	size_t used = buf_len(buf);
	size_t cap = cap_for(buf, need);
	uint8_t *data = malloc(cap);

	if (!data)
		return -ENOMEM;
	if (used)
		memcpy(data, buf_head(buf), used);
	free(buf->data);
	buf->data = data;
	buf->head = 0;
	buf->tail = used;
	set_cap(buf, cap);
	return 0;
}

int buf_reserve(struct buf *buf, size_t len, uint8_t **ret_space)
{
	size_t used = buf_len(buf);
	int r;

	if (len > buf->max || used > buf->max - len)
		return -ENOBUFS;
	/* No bytes of a queue that has no memory yet: even NULL + 0 is undefined. */
	if (!len && !buf->data) {
		*ret_space = NULL;
		return 0;
	}
	if (buf->cap - buf->tail < len) {
		if (buf->data && used + len <= buf->cap && buf->head >= used) {
			/* Moves at most what has been consumed, so each byte moves once. */
			memcpy(buf->data, buf->data + buf->head, used);
			buf->head = 0;
			buf->tail = used;
		} else if (buf->data || !take_spare(buf, len)) {
			r = grow(buf, used + len);
			if (r < 0)
				return r;
		}
	}
	*ret_space = buf->data + buf->tail;
	return 0;
}

size_t buf_room(const struct buf *buf)
{
	return buf->cap - buf->tail;
}

void buf_commit(struct buf *buf, size_t len)
{
	buf->tail += len;
}

void buf_commit_after(struct buf *buf, size_t gap, size_t len)
{
	if (buf_len(buf) == 0)
		buf->head = buf->tail += gap;
	else if (gap)
		memmove(buf->data + buf->tail, buf->data + buf->tail + gap, len);
	buf->tail += len;
}

int buf_append(struct buf *buf, const void *data, size_t len)
{
	uint8_t *space;
	int r = buf_reserve(buf, len, &space);

	if (r < 0)
		return r;
	if (len)
		memcpy(space, data, len);
	buf_commit(buf, len);
	return 0;
}

void buf_consume(struct buf *buf, size_t len)
{
	buf->head += len;
	buf_settle(buf);
}

void buf_truncate(struct buf *buf, size_t len)
{
	buf->tail = buf->head + len;
	buf_settle(buf);
}

void buf_settle(struct buf *buf)
{
	if (buf->head == buf->tail && buf->data)
		give_back(buf);
}
