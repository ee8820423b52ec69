/*
 * The head and the tail of a stream, and how much lies between: --max-output. What comes out is no more than that
 * many bytes, and all if there are no more. It is not cut inside a character of UTF-8. Pure, but for memory.
 */
#ifndef MSB_EXCERPT_H
#define MSB_EXCERPT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct excerpt {
	uint64_t head_max, tail_max;
	uint64_t total; /* bytes taken */
	uint64_t head;	/* of those, how many went out at once */
	/* The last bytes behind the head, grown as they come. Once it is as large as it gets it is a ring. */
	uint8_t *kept; /* owned */
	size_t begin, len, cap;
};

/* What comes out at the end: how many bytes are left out, and then these, in two parts. */
struct excerpt_rest {
	uint64_t cut;
	struct {
		const uint8_t *data; /* inside the excerpt, until it is released */
		size_t len;
	} parts[2];
};

/* max: how many bytes of the stream come out. */
void excerpt_init(struct excerpt *excerpt, uint64_t max);

/*
 * Takes a piece of any size. How many of its first bytes go out at once; the others need not stay. -ENOMEM: none of
 * it was taken.
 */
ssize_t excerpt_take(struct excerpt *excerpt, const uint8_t *data, size_t len);

/* The stream has ended, or is lost. If nothing was cut the rest follows what went out without a gap. */
struct excerpt_rest excerpt_end(const struct excerpt *excerpt);

void excerpt_release(struct excerpt *excerpt);

#endif
