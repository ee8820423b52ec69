/* Frames over a byte stream: see link.h. */
#include "link.h"

#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base.h"
#include "fd.h"
#include "msg.h"

#define DIRECT_MIN (16 * 1024)	/* from so many bytes on a write of their own pays */
#define READ_MAX   (256 * 1024) /* bytes a turn, so that no peer holds up the others */
#define READ_SHORT (16 * 1024)	/* the same while all queues together hold too much */
#define STARVED_MS 50		/* between looks whether there is memory for a large frame */

static void in_ready(struct loop_source *source, uint32_t ready)
{
	struct link *link = container_of(source, struct link, in_source);

	link->on_ready(link, ready);
}

static void out_ready(struct loop_source *source, uint32_t ready)
{
	struct link *link = container_of(source, struct link, out_source);

	link->on_ready(link, ready);
}

static void on_starved(struct loop_timer *timer)
{
	struct link *link = container_of(timer, struct link, starved);

	/* There may be memory by now. */
	link->on_ready(link, LOOP_IN);
}

void link_init(struct link *link, struct loop *loop, int in_fd, int out_fd, size_t out_max,
	       struct buf_spare *spare, void (*on_ready)(struct link *link, uint32_t ready))
{
	*link = (struct link){
		.loop = loop,
		.in_fd = in_fd,
		.out_fd = out_fd,
		.in_socket = fd_is_socket(in_fd),
		.on_ready = on_ready,
		.starved.on_due = on_starved,
	};
	link->out_socket = in_fd == out_fd ? link->in_socket : fd_is_socket(out_fd);
	buf_init(&link->in, FRAME_WIRE_MAX + READ_MAX, spare);
	buf_init(&link->out, out_max, spare);
	bulk_init(&link->bulk);
	link->bulk.refused = !link->out_socket;
	loop_source_init(&link->in_source, in_fd, in_ready);
	loop_source_init(&link->out_source, in_fd == out_fd ? -1 : out_fd, out_ready);
	loop_want(loop, &link->in_source, LOOP_IN);
}

void link_release(struct link *link)
{
	loop_remove(link->loop, &link->in_source);
	loop_remove(link->loop, &link->out_source);
	loop_disarm(link->loop, &link->starved);
	if (link->out_fd == link->in_fd)
		link->out_fd = -1;
	fd_close(&link->in_fd);
	fd_close(&link->out_fd);
	buf_release(&link->in);
	buf_release(&link->out);
	bulk_release(&link->bulk);
}

/* How much to ask for: the rest of a frame that is known to be longer, else a fair share. */
static size_t read_size(const struct link *link)
{
	bool is_short = link->in.spare && buf_spare_is_short(link->in.spare);
	size_t share = is_short ? READ_SHORT : READ_MAX, missing = 0;
	struct frame frame;

	if (!buf_len(&link->in))
		return link->narrow ? link->narrow : share;
	if (frame_next(&link->in, &frame, &missing) == 0 && missing > READ_MAX)
		return missing;
	return share;
}

void link_read(struct link *link)
{
	size_t size = read_size(link);
	uint8_t *space;
	ssize_t n;
	int r;

	if (link->body || link->starved.armed)
		return;
	/* Whoever gets memory for a whole frame can end it; the others wait, and not half-way. */
	if (!buf_may_hold(&link->in, size)) {
		loop_arm(link->loop, &link->starved, STARVED_MS);
		return;
	}
	r = buf_reserve(&link->in, size, &space);
	if (r < 0) {
		link->ended = true;
		link->error = -r;
		return;
	}
	do {
		n = link->in_socket ? recv(link->in_fd, space, size, MSG_DONTWAIT)
				    : read(link->in_fd, space, size);
	} while (n < 0 && errno == EINTR);
	if (n > 0) {
		buf_commit(&link->in, (size_t)n);
		return;
	}
	buf_settle(&link->in);
	if (n < 0 && errno == EAGAIN)
		return;
	link->ended = true;
	link->error = n < 0 ? errno : 0;
}

int link_next(struct link *link, struct frame *ret_frame)
{
	size_t missing;

	return frame_next(&link->in, ret_frame, &missing);
}

bool link_is_cut(const struct link *link)
{
	size_t missing;
	struct frame frame;

	return !link->body && !link->ended && buf_len(&link->in) &&
	       frame_next(&link->in, &frame, &missing) == 0;
}

void link_done(struct link *link, const struct frame *frame)
{
	link->taken++;
	buf_consume(&link->in, frame->wire_len);
}

size_t link_unsent(const struct link *link)
{
	return buf_len(&link->out) + link->bulk.len;
}

static ssize_t send_some(struct link *link, const uint8_t *data, size_t len)
{
	ssize_t n;

	do {
		n = link->out_socket ? send(link->out_fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL)
				     : write(link->out_fd, data, len);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static ssize_t send_bytes(struct link *link, size_t len)
{
	ssize_t n = send_some(link, buf_head(&link->out), len);

	if (n > 0)
		buf_consume(&link->out, (size_t)n);
	return n;
}

/* One write of what comes next: bytes of the queue, or the pages in their midst. */
static ssize_t send_next(struct link *link)
{
	ssize_t n;

	if (!link->bulk.len)
		return send_bytes(link, buf_len(&link->out));
	if (link->bulk.before) {
		n = send_bytes(link, link->bulk.before);
		link->bulk.before -= n > 0 ? (size_t)n : 0;
		return n;
	}
	/* splice() knows no MSG_DONTWAIT. */
	if (!link->nonblock)
		link->nonblock = fd_set_nonblock(link->out_fd) == 0;
	return bulk_drain(&link->bulk, link->out_fd);
}

void link_flush(struct link *link)
{
	while (link_unsent(link) && !link->broken) {
		ssize_t n = send_next(link);

		if (n == -EAGAIN)
			return;
		if (n < 0) {
			link->broken = true;
			link->error = (int)-n;
			return;
		}
		link->sent += (size_t)n;
	}
}

int link_put(struct link *link, const uint8_t *data, size_t len)
{
	if (len >= DIRECT_MIN)
		link_flush(link);
	if (len >= DIRECT_MIN && !link_unsent(link) && !link->broken) {
		ssize_t n = send_some(link, data, len);

		/* What is wrong with the stream, the next flush will see. */
		if (n > 0) {
			link->sent += (size_t)n;
			data += n;
			len -= (size_t)n;
		}
	}
	return buf_append(&link->out, data, len);
}

bool link_watch(struct link *link, bool read_more, bool hear_hangup)
{
	struct frame frame;
	int next = link->greeting ? 0 : link_next(link, &frame);
	uint32_t in = link->ended				       ? 0
		      : read_more && next <= 0 && !link->starved.armed ? LOOP_IN
		      : hear_hangup				       ? LOOP_HUP
								       : 0;
	uint32_t out = link_unsent(link) && !link->broken ? LOOP_OUT : 0;

	if (link->in_fd == link->out_fd)
		in |= out;
	loop_want(link->loop, &link->in_source, in);
	loop_want(link->loop, &link->out_source, out);
	return read_more && next != 0;
}
