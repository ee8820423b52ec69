/*
 * The bodies of large frames of output: moved from the socket to a pipe that reads our output,
 * without coming into our memory.
 */
#include <errno.h>
#include <sys/socket.h>

#include "exec_inside.h"
#include "exit.h"

static bool take_part(struct exec *exec, struct stream *stream, enum msg_type type,
		      const struct buf *in, size_t *ret_head, size_t *ret_body)
{
	size_t have;

	*ret_head = msg_peek_data(in, exec->client.id, type, ret_body);
	if (!*ret_head || !stream_can_splice(stream))
		return false;
	have = buf_len(in) - *ret_head;
	exec->output.received += have;
	if (stream_write(stream, buf_head(in) + *ret_head, have) < 0)
		exec_finish_with(exec, EXIT_FAILED, "no memory for the output");
	link_read_narrow(&exec->client.link, MSG_BULK_HEAD_OUTPUT);
	exec->body_to = stream;
	return true;
}

bool exec_on_part(struct client *client, const struct buf *in, size_t *ret_head, size_t *ret_body)
{
	struct exec *exec = client->owner;

	/* What cannot be written now must be out of the way of how the command ends. */
	return !exec->leaving &&
	       (take_part(exec, &exec->out, MSG_EXEC_STDOUT, in, ret_head, ret_body) ||
		take_part(exec, &exec->err, MSG_EXEC_STDERR, in, ret_head, ret_body));
}

/* Nobody wants it any more, or it cannot be moved: through our memory, like any output. */
static ssize_t copy_some(int fd, size_t len, struct stream *stream)
{
	uint8_t some[16 * 1024];
	ssize_t n = recv(fd, some, len < sizeof(some) ? len : sizeof(some), MSG_DONTWAIT);

	if (n < 0)
		return -errno;
	return n && stream_write(stream, some, (size_t)n) < 0 ? -ENOMEM : n;
}

static ssize_t move_some(struct exec *exec, int fd, size_t len)
{
	struct stream *stream = exec->body_to;
	ssize_t n = -EOPNOTSUPP;

	if (buf_len(&stream->queue) && !exec->leaving)
		return -EBUSY;
	if (stream_can_splice(stream) && !exec->leaving)
		n = stream_splice(stream, fd, len);
	if (n == -EOPNOTSUPP || n == -EPIPE)
		n = copy_some(fd, len, stream);
	if (n == -EAGAIN && !exec->leaving && !stream->gone && !stream_has_room(stream))
		return -EBUSY;
	return n;
}

ssize_t exec_on_body(struct client *client, int fd, size_t len)
{
	struct exec *exec = client->owner;
	ssize_t n = move_some(exec, fd, len);

	exec->body_waits = n == -EBUSY;
	if (n > 0)
		exec->output.received += (size_t)n;
	return n;
}
