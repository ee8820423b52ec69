/* A file on its way: see copy.h. */
#include "copy.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/options/exit.h"
#include "shared/fd.h"

#define CHUNK	  (64 * 1024)
#define QUEUE_MAX (16 * 1024 * 1024) /* over all that the guest may send unasked */

void copy_release(struct copy *copy)
{
	remote_release(&copy->remote);
	if (copy_runs(copy)) {
		stream_release(&copy->file);
		fd_close(&copy->fd);
	}
	copy->file.loop = NULL;
	if (copy->part)
		unlink(copy->part);
	free(copy->part);
	free(copy->path);
	copy->part = copy->path = NULL;
}

/* Only what came whole takes the name. */
static void finish(struct copy *copy, int status, const char *why)
{
	char words[512];

	if (copy->file.error) {
		snprintf(words, sizeof(words), "the host's file: %s", strerror(copy->file.error));
		why = words;
		status = EXIT_FAILED;
	}
	if (copy->part && !status && rename(copy->part, copy->path) < 0) {
		snprintf(words, sizeof(words), "%s: %s", copy->path, strerror(errno));
		why = words;
		status = EXIT_FAILED;
	} else if (!status) {
		free(copy->part);
		copy->part = NULL;
	}
	copy_release(copy);
	copy->on_done(copy->owner, status, why);
}

/* That is wrong with the host's half. */
static void fail(struct copy *copy, int error)
{
	copy->file.error = error;
	copy_cancel(copy, EXIT_FAILED);
}

void copy_cancel(struct copy *copy, int status)
{
	if (!copy_runs(copy))
		return;
	remote_signal(&copy->remote, SIGKILL);
	remote_release(&copy->remote);
	finish(copy, status, NULL);
}

void copy_lose(struct copy *copy)
{
	if (!copy_runs(copy))
		return;
	remote_release(&copy->remote);
	finish(copy, EXIT_FAILED, "the connection is lost");
}

/* Its room is for more of what the guest sends. */
static void on_file(struct stream *stream)
{
	struct copy *copy = stream->owner;

	if (copy->to_guest)
		return;
	stream_flush(stream);
	stream_watch_output(stream, false);
	remote_mark(&copy->remote);
	if (stream->gone)
		copy_cancel(copy, EXIT_FAILED);
	else if (!remote_runs(&copy->remote) && !buf_len(&stream->queue))
		finish(copy, copy->status, NULL);
}

static void on_data(struct remote *remote, enum msg_type type, const char *data, size_t len)
{
	struct copy *copy = remote->owner;
	int r;

	if (copy->to_guest || copy->to_terminal || type == MSG_EXEC_STDERR) {
		copy->on_said(copy->owner, data, len);
		return;
	}
	r = stream_write(&copy->file, data, len);
	stream_watch_output(&copy->file, false);
	if (r < 0 || copy->file.gone)
		fail(copy, r < 0 ? -r : copy->file.error);
}

static void on_room(struct remote *remote)
{
	struct copy *copy = remote->owner;
	char chunk[CHUNK];
	ssize_t n = -EAGAIN;

	if (copy->to_guest && !copy->file.gone)
		n = stream_read(&copy->file, chunk, sizeof(chunk));
	if (n == 0 && !copy->file.error) {
		remote_end_input(remote);
		return;
	}
	if (n > 0)
		n = remote_send(remote, chunk, (size_t)n);
	if (n < 0 && n != -EAGAIN)
		fail(copy, (int)-n);
	else if (copy->file.error)
		copy_cancel(copy, EXIT_FAILED);
}

static void on_end(struct remote *remote, const struct remote_end *end)
{
	struct copy *copy = remote->owner;

	copy->status = end->why ? EXIT_FAILED : exit_status(&end->exited);
	if (end->why || copy->to_guest || !buf_len(&copy->file.queue))
		finish(copy, copy->status, end->why);
}

void copy_start(struct copy *copy, struct client *client, const struct opts *opts, bool to_guest,
		int fd, struct buf_spare *spare)
{
	struct remote *remote = &copy->remote;
	struct opts own = *opts;
	char words[ERR_TEXT_MAX + 64 + ERR_HINT_MAX];
	struct err err;

	copy->fd = fd;
	copy->to_guest = to_guest;
	copy->to_terminal = !to_guest && isatty(fd);
	stream_init(&copy->file, client->loop, fd, QUEUE_MAX, spare, copy, on_file);
	remote->owner = copy;
	remote->on_data = on_data;
	remote->on_room = on_room;
	remote->on_end = on_end;
	own.on_disconnect = MSG_DISCONNECT_KILL;
	if (remote_start(remote, client, &own, &(struct remote_terms){0}, &err) < 0)
		finish(copy, EXIT_FAILED, err_sentence(&err, words, sizeof(words)));
	else if (!to_guest)
		remote_end_input(remote);
}
