/* Frames over a byte stream: see link.h. */
#include "link.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "shared/base.h"
#include "shared/fd.h"

#define FRAMES_A_TURN 256
#define TURN_US	      250	   /* after which the others come, whatever a frame costs */
#define DIRECT_MIN    (16 * 1024)  /* from so many bytes on a write of their own pays */
#define READ_MAX      (256 * 1024) /* bytes a turn, so that no peer holds up the others */
#define READ_SHORT    (16 * 1024)  /* the same while all queues together hold too much */
#define PARTS_MAX     64	   /* of frames and marks, a write */
#define STARVED_MS    50	   /* between looks whether there is memory for a large frame */

static void on_turn(struct loop_task *task);

/* ---- the beginning and the end ---- */

/* What a host that went away still had to say, or the next one's first words would be looked for behind it. */
static void drain(struct link *link)
{
	char waste[4096];
	ssize_t n;

	/* Such streams hold little. */
	for (int i = 0; i < 1024; i++) {
		n = read(link->in_fd, waste, sizeof(waste));
		if (n == 0 || (n < 0 && errno != EINTR))
			return;
	}
}

static bool has_unread(const struct link *link)
{
	uint8_t byte;
	int len = 0;

	if (link->in_socket)
		return recv(link->in_fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
	return ioctl(link->in_fd, FIONREAD, &len) == 0 && len > 0;
}

/* The peer has gone. What it said before that, and we have not read yet, is still in the stream. */
static void hang_up(struct link *link)
{
	if (link->manner == LINK_DRAINS_AT_HANGUP)
		drain(link);
	if (link->manner == LINK_HEARS_HANGUP && has_unread(link))
		link->gone = true;
	else
		link->ended = true;
}

static void hear(struct link *link, uint32_t ready)
{
	if ((ready & LOOP_IN) && !link->ended) {
		link_read(link);
		if (link->calls->on_read)
			link->calls->on_read(link);
	}
	if (ready & LOOP_HUP)
		hang_up(link);
	link_mark(link);
}

static void in_ready(struct loop_source *source, uint32_t ready)
{
	hear(container_of(source, struct link, in_source), ready);
}

static void out_ready(struct loop_source *source, uint32_t ready)
{
	hear(container_of(source, struct link, out_source), ready);
}

static void on_starved(struct loop_timer *timer)
{
	/* There may be memory by now. */
	hear(container_of(timer, struct link, starved), LOOP_IN);
}

void link_init(struct link *link, struct loop *loop, int in_fd, int out_fd, size_t out_max,
	       struct buf_spare *spare, const struct link_calls *calls, enum link_manner manner)
{
	*link = (struct link){
		.loop = loop,
		.calls = calls,
		.manner = manner,
		.in_fd = in_fd,
		.out_fd = out_fd,
		.in_socket = fd_is_socket(in_fd),
		.turn.on_run = on_turn,
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
	if (!link->loop)
		return;
	loop_unmark(link->loop, &link->turn);
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
	link->loop = NULL;
}

void link_mark(struct link *link)
{
	if (!link->turn.marked)
		link->turn.late = link->bulk.len > 0;
	loop_mark(link->loop, &link->turn);
}

void link_stop(struct link *link)
{
	link->stopped = true;
	loop_want(link->loop, &link->in_source, 0);
	loop_want(link->loop, &link->out_source, 0);
	loop_disarm(link->loop, &link->starved);
}

/* ---- reading ---- */

static int next_frame(const struct link *link, struct frame *ret_frame)
{
	size_t missing;

	return frame_next_marked(&link->in, link->in_mark, ret_frame, &missing);
}

/* How much to ask for: the rest of a frame that is known to be longer, else a fair share. */
static size_t read_size(const struct link *link)
{
	bool is_short = link->in.spare && buf_spare_is_short(link->in.spare);
	size_t share = is_short ? READ_SHORT : READ_MAX, missing = 0;
	struct frame frame;

	if (!buf_len(&link->in))
		return link->readahead ? link->readahead : share;
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

struct buf *link_cut(struct link *link)
{
	struct frame frame;
	bool cut =
		!link->body && !link->ended && buf_len(&link->in) && next_frame(link, &frame) == 0;

	return cut ? &link->in : NULL;
}

bool link_is_dry(const struct link *link)
{
	struct pollfd in = {.fd = link->in_fd, .events = POLLIN};

	return !link->body && poll(&in, 1, 0) == 0;
}

bool link_has_lost_peer(const struct link *link)
{
	struct pollfd in = {.fd = link->in_fd, .events = POLLRDHUP};

	return link->broken || link->gone || link->ended || poll(&in, 1, 0) > 0;
}

void link_drop_input(struct link *link)
{
	buf_consume(&link->in, buf_len(&link->in));
}

void link_take_raw(struct link *link, bool raw)
{
	link->raw = raw;
}

void link_limit_readahead(struct link *link, size_t len)
{
	link->readahead = link->in_socket ? len : 0;
}

/* ---- writing ---- */

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

	if (n > 0) {
		buf_consume(&link->out, (size_t)n);
		link->sent += (size_t)n;
	}
	return n;
}

/* ---- the same with a mark behind each frame ---- */

static size_t mark_len_of(const struct link *link, const uint8_t *frame, uint64_t position)
{
	bool has_mark = link->out_mark && position >= link->marked_from &&
			frame_u32(frame + FRAME_PREFIX_LEN);

	return has_mark ? FRAME_MARK_LEN : 0;
}

static size_t frame_len_of(const uint8_t *frame)
{
	return FRAME_PREFIX_LEN + (size_t)frame_u32(frame);
}

/* So many bytes of frames, which begin there, go out: where the next frame begins is known by that. */
static void count_edges(struct link *link, const uint8_t *at, size_t len)
{
	while (len) {
		size_t step;

		if (!link->frame_left) {
			link->frame_left = frame_len_of(at);
			link->mark_left = mark_len_of(link, at, link->sent);
		}
		step = len < link->frame_left ? len : link->frame_left;
		link->frame_left -= step;
		link->sent += step;
		at += step;
		len -= step;
	}
}

/* Frames and their marks, in the order in which they go. How many parts there are. */
static int gather(const struct link *link, const uint8_t mark[FRAME_MARK_LEN],
		  struct iovec parts[PARTS_MAX])
{
	uint8_t *at = buf_head(&link->out);
	size_t left = buf_len(&link->out), frame = link->frame_left, mark_left = link->mark_left;
	int count = 0;

	while (count + 2 <= PARTS_MAX) {
		if (frame)
			parts[count++] = (struct iovec){at, frame};
		if (mark_left)
			parts[count++] = (struct iovec){
				(uint8_t *)mark + FRAME_MARK_LEN - mark_left, mark_left};
		at += frame;
		left -= frame;
		if (!left)
			break;
		frame = frame_len_of(at);
		mark_left = mark_len_of(link, at, link->sent + (size_t)(at - buf_head(&link->out)));
	}
	return count;
}

static void count_parts(struct link *link, size_t len)
{
	while (len) {
		size_t frame = link->frame_left, step;

		/* At first nothing, then what is left of a frame, then what is left of its mark. */
		if (!frame && !link->mark_left)
			frame = frame_len_of(buf_head(&link->out));
		step = len < frame ? len : frame;
		count_edges(link, buf_head(&link->out), step);
		buf_consume(&link->out, step);
		len -= step;
		if (link->frame_left)
			return;
		step = len < link->mark_left ? len : link->mark_left;
		link->mark_left -= step;
		len -= step;
	}
}

static ssize_t send_marked(struct link *link)
{
	uint8_t mark[FRAME_MARK_LEN];
	struct iovec parts[PARTS_MAX];
	struct msghdr message = {.msg_iov = parts};
	int count;
	ssize_t n;

	frame_put_mark(mark, link->out_mark);
	count = gather(link, mark, parts);
	message.msg_iovlen = (size_t)count;
	do {
		n = link->out_socket ? sendmsg(link->out_fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL)
				     : writev(link->out_fd, parts, count);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	count_parts(link, (size_t)n);
	return n;
}

/* None of them has one, and yet it is known where they begin. */
static ssize_t send_with_edges(struct link *link)
{
	ssize_t n = send_some(link, buf_head(&link->out), buf_len(&link->out));

	if (n > 0) {
		count_edges(link, buf_head(&link->out), (size_t)n);
		buf_consume(&link->out, (size_t)n);
	}
	return n;
}

void link_mark_frames(struct link *link, uint32_t mark)
{
	link->has_edges = true;
	link->bulk.refused = true;
	link->out_mark = mark;
	link->marked_from = link_queued(link);
	if (!mark)
		link->mark_left = 0;
}

/* ---- one write after the other ---- */

/* One write of what comes next: bytes of the queue, or the pages in their midst. */
static ssize_t send_next(struct link *link)
{
	ssize_t n;

	if (link->has_edges)
		return link->out_mark ? send_marked(link) : send_with_edges(link);
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
	n = bulk_drain(&link->bulk, link->out_fd);
	link->sent += n > 0 ? (size_t)n : 0;
	return n;
}

/* So fails writing to a peer that has gone. */
static bool is_farewell(int error)
{
	return error == EPIPE || error == ECONNRESET;
}

static void break_off(struct link *link, int error)
{
	link->broken = true;
	link->error = error;
	if (link->manner == LINK_HEARS_HANGUP && is_farewell(error) && !link->ended)
		hang_up(link);
}

bool link_flush(struct link *link)
{
	bool unsent = link_unsent(link) > 0;

	while (link_unsent(link) && !link->broken) {
		ssize_t n = send_next(link);

		if (n == -EAGAIN)
			return false;
		if (n < 0) {
			break_off(link, (int)-n);
			return false;
		}
	}
	return unsent && !link_unsent(link);
}

void link_give_up(struct link *link, int error)
{
	link->broken = true;
	link->error = error;
	link_mark(link);
}

int link_put(struct link *link, const uint8_t *data, size_t len)
{
	bool direct = len >= DIRECT_MIN && !link->out_mark;
	ssize_t n = 0;
	int r;

	if (direct)
		link_flush(link);
	if (direct && !link_unsent(link) && !link->broken)
		n = send_some(link, data, len);
	/* What is wrong with the stream, the next flush will see. */
	n = n > 0 ? n : 0;
	if (link->has_edges)
		count_edges(link, data, (size_t)n);
	else
		link->sent += (size_t)n;
	r = buf_append(&link->out, data + n, len - (size_t)n);
	/* What comes next would be taken for the rest. */
	if (r < 0 && n)
		link_give_up(link, -r);
	return r;
}

/* ---- the turn ---- */

/* The beginning of a frame, if its owner takes the rest from the stream itself. */
static bool take_part(struct link *link)
{
	size_t head = 0, body = 0;

	if (!link->calls->on_part || !link->in_socket || buf_len(&link->in) < FRAME_HEADER_LEN ||
	    !link->calls->on_part(link, &link->in, &head, &body))
		return false;
	/* Nothing is read beyond a frame that is not whole, so that all of this is of it. */
	link->body = body - (buf_len(&link->in) - head);
	link_drop_input(link);
	return true;
}

/* A part of it: whether to go on. */
static bool take_body(struct link *link)
{
	ssize_t n;

	if (link->calls->wish(link) != LINK_TAKE)
		return false;
	n = link->calls->on_body(link, link->in_fd, link->body);
	link->held = n == -EBUSY;
	if (n == -EAGAIN || n == -EBUSY)
		return false;
	if (n == -EINTR)
		return true;
	if (n <= 0) {
		link->ended = true;
		link->error = (int)-n;
		link->body = 0;
		return false;
	}
	link->body -= (size_t)n;
	return true;
}

/* 1: there is one; 0: none; -EAGAIN: there may be. */
static int stale_mark(const struct link *link)
{
	return link->passes_marks ? frame_is_mark(&link->in) : 0;
}

/* One frame, or what stands in for one: 1 to go on, 0 for nothing more now, or -errno. */
static int take_one(struct link *link)
{
	struct frame frame;
	int r;

	if (link->body)
		return take_body(link);
	if (link->calls->wish(link) != LINK_TAKE)
		return 0;
	if (link->raw)
		return link->calls->on_bytes(link, &link->in);
	r = stale_mark(link);
	if (r > 0)
		buf_consume(&link->in, FRAME_MARK_LEN);
	if (r)
		return r > 0;
	r = next_frame(link, &frame);
	if (r <= 0)
		return r == 0 && take_part(link) ? 1 : r;
	r = link->calls->on_frame(link, &frame);
	if (!link->loop)
		return 0;
	if (r == -EAGAIN) {
		link->put_off = true;
		return 0;
	}
	link->taken++;
	buf_consume(&link->in, frame.wire_len + frame.mark_len);
	return r < 0 ? r : 1;
}

static int take(struct link *link)
{
	uint64_t begun_us = loop_now_us();
	int r = 1;

	link->held = link->put_off = false;
	for (int i = 0; i < FRAMES_A_TURN && r > 0 && link->loop && !link->stopped; i++) {
		r = take_one(link);
		if (loop_now_us() - begun_us >= TURN_US)
			break;
	}
	link->cut_short = r > 0;
	return r < 0 ? r : 0;
}

/* Nothing is there that could be taken, as far as that was looked at: what is no frame only take_one() tells. */
static bool has_nothing(const struct link *link)
{
	struct frame frame;

	return !link->body && !link->cut_short &&
	       (link->raw || (stale_mark(link) <= 0 && next_frame(link, &frame) <= 0));
}

/* One that has gone may have its end still open, and then nothing tells that all of it was read. */
static void look_for_end(struct link *link)
{
	if (!link->gone || link->ended || has_unread(link))
		return;
	link->ended = true;
	link->body = 0;
}

/* Nobody is there any more for whom the rest would be waited for. */
static bool is_in_vain(const struct link *link, enum link_wish wish)
{
	return (link->gone || link->ended) && link->manner != LINK_TO_THE_LAST &&
	       (wish == LINK_CHOKED || link->put_off || link->starved.armed);
}

/* Of a peer that has gone there may be more to take, and then an end; of other failures nothing. */
static bool is_broken(const struct link *link, enum link_wish wish)
{
	if (!link->broken || !is_farewell(link->error) || link->manner == LINK_DRAINS_AT_HANGUP)
		return link->broken;
	return (link->ended && has_nothing(link)) || is_in_vain(link, wish);
}

/* Whether what came before the end was taken, as far as anybody waits for what becomes of it. */
static bool is_over(const struct link *link, enum link_wish wish)
{
	if (link->manner == LINK_TO_THE_LAST)
		return link->ended && wish == LINK_TAKE && !link->held && has_nothing(link);
	return is_in_vain(link, wish) || (link->ended && has_nothing(link));
}

/*
 * Watches for input, or for the peer's going away, and for room while output is queued. Nothing more is
 * read while a whole frame waits to be taken, which nothing that is watched will tell.
 */
static void watch(struct link *link, bool reads)
{
	bool waits = !has_nothing(link) && !link->body;
	uint32_t in = link->ended || link->gone ? 0 : LOOP_HUP;
	uint32_t out = link_unsent(link) && !link->broken ? LOOP_OUT : 0;

	if (in && link->manner == LINK_TO_THE_LAST)
		in = 0;
	if (!link->ended && reads && !waits && !link->held && !link->starved.armed)
		in = LOOP_IN;
	if (link->in_fd == link->out_fd)
		in |= out;
	loop_want(link->loop, &link->in_source, in);
	loop_want(link->loop, &link->out_source, out);
	if (reads && waits && !link->put_off)
		link_mark(link);
	if (link->calls->on_watched)
		link->calls->on_watched(link, reads && !link->put_off && !link->held &&
						      !link->starved.armed);
}

/* Says so, of the stream's end once; whether the link goes on. */
static bool tell_end(struct link *link, enum link_end how, int error)
{
	bool told = link->told & 1u << how;

	if (how != LINK_SENSELESS)
		link->told |= 1u << how;
	if (!told)
		link->calls->on_end(link, how, error);
	return link->loop && !link->stopped;
}

static void on_turn(struct loop_task *task)
{
	struct link *link = container_of(task, struct link, turn);
	enum link_wish wish;
	int r;

	if (link->stopped)
		return;
	r = take(link);
	if (!link->loop || link->stopped)
		return;
	link->calls->on_flushed(link, link_flush(link));
	if (!link->loop || link->stopped || (r < 0 && !tell_end(link, LINK_SENSELESS, -r)))
		return;
	look_for_end(link);
	/* Derived after the flush: what may be read depends on what could be written. */
	wish = link->calls->wish(link);
	if (is_broken(link, wish) ? !tell_end(link, LINK_BROKEN, link->error)
				  : is_over(link, wish) && !tell_end(link, LINK_ENDED, link->error))
		return;
	watch(link, wish == LINK_TAKE);
}
