/*
 * A range of ids, and what is live in it between the client that has it and the agent. Nothing reaches
 * the agent that was not decoded here, and what does is in an envelope that we wrote; what is wrong
 * gets the answer that msb-execd would give. Of the agent only whole frames reach the client, as they
 * came. A range outlives its client until no frame of it can be under way.
 */
#ifndef MSB_RELAY_RANGE_H
#define MSB_RELAY_RANGE_H

#include "agent.h"
#include "client.h"
#include "route.h"
#include "slots.h"

/* Written by range.c alone; others read the first part. */
struct relay_range {
	struct relay_client *client; /* not owned; NULL: none, or it is gone */
	struct route_table routes;

	struct relay_agent *agent;
	struct relay_slots *slots; /* where it is free again */
	int slot;
	uint32_t pong_id; /* of the ping behind the last word to the agent; 0: none */
	struct loop_timer limit;
};

/* agent and slots are not owned. */
void range_init(struct relay_range *range, struct relay_agent *agent, struct relay_slots *slots,
		int slot);
void range_release(struct relay_range *range);

/* The slot was taken, for this client. */
void range_take(struct relay_range *range, struct relay_client *client);

/* One frame of the client: as on_frame() of struct relay_client_calls. */
int range_ask(struct relay_range *range, const struct frame *frame);

/* One frame of the agent, of an id of this range. */
void range_answer(struct relay_range *range, const struct frame *frame);

/*
 * The client's socket has taken its stream up to there: tells the agent, which is up, and gives it the
 * input that may go.
 */
void range_flushed(struct relay_range *range, uint64_t sent);

/* The guest is lost, and with it all that it had of the range but what is kept for the next one. */
void range_lose_guest(struct relay_range *range, const char *why);

/* Tells the client that all its ids are over, and why; then as range_leave(). */
void range_end(struct relay_range *range, const char *why);

/* The client is gone: the agent is told, and the slot is free once that can do no harm. */
void range_leave(struct relay_range *range);

#endif
