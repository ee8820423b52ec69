/* The last bytes of a stream: see ring.h. */
#include "ring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

void ring_init(struct ring *ring, size_t limit, struct ring_total *total, uint64_t at)
{
	*ring = (struct ring){.limit = limit > RING_LEAST ? limit : RING_LEAST,
			      .begin = at,
			      .end = at,
			      .total = total};
}

/* Memory for room bytes in place of what there was. */
static void replace(struct ring *ring, uint8_t *data, size_t room)
{
	free(ring->data);
	for (struct ring_total *total = ring->total; total; total = total->whole)
		total->held += room - ring->room;
	ring->data = data;
	ring->room = room;
}

void ring_release(struct ring *ring)
{
	replace(ring, NULL, 0);
	ring->begin = ring->end;
}

/* Moves what is held, which must fit: each byte has another place where there is another room. */
static int move(struct ring *ring, size_t room)
{
	uint8_t *data = malloc(room);
	const uint8_t *from = NULL;
	size_t len;

	if (!data)
		return -ENOMEM;
	for (uint64_t at = ring->begin; at < ring->end; at += len) {
		size_t place = (size_t)(at % room);

		len = least(ring_peek(ring, at, &from), room - place);
		/* -fanalyzer: not NULL, there is something at each place before the end */
		memcpy(data + place, from, len);
	}
	replace(ring, data, room);
	return 0;
}

/* How far it may grow. What the total has left is taken in steps, since each one moves all there is. */
static size_t most(const struct ring *ring)
{
	size_t left = ring->limit - ring->room, room;

	for (const struct ring_total *total = ring->total; total; total = total->whole)
		left = least(left, total->held < total->limit ? total->limit - total->held : 0);
	room = ring->room +
	       (left < ring->limit - ring->room ? left / RING_LEAST * RING_LEAST : left);
	return room > RING_LEAST ? room : RING_LEAST;
}

static void grow(struct ring *ring)
{
	size_t twice = ring->room > RING_LEAST / 2 ? 2 * ring->room : RING_LEAST;
	size_t room = least(twice, most(ring));

	if (room > ring->room)
		ring->starved = move(ring, room) < 0;
}

ssize_t ring_reserve(struct ring *ring, size_t max, uint8_t **ret_space)
{
	size_t free_len = ring->room - ring_held(ring), place;

	if (!free_len || (ring->filled && free_len < max)) {
		grow(ring);
		free_len = ring->room - ring_held(ring);
	}
	if (!ring->data)
		return -ENOMEM;
	place = (size_t)(ring->end % ring->room);
	*ret_space = ring->data + place;
	return (ssize_t)least(least(max, free_len), ring->room - place);
}

void ring_commit(struct ring *ring, size_t len)
{
	if (!len)
		return;
	ring->end += len;
	ring->filled = ring_held(ring) == ring->room;
}

size_t ring_peek(const struct ring *ring, uint64_t at, const uint8_t **ret_data)
{
	size_t place;

	if (at >= ring->end)
		return 0;
	place = (size_t)(at % ring->room);
	*ret_data = ring->data + place;
	return least((size_t)(ring->end - at), ring->room - place);
}

void ring_forget(struct ring *ring, uint64_t at)
{
	if (at > ring->end)
		at = ring->end;
	if (at <= ring->begin)
		return;
	ring->begin = at;
	/* Memory is asked for anew when this is filled. */
	ring->starved = false;
}

size_t ring_space(const struct ring *ring)
{
	/* What has none yet is read by asking once more: nothing that is forgotten would make room. */
	return (ring->starved && ring->room ? ring->room : most(ring)) - ring_held(ring);
}

void ring_settle(struct ring *ring)
{
	size_t held = ring_held(ring);

	if (!held)
		replace(ring, NULL, 0);
	else if (held < ring->room)
		(void)move(ring, held);
	ring->filled = false;
}
