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

#define FRAMES_A_TURN 256
#define BYTES_A_TURN  (1024 * 1024)
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
	loop_unmark(relay->loop, &client->turn);
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
	loop_mark(client->relay->loop, &client->turn);
}

void relay_client_end_id(struct relay_client *client, const struct route *route, const char *why)
{
	struct msg_text none = {0};

	relay_client_mark(client);
	if (route->abandoned)
		return;
	if (route->v < MSG_GENERATION_ERR)
		client->doom = why;
	else if (msg_put_error(&client->link.out, route->id, MSG_REFUSAL_INVALID_SESSION, why,
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

static bool may_take(const struct relay_client *client)
{
	return !client->doom && !client->parting && !is_choked(client) && !must_wait(client);
}

/* 0, or -errno to close; -EAGAIN: the next frame is for later, when the agent has said something. */
static int take_frames(struct relay_client *client)
{
	struct frame frame;
	size_t taken = 0;

	for (int i = 0; i < FRAMES_A_TURN && taken < BYTES_A_TURN; i++) {
		int r;

		if (!may_take(client))
			return 0;
		r = link_next(&client->link, &frame);
		if (r <= 0)
			return r;
		taken += frame.wire_len;
		r = relay_letter(client, &frame);
		if (r == -EAGAIN)
			return r;
		link_done(&client->link, &frame);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Tells the agent what the client's socket has taken, and gives it the input that may go. */
static void settle_routes(struct relay_client *client)
{
	struct relay_agent *agent = &client->relay->agent;
	uint64_t consumed;

	for (struct route *route = slot_of(client)->routes.first; route; route = route->next) {
		if (route_sent(route, client->link.sent, &consumed))
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

static void send_frames(struct relay_client *client)
{
	link_flush(&client->link);
	if (link_unsent(&client->link) >= out_limit(client->relay))
		client->doom = "it takes too little of what it asked for";
	if (relay_agent_is_up(&client->relay->agent))
		settle_routes(client);
	if (client->relay->agent_waits && link_unsent(&client->link) < RELAY_CLIENT_FULL) {
		client->relay->agent_waits = false;
		relay_agent_mark(&client->relay->agent);
	}
}

static bool awaits_answers(const struct relay_client *client)
{
	for (const struct route *route = slot_of(client)->routes.first; route; route = route->next)
		if (route->kind == ROUTE_ASK)
			return true;
	return false;
}

/* The client has said its last. What it asked before is still answered, as the agent would. */
static void part(struct relay_client *client, const char *why)
{
	if (client->parting)
		return;
	client->parting = why;
	loop_arm(client->relay->loop, &client->part_limit, PARTING_MS);
}

static void on_part_limit(struct loop_timer *timer)
{
	struct relay_client *client = container_of(timer, struct relay_client, part_limit);

	client->doom = client->parting;
	relay_client_mark(client);
}

static void on_turn(struct loop_task *task)
{
	struct relay_client *client = container_of(task, struct relay_client, turn);
	struct frame frame;
	int r = take_frames(client);

	send_frames(client);
	if (r == -EMSGSIZE || r == -EBADMSG)
		part(client, "framing lost");
	else if (r < 0 && r != -EAGAIN)
		client->doom = strerror(-r);
	if (client->link.broken)
		client->doom = "it takes no more";
	/* What came before the end is still acted upon, unless it waits behind a stalled session.
	 */
	if (client->link.ended &&
	    (r == -EAGAIN || is_choked(client) || link_next(&client->link, &frame) == 0))
		part(client, "the client is gone");
	if (client->parting && !awaits_answers(client))
		client->doom = client->parting;
	if (client->doom) {
		relay_client_close(client, client->doom);
		return;
	}
	if (client->greeted)
		frame_clock_run(&client->clock, &client->link, may_take(client) && r != -EAGAIN);
	/* What choked it may have gone in this very turn. */
	if (link_watch(&client->link, may_take(client), true) && r != -EAGAIN)
		relay_client_mark(client);
}

static void on_ready(struct link *link, uint32_t ready)
{
	struct relay_client *client = container_of(link, struct relay_client, link);

	if ((ready & LOOP_IN) && !link->ended)
		link_read(link);
	/* While its input is not read: what it still had to say was for commands that end now. */
	if (ready & LOOP_HUP)
		link->ended = true;
	relay_client_mark(client);
}

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
	if (buf_append(&client->link.out, range, sizeof(range)) < 0 ||
	    buf_append(&client->link.out, buf_head(ready), buf_len(ready)) < 0)
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
	link_init(&client->link, relay->loop, fd, fd, OUT_MAX, &relay->spare, on_ready);
	client->relay = relay;
	client->slot = slot;
	client->trusted = peer->trusted;
	client->open = peer->open;
	if (client->open)
		++*client->open;
	client->turn.on_run = on_turn;
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
