/* Small commands beside the console's shell: see side.h. */
#include "side.h"

#include <signal.h>
#include <stdio.h>

#include "shared/base.h"

static void finish(struct side *side, int status)
{
	if (side->on_done)
		side->on_done(side, status);
}

void side_cancel(struct side *side)
{
	struct remote *remote = &side->remote;

	if (!remote_runs(remote))
		return;
	loop_disarm(side->loop, &side->deadline);
	remote_signal(remote, SIGKILL);
	remote_release(remote);
}

void side_lose(struct side *side)
{
	if (!remote_runs(&side->remote))
		return;
	loop_disarm(side->loop, &side->deadline);
	remote_release(&side->remote);
	finish(side, -1);
}

void side_release(struct side *side)
{
	if (side->loop)
		loop_disarm(side->loop, &side->deadline);
	remote_release(&side->remote);
	buf_release(&side->out);
}

static void on_deadline(struct loop_timer *timer)
{
	struct side *side = container_of(timer, struct side, deadline);

	side_cancel(side);
	finish(side, -1);
}

/* What is over the limit is left out. */
static void on_data(struct remote *remote, enum msg_type stream, const char *data, size_t len)
{
	struct side *side = remote->owner;

	if (stream == MSG_EXEC_STDOUT)
		buf_append(&side->out, data, len);
}

static void on_end(struct remote *remote, const struct remote_end *end)
{
	struct side *side = remote->owner;

	loop_disarm(side->loop, &side->deadline);
	finish(side, end->why || end->exited.signal ? -1 : end->exited.code & 0xff);
}

void side_start(struct side *side, struct client *client, const struct side_terms *terms)
{
	static char locale[] = "LC_ALL=C";
	struct remote *remote = &side->remote;
	struct opts opts = *terms->opts;
	char cwd[32], pid[16], *env[] = {locale};
	char *command[SIDE_ARGS_MAX + 6] = {(char *)(terms->shell ? terms->shell : "/bin/sh"),
					    (char *)"-c", (char *)terms->script, (char *)"sh", pid};
	struct err err;

	side_cancel(side);
	side_release(side);
	buf_init(&side->out, SIDE_OUTPUT_MAX, NULL);
	opts.command = command;
	for (opts.command_len = 5; terms->args[opts.command_len - 5]; opts.command_len++)
		command[opts.command_len] = (char *)terms->args[opts.command_len - 5];
	opts.env = (struct env_list){.entries = env, .count = 1};
	snprintf(pid, sizeof(pid), "%u", terms->beside);
	snprintf(cwd, sizeof(cwd), "/proc/%u/cwd", terms->beside);
	opts.workdir = cwd;
	opts.on_disconnect = MSG_DISCONNECT_KILL;
	remote->owner = side;
	remote->on_data = on_data;
	remote->on_end = on_end;
	side->deadline.on_due = on_deadline;
	side->loop = client->loop;
	if (!terms->beside ||
	    remote_start(remote, client, &opts, &(struct remote_terms){0}, &err) < 0) {
		finish(side, -1);
		return;
	}
	remote_end_input(remote);
	loop_arm(side->loop, &side->deadline, terms->within_ms);
}
