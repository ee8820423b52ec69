/*
 * The relay: one agent, up to 128 clients, and which id is whose. What its parts share.
 *
 * relay.c is the life of clients and slots; relay_client.c one client's stream; relay_letter.c what
 * becomes of the frames it sends; relay_answer.c what becomes of the agent's.
 */
#ifndef MSB_RELAY_H
#define MSB_RELAY_H

#include "../shared/incoming.h"
#include "../shared/log.h"
#include "budget.h"
#include "peer.h"
#include "relay_agent.h"
#include "relay_route.h"
#include "relay_slots.h"

#define RELAY_CLIENT_FULL \
	(4 * 1024 * 1024) /* queued bytes at which an agent without credit waits */

struct relay_client {
	struct relay *relay;
	struct relay_client *next, *prev;
	struct link link;
	struct loop_grave grave;
	int slot;
	bool greeted;
	bool trusted; /* may shut down the agent */
	size_t *open; /* where it is counted besides; or NULL */
	struct frame_clock clock;
	const char *doom;    /* why it is to be closed after this batch */
	const char *parting; /* why it says no more; answers that are due still go out */
	struct loop_timer part_limit;
	struct log_rate said;
	char name[32];
};

/* A range of ids. It outlives its client until no frame of it can be under way. */
struct relay_slot {
	struct relay *relay;
	struct relay_client *client;
	struct route_table routes;
	uint32_t pong_id; /* of the ping behind the last word to the agent; 0: none */
	struct loop_timer limit;
};

/* The owner fills in the first part. */
struct relay {
	struct loop *loop;
	struct relay_agent agent; /* endpoint, name and bootstrap */
	/* What the endpoint names is no stream, and never was: why. */
	void (*on_wrong)(struct relay *relay, const char *why);

	const struct budget *budget;
	struct buf_spare spare;	      /* of clients' queues */
	struct buf_spare agent_spare; /* what the guest says does not wait for what they hold */
	struct buf scratch;	      /* a payload that is decoded and yet has to stay as it is */
	struct relay_slots slots;
	struct relay_slot by_slot[RELAY_SLOTS];
	struct relay_client *clients;
	size_t client_count;
	uint32_t ids_passed; /* at each range's beginning, which no client is given */
	bool agent_waits; /* it was not read, since some client was behind; who comes forward looks again */
	bool ending; /* nothing more is taken from clients */
};

void relay_start(struct relay *relay);

/* Tells all sessions that it is over, and the agent. relay_flush() gets that out. */
void relay_end(struct relay *relay, const char *why);

/* Tries to get out what is queued; returns how many bytes are left. */
size_t relay_flush(struct relay *relay);

void relay_stop(struct relay *relay);

/* ---- between the parts ---- */

static inline struct route_table *relay_routes(struct relay_client *client)
{
	return &client->relay->by_slot[client->slot].routes;
}

/* Takes ownership of a connected socket; without a free slot it is closed at once. */
void relay_client_open(struct relay *relay, int fd, const struct peer *peer);

/* Closes it; what becomes of its slot is the relay's affair. */
void relay_client_close(struct relay_client *client, const char *why);

void relay_client_mark(struct relay_client *client);

/* The greeting, once it is known. */
void relay_client_greet(struct relay_client *client);

/* Ends one id for the client: core.error, or, if it cannot read that, the connection. */
void relay_client_end_id(struct relay_client *client, const struct route *route, const char *why);

/*
 * Acts upon one frame of a client: 0; -EAGAIN to be called again for the same frame later; or
 * -errno to close the connection.
 */
int relay_letter(struct relay_client *client, const struct frame *frame);

/* Sends of the held input what may go. */
void relay_pump_input(struct relay_client *client, struct route *route);

/* What the agent says. */
void relay_answer(struct relay *relay, const struct frame *frame);

/* An id of a slot whose client is gone has had its last frame, or the ping its pong. */
void relay_slot_settle(struct relay_slot *slot, bool pong);

/* The client is gone: the agent is told, and the slot is free once that can do no harm. */
void relay_slot_leave(struct relay_slot *slot);

#endif
