/* A sign of life of the agent: see ping.h. */
#include "ping.h"

#include <stdio.h>
#include <string.h>

#include "cli/client/question.h"
#include "cli/options/exit.h"
#include "shared/base.h"
#include "shared/log.h"

#define PING_MS 10000

struct ping {
	struct client client;
	struct client_session session;
	const struct opts *opts;
	uint64_t sent_us;
	int status;
};

static void answer(struct ping *ping, const char *what)
{
	struct client *client = &ping->client;

	ping->status = 0;
	if (!ping->opts->quiet)
		printf("%s is alive: %s, generation %u%s, %.3f ms\n", client->name,
		       client->agent.version, client->agent.generation, what,
		       (double)(loop_now_us() - ping->sent_us) / 1e3);
	loop_stop(client->loop);
}

static void on_frame(struct client_session *session, const struct msg_envelope *envelope)
{
	if (envelope->type == MSG_PONG)
		answer(container_of(session, struct ping, session), "");
}

static void on_greeted(struct client *client)
{
	static const struct client_session_calls calls = {.on_frame = on_frame};
	struct ping *ping = client->owner;

	/* An older agent has shown by its greeting that it lives. */
	if (client->agent.generation < MSG_GENERATION_PING) {
		answer(ping, " (too old to answer a ping)");
		return;
	}
	client_add(client, &ping->session, client->agent.id, &calls);
	ping->sent_us = loop_now_us();
	client_expect(client, PING_MS);
	if (msg_put_empty(link_out(&client->link), client->agent.id, MSG_PING) < 0)
		loop_stop(client->loop);
}

static void on_lost(struct client *client, const struct err *err)
{
	log_err(err);
	loop_stop(client->loop);
}

static bool on_turn(struct client *client)
{
	(void)client;
	return true;
}

int ping_run(const struct opts *opts, struct loop *loop, struct buf_spare *spare)
{
	struct ping ping = {
		.opts = opts,
		.status = EXIT_FAILED,
		.sent_us = loop_now_us(),
		.client = {.on_greeted = on_greeted, .on_lost = on_lost, .on_turn = on_turn},
	};

	ping.client.owner = &ping;
	question_put(&ping.client, loop, opts, spare);
	return ping.status;
}
