/* Whether the agent is still there: it is pinged when nothing has come for long. */
#include <stdio.h>

#include "../shared/base.h"
#include "client_inside.h"

/* An agent that gives no range had one of many millions. */
static bool has_id(const struct client *client)
{
	return client->greeted && (!client->ids_end || client->ids_end - client->ping_id > 1);
}

uint32_t client_take_id(struct client *client)
{
	return has_id(client) ? ++client->ping_id : 0;
}

bool client_can_ask(const struct client *client)
{
	return client->generation >= MSG_GENERATION_PING && has_id(client);
}

uint32_t client_ping(struct client *client)
{
	uint32_t id = client_can_ask(client) ? client_take_id(client) : 0;

	if (!id || msg_put_empty(link_out(&client->link), id, MSG_PING) < 0)
		return 0;
	client_mark(client);
	return id;
}

static void lose_silent(struct client *client)
{
	struct err err;

	err_set(&err, 0, NULL, "lost the connection to %s: the agent has not answered for %g s",
		client->name, (double)client->liveness.limit_ms * 2 / 1e3);
	client_lose(client, &err);
}

static void on_alive(struct loop_timer *timer)
{
	struct client *client = container_of(timer, struct client, alive);
	uint64_t wait_ms;

	if (!client->listens || client->excused ||
	    (!client->liveness.asked && !client_can_ask(client)))
		liveness_heard(&client->liveness, loop_now_ms());
	switch (liveness_look(&client->liveness, loop_now_ms(), &wait_ms)) {
	case LIVENESS_LOST:
		lose_silent(client);
		return;
	case LIVENESS_ASK:
		/* The answer is not waited for: whatever comes is a sign of life. */
		client_ping(client);
		break;
	case LIVENESS_WAIT:
		break;
	}
	loop_arm(client->loop, &client->alive, wait_ms);
}

static void put_off(struct client *client)
{
	if (client->liveness.limit_ms)
		liveness_heard(&client->liveness, loop_now_ms());
}

void client_heard(struct client *client)
{
	put_off(client);
	client_note_sign(client);
}

void client_deaf(struct client *client)
{
	put_off(client);
	client_note_deaf(client);
}

void client_awake(struct client *client)
{
	client_deaf(client);
}

void client_watch_life(struct client *client)
{
	if (!client->liveness.limit_ms || client->generation < MSG_GENERATION_PING)
		return;
	client->alive.on_due = on_alive;
	loop_arm(client->loop, &client->alive, client->liveness.limit_ms);
	put_off(client);
}
