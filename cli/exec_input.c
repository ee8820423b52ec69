/* What msb-exec reads for the command: never more than may go, and nothing in the background. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "../shared/base.h"
#include "../shared/log.h"
#include "exec_inside.h"
#include "exit.h"
#include "term.h"

#define INPUT_CHUNK   (64 * 1024)
#define MOVE_MAX      (512 * 1024)
#define INPUT_AHEAD   (256 * 1024) /* what may wait to go to the agent */
#define LOOK_AGAIN_MS 200	   /* for the terminal's foreground */
#define END_OF_TEXT   "\x04"

void exec_end_input(struct exec *exec)
{
	uint8_t *space;

	if (exec->in_ended)
		return;
	exec->in_ended = true;
	if (!exec->tty) {
		remote_end_input(&exec->remote);
	} else if (remote_begin(&exec->remote, 2, &space) == 0) {
		/* The first one only ends a line that has begun; the next one is the end. */
		memcpy(space, END_OF_TEXT END_OF_TEXT, 2);
		remote_commit(&exec->remote, exec->in_newline ? 1 : 2);
	}
	client_mark(&exec->client);
}

/* Our own keys are read as long as the terminal is ours. */
static bool has_keys(const struct exec *exec)
{
	return exec->tty && exec->in_terminal;
}

void exec_refuse_input(struct exec *exec)
{
	exec->in_ended = true;
	if (!has_keys(exec))
		stream_abandon(&exec->in);
	client_mark(&exec->client);
}

/* A background job that reads its terminal would be stopped; it waits for the foreground. */
static bool may_read_input(struct exec *exec)
{
	if (!exec->sent || exec->finished || (exec->in_ended && !has_keys(exec)))
		return false;
	if (exec->in_terminal && !term_is_foreground(STDIN_FILENO)) {
		exec->away = true;
		loop_arm(exec->loop, &exec->background, LOOK_AGAIN_MS);
		return false;
	}
	if (exec->away) {
		exec->away = false;
		exec_look_again(exec);
	}
	if (exec->in_plenty && remote_is_moving(&exec->remote))
		return false;
	if (exec->in_ended)
		return true;
	return link_unsent(&exec->client.link) < INPUT_AHEAD &&
	       remote_room(&exec->remote, 2) > exec->escape.held;
}

void exec_watch_input(struct exec *exec)
{
	stream_watch_input(&exec->in, may_read_input(exec));
}

/* The command takes no keys any more: what is left are ours, and those that stand for signals. */
static ssize_t read_keys(struct exec *exec)
{
	uint8_t keys[4096];
	ssize_t n = stream_read(&exec->in, keys + 1, sizeof(keys) - 1);
	size_t len = n > 0 ? exec_take_keys(exec, keys + 1, (size_t)n) : 0;
	int signal = patience_key(keys, len);

	if (signal && !exec->finished)
		exec_forward(exec, signal);
	return n;
}

/* One read, copied into the queue. */
static ssize_t read_input(struct exec *exec)
{
	bool keys = has_keys(exec);
	size_t max = remote_room(&exec->remote, INPUT_CHUNK) - exec->escape.held, len;
	uint8_t *space;
	int signal;
	ssize_t n;

	/* One byte more: for the escape character that was held. */
	if (remote_begin(&exec->remote, max + 1, &space) < 0)
		return -EAGAIN;
	n = stream_read(&exec->in, space + keys, max);
	len = n <= 0 ? 0 : keys ? exec_take_keys(exec, space + 1, (size_t)n) : (size_t)n;
	signal = keys ? patience_key(space, len) : 0;
	if (len)
		exec->in_newline = space[len - 1] == '\n';
	remote_commit(&exec->remote, len);
	if (signal && client_typed(&exec->client, signal))
		exec_leave_by(exec, signal);
	exec->in_plenty = n == INPUT_CHUNK && exec->in.is_pipe && !exec->tty;
	return n;
}

/* The same from a pipe that brings plenty, with the pages moved. */
static ssize_t move_input(struct exec *exec)
{
	ssize_t n;

	stream_widen(&exec->in);
	n = remote_move(&exec->remote, exec->in.fd, MOVE_MAX);
	if (n > 0)
		exec->in_plenty = n >= INPUT_CHUNK;
	else if (n == -ENOMEM || n == -ENOBUFS)
		exec_finish_with(exec, EXIT_FAILED, "no memory for the input");
	return n;
}

void exec_on_input(struct stream *stream)
{
	struct exec *exec = container_of(stream, struct exec, in);
	ssize_t n = -EOPNOTSUPP;

	/* Asked again: whether we are in the foreground may have changed since. */
	if (!may_read_input(exec)) {
		stream_watch_input(stream, false);
		return;
	}
	if (exec->in_ended) {
		read_keys(exec);
		client_mark(&exec->client);
		return;
	}
	if (exec->in_plenty)
		n = move_input(exec);
	/* The end is for stream_read() to see. */
	if (n == -EOPNOTSUPP || n == 0)
		n = read_input(exec);
	if (n == 0) {
		/* What cannot be read at all is none: nohup(1) gives that in a terminal's place. */
		if (stream->error && stream->error != EBADF) {
			log_error("cannot read standard input: %s", strerror(stream->error));
			exec->input_failed = true;
		}
		exec_end_input(exec);
	}
	client_mark(&exec->client);
}

void exec_on_background(struct loop_timer *timer)
{
	client_mark(&container_of(timer, struct exec, background)->client);
}
