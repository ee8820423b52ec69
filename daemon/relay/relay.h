/*
 * The relay: one agent, up to 128 clients, and which id is whose. Wires the three objects: a client's
 * frames go to its range, what the range has to say to the agent, and an agent's frames back.
 */
#ifndef MSB_RELAY_H
#define MSB_RELAY_H

#include "agent.h"
#include "client.h"
#include "range.h"
#include "slots.h"

/* The owner fills in the first part. */
struct relay {
	struct loop *loop;
	struct relay_agent agent;     /* endpoint, name, bootstrap and on_wrong */
	struct relay_clients clients; /* budget, and the limit of spare */

	struct buf_spare agent_spare; /* what the guest says does not wait for what clients hold */
	struct relay_slots slots;
	struct relay_range ranges[RELAY_SLOTS];
	uint32_t ids_passed; /* at each range's beginning, which no client is given */
	bool agent_waits; /* it was not read, since some client was behind; who comes forward looks again */
	bool ending; /* nothing more is taken from clients */
};

void relay_start(struct relay *relay);

/* Takes ownership of a connected socket; without a free slot it is closed at once. */
void relay_open(struct relay *relay, int fd, const struct peer *peer);

/* Tells all sessions that it is over, and the agent. relay_flush() gets that out. */
void relay_end(struct relay *relay, const char *why);

/* Tries to get out what is queued; returns how many bytes are left. */
size_t relay_flush(struct relay *relay);

void relay_stop(struct relay *relay);

#endif
