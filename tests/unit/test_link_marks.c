/* Frames with a mark behind them: what goes out, in whatever pieces, and what is taken for one that broke off. */
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit_link.h"
#include "unit_loop.h"

#define MARK	   0xc0ffee01u
#define FRAMES	   300 /* more than go out in one write */
#define UNMARKED   90  /* of them, at first */
#define LARGE	   20000
#define OUT_MAX	   (64 << 20)
#define WANTED_MAX (16 << 20)

static struct link under_test;
static struct buf wanted;
static int peer;

static void on_end(struct link *link, enum link_end how, int error)
{
	(void)link;
	fail_msg("the link ends: %d, %d", how, error);
}

static const struct link_calls calls = {
	.wish = unit_link_waits,
	.on_frame = unit_link_drops,
	.on_flushed = unit_link_flushed,
	.on_end = on_end,
};

static void begin(int in_fd, int out_fd)
{
	link_init(&under_test, &loop, in_fd, out_fd, OUT_MAX, NULL, &calls, LINK_TO_THE_LAST);
	buf_init(&wanted, WANTED_MAX, NULL);
	link_mark_frames(&under_test, 0);
}

static void end(void)
{
	link_release(&under_test);
	buf_release(&wanted);
	close(peer);
}

/* Every third has no id, and every seventh is large; these are put in one piece, as a relay does. */
static void put(uint32_t i, uint32_t mark)
{
	static uint8_t frame[FRAME_HEADER_LEN + LARGE], bytes[FRAME_MARK_LEN];
	size_t len = i % 7 ? i % 50 : LARGE;

	frame_put_header(frame, i % 3 ? i : 0, 0, len);
	memset(frame + FRAME_HEADER_LEN, (int)i, len);
	len += FRAME_HEADER_LEN;
	assert_int_equal(link_put(&under_test, frame, len), 0);
	assert_int_equal(buf_append(&wanted, frame, len), 0);
	if (!mark || i % 3 == 0)
		return;
	frame_put_mark(bytes, mark);
	assert_int_equal(buf_append(&wanted, bytes, sizeof(bytes)), 0);
}

/* What has come is what was wanted, and what is left is waited for no longer. */
static void take(size_t most)
{
	static uint8_t got[1 << 20];
	ssize_t n = read(peer, got, most < sizeof(got) ? most : sizeof(got));

	if (n < 0)
		return;
	assert_true((size_t)n <= buf_len(&wanted));
	assert_memory_equal(got, buf_head(&wanted), (size_t)n);
	buf_consume(&wanted, (size_t)n);
}

static void all_goes_out(void)
{
	size_t bytes = 0;

	for (uint32_t i = 1; i < FRAMES; i++) {
		if (i == UNMARKED)
			link_mark_frames(&under_test, MARK);
		put(i, i < UNMARKED ? 0 : MARK);
		if (i % 5 == 0)
			link_flush(&under_test);
		if (i % 11 == 0)
			take(i * 37);
		bytes += FRAME_HEADER_LEN + (i % 7 ? i % 50 : LARGE);
	}
	assert_int_equal(link_queued(&under_test), bytes);
	for (int i = 0; buf_len(&wanted); i++) {
		assert_true(i < 1 << 20);
		link_flush(&under_test);
		take((size_t)(i % 100 ? i % 100 : 5000));
	}
	assert_int_equal(link_unsent(&under_test), 0);
	assert_int_equal(link_sent(&under_test), bytes);
	/* One that has none again. */
	link_mark_frames(&under_test, 0);
	put(1, 0);
	link_flush(&under_test);
	take(WANTED_MAX);
	assert_int_equal(buf_len(&wanted), 0);
}

static void marks_stand_behind_frames_in_whatever_pieces_they_go(void **state)
{
	static const int little = 4608;
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair),
			 0);
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &little, sizeof(little));
	peer = pair[1];
	begin(pair[0], pair[0]);
	all_goes_out();
	end();
}

static void the_same_where_there_is_no_socket(void **state)
{
	int to_peer[2], from_peer[2];

	(void)state;
	assert_int_equal(pipe2(to_peer, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(pipe2(from_peer, O_CLOEXEC | O_NONBLOCK), 0);
	fcntl(to_peer[1], F_SETPIPE_SZ, 4096);
	peer = to_peer[0];
	begin(from_peer[0], to_peer[1]);
	all_goes_out();
	end();
	close(from_peer[1]);
}

/* ---- what comes ---- */

static int next(struct buf *queue, uint32_t mark, size_t *ret_missing)
{
	struct frame frame = {.id = 0};
	int r;

	*ret_missing = 0;
	r = frame_next_marked(queue, mark, &frame, ret_missing);
	if (r > 0)
		assert_int_equal(frame.mark_len, mark && frame.id ? FRAME_MARK_LEN : 0);
	return r;
}

static void frame_waits_for_its_mark(void **state)
{
	unit_held struct msg_bytes whole = unit_hex("00000006 00000007 00 a0 00000004 c0ffee01");
	size_t missing;

	(void)state;
	for (size_t len = 10; len < whole.len; len++) {
		unit_held struct msg_bytes bytes = unit_copy(whole.ptr, len);
		struct buf queue = unit_queue(bytes);

		assert_int_equal(next(&queue, MARK, &missing), 0);
		assert_int_equal(missing, whole.len - len);
		assert_int_equal(next(&queue, 0, &missing), 1);
	}
	struct buf queue = unit_queue(whole);

	assert_int_equal(next(&queue, MARK, &missing), 1);
}

static void frame_of_nobody_has_none(void **state)
{
	unit_held struct msg_bytes bytes = unit_hex("00000006 00000000 00 a0");
	struct buf queue = unit_queue(bytes);
	size_t missing;

	(void)state;
	assert_int_equal(next(&queue, MARK, &missing), 1);
}

/* At the first byte that differs: what would have to come for the rest may never. */
static void what_is_no_mark_is_told_at_once(void **state)
{
	static const char *const behind[] = {
		"01",	       "0000000500",	    "00000004 c0ffee02",
		"00000004 01", "00000004 00000000", "000000c8"};
	size_t missing;

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(behind); i++) {
		char text[128];

		snprintf(text, sizeof(text), "00000006 00000007 00 a0 %s", behind[i]);
		unit_held struct msg_bytes bytes = unit_hex(text);
		struct buf queue = unit_queue(bytes);

		assert_int_equal(next(&queue, MARK, &missing), -EILSEQ);
	}
}

/* ---- what was for who was here before ---- */

static unsigned taken;

static int on_frame_of_three(struct link *link, const struct frame *frame)
{
	(void)link;
	(void)frame;
	taken++;
	if (taken == 3)
		loop_stop(&loop);
	return 0;
}

static const struct link_calls calls_that_take = {
	.wish = unit_link_takes,
	.on_frame = on_frame_of_three,
	.on_flushed = unit_link_flushed,
	.on_end = on_end,
};

static void marks_that_nobody_here_agreed_on_are_passed_over(void **state)
{
	unit_held struct msg_bytes words =
		unit_hex("00000006 00000007 00 a0 00000004 c0ffee01 00000004 c0ffee01"
			 "00000006 00000000 00 a0 00000006 00000007 00 a0");
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair),
			 0);
	peer = pair[1];
	begin(pair[0], pair[0]);
	under_test.calls = &calls_that_take;
	link_pass_marks(&under_test, true);
	link_mark(&under_test);
	/* At once, and in pieces that end anywhere. */
	for (size_t cut = 0; cut < words.len; cut++) {
		taken = 0;
		assert_int_equal(write(peer, words.ptr, cut), cut);
		run_once();
		assert_int_equal(write(peer, words.ptr + cut, words.len - cut), words.len - cut);
		run();
		assert_int_equal(taken, 3);
	}
	end();
}

int main(void)
{
	const struct CMUnitTest link_marks_tests[] = {
#define MARKS(name) cmocka_unit_test_setup_teardown(name, unit_set_up, unit_tear_down)
		MARKS(marks_stand_behind_frames_in_whatever_pieces_they_go),
		MARKS(the_same_where_there_is_no_socket),
		MARKS(frame_waits_for_its_mark),
		MARKS(frame_of_nobody_has_none),
		MARKS(what_is_no_mark_is_told_at_once),
		MARKS(marks_that_nobody_here_agreed_on_are_passed_over),
	};

	return cmocka_run_group_tests(link_marks_tests, NULL, NULL);
}
