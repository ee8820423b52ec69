/* What becomes of each frame that the agent sends: whose it is, and what it says about credit. */
#include <signal.h>
#include <string.h>

#include "../shared/log.h"
#include "relay.h"

#define PEEK_MAX 4096 /* bytes of a frame that is looked into before it is passed on */

/* The type, and the payload decoded where it concerns us. */
struct answer {
	struct msg_envelope envelope;
	uint8_t copy[PEEK_MAX];
};

static void open_answer(struct answer *answer, const struct frame *frame)
{
	struct frame mine = *frame;

	answer->envelope = (struct msg_envelope){0};
	if (frame->wire_len > sizeof(answer->copy))
		return;
	/* On a copy, since decoding may change it and the client gets it as it was. */
	memcpy(answer->copy, frame->body, frame->body_len);
	mine.body = answer->copy;
	if (msg_open(&mine, &answer->envelope) < 0)
		answer->envelope.type = MSG_UNKNOWN;
}

/* Counts output that the client's own stream now holds. */
static void count_output(struct relay_client *client, struct route *route,
			 const struct frame *frame, struct msg_envelope *envelope)
{
	struct msg_data data;

	/* Large ones are opened where they are: they have been passed on by now. */
	if (envelope->type == MSG_UNKNOWN && msg_open(frame, envelope) < 0)
		return;
	if (envelope->type != MSG_EXEC_STDOUT && envelope->type != MSG_EXEC_STDERR)
		return;
	if (msg_decode(envelope->type, envelope->payload, &data) == 0)
		route_queued(route, data.data.len, link_queued(&client->link));
}

/* Credit for input that we hold on the client's behalf. True: it is not for the client. */
static bool take_input_credit(struct relay_client *client, struct route *route,
			      const struct msg_envelope *envelope)
{
	struct msg_exec_started started;
	struct msg_credit credit;

	if (!route->counts_input)
		return false;
	switch (envelope->type) {
	case MSG_EXEC_STARTED:
		if (msg_decode(MSG_EXEC_STARTED, envelope->payload, &started) == 0)
			route->input.window = started.stdin_window;
		relay_pump_input(client, route);
		return false;
	case MSG_EXEC_STDIN_CREDIT:
		if (msg_decode(MSG_EXEC_STDIN_CREDIT, envelope->payload, &credit) == 0)
			credit_consumed(&route->input, credit.consumed);
		relay_pump_input(client, route);
		return true;
	default:
		return false;
	}
}

/* Whether this terminal frame was the last of its id. */
static bool is_last(struct route *route, enum msg_type type)
{
	if (type != MSG_PONG && type != MSG_TOUCHED)
		return true;
	/* A ping may share the id of a command. */
	return route->kind == ROUTE_ASK && --route->asks == 0;
}

static void deliver(struct relay_client *client, struct route *route, const struct frame *frame)
{
	struct answer answer;

	open_answer(&answer, frame);
	relay_client_mark(client);
	if (!route->abandoned && !take_input_credit(client, route, &answer.envelope)) {
		if (answer.envelope.type == MSG_ERROR && route->v < MSG_GENERATION_ERR)
			client->doom = "it cannot be told what is wrong";
		else if (link_put(&client->link, frame->body - FRAME_HEADER_LEN, frame->wire_len) <
			 0)
			client->doom = "it takes too little of what it asked for";
		if (route->output.window)
			count_output(client, route, frame, &answer.envelope);
	}
	if ((frame->flags & FRAME_TERMINAL) && is_last(route, answer.envelope.type))
		route_remove(relay_routes(client), route);
}

/* Of a slot whose client is gone, only the ends matter. */
static void watch_end(struct relay_slot *slot, const struct frame *frame)
{
	struct route *route = route_find(&slot->routes, frame->id);

	if (!(frame->flags & FRAME_TERMINAL))
		return;
	if (route)
		route_remove(&slot->routes, route);
	if (route || frame->id == slot->pong_id)
		relay_slot_settle(slot, frame->id == slot->pong_id);
}

/*
 * A command that nobody knows of, started by what a guest found in its stream when it began anew:
 * its client has been told that it is over. Ours ends such commands itself.
 */
static void end_orphan(struct relay *relay, const struct frame *frame)
{
	struct relay_agent *agent = &relay->agent;
	struct answer answer;

	log_debug("id %u: a frame for nobody", frame->id);
	if (relay_agent_has(agent, MSG_FEATURE_ON_DISCONNECT))
		return;
	open_answer(&answer, frame);
	if (answer.envelope.type == MSG_EXEC_STARTED)
		relay_agent_told(agent,
				 msg_put_exec_signal(relay_agent_out(agent), frame->id, SIGKILL));
}

void relay_answer(struct relay *relay, const struct frame *frame)
{
	int index = relay_slot_of(frame->id);
	struct relay_slot *slot;
	struct route *route;

	/* Nobody's: our own pings, and what is for relays of another kind. */
	if (index < 0)
		return;
	if (!relay->slots.taken[index]) {
		end_orphan(relay, frame);
		return;
	}
	slot = &relay->by_slot[index];
	if (!slot->client) {
		watch_end(slot, frame);
		return;
	}
	route = route_find(&slot->routes, frame->id);
	if (route)
		deliver(slot->client, route, frame);
	else
		end_orphan(relay, frame);
}
