/* Small commands beside the console's shell: see console_side.h. */
#include "console_side.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "request.h"

#define OWNER(ptr, member) ((struct side *)((char *)(ptr)-offsetof(struct side, member)))

static void finish(struct side *side, int status)
{
	loop_disarm(side->client->loop, &side->deadline);
	side->id = 0;
	side->on_done(side, status);
}

void side_cancel(struct side *side)
{
	if (!side->id)
		return;
	loop_disarm(side->client->loop, &side->deadline);
	msg_put_exec_signal(&side->client->link.out, side->id, SIGKILL);
	client_mark(side->client);
	side->id = 0;
}

void side_release(struct side *side)
{
	if (side->id)
		loop_disarm(side->client->loop, &side->deadline);
	side->id = 0;
	buf_release(&side->out);
	buf_release(&side->err);
}

static void on_deadline(struct loop_timer *timer)
{
	struct side *side = OWNER(timer, deadline);

	side_cancel(side);
	side->on_done(side, -1);
}

static int request(struct side *side, const struct side_terms *terms)
{
	static char locale[] = "LC_ALL=C";
	struct request_terms wire = {.features = side->client->features};
	struct buf *out = &side->client->link.out;
	struct opts opts = *terms->opts;
	char cwd[32], *command[SIDE_ARGS_MAX + 1], *env[] = {locale};
	size_t len = terms->input ? strlen(terms->input) : 0;
	struct err err;
	uint8_t *space;

	opts.command = command;
	for (opts.command_len = 0; terms->argv[opts.command_len]; opts.command_len++)
		command[opts.command_len] = (char *)terms->argv[opts.command_len];
	command[opts.command_len] = NULL;
	opts.env = (struct env_list){.entries = env, .count = 1};
	snprintf(cwd, sizeof(cwd), "/proc/%u/cwd", terms->beside);
	opts.workdir = cwd;
	if (request_put(out, side->id, &opts, &wire, &err) < 0)
		return -1;
	if (len && msg_data_begin(out, len, &space) == 0) {
		memcpy(space, terms->input, len);
		msg_data_end(out, side->id, MSG_EXEC_STDIN, len);
	}
	if (msg_data_begin(out, 0, &space) == 0)
		msg_data_end(out, side->id, MSG_EXEC_STDIN, 0);
	return 0;
}

void side_start(struct side *side, struct client *client, uint32_t id,
		const struct side_terms *terms)
{
	side_cancel(side);
	side->client = client;
	side->id = id;
	side->deadline.on_due = on_deadline;
	buf_release(&side->out);
	buf_release(&side->err);
	buf_init(&side->out, SIDE_OUTPUT_MAX, NULL);
	buf_init(&side->err, SIDE_OUTPUT_MAX, NULL);
	if (!id || !terms->beside || request(side, terms) < 0) {
		finish(side, -1);
		return;
	}
	loop_arm(client->loop, &side->deadline, terms->within_ms);
	client_mark(client);
}

void side_on_frame(struct side *side, const struct msg_envelope *envelope)
{
	struct msg_exec_exited exited;
	struct msg_data data;

	switch (envelope->type) {
	case MSG_EXEC_STDOUT:
	case MSG_EXEC_STDERR:
		/* What is over the limit is left out. */
		if (msg_decode(envelope->type, envelope->payload, &data) == 0)
			buf_append(envelope->type == MSG_EXEC_STDOUT ? &side->out : &side->err,
				   data.data.ptr, data.data.len);
		break;
	case MSG_EXEC_EXITED:
		if (msg_decode(MSG_EXEC_EXITED, envelope->payload, &exited) == 0)
			finish(side, exited.code & 0xff);
		break;
	case MSG_EXEC_FAILED:
	case MSG_ERROR:
		finish(side, -1);
		break;
	default:
		break;
	}
}
