/* The end of a shell that is kept: see parting.h. */
#include "parting.h"

#include <signal.h>

#include "shared/base.h"

#define HEED_MS \
	2000 /* to end by itself, as agents give to what they end; and for the end to be told */

static const struct client_session_calls calls;

static struct parting *parting_of(struct client_session *session)
{
	return container_of(session, struct parting, session);
}

static struct buf *out_of(const struct parting *parting)
{
	return link_out(&parting->session.client->link);
}

static void be_done(struct parting *parting)
{
	loop_disarm(parting->loop, &parting->due);
	client_remove(&parting->session);
	parting->on_done(parting);
}

/* What it misses it would be waited for. */
static void told(struct parting *parting, int result)
{
	if (result < 0)
		link_give_up(&parting->session.client->link, -result);
	client_mark(parting->session.client);
}

static void tell(struct parting *parting, int signal)
{
	told(parting, msg_put_exec_signal(out_of(parting), parting->session.id, signal));
}

/* What is stopped hears of nothing before it goes on. */
static void hang_up(struct parting *parting)
{
	tell(parting, SIGHUP);
	tell(parting, SIGCONT);
}

static void on_due(struct loop_timer *timer)
{
	struct parting *parting = container_of(timer, struct parting, due);

	if (parting->killed) {
		be_done(parting);
		return;
	}
	parting->killed = true;
	tell(parting, SIGKILL);
	loop_arm(parting->loop, timer, HEED_MS);
}

/* Its end comes behind all that it prints. */
static void on_output(struct parting *parting, const struct msg_envelope *envelope)
{
	struct msg_data data;
	uint64_t consumed;

	if (msg_decode(envelope->type, envelope->payload, &data) < 0)
		return;
	parting->output.received += data.data.len;
	if (credit_due(&parting->output, 0, &consumed))
		told(parting, msg_put_credit(out_of(parting), parting->session.id,
					     MSG_EXEC_OUTPUT_CREDIT, consumed));
}

static void on_frame(struct client_session *session, const struct msg_envelope *envelope)
{
	struct parting *parting = parting_of(session);

	switch (envelope->type) {
	case MSG_EXEC_STARTED:
		/* Before that there may have been nobody to tell. */
		hang_up(parting);
		break;
	case MSG_EXEC_STDOUT:
	case MSG_EXEC_STDERR:
		on_output(parting, envelope);
		break;
	case MSG_EXEC_EXITED:
	case MSG_EXEC_FAILED:
	case MSG_SESSION_DETACHED:
	case MSG_ERROR:
		be_done(parting);
		break;
	default:
		break;
	}
}

static void on_dropped(struct client_session *session)
{
	be_done(parting_of(session));
}

static const struct client_session_calls calls = {.on_frame = on_frame, .on_dropped = on_dropped};

void parting_begin(struct parting *parting, struct remote *shell)
{
	struct client *client = shell->session.client;
	uint32_t id = shell->session.id;
	uint8_t *space;

	parting->output = shell->output;
	parting->loop = client->loop;
	parting->due.on_due = on_due;
	remote_release(shell);
	client_add(client, &parting->session, id, &calls);
	hang_up(parting);
	if (msg_data_begin(out_of(parting), 0, &space) == 0)
		msg_data_end(out_of(parting), id, MSG_EXEC_STDIN, 0);
	loop_arm(parting->loop, &parting->due, HEED_MS);
}
