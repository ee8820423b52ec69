/*
 * The bodies of large frames of output: moved from the socket to a pipe that reads our output,
 * without coming into our memory.
 */
#include <errno.h>
#include <sys/socket.h>

#include "exec_inside.h"
#include "exit.h"

bool exec_on_part(struct remote *remote, enum msg_type type, const void *data, size_t len)
{
	struct exec *exec = remote->owner;
	struct stream *stream = type == MSG_EXEC_STDERR ? &exec->err : &exec->out;

	/* What cannot be written now must be out of the way of how the command ends. */
	if (exec->leaving || !stream_can_splice(stream))
		return false;
	exec->body_to = stream;
	if (stream_write(stream, data, len) < 0)
		exec_finish_with(exec, EXIT_FAILED, "no memory for the output");
	return true;
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

ssize_t exec_on_body(struct remote *remote, int fd, size_t len)
{
	struct exec *exec = remote->owner;
	ssize_t n = move_some(exec, fd, len);

	exec->body_waits = n == -EBUSY;
	return n;
}
