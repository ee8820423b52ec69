/* Ranges of ids: see slots.h. */
#include "slots.h"

#include <errno.h>

int relay_slots_take(struct relay_slots *slots)
{
	for (int i = 0; i < RELAY_SLOTS; i++) {
		int slot = (slots->next + i) % RELAY_SLOTS;

		if (slots->taken[slot])
			continue;
		slots->taken[slot] = 1;
		slots->next = (slot + 1) % RELAY_SLOTS;
		return slot;
	}
	return -EBUSY;
}

void relay_slots_free(struct relay_slots *slots, int slot)
{
	slots->taken[slot] = 0;
}

int relay_slot_of(uint32_t id)
{
	if (id % RELAY_STEP == 0 || id / RELAY_STEP >= RELAY_SLOTS)
		return -1;
	return (int)(id / RELAY_STEP);
}

uint32_t relay_slot_min(int slot)
{
	return (uint32_t)slot * RELAY_STEP + 1;
}

uint32_t relay_slot_end(int slot)
{
	return (uint32_t)slot * RELAY_STEP + RELAY_STEP;
}
