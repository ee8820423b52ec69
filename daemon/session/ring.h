/*
 * The last bytes of a stream, each with its offset since the stream began. Memory grows with what is
 * held, and what all rings hold together has a limit, too. Pure.
 */
#ifndef MSB_RING_H
#define MSB_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define RING_LEAST 4096 /* bytes that each may have, whatever the others have */

/* What all rings that share it have allocated, and at most. All zero but the limit to start with. */
struct ring_total {
	size_t held, limit;
	struct ring_total *whole; /* that this is a part of; NULL: it is the whole */
};

struct ring {
	uint8_t *data; /* owned; NULL: none yet. A byte stands at its offset modulo room */
	size_t room, limit;
	uint64_t begin, end;	  /* what is held, end exclusive; for readers */
	struct ring_total *total; /* not owned; NULL: the limit of each is all there is */
	bool filled;  /* by what came last: more comes at a time than there is room for */
	bool starved; /* there was no memory to grow */
};

/* Begins at that offset with nothing allocated. limit in bytes; less than RING_LEAST counts as that. */
void ring_init(struct ring *ring, size_t limit, struct ring_total *total, uint64_t at);
void ring_release(struct ring *ring);

/*
 * Room for the next bytes in one piece of at least 1 and at most max (itself at least 1): its
 * length; 0 if there is none; -ENOMEM if the ring has no memory and gets none. It grows by doubling, as far
 * as its limit and the total let it.
 */
ssize_t ring_reserve(struct ring *ring, size_t max, uint8_t **ret_space);

/* So many bytes were written there, at most the length of the piece; 0 changes nothing. */
void ring_commit(struct ring *ring, size_t len);

/*
 * The bytes from offset at on (begin <= at <= end) that lie together: their number, 0 at the end.
 * Those behind are found by looking again. *ret_data is good until the ring changes.
 */
size_t ring_peek(const struct ring *ring, uint64_t at, const uint8_t **ret_data);

/* What is before at goes, up to the end at most. Its memory stays, for what comes. */
void ring_forget(struct ring *ring, uint64_t at);

/* For so many bytes ring_reserve() has room. */
size_t ring_space(const struct ring *ring);

/* Gives back the memory that holds nothing, if there is memory to move what is held to. */
void ring_settle(struct ring *ring);

static inline size_t ring_held(const struct ring *ring)
{
	return (size_t)(ring->end - ring->begin);
}

#endif
