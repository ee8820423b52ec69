/* What msb-exec reads for the command: see input.h. */
#include "input.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/terminal/term.h"
#include "shared/base.h"
#include "shared/log.h"

#define INPUT_CHUNK   (64 * 1024)
#define MOVE_MAX      (512 * 1024)
#define LOOK_AGAIN_MS 200	  /* for the terminal's foreground */
#define WAITING_MAX   (64 * 1024) /* keys that were typed without a connection */
#define SPENT_MS      2000	  /* for whoever wrote the last that was wanted, to close it */
#define END_OF_TEXT   "\x04"

/* ---- whether it is read ---- */

/* A background job that reads its terminal would be stopped; it waits for the foreground. */
static bool may_read(struct exec_input *input)
{
	bool ours = input->state == EXEC_INPUT_ENDED || input->way == EXEC_INPUT_WAITS;

	if (input->state == EXEC_INPUT_SHUT || input->way == EXEC_INPUT_RESTS ||
	    (ours && !input->has_keys))
		return false;
	if (input->is_terminal && !term_is_foreground(STDIN_FILENO)) {
		input->away = true;
		loop_arm(input->stream.loop, &input->background, LOOK_AGAIN_MS);
		return false;
	}
	if (input->away) {
		input->away = false;
		input->on_foreground(input->owner);
	}
	if (input->plenty && remote_is_moving(input->remote))
		return false;
	if (input->state == EXEC_INPUT_ENDED)
		return true;
	if (input->way == EXEC_INPUT_WAITS)
		return buf_len(&input->remote->feed) < WAITING_MAX;
	return remote_room(input->remote, 2) > input->escape.held;
}

void exec_input_watch(struct exec_input *input)
{
	stream_watch_input(&input->stream, may_read(input));
}

static void on_background(struct loop_timer *timer)
{
	struct exec_input *input = container_of(timer, struct exec_input, background);

	/* Without a connection no turn follows. */
	if (remote_runs(input->remote))
		remote_mark(input->remote);
	else
		exec_input_watch(input);
}

void exec_input_go(struct exec_input *input, enum exec_input_way way)
{
	input->way = way;
	exec_input_watch(input);
}

/* ---- its end ---- */

/* A terminal that went away reads as if somebody had ended it; for what goes on without us that is no end. */
static bool is_hung_up(const struct exec_input *input)
{
	return input->is_terminal && term_is_hung_up(input->stream.fd);
}

static void end(struct exec_input *input)
{
	if (input->state != EXEC_INPUT_OPEN)
		return;
	input->state = EXEC_INPUT_ENDED;
	if (input->leaves_open || (input->remote->id[0] && is_hung_up(input))) {
		/* What comes behind it is for its owner, or for who attaches next. */
	} else if (!input->remote->tty) {
		remote_end_input(input->remote);
	} else {
		/* The first one only ends a line that has begun; the next one is the end. */
		remote_send(input->remote, END_OF_TEXT END_OF_TEXT, input->newline ? 1 : 2);
	}
	remote_mark(input->remote);
}

void exec_input_none(struct exec_input *input)
{
	input->newline = true;
	end(input);
}

/* Says so too. */
static void fail(struct exec_input *input, const char *why)
{
	log_error("%s", why);
	snprintf(input->failure, sizeof(input->failure), "%s", why);
}

void exec_input_refuse(struct exec_input *input, const char *lost)
{
	if (lost)
		fail(input, lost);
	if (input->state != EXEC_INPUT_OPEN)
		return;
	input->state = EXEC_INPUT_ENDED;
	/* Our own keys are read as long as the terminal is ours. */
	if (!input->has_keys)
		stream_abandon(&input->stream);
	remote_mark(input->remote);
}

/* ---- reading ---- */

/* Does what those keys ask of us, and leaves the others, one more perhaps than came, in keys - 1. */
static size_t take_keys(struct exec_input *input, uint8_t *keys, size_t len)
{
	uint64_t now_ms = loop_now_ms();
	size_t done = 0, kept = 0;

	while (done < len && input->state != EXEC_INPUT_SHUT && input->way != EXEC_INPUT_RESTS) {
		size_t taken, more;
		enum escape_action action = escape_take(&input->escape, now_ms, keys + done,
							len - done, keys - 1 + kept, &taken, &more);

		done += taken;
		kept += more;
		input->on_escape(input->owner, action);
	}
	return kept;
}

/* Keys for later, and their end. */
static void put_by(struct exec_input *input, const uint8_t *keys, size_t len, bool ends)
{
	if (len) {
		input->newline = keys[len - 1] == '\n';
		remote_send(input->remote, keys, len);
	}
	if (ends) {
		input->state = EXEC_INPUT_ENDED;
		if (is_hung_up(input))
			return;
		remote_send(input->remote, END_OF_TEXT END_OF_TEXT, input->newline ? 1 : 2);
	}
}

/*
 * The command takes no keys any more, or none now: what is left are ours, and those that stand for signals;
 * others wait, if it will.
 */
static void read_keys(struct exec_input *input)
{
	uint8_t keys[4096];
	ssize_t n = stream_read(&input->stream, keys + 1, sizeof(keys) - 1);
	size_t len = n > 0 ? take_keys(input, keys + 1, (size_t)n) : 0;
	int signal = patience_key(keys, len);

	if (input->state == EXEC_INPUT_OPEN)
		put_by(input, keys, len, n == 0);
	if (signal)
		input->on_signal_key(input->owner, signal, false);
}

/* One read, copied into the queue. */
static ssize_t read_some(struct exec_input *input)
{
	struct remote *remote = input->remote;
	bool keys = input->has_keys;
	size_t max = remote_room(remote, INPUT_CHUNK) - input->escape.held, len;
	uint8_t *space;
	int signal;
	ssize_t n;

	/* One byte more: for the escape character that was held. */
	if (remote_begin(remote, max + 1, &space) < 0)
		return -EAGAIN;
	n = stream_read(&input->stream, space + keys, max);
	len = n <= 0 ? 0 : keys ? take_keys(input, space + 1, (size_t)n) : (size_t)n;
	signal = keys ? patience_key(space, len) : 0;
	if (len)
		input->newline = space[len - 1] == '\n';
	remote_commit(remote, len);
	/* What has to be held for another connection has to be read. */
	input->plenty =
		n == INPUT_CHUNK && input->stream.is_pipe && !remote->tty && !remote->retains;
	if (signal)
		input->on_signal_key(input->owner, signal, true);
	return n;
}

/* The same from a pipe that brings plenty, with the pages moved. */
static ssize_t move_some(struct exec_input *input)
{
	ssize_t n;

	stream_widen(&input->stream);
	n = remote_move(input->remote, input->stream.fd, MOVE_MAX);
	if (n > 0)
		input->plenty = n >= INPUT_CHUNK;
	else if (n == -ENOMEM || n == -ENOBUFS)
		input->on_failed(input->owner, "no memory for the input");
	return n;
}

static void read_input(struct exec_input *input)
{
	struct stream *stream = &input->stream;
	ssize_t n = -EOPNOTSUPP;
	char why[128];

	if (input->plenty)
		n = move_some(input);
	/* The end is for stream_read() to see. */
	if (n == -EOPNOTSUPP || n == 0)
		n = read_some(input);
	if (n != 0)
		return;
	/* What cannot be read at all is none: nohup(1) gives that in a terminal's place. */
	if (stream->error && stream->error != EBADF) {
		snprintf(why, sizeof(why), "cannot read standard input: %s",
			 strerror(stream->error));
		fail(input, why);
	}
	end(input);
}

static void on_ready(struct stream *stream)
{
	struct exec_input *input = stream->owner;

	/* Asked again: whether we are in the foreground may have changed since. */
	if (!may_read(input)) {
		stream_watch_input(stream, false);
		return;
	}
	if (input->state == EXEC_INPUT_ENDED || input->way == EXEC_INPUT_WAITS)
		read_keys(input);
	else
		read_input(input);
	remote_mark(input->remote);
}

/* ---- life ---- */

void exec_input_init(struct exec_input *input, struct loop *loop, struct buf_spare *spare)
{
	input->background.on_due = on_background;
	stream_init(&input->stream, loop, STDIN_FILENO, 0, spare, input, on_ready);
}

void exec_input_open(struct exec_input *input, struct remote *remote, bool is_terminal,
		     const struct opts *opts)
{
	input->state = EXEC_INPUT_OPEN;
	input->remote = remote;
	input->is_terminal = is_terminal;
	input->has_keys = remote->tty && is_terminal && !remote->input_only;
	input->leaves_open = remote->input_only && !opts->send_eof;
	input->escape.character = opts->escape_char;
	input->escape.detach = opts->detach_keys;
}

bool exec_input_is_spent(const struct exec_input *input)
{
	struct pollfd look = {.fd = input->stream.fd, .events = POLLIN};
	char byte;

	if (input->state == EXEC_INPUT_ENDED)
		return true;
	return poll(&look, 1, input->is_terminal ? 0 : SPENT_MS) > 0 &&
	       read(input->stream.fd, &byte, 1) == 0;
}

void exec_input_shut(struct exec_input *input)
{
	input->state = EXEC_INPUT_SHUT;
	loop_disarm(input->stream.loop, &input->background);
	stream_watch_input(&input->stream, false);
}

void exec_input_release(struct exec_input *input)
{
	stream_release(&input->stream);
}
