/* Whether a signal gets an answer: patience.h decides, this is what it hears of the link. */
#include "../shared/base.h"
#include "client_inside.h"

/* All that has come was read, and nothing more is there. */
static bool is_dry(const struct client *client)
{
	return client->listens && link_is_dry(&client->link);
}

static void on_due(struct loop_timer *timer)
{
	struct client *client = container_of(timer, struct client, patience_due);
	struct patience *patience = &client->patience;
	enum patience_step step;
	uint64_t wait_ms = 0;

	if (!patience_runs(patience) || client->lost)
		return;
	if (!client->listens)
		client_note_deaf(client);
	patience->dry |= is_dry(client);
	step = patience_look(patience, loop_now_ms(), &wait_ms);
	if (step != PATIENCE_END)
		loop_arm(client->loop, &client->patience_due, wait_ms);
	if (step != PATIENCE_WAIT)
		client->on_unanswered(client, step);
}

/* The signal first, then the question: its answer says that both were read. */
static void begin(struct client *client)
{
	struct link *link = &client->link;

	client->patience_due.on_due = on_due;
	client->answer_id = client_ping(client);
	client->patience.asked = client->answer_id != 0;
	loop_arm(client->loop, &client->patience_due, PATIENCE_SILENT_MS);
	client->signal_end = link_queued(link);
}

bool client_signalled(struct client *client, int signal)
{
	struct patience *patience = &client->patience;
	bool runs = patience_runs(patience);

	if (!client->on_unanswered || !client->greeted || client->lost)
		return false;
	if (patience_signal(patience, signal, false, is_dry(client), loop_now_ms()) == PATIENCE_END)
		return true;
	if (!runs)
		begin(client);
	return false;
}

bool client_typed(struct client *client, int signal)
{
	return client_can_ask(client) && client_signalled(client, signal);
}

static void settle(struct client *client)
{
	if (patience_runs(&client->patience))
		return;
	client->answer_id = 0;
	loop_disarm(client->loop, &client->patience_due);
}

void client_look_at(struct client *client, const struct frame *frame)
{
	if (!client->answer_id || frame->id != client->answer_id)
		return;
	patience_answered(&client->patience);
	settle(client);
}

/*
 * What a command prints whose input nobody takes does not say that the agent reads what we send:
 * then only the answer counts, or, where there is none, what comes once the signal has gone out.
 */
void client_note_sign(struct client *client)
{
	if (!patience_runs(&client->patience))
		return;
	if (client->excused && (client->answer_id || link_sent(&client->link) < client->signal_end))
		return;
	patience_heard(&client->patience, loop_now_ms());
	settle(client);
}

void client_note_deaf(struct client *client)
{
	if (patience_runs(&client->patience))
		patience_deaf(&client->patience, loop_now_ms());
}
