/*
 * The bodies of large frames of output: moved from the socket to a pipe that reads our output,
 * without coming into our memory.
 */
#include <errno.h>
#include <sys/socket.h>

#include "exec_inside.h"

static bool take_part(struct exec *exec, struct stream *stream, enum msg_type type)
{
	struct link *link = &exec->client.link;
	size_t head_len, have, len;

	/* What cannot be written now must be out of the way of how the command ends. */
	if (exec->leaving)
		return false;
	head_len = msg_peek_data(&link->in, exec->client.id, type, &len);
	if (!head_len || !link->in_socket || !stream_can_splice(stream))
		return false;
	/* The link reads no further than a frame that is not whole, so all of this is of the body. */
	have = buf_len(&link->in) - head_len;
	exec->output.received += have;
	if (stream_write(stream, buf_head(&link->in) + head_len, have) < 0)
		exec_finish_with(exec, EXIT_FAILED, "no memory for the output");
	buf_consume(&link->in, head_len + have);
	link->body = len - have;
	link->narrow = MSG_BULK_HEAD_OUTPUT;
	exec->body_to = stream;
	return true;
}

bool exec_on_part(struct client *client)
{
	struct exec *exec = client->owner;

	return take_part(exec, &exec->out, MSG_EXEC_STDOUT) ||
	       take_part(exec, &exec->err, MSG_EXEC_STDERR);
}

/* Nobody wants it any more, or it cannot be moved: through our memory, like any output. */
static ssize_t copy_some(struct link *link, struct stream *stream)
{
	uint8_t some[16 * 1024];
	size_t len = link->body < sizeof(some) ? link->body : sizeof(some);
	ssize_t n = recv(link->in_fd, some, len, MSG_DONTWAIT);

	if (n < 0)
		return -errno;
	return n && stream_write(stream, some, (size_t)n) < 0 ? -ENOMEM : n;
}

bool exec_move_body(struct exec *exec)
{
	struct link *link = &exec->client.link;
	struct stream *stream = exec->body_to;

	while (link->body && !exec->finished) {
		ssize_t n = -EOPNOTSUPP;

		if (buf_len(&stream->queue) && !exec->leaving)
			return false;
		if (stream_can_splice(stream) && !exec->leaving)
			n = stream_splice(stream, link->in_fd, link->body);
		if (n == -EOPNOTSUPP || n == -EPIPE)
			n = copy_some(link, stream);
		if (n == -EINTR)
			continue;
		if (n == -EAGAIN)
			return exec->leaving || stream->gone || stream_has_room(stream);
		if (n <= 0) {
			link->ended = true;
			link->error = (int)-n;
			return true;
		}
		link->body -= (size_t)n;
		exec->output.received += (size_t)n;
	}
	return true;
}
