/* The relay's clients and its agent: see relay.h. */
#include "relay.h"

#include <errno.h>
#include <string.h>

#include "shared/base.h"
#include "shared/log.h"

/* ---- the clients ---- */

static struct relay *relay_of(const struct relay_client *client)
{
	return container_of(client->host, struct relay, clients);
}

static struct relay_range *range_of(const struct relay_client *client)
{
	return &relay_of(client)->ranges[client->slot];
}

static enum link_wish wish(struct relay_client *client)
{
	const struct route_table *routes = &range_of(client)->routes;
	struct relay *relay = relay_of(client);
	struct relay_agent *agent = &relay->agent;

	if (route_table_is_full(routes) || relay_client_is_choked(client, routes->count))
		return LINK_CHOKED;
	/* Behind what waits for the next guest already, so does what is said now. */
	if (relay->ending ||
	    ((relay_agent_is_up(agent) || agent->keeps) && !relay_agent_has_room(agent)))
		return LINK_WAIT;
	return LINK_TAKE;
}

static int on_client_frame(struct relay_client *client, const struct frame *frame)
{
	return range_ask(range_of(client), frame);
}

static void on_flushed(struct relay_client *client, uint64_t sent)
{
	struct relay *relay = relay_of(client);

	if (relay_agent_is_up(&relay->agent))
		range_flushed(range_of(client), sent);
	if (relay->agent_waits && !relay_client_is_behind(client)) {
		relay->agent_waits = false;
		relay_agent_mark(&relay->agent);
	}
}

/* Who is alone may take his time. */
static bool is_in_the_way(const struct relay_client *client)
{
	return relay_of(client)->agent_waits && relay_client_is_behind(client) &&
	       client->host->count > 1;
}

static bool is_owed(const struct relay_client *client)
{
	return range_of(client)->routes.asks > 0;
}

static void on_closed(struct relay_client *client)
{
	struct relay_range *range = range_of(client);

	if (range->client)
		range_leave(range);
	/* It may have been the one that kept the agent waiting. */
	relay_agent_mark(&relay_of(client)->agent);
}

static const struct relay_client_calls client_calls = {
	.wish = wish,
	.on_frame = on_client_frame,
	.on_flushed = on_flushed,
	.is_in_the_way = is_in_the_way,
	.is_owed = is_owed,
	.on_closed = on_closed,
};

static void greet(struct relay *relay, struct relay_client *client)
{
	relay_client_greet(client, relay_slot_min(client->slot) + relay->ids_passed,
			   relay_slot_end(client->slot), &relay->agent.ready);
}

void relay_open(struct relay *relay, int fd, const struct peer *peer)
{
	int slot = relay_slots_take(&relay->slots);
	struct relay_client *client;

	if (slot < 0 && relay_clients_make_room(&relay->clients, peer->use))
		slot = relay_slots_take(&relay->slots);
	client = slot < 0 ? NULL : relay_client_open(&relay->clients, fd, peer, slot);
	if (!client) {
		const char *why = slot < 0 ? "all 128 ranges of ids are taken" : strerror(ENOMEM);

		if (slot >= 0)
			relay_slots_free(&relay->slots, slot);
		log_caused(LOG_LEVEL_WARN, "refused %s: %s", peer->name, why);
		budget_refuse(fd, why);
		return;
	}
	range_take(&relay->ranges[slot], client);
	/* Otherwise when the guest is there. */
	if (relay_agent_is_up(&relay->agent))
		greet(relay, client);
}

/* ---- the agent ---- */

static void on_up(struct relay_agent *agent)
{
	struct relay *relay = container_of(agent, struct relay, agent);
	struct relay_client *client;

	/* What an earlier relay left running has ids from another moment. */
	relay->ids_passed = agent->ran_before ? (uint32_t)(loop_now_ms() % (RELAY_STEP / 2)) : 0;
	list_each(client, &relay->clients.list, in_host)
		greet(relay, client);
}

/* Every session is over; clients stay. */
static void on_down(struct relay_agent *agent, const char *why)
{
	struct relay *relay = container_of(agent, struct relay, agent);
	struct relay_client *client;

	for (int i = 0; i < RELAY_SLOTS; i++)
		range_lose_guest(&relay->ranges[i], why);
	list_each(client, &relay->clients.list, in_host)
		relay_client_mark(client);
}

static void on_agent_frame(struct relay_agent *agent, const struct frame *frame)
{
	struct relay *relay = container_of(agent, struct relay, agent);
	int slot = relay_slot_of(frame->id);

	/* Else nobody's: our own pings, and what is for relays of another kind. */
	if (slot >= 0)
		range_answer(&relay->ranges[slot], frame);
}

static void on_room(struct relay_agent *agent)
{
	relay_clients_wake(&container_of(agent, struct relay, agent)->clients);
}

/*
 * An agent that knows credit never sends more than clients take. Of another one nothing is read
 * while a client is behind: no byte is lost, and all wait, as with the reference's relay.
 */
static bool may_read(struct relay_agent *agent)
{
	struct relay *relay = container_of(agent, struct relay, agent);
	struct relay_client *client;

	if (relay_agent_has(agent, MSG_FEATURE_OUTPUT_WINDOW))
		return true;
	list_each(client, &relay->clients.list, in_host)
		if (relay_client_is_behind(client)) {
			relay->agent_waits = true;
			return false;
		}
	return true;
}

/* ---- all of it ---- */

void relay_start(struct relay *relay)
{
	struct relay_agent *agent = &relay->agent;

	for (int i = 0; i < RELAY_SLOTS; i++)
		range_init(&relay->ranges[i], agent, &relay->slots, i);
	relay->clients.loop = agent->loop = relay->loop;
	relay->clients.calls = &client_calls;
	agent->spare = &relay->agent_spare;
	agent->on_up = on_up;
	agent->on_down = on_down;
	agent->on_frame = on_agent_frame;
	agent->on_room = on_room;
	agent->may_read = may_read;
	relay_agent_start(agent);
}

void relay_end(struct relay *relay, const char *why)
{
	struct relay_client *client;

	relay->ending = true;
	list_each(client, &relay->clients.list, in_host)
		range_end(range_of(client), why);
}

size_t relay_flush(struct relay *relay)
{
	return relay_clients_flush(&relay->clients) + relay_agent_flush(&relay->agent);
}

void relay_stop(struct relay *relay)
{
	relay_agent_stop(&relay->agent);
	relay_clients_close(&relay->clients, "the relay ends");
	for (int i = 0; i < RELAY_SLOTS; i++)
		range_release(&relay->ranges[i]);
	buf_spare_release(&relay->clients.spare);
	buf_spare_release(&relay->agent_spare);
}
