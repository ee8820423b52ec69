/* Large output that is moved and not copied: see body.h. */
#include "body.h"

#include <errno.h>
#include <sys/socket.h>

bool exec_body_begin(struct exec_body *body, struct stream *to)
{
	if (!stream_can_splice(to))
		return false;
	body->to = to;
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

static ssize_t move_some(struct stream *stream, int fd, size_t len, bool leaving)
{
	ssize_t n = -EOPNOTSUPP;

	if (buf_len(&stream->queue) && !leaving)
		return -EBUSY;
	if (stream_can_splice(stream) && !leaving)
		n = stream_splice(stream, fd, len);
	if (n == -EOPNOTSUPP || n == -EPIPE)
		n = copy_some(fd, len, stream);
	if (n == -EAGAIN && !leaving && !stream->gone && !stream_has_room(stream))
		return -EBUSY;
	return n;
}

ssize_t exec_body_move(struct exec_body *body, int fd, size_t len, bool leaving)
{
	ssize_t n = move_some(body->to, fd, len, leaving);

	body->waits = n == -EBUSY;
	return n;
}
