/* A link whose owner stopped reading or writing: what it is woken by, and what it is told instead. */
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../shared/link.h"
#include "unit_loop.h"

static struct link under_test;
static struct loop_task owners;
static int peer;
static unsigned turns;

static void on_link(struct link *link, uint32_t ready)
{
	if ((ready & LOOP_IN) && !link->ended)
		link_read(link);
	loop_mark(&loop, &owners);
}

static int set_up(void **state)
{
	int pair[2];

	turns = 0;
	if (unit_set_up(state) ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return 1;
	peer = pair[1];
	owners = (struct loop_task){0};
	link_init(&under_test, &loop, pair[0], pair[0], 1 << 24, NULL, on_link);
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

/* Takes one frame a turn, by nothing but what link_watch() says. */
static void take_one(struct loop_task *task)
{
	struct frame frame;

	if (link_next(&under_test, &frame) > 0) {
		link_done(&under_test, &frame);
		if (++turns == 100) {
			loop_stop(&loop);
			return;
		}
	}
	if (link_watch(&under_test, true, false))
		loop_mark(&loop, task);
}

static void owner_that_takes_one_frame_a_turn_gets_them_all(void **state)
{
	(void)state;
	owners.on_run = take_one;
	send_pings(100);
	run();
	assert_int_equal(turns, 100);
}

static void owner_that_wants_none_is_not_called_for_one_that_waits(void **state)
{
	struct frame frame;

	(void)state;
	send_pings(2);
	link_read(&under_test);
	assert_false(link_watch(&under_test, false, false));
	assert_int_equal(under_test.in_source.want, 0);
	assert_true(link_watch(&under_test, true, false));
	assert_int_equal(under_test.in_source.want, 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(link_next(&under_test, &frame), 1);
		link_done(&under_test, &frame);
	}
	assert_false(link_watch(&under_test, true, false));
	assert_int_equal(under_test.in_source.want, LOOP_IN);
}

/* What cannot be a frame is for the owner to see, however little of it is there. */
static void lost_framing_is_told(void **state)
{
	(void)state;
	assert_int_equal(write(peer, "\0\0\0\1", 4), 4);
	link_read(&under_test);
	assert_true(link_watch(&under_test, true, false));
	under_test.greeting = true;
	assert_false(link_watch(&under_test, true, false));
}

static void flush_all(struct loop_task *task)
{
	(void)task;
	link_flush(&under_test);
	if (!link_unsent(&under_test))
		loop_stop(&loop);
	else
		link_watch(&under_test, false, false);
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
	owners.on_run = flush_all;
	loop_source_init(&reads, peer, read_some);
	loop_want(&loop, &reads, LOOP_IN);
	loop_mark(&loop, &owners);
	run();
	assert_int_equal(under_test.sent, 2 * sizeof(much) + 50000);
	loop_remove(&loop, &reads);
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest wake_link_tests[] = {
#define WAKE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		WAKE(owner_that_takes_one_frame_a_turn_gets_them_all),
		WAKE(owner_that_wants_none_is_not_called_for_one_that_waits),
		WAKE(lost_framing_is_told),
		WAKE(queue_goes_out_as_the_peer_takes_it),
	};

	return cmocka_run_group_tests(wake_link_tests, NULL, NULL);
}
