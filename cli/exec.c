/* One command as msb-exec sees it: see exec.h. */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../shared/base.h"
#include "../shared/log.h"
#include "../shared/names.h"
#include "exec_inside.h"
#include "exit.h"
#include "lines.h"
#include "term.h"

#define OUTPUT_AHEAD  (1024 * 1024) /* what may wait for our readers, of an agent without credit */
#define OUTPUT_WINDOW (2 * 1024 * 1024)
#define LEAVING_AHEAD \
	(8 * 1024 * 1024)  /* the same once told to end, so that we learn that it did */
#define LAST_CALL_MS  1000 /* without progress */
#define LAST_WORDS_MS 500  /* for the last line, of whoever leaves at once */
#define OUTPUT_MAX    (LEAVING_AHEAD + OUTPUT_WINDOW + FRAME_WIRE_MAX)

/* ---- the end ---- */

/* The line to leave with, when the terminal is itself again and the output is out. */
static void say_last(struct exec *exec)
{
	if (exec->said)
		return;
	exec->said = true;
	exec_end_terminal(exec);
	if (exec->complaint[0])
		log_error("%s", exec->complaint);
	if (exec->hint[0])
		log_error("%s", exec->hint);
}

/* Once nothing is left to write, that was all. */
static void settle(struct exec *exec)
{
	bool body = exec->body_waits && !exec->finished && link_has_body(&exec->client.link);

	/* Also of what the command wrote before it ended. */
	exec->write_failed |= stream_complain(&exec->out, "output");
	exec->write_failed |= stream_complain(&exec->err, "error");
	stream_watch_output(&exec->out, body && exec->body_to == &exec->out);
	stream_watch_output(&exec->err, body && exec->body_to == &exec->err);
	if (!exec->finished || buf_len(&exec->out.queue) || buf_len(&exec->err.queue))
		return;
	say_last(exec);
	if (!buf_len(&exec->err.queue))
		loop_stop(exec->loop);
}

void exec_finish(struct exec *exec, int status)
{
	if (exec->finished)
		return;
	exec->finished = true;
	exec->status = status;
	look_cancel(&exec->look);
	loop_disarm(exec->loop, &exec->timeout);
	loop_disarm(exec->loop, &exec->kill_after);
	loop_disarm(exec->loop, &exec->background);
	stream_watch_input(&exec->in, false);
	exec_cook_terminal(exec);
	if (exec->die_of)
		loop_arm(exec->loop, &exec->last_call, LAST_CALL_MS);
	settle(exec);
}

/* Killed by the signal that we are to die of: a reader that takes nothing is not waited for. */
static void on_last_call(struct loop_timer *timer)
{
	struct exec *exec = container_of(timer, struct exec, last_call);

	log_info("left %zu bytes that nobody took",
		 buf_len(&exec->out.queue) + buf_len(&exec->err.queue));
	loop_stop(exec->loop);
}

void exec_finish_with(struct exec *exec, int status, const char *complaint)
{
	if (exec->finished)
		return;
	snprintf(exec->complaint, sizeof(exec->complaint), "%s",
		 complaint[0] ? complaint : "the agent could not run it, and does not say why");
	exec_finish(exec, status);
}

void exec_fail(struct exec *exec, int status, const struct err *err)
{
	char words[ERR_TEXT_MAX + 64];

	if (!exec->finished)
		snprintf(exec->hint, sizeof(exec->hint), "%s", err->hint);
	exec_finish_with(exec, status, err_words(err, words, sizeof(words)));
}

static void on_lost(struct client *client, const struct err *err)
{
	exec_fail(client->owner, EXIT_FAILED, err);
}

/* ---- output ---- */

/* Our reader is gone: the command is to learn it as it would locally. */
static void close_output(struct exec *exec, const struct stream *stream, bool *closed,
			 enum msg_stream which)
{
	bool knows = exec->client.features & MSG_FEATURE_OUTPUT_CLOSE;

	/* Before it is asked for there is nothing to tell. */
	if (!stream->gone || *closed || exec->finished || (knows && !exec->sent))
		return;
	*closed = true;
	if (knows) {
		remote_close_output(&exec->remote, which);
		return;
	}
	remote_signal(&exec->remote, SIGPIPE);
	link_flush(&exec->client.link);
	exec_finish(exec, 128 + SIGPIPE);
}

static void on_output(struct stream *stream)
{
	struct exec *exec = stream->owner;

	stream_flush(stream);
	if (exec->last_call.armed)
		loop_arm(exec->loop, &exec->last_call, LAST_CALL_MS);
	client_mark(&exec->client);
	settle(exec);
}

static size_t waiting(struct client *client, const struct client_session *session)
{
	struct exec *exec = client->owner;
	size_t waiting = buf_len(&exec->out.queue) + buf_len(&exec->err.queue);

	if (session != &exec->remote.session)
		return 0;
	if (exec->finished)
		return SIZE_MAX;
	/* Behind what a reader does not take comes how the command ended. */
	return exec->leaving && waiting < LEAVING_AHEAD ? 0 : waiting;
}

/* After each batch. Says whether to take more frames: not while our readers are behind. */
static bool on_turn(struct client *client)
{
	struct exec *exec = client->owner;
	size_t ahead = exec->leaving ? LEAVING_AHEAD : OUTPUT_AHEAD;

	/* It may be stuck on input of which no credit tells it that the command takes none. */
	client->excused = remote_may_be_stuck(&exec->remote);
	close_output(exec, &exec->out, &exec->out_closed, MSG_STREAM_STDOUT);
	close_output(exec, &exec->err, &exec->err_closed, MSG_STREAM_STDERR);
	exec_tell_size(exec);
	exec_watch_input(exec);
	settle(exec);
	if (exec->finished)
		return false;
	/* With credit there is an end to what may come, and how the command ended comes after it. */
	return exec->remote.output.window ||
	       (buf_len(&exec->out.queue) < ahead && buf_len(&exec->err.queue) < ahead);
}

/* ---- time ---- */

/* For agents that keep no time themselves. */
static void on_timeout(struct loop_timer *timer)
{
	struct exec *exec = container_of(timer, struct exec, timeout);

	exec->timed_out = true;
	log_info("--timeout has passed: sending SIG%s", signal_name(exec->opts->timeout_signal));
	remote_signal(&exec->remote, exec->opts->timeout_signal);
	if (exec->opts->kill_after_ms)
		loop_arm(exec->loop, &exec->kill_after, exec->opts->kill_after_ms);
}

static void on_kill_after(struct loop_timer *timer)
{
	struct exec *exec = container_of(timer, struct exec, kill_after);

	log_info("--kill-after has passed: sending SIGKILL");
	remote_signal(&exec->remote, SIGKILL);
}

/* ---- the beginning ---- */

static void decide_tty(struct exec *exec)
{
	const struct opts *opts = exec->opts;

	exec->in_terminal = !opts->no_stdin && isatty(STDIN_FILENO);
	switch (opts->tty) {
	case OPTS_TTY_NEVER:
		break;
	case OPTS_TTY_AUTO:
		exec->tty = !opts->command_len && exec->in_terminal && isatty(STDOUT_FILENO);
		break;
	case OPTS_TTY_IF_TERMINAL:
		exec->tty = exec->in_terminal;
		if (!exec->tty)
			log_warn("stdin is no terminal, so the command gets none; -tt forces one");
		break;
	case OPTS_TTY_FORCED:
		exec->tty = true;
		break;
	}
}

static void start_command(struct exec *exec)
{
	const struct opts *opts = exec->opts;
	struct remote_terms terms = {.tty = exec->tty,
				     .is_first = true,
				     .in_flight = OUTPUT_WINDOW,
				     .term = exec->look.term};
	struct err err;

	exec_set_up_remote(exec);
	if (remote_start(&exec->remote, &exec->client, opts, &terms, &err) < 0) {
		exec_fail(exec, err.num == E2BIG ? EXIT_CANNOT_RUN : EXIT_FAILED, &err);
		return;
	}
	exec->sent = true;
	if (opts->no_stdin) {
		exec->in_newline = true;
		exec_end_input(exec);
	}
	if (exec->tty)
		exec_begin_terminal(exec);
	if (opts->timeout_ms && !(exec->client.features & MSG_FEATURE_TIMEOUT))
		loop_arm(exec->loop, &exec->timeout, opts->timeout_ms);
}

static void on_looked(struct look *look, const struct err *err)
{
	struct exec *exec = look->owner;

	if (err)
		exec_fail(exec, EXIT_FAILED, err);
	else
		start_command(exec);
}

static void on_greeted(struct client *client)
{
	struct exec *exec = client->owner;

	log_info("connected to %s: %s, generation %u", client->name, client->version,
		 client->generation);
	exec->look.owner = exec;
	exec->look.on_done = on_looked;
	look_at_guest(&exec->look, client, exec->opts, exec->tty);
	if (exec->on_greeted)
		exec->on_greeted(exec->owner);
}

void exec_run(struct exec *exec, const struct opts *opts, struct loop *loop,
	      struct buf_spare *spare)
{
	int r;

	exec->opts = opts;
	exec->loop = loop;
	exec->timeout.on_due = on_timeout;
	exec->kill_after.on_due = on_kill_after;
	exec->last_call.on_due = on_last_call;
	exec->background.on_due = exec_on_background;
	stream_init(&exec->in, loop, STDIN_FILENO, 0, spare, exec, exec_on_input);
	stream_init(&exec->out, loop, STDOUT_FILENO, OUTPUT_MAX, spare, exec, on_output);
	stream_init(&exec->err, loop, STDERR_FILENO, OUTPUT_MAX, spare, exec, on_output);
	lines_begin(&exec->err);
	term_catch_stops();
	exec->client.owner = exec;
	exec->client.on_greeted = on_greeted;
	exec->client.on_lost = on_lost;
	exec->client.on_unanswered = exec_on_unanswered;
	exec->client.on_turn = on_turn;
	exec->client.waiting = waiting;
	exec->client.connect_ms = opts->connect_ms;
	exec->client.wait_ms = opts->wait_ms;
	exec->client.from = opts_endpoint_variable(opts);
	exec->client.liveness.limit_ms = opts->keepalive_ms;
	decide_tty(exec);
	client_connect(&exec->client, loop, opts->endpoint, spare);
	r = loop_run(loop);
	if (!exec->finished)
		exec_finish_with(exec, EXIT_FAILED, r < 0 ? strerror(-r) : "stopped");
	say_last(exec);
	lines_end(&exec->err, LAST_WORDS_MS);
	if (exec->input_failed && exec->status == 0)
		exec->status = EXIT_FAILED;
	/* It is not the command's fault, nor how a pipe ends. */
	if (exec->write_failed && (exec->status == 0 || exec->status == 128 + SIGPIPE))
		exec->status = EXIT_FAILED;
}

void exec_release(struct exec *exec)
{
	client_release(&exec->client);
	stream_release(&exec->in);
	stream_release(&exec->out);
	stream_release(&exec->err);
}
