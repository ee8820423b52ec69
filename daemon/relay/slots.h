/*
 * The ids of the wire, shared out: 128 slots of one range each, as the reference relay has them.
 * Pure.
 */
#ifndef MSB_RELAY_SLOTS_H
#define MSB_RELAY_SLOTS_H

#include <stdint.h>

#define RELAY_SLOTS 128
#define RELAY_STEP  33554431u /* ids from the beginning of one range to that of the next */

/* All zero to start with. */
struct relay_slots {
	uint8_t taken[RELAY_SLOTS];
	int next; /* where to look first: the one that was free the longest is as good as any */
};

/* A free slot, or -EBUSY. Each is given again as late as possible. */
int relay_slots_take(struct relay_slots *slots);
void relay_slots_free(struct relay_slots *slots, int slot);

/* The slot that an id belongs to, or -1: id 0 and the multiples of the step are nobody's. */
int relay_slot_of(uint32_t id);

/* The first id of a slot, and the one behind its last. */
uint32_t relay_slot_min(int slot);
uint32_t relay_slot_end(int slot);

#endif
