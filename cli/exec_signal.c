/* Signals that msb-exec gets: for the command, or, where it insists, for itself. */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "exec_inside.h"
#include "exit.h"
#include "term.h"

void exec_leave_by(struct exec *exec, int signal)
{
	exec->die_of = signal;
	exec->finished = true;
	exec->status = 128 + signal;
	loop_stop(exec->loop);
}

static bool ends(int signal)
{
	return signal == SIGINT || signal == SIGTERM || signal == SIGQUIT;
}

/* By the stream and not by a write that our reader could hold up: the end has its time. */
static void say_unanswered(struct exec *exec)
{
	bool on_terminal = isatty(STDERR_FILENO);
	const char *newline = exec->tty && exec->in_terminal && on_terminal ? "\r\n" : "\n";
	char words[256], line[300];
	int len;

	patience_words(&exec->client.patience, exec->client.name, "msb-exec", words, sizeof(words));
	len = snprintf(line, sizeof(line), "%smsb-exec: %s%s",
		       on_terminal && exec->modes.in_line ? newline : "", words, newline);
	stream_write(&exec->err, line, (size_t)len);
	client_mark(&exec->client);
}

void exec_on_unanswered(struct client *client, enum patience_step step)
{
	struct exec *exec = client->owner;

	if (exec->finished)
		return;
	if (step == PATIENCE_SAY) {
		if (!exec->opts->quiet)
			say_unanswered(exec);
		return;
	}
	exec->die_of = client->patience.signal;
	exec_finish(exec, 128 + exec->die_of);
}

void exec_forward(struct exec *exec, int signal)
{
	struct client *client = &exec->client;

	exec->forwarded |= 1u << signal;
	exec->leaving |= ends(signal);
	/* How it ends is heard in the background, too. */
	if (ends(signal))
		term_end_stops();
	remote_signal(&exec->remote, signal);
	if (signal == SIGHUP) {
		link_flush(&client->link);
		exec_leave_by(exec, SIGHUP);
	} else if (ends(signal) && client_signalled(client, signal)) {
		exec_leave_by(exec, signal);
	} else if ((signal == SIGINT || signal == SIGTERM) &&
		   signals_insist(&exec->insist, loop_now_ms())) {
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
		exec_leave_by(exec, signal->number);
	else
		exec_forward(exec, signal->number);
}
