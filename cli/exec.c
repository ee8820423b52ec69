/* One command as msb-exec sees it: see exec.h. */
#include "exec.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../shared/log.h"
#include "request.h"
#include "term.h"

#define INPUT_CHUNK   (64 * 1024)
#define INPUT_AHEAD   (256 * 1024)      /* what may wait to go to the agent */
#define OUTPUT_AHEAD  (1024 * 1024)     /* what may wait for our readers */
#define OUTPUT_MAX    (OUTPUT_AHEAD + FRAME_WIRE_MAX)
#define LOOK_AGAIN_MS 200               /* for the terminal's foreground */
#define ENDS_MAX      3
#define ENDS_MS       2000
#define END_OF_TEXT   "\x04"

#define OWNER(ptr, member) ((struct exec *)((char *)(ptr)-offsetof(struct exec, member)))

/* ---- the end ---- */

/* Once nothing is left to write, that was all. */
static void settle(struct exec *exec)
{
	stream_watch_output(&exec->out);
	stream_watch_output(&exec->err);
	if (exec->finished && !buf_len(&exec->out.queue) && !buf_len(&exec->err.queue))
		loop_stop(exec->loop);
}

static void finish(struct exec *exec, int status)
{
	if (exec->finished)
		return;
	exec->finished = true;
	exec->status = status;
	loop_disarm(exec->loop, &exec->timeout);
	loop_disarm(exec->loop, &exec->kill_after);
	loop_disarm(exec->loop, &exec->background);
	stream_watch_input(&exec->in, false);
	settle(exec);
}

/* The line is printed when the terminal is itself again and the output is out. */
static void finish_with(struct exec *exec, int status, const char *complaint)
{
	if (exec->finished)
		return;
	snprintf(exec->complaint, sizeof(exec->complaint), "%s", complaint);
	finish(exec, status);
}

static void on_lost(struct client *client, const struct err *err)
{
	char words[ERR_TEXT_MAX + 64];

	finish_with(client->owner, EXIT_FAILED, err_words(err, words, sizeof(words)));
}

/* ---- input ---- */

static void send_input_end(struct exec *exec)
{
	struct buf *out = &exec->client.link.out;
	uint8_t *space;

	if (exec->in_ended)
		return;
	exec->in_ended = true;
	if (!exec->tty) {
		if (msg_data_begin(out, 0, &space) == 0)
			msg_data_end(out, exec->client.id, MSG_EXEC_STDIN, 0);
	} else if (msg_data_begin(out, 2, &space) == 0) {
		/* The first one only ends a line that has begun; the next one is the end. */
		memcpy(space, END_OF_TEXT END_OF_TEXT, 2);
		msg_data_end(out, exec->client.id, MSG_EXEC_STDIN, exec->in_newline ? 1 : 2);
	}
	client_mark(&exec->client);
}

static void on_input(struct stream *stream)
{
	struct exec *exec = OWNER(stream, in);
	struct buf *out = &exec->client.link.out;
	uint8_t *space;
	ssize_t n;

	if (msg_data_begin(out, INPUT_CHUNK, &space) < 0)
		return;
	n = stream_read(stream, space, INPUT_CHUNK);
	if (n > 0) {
		exec->in_newline = space[n - 1] == '\n';
		msg_data_end(out, exec->client.id, MSG_EXEC_STDIN, (size_t)n);
	} else {
		buf_settle(out);
	}
	if (n == 0) {
		if (stream->error)
			log_warn("cannot read standard input: %s", strerror(stream->error));
		send_input_end(exec);
	}
	client_mark(&exec->client);
}

/* A background job that reads its terminal would be stopped; it waits for the foreground. */
static bool may_read_input(struct exec *exec)
{
	if (!exec->sent || exec->finished || exec->in_ended)
		return false;
	if (exec->in_terminal && !term_is_foreground(STDIN_FILENO)) {
		loop_arm(exec->loop, &exec->background, LOOK_AGAIN_MS);
		return false;
	}
	return buf_len(&exec->client.link.out) < INPUT_AHEAD;
}

static void on_background(struct loop_timer *timer)
{
	client_mark(&OWNER(timer, background)->client);
}

/* ---- output ---- */

/* Our reader is gone: the command is to learn it as it would locally. */
static void close_output(struct exec *exec, const struct stream *stream, bool *closed,
			 enum msg_stream which)
{
	struct client *client = &exec->client;

	if (!stream->gone || *closed || exec->finished)
		return;
	*closed = true;
	if (stream->error != EPIPE) {
		char complaint[128];

		snprintf(complaint, sizeof(complaint), "cannot write standard %s: %s",
			 which == MSG_STREAM_STDOUT ? "output" : "error", strerror(stream->error));
		log_error("%s", complaint);
		exec->write_failed = true;
	}
	if (client->features & MSG_FEATURE_OUTPUT_CLOSE) {
		msg_put_output_close(&client->link.out, client->id, which);
		return;
	}
	msg_put_exec_signal(&client->link.out, client->id, SIGPIPE);
	link_flush(&client->link);
	finish(exec, 128 + SIGPIPE);
}

static void on_output(struct stream *stream)
{
	struct exec *exec = stream->owner;

	stream_flush(stream);
	client_mark(&exec->client);
	settle(exec);
}

/* After each batch. Says whether to take more frames: not while our readers are behind. */
static bool on_turn(struct client *client)
{
	struct exec *exec = client->owner;

	close_output(exec, &exec->out, &exec->out_closed, MSG_STREAM_STDOUT);
	close_output(exec, &exec->err, &exec->err_closed, MSG_STREAM_STDERR);
	stream_watch_input(&exec->in, may_read_input(exec));
	settle(exec);
	return !exec->finished && buf_len(&exec->out.queue) < OUTPUT_AHEAD &&
	       buf_len(&exec->err.queue) < OUTPUT_AHEAD;
}

/* ---- frames ---- */

static void on_started(struct exec *exec, struct msg_bytes payload)
{
	struct msg_exec_started started;

	if (msg_decode(MSG_EXEC_STARTED, payload, &started) < 0)
		return;
	exec->started = true;
	log_info("the command runs as process %u of the guest", started.pid);
}

static void on_data(struct exec *exec, enum msg_type type, struct msg_bytes payload)
{
	struct stream *stream = type == MSG_EXEC_STDERR ? &exec->err : &exec->out;
	struct msg_data data;

	if (msg_decode(type, payload, &data) < 0) {
		finish_with(exec, EXIT_FAILED, "the agent sent output that does not decode");
		return;
	}
	if (stream_write(stream, data.data.ptr, data.data.len) < 0)
		finish_with(exec, EXIT_FAILED, "no memory for the output");
}

/* The command reads no more: nor do we, so that whoever writes to us learns it. */
static void on_stdin_error(struct exec *exec, struct msg_bytes payload)
{
	struct msg_stdin_error error;

	if (msg_decode(MSG_EXEC_STDIN_ERROR, payload, &error) < 0 || exec->in_ended)
		return;
	log_info("the command's input: %.*s", (int)error.message.len, error.message.ptr);
	exec->in_ended = true;
	stream_abandon(&exec->in);
}

static void on_exited(struct exec *exec, struct msg_bytes payload)
{
	struct msg_exec_exited exited;

	if (msg_decode(MSG_EXEC_EXITED, payload, &exited) < 0) {
		finish_with(exec, EXIT_FAILED, "the agent sent an exit that does not decode");
		return;
	}
	if (exited.has_usage)
		log_info("user %.3f s, system %.3f s, wall %.3f s, at most %llu KiB%s",
			 (double)exited.usage.user_us / 1e6, (double)exited.usage.sys_us / 1e6,
			 (double)exited.usage.wall_us / 1e6,
			 (unsigned long long)exited.usage.max_rss_kib,
			 exited.core_dumped ? ", core dumped" : "");
	if (exited.timed_out || exec->timed_out) {
		finish(exec, EXIT_TIMED_OUT);
	} else if (exited.signal) {
		/* Of one that we passed on we die too, so that a script's loop stops. */
		if (exited.signal < 32 && exec->forwarded & 1u << exited.signal)
			exec->die_of = exited.signal;
		finish(exec, 128 + exited.signal);
	} else if (exited.code < 0) {
		finish_with(exec, EXIT_NO_SIGNAL,
			    "a signal ended the command; this agent does not say which");
	} else {
		finish(exec, exited.code & 0xff);
	}
}

static void on_failed(struct exec *exec, struct msg_bytes payload)
{
	static const int statuses[] = {
		[MSG_FAILURE_NOT_FOUND] = EXIT_NOT_FOUND,
		[MSG_FAILURE_PERMISSION_DENIED] = EXIT_CANNOT_RUN,
		[MSG_FAILURE_NOT_EXECUTABLE] = EXIT_CANNOT_RUN,
	};
	struct msg_exec_failed failed;
	char complaint[sizeof(exec->complaint)];
	int kind;

	if (msg_decode(MSG_EXEC_FAILED, payload, &failed) < 0) {
		finish_with(exec, EXIT_FAILED, "the agent sent a failure that does not decode");
		return;
	}
	kind = msg_failure_parse(failed.kind);
	snprintf(complaint, sizeof(complaint), "%.*s", (int)failed.message.len, failed.message.ptr);
	if (kind < 0 || kind > MSG_FAILURE_NOT_EXECUTABLE)
		finish_with(exec, EXIT_FAILED, complaint);
	else
		finish_with(exec, statuses[kind], complaint);
}

static void on_error(struct exec *exec, struct msg_bytes payload)
{
	char complaint[sizeof(exec->complaint)];
	struct msg_error error;

	if (msg_decode(MSG_ERROR, payload, &error) < 0)
		snprintf(complaint, sizeof(complaint), "the agent refused the session");
	else
		snprintf(complaint, sizeof(complaint), "the agent refused the session: %.*s",
			 (int)error.message.len, error.message.ptr);
	finish_with(exec, EXIT_FAILED, complaint);
}

static void on_frame(struct client *client, const struct frame *frame)
{
	struct exec *exec = client->owner;
	struct msg_envelope envelope;

	if (frame->id != client->id || msg_open(frame, &envelope) < 0)
		return;
	switch (envelope.type) {
	case MSG_EXEC_STARTED:
		on_started(exec, envelope.payload);
		break;
	case MSG_EXEC_STDOUT:
	case MSG_EXEC_STDERR:
		on_data(exec, envelope.type, envelope.payload);
		break;
	case MSG_EXEC_STDIN_ERROR:
		on_stdin_error(exec, envelope.payload);
		break;
	case MSG_EXEC_EXITED:
		on_exited(exec, envelope.payload);
		break;
	case MSG_EXEC_FAILED:
		on_failed(exec, envelope.payload);
		break;
	case MSG_ERROR:
		on_error(exec, envelope.payload);
		break;
	default:
		/* A newer agent may say more than we know. */
		break;
	}
}

/* ---- time ---- */

/* For agents that keep no time themselves. */
static void on_timeout(struct loop_timer *timer)
{
	struct exec *exec = OWNER(timer, timeout);
	struct client *client = &exec->client;

	exec->timed_out = true;
	msg_put_exec_signal(&client->link.out, client->id, exec->opts->timeout_signal);
	if (exec->opts->kill_after_ms)
		loop_arm(exec->loop, &exec->kill_after, exec->opts->kill_after_ms);
	client_mark(client);
}

static void on_kill_after(struct loop_timer *timer)
{
	struct exec *exec = OWNER(timer, kill_after);

	msg_put_exec_signal(&exec->client.link.out, exec->client.id, SIGKILL);
	client_mark(&exec->client);
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

static void size_of_terminal(uint16_t *rows, uint16_t *cols)
{
	*rows = 24;
	*cols = 80;
	if (term_size(STDIN_FILENO, rows, cols) < 0 && term_size(STDOUT_FILENO, rows, cols) < 0)
		term_size(STDERR_FILENO, rows, cols);
}

static void on_greeted(struct client *client)
{
	struct exec *exec = client->owner;
	const struct opts *opts = exec->opts;
	char words[ERR_TEXT_MAX + 64];
	uint16_t rows = 24, cols = 80;
	struct err err;

	log_info("connected to %s: %s, generation %u", client->name, client->version,
		 client->generation);
	if (exec->tty)
		size_of_terminal(&rows, &cols);
	if (request_put(&client->link.out, client->id, opts, client->features, exec->tty, rows, cols,
			&err) < 0) {
		finish_with(exec, EXIT_FAILED, err_words(&err, words, sizeof(words)));
		return;
	}
	exec->sent = true;
	if (opts->no_stdin) {
		exec->in_newline = true;
		send_input_end(exec);
	}
	if (exec->tty && exec->in_terminal)
		term_make_raw(STDIN_FILENO);
	if (opts->timeout_ms && !(client->features & MSG_FEATURE_TIMEOUT))
		loop_arm(exec->loop, &exec->timeout, opts->timeout_ms);
}

void exec_run(struct exec *exec, const struct opts *opts, struct loop *loop,
	      struct buf_spare *spare)
{
	char words[ERR_TEXT_MAX + 64];
	const char *hint = NULL;
	struct err err;
	int r;

	exec->opts = opts;
	exec->loop = loop;
	exec->timeout.on_due = on_timeout;
	exec->kill_after.on_due = on_kill_after;
	exec->background.on_due = on_background;
	stream_init(&exec->in, loop, STDIN_FILENO, 0, spare, exec, on_input);
	stream_init(&exec->out, loop, STDOUT_FILENO, OUTPUT_MAX, spare, exec, on_output);
	stream_init(&exec->err, loop, STDERR_FILENO, OUTPUT_MAX, spare, exec, on_output);
	exec->client.owner = exec;
	exec->client.on_greeted = on_greeted;
	exec->client.on_frame = on_frame;
	exec->client.on_lost = on_lost;
	exec->client.on_turn = on_turn;
	decide_tty(exec);
	r = client_connect(&exec->client, loop, opts->endpoint, spare, &err, &hint);
	if (r == 0)
		r = loop_run(loop);
	else
		finish_with(exec, EXIT_FAILED, err_words(&err, words, sizeof(words)));
	if (!exec->finished)
		finish_with(exec, EXIT_FAILED, r < 0 ? strerror(-r) : "stopped");
	term_restore();
	if (exec->complaint[0])
		log_error("%s", exec->complaint);
	if (hint)
		log_error("%s", hint);
	if (exec->write_failed && exec->status == 0)
		exec->status = EXIT_FAILED;
}

void exec_release(struct exec *exec)
{
	client_release(&exec->client);
	stream_release(&exec->in);
	stream_release(&exec->out);
	stream_release(&exec->err);
}

/* ---- signals ---- */

static void leave_by(struct exec *exec, int signal)
{
	exec->die_of = signal;
	exec->finished = true;
	exec->status = 128 + signal;
	loop_stop(exec->loop);
}

static void send_size(struct exec *exec)
{
	struct client *client = &exec->client;
	uint16_t rows, cols;

	if (!exec->tty || !exec->sent || exec->finished)
		return;
	size_of_terminal(&rows, &cols);
	msg_put_exec_resize(&client->link.out, client->id, rows, cols);
	client_mark(client);
}

/* Whoever asks three times in two seconds means msb-exec, not the command. */
static bool is_last_straw(struct exec *exec, int signal)
{
	uint64_t now = loop_now_ms();

	if (signal != SIGINT && signal != SIGTERM)
		return false;
	if (now - exec->last_end_ms > ENDS_MS)
		exec->ends = 0;
	if (!exec->ends)
		exec->last_end_ms = now;
	return ++exec->ends >= ENDS_MAX;
}

static void forward(struct exec *exec, int signal)
{
	struct client *client = &exec->client;

	exec->forwarded |= 1u << signal;
	msg_put_exec_signal(&client->link.out, client->id, signal);
	client_mark(client);
	if (signal == SIGHUP) {
		link_flush(&client->link);
		leave_by(exec, SIGHUP);
	} else if (is_last_straw(exec, signal)) {
		finish_with(exec, EXIT_FAILED, "gave up after three signals; the agent ends the command");
		loop_stop(exec->loop);
	}
}

void exec_signal(struct exec *exec, const struct loop_signal *signal)
{
	switch (signal->number) {
	case SIGWINCH:
		send_size(exec);
		return;
	case SIGTSTP:
		term_suspend();
		send_size(exec);
		return;
	case SIGCONT:
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
