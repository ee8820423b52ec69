/* The relay's clients and their slots: see relay.h. */
#include "relay.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "../shared/base.h"
#include "../shared/log.h"

#define LEAVE_LIMIT_MS 30000

/* ---- slots whose client is gone ---- */

static int index_of(const struct relay_slot *slot)
{
	return (int)(slot - slot->relay->by_slot);
}

static void free_slot(struct relay_slot *slot)
{
	loop_disarm(slot->relay->loop, &slot->limit);
	route_clear(&slot->routes);
	slot->pong_id = 0;
	relay_slots_free(&slot->relay->slots, index_of(slot));
}

/* The agent has closed them on its client's leave, and need not say so of each. */
static void forget_streams(struct relay_slot *slot)
{
	struct route *route, *next;

	for (route = slot->routes.first; route; route = next) {
		next = route->next;
		if (route->kind == ROUTE_STREAM)
			route_remove(&slot->routes, route);
	}
}

static void on_limit(struct loop_timer *timer)
{
	struct relay_slot *slot = container_of(timer, struct relay_slot, limit);

	/* An agent that knows no ping. */
	if (!slot->pong_id)
		forget_streams(slot);
	if (!slot->routes.count) {
		free_slot(slot);
		return;
	}
	/* Whoever got them now would hear of what was started for somebody else. */
	log_warn("the range of a client that is gone is not given again yet: %zu of its ids have "
		 "not ended",
		 slot->routes.count);
}

void relay_slot_settle(struct relay_slot *slot, bool pong)
{
	if (pong)
		forget_streams(slot);
	/* An agent that ends the sessions of a range says no more about them behind the pong. */
	if (!slot->routes.count ||
	    (pong && relay_agent_has(&slot->relay->agent, MSG_FEATURE_ON_DISCONNECT)))
		free_slot(slot);
}

/* An id that the client has not used, for a ping of ours. */
static uint32_t unused_id(struct relay_slot *slot)
{
	uint32_t id = relay_slot_end(index_of(slot)) - 1;

	while (route_find(&slot->routes, id))
		id--;
	return id;
}

void relay_slot_leave(struct relay_slot *slot)
{
	struct relay_agent *agent = &slot->relay->agent;
	int index = index_of(slot);
	struct msg_id_range range = {relay_slot_min(index), relay_slot_end(index)};
	struct buf *out;

	slot->client = NULL;
	/* The next guest gets what was asked of it, and then hears that nobody waits for it. */
	if (!relay_agent_is_up(agent) && !agent->keeps) {
		free_slot(slot);
		return;
	}
	out = relay_agent_out(agent);
	/* The reference closes files on that message, but leaves commands alone. */
	if (!relay_agent_has(agent, MSG_FEATURE_ON_DISCONNECT))
		for (struct route *route = slot->routes.first; route; route = route->next)
			if (route->kind == ROUTE_EXEC && !route->abandoned)
				relay_agent_told(agent, msg_put_exec_signal(out, route->id, 9));
	relay_agent_told(agent, msg_put(out, 0, MSG_RELAY_CLIENT_DISCONNECTED, &range));
	if (!slot->routes.count) {
		free_slot(slot);
		return;
	}
	if (agent->generation >= MSG_GENERATION_PING) {
		slot->pong_id = unused_id(slot);
		relay_agent_told(agent, msg_put_empty(out, slot->pong_id, MSG_PING));
	}
	loop_arm(slot->relay->loop, &slot->limit, LEAVE_LIMIT_MS);
}

/* ---- the agent ---- */

static void on_up(struct relay_agent *agent)
{
	struct relay *relay = container_of(agent, struct relay, agent);

	/* What an earlier relay left running has ids from another moment. */
	relay->ids_passed = agent->ran_before ? (uint32_t)(loop_now_ms() % (RELAY_STEP / 2)) : 0;
	for (struct relay_client *client = relay->clients; client; client = client->next)
		relay_client_greet(client);
}

/* Ends what the guest had of a slot, for the client and for us. */
static void end_routes(struct relay_slot *slot, const char *why)
{
	struct route *route, *next;

	for (route = slot->routes.first; route; route = next) {
		next = route->next;
		if (relay_agent_keeps(&slot->relay->agent, route->probe))
			continue;
		if (slot->client)
			relay_client_end_id(slot->client, route, why);
		route_remove(&slot->routes, route);
	}
}

/* Every session is over; clients stay. */
static void on_down(struct relay_agent *agent, const char *why)
{
	struct relay *relay = container_of(agent, struct relay, agent);

	for (int i = 0; i < RELAY_SLOTS; i++) {
		struct relay_slot *slot = &relay->by_slot[i];

		end_routes(slot, why);
		if (!slot->client && relay->slots.taken[i] && !slot->routes.count)
			free_slot(slot);
	}
	for (struct relay_client *client = relay->clients; client; client = client->next)
		relay_client_mark(client);
}

static void on_frame(struct relay_agent *agent, const struct frame *frame)
{
	relay_answer(container_of(agent, struct relay, agent), frame);
}

/* Clients take turns: whoever comes first now comes last the next time. */
static void on_room(struct relay_agent *agent)
{
	struct relay *relay = container_of(agent, struct relay, agent);
	struct relay_client *first = relay->clients, *last = first;

	for (struct relay_client *client = first; client; client = client->next) {
		relay_client_mark(client);
		last = client;
	}
	if (first == last)
		return;
	relay->clients = first->next;
	first->next->prev = NULL;
	first->next = NULL;
	first->prev = last;
	last->next = first;
}

/*
 * An agent that knows credit never sends more than clients take. Of another one nothing is read
 * while a client is behind: no byte is lost, and all wait, as with the reference's relay.
 */
static bool may_read(struct relay_agent *agent)
{
	struct relay *relay = container_of(agent, struct relay, agent);

	if (relay_agent_has(agent, MSG_FEATURE_OUTPUT_WINDOW))
		return true;
	for (struct relay_client *client = relay->clients; client; client = client->next)
		if (link_unsent(&client->link) >= RELAY_CLIENT_FULL) {
			relay->agent_waits = true;
			return false;
		}
	return true;
}

static void on_wrong(struct relay_agent *agent, const char *why)
{
	struct relay *relay = container_of(agent, struct relay, agent);

	relay->on_wrong(relay, why);
}

/* ---- all of it ---- */

void relay_start(struct relay *relay)
{
	for (int i = 0; i < RELAY_SLOTS; i++) {
		relay->by_slot[i].relay = relay;
		relay->by_slot[i].limit.on_due = on_limit;
	}
	buf_init(&relay->scratch, FRAME_WIRE_MAX, NULL);
	relay->agent.loop = relay->loop;
	relay->agent.spare = &relay->agent_spare;
	relay->agent.on_up = on_up;
	relay->agent.on_down = on_down;
	relay->agent.on_frame = on_frame;
	relay->agent.on_room = on_room;
	relay->agent.on_wrong = on_wrong;
	relay->agent.may_read = may_read;
	relay_agent_start(&relay->agent);
}

void relay_end(struct relay *relay, const char *why)
{
	relay->ending = true;
	for (struct relay_client *client = relay->clients; client; client = client->next) {
		struct relay_slot *slot = &relay->by_slot[client->slot];

		for (struct route *route = slot->routes.first; route; route = route->next)
			relay_client_end_id(client, route, why);
		relay_slot_leave(slot);
	}
}

size_t relay_flush(struct relay *relay)
{
	size_t left = 0;

	for (struct relay_client *client = relay->clients; client; client = client->next) {
		link_flush(&client->link);
		left += link_is_broken(&client->link) ? 0 : link_unsent(&client->link);
	}
	return left + relay_agent_flush(&relay->agent);
}

void relay_stop(struct relay *relay)
{
	relay_agent_stop(&relay->agent);
	while (relay->clients)
		relay_client_close(relay->clients, "the relay ends");
	for (int i = 0; i < RELAY_SLOTS; i++)
		route_clear(&relay->by_slot[i].routes);
	buf_release(&relay->scratch);
	buf_spare_release(&relay->spare);
	buf_spare_release(&relay->agent_spare);
}
