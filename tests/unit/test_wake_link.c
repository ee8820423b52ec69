/* A link whose owner stopped reading or writing: what it is woken by, and what it is told instead. */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/io/link.h"
#include "unit_link.h"
#include "unit_loop.h"

static struct link under_test;
static int peer;
static enum link_wish wished;
static bool took;	   /* its one frame of this turn */
static bool took_one_only; /* it takes no more than that */
static unsigned frames, wanted, lost;

static enum link_wish wish(struct link *link)
{
	(void)link;
	return took && took_one_only ? LINK_WAIT : wished;
}

static int on_frame(struct link *link, const struct frame *frame)
{
	(void)link;
	(void)frame;
	took = true;
	if (++frames == wanted)
		loop_stop(&loop);
	return 0;
}

static int on_bytes(struct link *link, struct buf *in)
{
	(void)link;
	(void)in;
	return 0;
}

static void on_flushed(struct link *link, bool emptied)
{
	(void)link;
	took = false;
	if (emptied)
		loop_stop(&loop);
}

static void on_end(struct link *link, enum link_end how, int error)
{
	assert_int_equal(how, LINK_SENSELESS);
	assert_int_equal(error, EBADMSG);
	lost++;
	link_drop_input(link);
}

static const struct link_calls calls = {
	.wish = wish,
	.on_frame = on_frame,
	.on_bytes = on_bytes,
	.on_flushed = on_flushed,
	.on_end = on_end,
};

static int set_up(void **state)
{
	int pair[2];

	frames = wanted = lost = 0;
	wished = LINK_TAKE;
	took = false;
	took_one_only = true;
	if (unit_set_up(state) ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return 1;
	peer = pair[1];
	link_init(&under_test, &loop, pair[0], pair[0], 1 << 24, NULL, &calls, LINK_TO_THE_LAST);
	return 0;
}

static int tear_down(void **state)
{
	link_release(&under_test);
	close(peer);
	return unit_tear_down(state);
}

static void send_pings(int count)
{
	struct buf out;

	buf_init(&out, 1 << 20, NULL);
	for (int i = 0; i < count; i++)
		assert_int_equal(msg_put_empty(&out, 1, MSG_PING), 0);
	assert_int_equal(write(peer, buf_head(&out), buf_len(&out)), buf_len(&out));
	buf_release(&out);
}

static void owner_that_takes_one_frame_a_turn_gets_them_all(void **state)
{
	(void)state;
	wanted = 100;
	send_pings(100);
	run();
	assert_int_equal(frames, 100);
}

static void owner_that_wants_none_is_not_called_for_one_that_waits(void **state)
{
	(void)state;
	wished = LINK_WAIT;
	send_pings(2);
	link_read(&under_test);
	link_mark(&under_test);
	run_once();
	assert_int_equal(under_test.in_source.want, 0);
	assert_int_equal(frames, 0);
	wished = LINK_TAKE;
	wanted = 2;
	link_mark(&under_test);
	run();
	run_once();
	assert_int_equal(frames, 2);
	assert_int_equal(under_test.in_source.want, LOOP_IN);
}

/* What cannot be a frame is for the owner to see, however little of it is there. */
static void lost_framing_is_told(void **state)
{
	(void)state;
	link_take_raw(&under_test, true);
	assert_int_equal(write(peer, "\0\0\0\1", 4), 4);
	link_read(&under_test);
	link_mark(&under_test);
	run_once();
	assert_int_equal(lost, 0);
	link_take_raw(&under_test, false);
	link_mark(&under_test);
	run_once();
	assert_int_equal(lost, 1);
}

/* What a turn has left over for want of time is looked at in the next, if it is no frame either. */
static void no_frame_behind_as_many_as_one_turn_takes_is_told(void **state)
{
	(void)state;
	for (int count = 255; count <= 257; count++) {
		lost = 0;
		wished = LINK_WAIT;
		send_pings(count);
		assert_int_equal(write(peer, "\0\0\0\0", 4), 4);
		settle();
		took_one_only = false;
		wished = LINK_TAKE;
		link_mark(&under_test);
		settle();
		assert_int_equal(lost, 1);
	}
}

/* ---- a peer that goes ---- */

/* Each frame has an answer, of which the one that has gone hears nothing. */
static int answer(struct link *link, const struct frame *frame)
{
	return msg_put_empty(link_out(link), frame->id, MSG_PONG) < 0 ? -ENOMEM
								      : on_frame(link, frame);
}

static void on_gone(struct link *link, enum link_end how, int error)
{
	assert_int_not_equal(how, LINK_SENSELESS);
	assert_true(error == 0 || error == EPIPE);
	lost++;
	link_stop(link);
	loop_stop(&loop);
}

static const struct link_calls calls_for_gone = {
	.wish = wish,
	.on_frame = answer,
	.on_flushed = on_flushed,
	.on_end = on_gone,
};

static void change(const struct link_calls *with, enum link_manner manner)
{
	under_test.calls = with;
	under_test.manner = manner;
}

/* It takes a frame a turn, and its first answer fails. */
static void what_was_said_before_going_is_taken_though_no_answer_can_be_sent(void **state)
{
	(void)state;
	change(&calls_for_gone, LINK_HEARS_HANGUP);
	send_pings(100);
	shutdown(peer, SHUT_RDWR);
	run();
	while (!lost)
		run();
	assert_int_equal(frames, 100);
	assert_int_equal(lost, 1);
}

/* The hang-up is heard while frames wait that have been read, and others are still in the stream. */
static void what_was_said_before_going_is_taken_once_there_is_time(void **state)
{
	(void)state;
	change(&calls_for_gone, LINK_HEARS_HANGUP);
	wished = LINK_WAIT;
	send_pings(2);
	link_read(&under_test);
	send_pings(2);
	shutdown(peer, SHUT_RDWR);
	link_mark(&under_test);
	for (int i = 0; i < 3; i++)
		run_once();
	assert_int_equal(frames, 0);
	assert_int_equal(lost, 0);
	/* Of what is always so there are no wake-ups. */
	assert_int_equal(under_test.in_source.want, 0);
	wished = LINK_TAKE;
	link_mark(&under_test);
	while (!lost)
		run();
	assert_int_equal(frames, 4);
	assert_int_equal(lost, 1);
}

static void what_waits_behind_answers_that_are_not_taken_goes_with_who_asked(void **state)
{
	(void)state;
	change(&calls_for_gone, LINK_HEARS_HANGUP);
	wished = LINK_CHOKED;
	send_pings(2);
	link_read(&under_test);
	link_mark(&under_test);
	run_once();
	assert_int_equal(lost, 0);
	shutdown(peer, SHUT_RDWR);
	run();
	assert_int_equal(frames, 0);
	assert_int_equal(lost, 1);
}

/* It takes no more, but has not gone: there is no hang-up, and no end of file either. */
static void one_that_takes_no_more_is_told_though_it_stays(void **state)
{
	(void)state;
	change(&calls_for_gone, LINK_HEARS_HANGUP);
	wished = LINK_WAIT;
	send_pings(3);
	run_once();
	/* These are not read before the first answer fails. */
	send_pings(3);
	shutdown(peer, SHUT_RD);
	wished = LINK_TAKE;
	link_mark(&under_test);
	for (int i = 0; i < 20 && !lost; i++)
		run_once();
	assert_int_equal(frames, 6);
	assert_int_equal(lost, 1);
}

static void read_some(struct loop_source *source, uint32_t ready)
{
	uint8_t waste[3000];

	(void)ready;
	assert_true(read(source->fd, waste, sizeof(waste)) > 0);
}

/* Bytes, pages and bytes, to a peer that takes little at a time. */
static void queue_goes_out_as_the_peer_takes_it(void **state)
{
	static uint8_t much[1 << 20];
	struct loop_source reads;
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(write(ends[1], much, 50000), 50000);
	assert_int_equal(buf_append(&under_test.out, much, sizeof(much)), 0);
	assert_int_equal(bulk_fill(&under_test.bulk, ends[0], 50000), 50000);
	under_test.bulk.before = buf_len(&under_test.out);
	assert_int_equal(buf_append(&under_test.out, much, sizeof(much)), 0);
	loop_source_init(&reads, peer, read_some);
	loop_want(&loop, &reads, LOOP_IN);
	link_mark(&under_test);
	run();
	assert_int_equal(under_test.sent, 2 * sizeof(much) + 50000);
	loop_remove(&loop, &reads);
	close(ends[0]);
	close(ends[1]);
}

static size_t read_all(void)
{
	char some[65536];
	size_t all = 0;
	ssize_t n;

	while ((n = read(peer, some, sizeof(some))) > 0)
		all += (size_t)n;
	return all;
}

/* What comes behind a frame that was cut would be taken for the rest of it. */
static void nothing_follows_what_is_cut(void **state)
{
	static uint8_t large[4 * 1024 * 1024];
	uint8_t small[100] = {1};
	size_t part;

	(void)state;
	under_test.out.max = 4096;
	assert_int_equal(link_put(&under_test, large, sizeof(large)), -ENOBUFS);
	part = read_all();
	assert_true(part > 0 && part < sizeof(large));
	link_put(&under_test, small, sizeof(small));
	link_flush(&under_test);
	assert_int_equal(read_all(), 0);
}

/* ---- the turn's time is over in the midst of a frame that its owner takes from the stream ---- */

#define BODY  40000
#define PIECE 10000 /* that one call takes, and with it all of a turn's time */

static unsigned pieces;

static bool takes_part(struct link *link, const struct buf *in, size_t *ret_head, size_t *ret_body)
{
	(void)link;
	*ret_head = FRAME_HEADER_LEN;
	*ret_body = BODY;
	return frame_u32(buf_head(in)) == FRAME_HEADER_LEN - FRAME_PREFIX_LEN + BODY;
}

static ssize_t take_slowly(struct link *link, int fd, size_t len)
{
	uint64_t begun_us = loop_now_us();
	static uint8_t piece[PIECE];
	ssize_t n = recv(fd, piece, len < PIECE ? len : PIECE, MSG_DONTWAIT);

	(void)link;
	while (loop_now_us() - begun_us < 1000)
		;
	pieces += n > 0;
	return n < 0 ? -errno : n;
}

static const struct link_calls calls_for_body = {
	.wish = unit_link_takes,
	.on_frame = on_frame,
	.on_part = takes_part,
	.on_body = take_slowly,
	.on_flushed = unit_link_flushed,
	.on_end = on_end,
};

/* All of it is there, and so is the frame behind it: no news come that would wake the link. */
static void frame_behind_a_body_that_takes_all_time_is_taken(void **state)
{
	uint8_t head[FRAME_HEADER_LEN], body[BODY] = {0};

	(void)state;
	change(&calls_for_body, LINK_TO_THE_LAST);
	pieces = 0;
	frame_put_header(head, 1, 0, BODY);
	assert_int_equal(write(peer, head, sizeof(head)), sizeof(head));
	settle();
	assert_int_equal(write(peer, body, sizeof(body)), sizeof(body));
	send_pings(3);
	wanted = 3;
	run();
	assert_int_equal(pieces, BODY / PIECE);
}

int main(void)
{
	const struct CMUnitTest wake_link_tests[] = {
#define WAKE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		WAKE(owner_that_takes_one_frame_a_turn_gets_them_all),
		WAKE(owner_that_wants_none_is_not_called_for_one_that_waits),
		WAKE(lost_framing_is_told),
		WAKE(no_frame_behind_as_many_as_one_turn_takes_is_told),
		WAKE(what_was_said_before_going_is_taken_though_no_answer_can_be_sent),
		WAKE(what_was_said_before_going_is_taken_once_there_is_time),
		WAKE(what_waits_behind_answers_that_are_not_taken_goes_with_who_asked),
		WAKE(one_that_takes_no_more_is_told_though_it_stays),
		WAKE(queue_goes_out_as_the_peer_takes_it),
		WAKE(nothing_follows_what_is_cut),
		WAKE(frame_behind_a_body_that_takes_all_time_is_taken),
	};

	return cmocka_run_group_tests(wake_link_tests, NULL, NULL);
}
