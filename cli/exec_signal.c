/* Signals that msb-exec gets: for the command, or, where it insists, for itself. */
#include <signal.h>

#include "exec_inside.h"

#define ENDS_MS 2000

static void leave_by(struct exec *exec, int signal)
{
	exec->die_of = signal;
	exec->finished = true;
	exec->status = 128 + signal;
	loop_stop(exec->loop);
}

/* Whoever asks three times in two seconds means msb-exec, not the command. */
static bool is_last_straw(struct exec *exec, int signal)
{
	uint64_t now = loop_now_ms(), *at = &exec->ends_ms[exec->ends % EXEC_ENDS];

	if (signal != SIGINT && signal != SIGTERM)
		return false;
	*at = now;
	exec->ends++;
	/* The one that is overwritten next is the oldest of the last three. */
	at = &exec->ends_ms[exec->ends % EXEC_ENDS];
	return exec->ends >= EXEC_ENDS && now - *at <= ENDS_MS;
}

static void forward(struct exec *exec, int signal)
{
	struct client *client = &exec->client;

	exec->forwarded |= 1u << signal;
	exec->leaving |= signal == SIGINT || signal == SIGTERM || signal == SIGQUIT;
	msg_put_exec_signal(&client->link.out, client->id, signal);
	client_mark(client);
	if (signal == SIGHUP) {
		link_flush(&client->link);
		leave_by(exec, SIGHUP);
	} else if (is_last_straw(exec, signal)) {
		exec_finish_with(exec, EXIT_FAILED,
				 "gave up after three signals; the agent ends the command");
		loop_stop(exec->loop);
	}
}

void exec_signal(struct exec *exec, const struct loop_signal *signal)
{
	switch (signal->number) {
	case SIGTSTP:
		exec_suspend(exec, false);
		return;
	case SIGCONT:
		exec_look_again(exec);
		return;
	case SIGWINCH:
		exec->resized = true;
		client_mark(&exec->client);
		return;
	default:
		break;
	}
	if (!exec->sent || exec->finished)
		leave_by(exec, signal->number);
	else
		forward(exec, signal->number);
}
