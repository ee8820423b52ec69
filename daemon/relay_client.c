/* One client of the relay: its greeting, its turns, its queues. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../shared/base.h"
#include "../shared/log.h"
#include "relay.h"

/* Over so much that it does not take, a client is given up: it asked for windows it cannot use. */
#define OUT_HARD  (64 * 1024 * 1024)
#define OUT_SHORT (2 * 1024 * 1024) /* at least, while all clients together hold too much */
#define OUT_MAX	  (OUT_HARD + 2 * FRAME_WIRE_MAX)
/* Answers that nobody reads must not pile up: beyond this, no more is asked of it. */
#define CHOKED		(1024 * 1024)
#define CHOKED_FOR_EACH (512 * 1024) /* session, whose output may rightly be there */
#define SESSIONS_MAX	64
#define PARTING_MS	2000 /* for the agent's answers to what a client asked before it ended */

static struct relay_slot *slot_of(const struct relay_client *client)
{
	return &client->relay->by_slot[client->slot];
}

static void free_client(struct loop_grave *grave)
{
	free(container_of(grave, struct relay_client, grave));
}

void relay_client_close(struct relay_client *client, const char *why)
{
	struct relay *relay = client->relay;

	log_info("%s: closed: %s", client->name, why);
	if (slot_of(client)->client)
		relay_slot_leave(slot_of(client));
	loop_disarm(relay->loop, &client->part_limit);
	frame_clock_stop(&client->clock);
	if (client->open)
		--*client->open;
	link_release(&client->link);
	*(client->prev ? &client->prev->next : &relay->clients) = client->next;
	if (client->next)
		client->next->prev = client->prev;
	relay->client_count--;
	loop_bury(relay->loop, &client->grave, free_client);
	/* It may have been the one that kept the agent waiting. */
	relay_agent_mark(&relay->agent);
}

void relay_client_mark(struct relay_client *client)
{
	link_mark(&client->link);
}

void relay_client_end_id(struct relay_client *client, const struct route *route, const char *why)
{
	struct msg_text none = {0};

	relay_client_mark(client);
	if (route->abandoned)
		return;
	if (route->v < MSG_GENERATION_ERR)
		client->doom = why;
	else if (msg_put_error(link_out(&client->link), route->id, MSG_REFUSAL_INVALID_SESSION, why,
			       none) < 0)
		client->doom = "it takes nothing";
}

/* ---- the turn: after each batch, everything is derived anew from the queues ---- */

static bool is_choked(const struct relay_client *client)
{
	const struct route_table *routes = &slot_of(client)->routes;
	size_t sessions = routes->count < SESSIONS_MAX ? routes->count : SESSIONS_MAX;

	return route_table_is_full(routes) ||
	       link_unsent(&client->link) >= CHOKED + sessions * CHOKED_FOR_EACH;
}

/* Whether the client has to wait for the agent, which takes one turn's worth after the other. */
static bool must_wait(const struct relay_client *client)
{
	struct relay_agent *agent = &client->relay->agent;

	/* Behind what waits for the next guest already, so does what is said now. */
	return client->relay->ending ||
	       ((relay_agent_is_up(agent) || agent->keeps) && !relay_agent_has_room(agent));
}

static enum link_wish wish(struct link *link)
{
	struct relay_client *client = container_of(link, struct relay_client, link);

	if (client->doom || client->parting || is_choked(client))
		return LINK_CHOKED;
	return must_wait(client) ? LINK_WAIT : LINK_TAKE;
}

/* -EAGAIN: it is for later, when the agent has said something. */
static int on_frame(struct link *link, const struct frame *frame)
{
	return relay_letter(container_of(link, struct relay_client, link), frame);
}

/* Tells the agent what the client's socket has taken, and gives it the input that may go. */
static void settle_routes(struct relay_client *client)
{
	struct relay_agent *agent = &client->relay->agent;
	uint64_t consumed;

	for (struct route *route = slot_of(client)->routes.first; route; route = route->next) {
		if (route_sent(route, link_sent(&client->link), &consumed))
			relay_agent_told(agent, msg_put_credit(relay_agent_out(agent), route->id,
							       MSG_EXEC_OUTPUT_CREDIT, consumed));
		relay_pump_input(client, route);
	}
}

/* While they hold too much together, each has its share of what is too much. */
static size_t out_limit(const struct relay *relay)
{
	size_t share = relay->spare.limit / 2 / (relay->client_count + 1);

	if (!buf_spare_is_short(&relay->spare) || share > OUT_HARD)
		return OUT_HARD;
	return share > OUT_SHORT ? share : OUT_SHORT;
}

static bool awaits_answers(const struct relay_client *client)
{
	for (const struct route *route = slot_of(client)->routes.first; route; route = route->next)
		if (route->kind == ROUTE_ASK)
			return true;
	return false;
}

static void on_flushed(struct link *link, bool emptied)
{
	struct relay_client *client = container_of(link, struct relay_client, link);
	struct relay *relay = client->relay;

	(void)emptied;
	if (link_unsent(link) >= out_limit(relay))
		client->doom = "it takes too little of what it asked for";
	if (relay_agent_is_up(&relay->agent))
		settle_routes(client);
	if (relay->agent_waits && link_unsent(link) < RELAY_CLIENT_FULL) {
		relay->agent_waits = false;
		relay_agent_mark(&relay->agent);
	}
	if (client->parting && !awaits_answers(client))
		client->doom = client->parting;
	if (client->doom)
		relay_client_close(client, client->doom);
}

static void on_watched(struct link *link, bool reads)
{
	struct relay_client *client = container_of(link, struct relay_client, link);

	if (client->greeted)
		frame_clock_run(&client->clock, link, reads);
}

/* The client has said its last. What it asked before is still answered, as the agent would. */
static void part(struct relay_client *client, const char *why)
{
	if (client->parting)
		return;
	if (!awaits_answers(client)) {
		relay_client_close(client, why);
		return;
	}
	client->parting = why;
	loop_arm(client->relay->loop, &client->part_limit, PARTING_MS);
}

static void on_part_limit(struct loop_timer *timer)
{
	struct relay_client *client = container_of(timer, struct relay_client, part_limit);

	client->doom = client->parting;
	relay_client_mark(client);
}

static void on_end(struct link *link, enum link_end how, int error)
{
	struct relay_client *client = container_of(link, struct relay_client, link);

	if (how == LINK_BROKEN)
		relay_client_close(client, "it takes no more");
	else if (how == LINK_ENDED)
		part(client, "the client is gone");
	else if (error == EMSGSIZE || error == EBADMSG)
		part(client, "framing lost");
	else
		relay_client_close(client, strerror(error));
}

static const struct link_calls calls = {
	.wish = wish,
	.on_frame = on_frame,
	.on_flushed = on_flushed,
	.on_watched = on_watched,
	.on_end = on_end,
};

static void on_frame_late(struct loop_timer *timer)
{
	struct relay_client *client = container_of(timer, struct relay_client, clock.timer);

	client->doom = frame_clock_late(&client->clock, &client->link);
	relay_client_mark(client);
}

/* ---- opening ---- */

void relay_client_greet(struct relay_client *client)
{
	const struct buf *ready = &client->relay->agent.ready;
	uint8_t range[8];

	if (client->greeted)
		return;
	client->greeted = true;
	frame_clock_start(&client->clock, client->relay->loop, client->relay->budget,
			  on_frame_late);
	frame_put_u32(range, relay_slot_min(client->slot) + client->relay->ids_passed);
	frame_put_u32(range + 4, relay_slot_end(client->slot));
	if (buf_append(link_out(&client->link), range, sizeof(range)) < 0 ||
	    buf_append(link_out(&client->link), buf_head(ready), buf_len(ready)) < 0)
		client->doom = "no memory";
	relay_client_mark(client);
}

void relay_client_open(struct relay *relay, int fd, const struct peer *peer)
{
	struct relay_client *client = calloc(1, sizeof(*client));
	int slot = client ? relay_slots_take(&relay->slots) : -ENOMEM;

	if (slot < 0) {
		const char *why =
			slot == -EBUSY ? "all 128 ranges of ids are taken" : strerror(-slot);

		log_warn("refused %s: %s", peer->name, why);
		free(client);
		budget_refuse(fd, why);
		return;
	}
	link_init(&client->link, relay->loop, fd, fd, OUT_MAX, &relay->spare, &calls,
		  LINK_HEARS_HANGUP);
	client->relay = relay;
	client->slot = slot;
	client->trusted = peer->trusted;
	client->open = peer->open;
	if (client->open)
		++*client->open;
	client->part_limit.on_due = on_part_limit;
	snprintf(client->name, sizeof(client->name), "%s", peer->name);
	relay->by_slot[slot].client = client;
	client->next = relay->clients;
	if (client->next)
		client->next->prev = client;
	relay->clients = client;
	relay->client_count++;
	/* Otherwise when the guest is there. */
	if (relay_agent_is_up(&relay->agent))
		relay_client_greet(client);
	relay_client_mark(client);
}
