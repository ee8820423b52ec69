/* Whether a stream may be left alone for a moment. */
#include "daemon/session/pace.h"
#include "unit.h"

#define ROOM 4096

static struct pace pace;
static uint64_t now_us;

static int set_up(void **state)
{
	(void)state;
	pace = (struct pace){0};
	now_us = 1000000;
	return 0;
}

/* The next read, so long after the one before. */
static bool rests(int stream, size_t len, uint64_t after_us)
{
	now_us += after_us;
	return pace_rests(&pace, stream, len, ROOM, now_us);
}

/* How many reads of that kind come before the first rest; 0: a thousand do not bring one. */
static unsigned reads_until_rest(size_t len, uint64_t gap_us)
{
	for (unsigned i = 1; i <= 1000; i++)
		if (rests(0, len, gap_us))
			return i;
	return 0;
}

static void who_brings_little_and_often_rests_but_not_at_first(void **state)
{
	(void)state;
	assert_int_equal(reads_until_rest(2, 10), PACE_MANY + 1);
}

static void who_takes_his_time_never_rests(void **state)
{
	(void)state;
	assert_int_equal(reads_until_rest(2, 1000), 0);
}

static void who_writes_more_than_has_room_in_a_rest_never_does(void **state)
{
	(void)state;
	/* 5000 bytes a millisecond. */
	assert_int_equal(reads_until_rest(50, 10), 0);
	assert_int_equal(reads_until_rest(ROOM + 1, 999), 0);
}

static void who_becomes_slower_rests_then(void **state)
{
	(void)state;
	assert_int_equal(reads_until_rest(50, 10), 0);
	assert_in_range(reads_until_rest(30, 10), 1, 2 * PACE_MANY + 2);
}

static void rest_follows_a_rest_while_it_brings_less_than_has_room(void **state)
{
	(void)state;
	assert_int_equal(reads_until_rest(2, 10), PACE_MANY + 1);
	for (int i = 0; i < 100; i++) {
		pace_rested(&pace);
		assert_true(rests(0, ROOM - 1, 1100));
	}
	pace_rested(&pace);
	assert_false(rests(0, ROOM, 1100));
	assert_true(reads_until_rest(2, 10) >= PACE_MANY);
}

static void what_is_waited_for_begins_anew(void **state)
{
	(void)state;
	assert_int_equal(reads_until_rest(2, 10), PACE_MANY + 1);
	pace_rested(&pace);
	pace_reset(&pace);
	assert_false(rests(0, 2, 10));
	for (unsigned i = 1; i < 100; i++) {
		pace_reset(&pace);
		assert_false(rests(0, 2, 10));
	}
}

static void streams_that_take_turns_never_rest(void **state)
{
	(void)state;
	for (int i = 0; i < 1000; i++)
		assert_false(rests(i % 2, 2, 10));
}

/* So many bytes each so many microseconds: whether that floods after a second. */
static bool floods(size_t len, uint64_t gap_us)
{
	bool is = false;

	pace = (struct pace){0};
	for (uint64_t at_us = 0; at_us < 1000000; at_us += gap_us)
		is = pace_floods(&pace, len, now_us + at_us);
	return is;
}

static void flood_is_what_brings_much_for_long(void **state)
{
	(void)state;
	assert_true(floods(1024 * 1024, 300));
	assert_true(floods(8192, 16));
	assert_true(floods(65536, 1000));
	assert_false(floods(16384, 1000));
	assert_false(floods(100, 10));
}

/* A slow reader: what it takes a second is little, and comes in pieces as large as its queues. */
static void what_a_slow_reader_takes_is_no_flood(void **state)
{
	(void)state;
	assert_false(floods(1024 * 1024, 100000));
}

static void much_at_once_is_no_flood(void **state)
{
	(void)state;
	for (int i = 0; i < 32; i++)
		assert_false(pace_floods(&pace, 65536, now_us));
	assert_true(pace_floods(&pace, 65536, now_us));
	assert_false(pace_floods(&pace, 1, now_us + 1000000));
}

/* The lines behind a long output are no flood. */
static void flood_is_over_soon_after_however_long_it_lasted(void **state)
{
	(void)state;
	pace = (struct pace){0};
	for (int i = 0; i < 10000; i++)
		pace_floods(&pace, 1024 * 1024, now_us += 1000);
	assert_true(pace_floods(&pace, 1, now_us));
	assert_false(pace_floods(&pace, 1, now_us + 50000));
	assert_false(pace_floods(&pace, 1, now_us + UINT64_C(86400) * 30 * 1000000));
}

/* What comes long after is the first again. */
static void rest_in_which_nothing_came_is_the_last(void **state)
{
	(void)state;
	assert_int_equal(reads_until_rest(2, 10), PACE_MANY + 1);
	pace_rested(&pace);
	pace_settle(&pace);
	assert_int_equal(reads_until_rest(2, 1000000), 0);
}

static void rest_of_one_stream_is_not_that_of_the_other(void **state)
{
	(void)state;
	assert_int_equal(reads_until_rest(2, 10), PACE_MANY + 1);
	pace_rested(&pace);
	assert_false(rests(1, 2, 10));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(who_brings_little_and_often_rests_but_not_at_first, set_up),
		cmocka_unit_test_setup(who_takes_his_time_never_rests, set_up),
		cmocka_unit_test_setup(who_writes_more_than_has_room_in_a_rest_never_does, set_up),
		cmocka_unit_test_setup(who_becomes_slower_rests_then, set_up),
		cmocka_unit_test_setup(rest_follows_a_rest_while_it_brings_less_than_has_room,
				       set_up),
		cmocka_unit_test_setup(what_is_waited_for_begins_anew, set_up),
		cmocka_unit_test_setup(flood_is_what_brings_much_for_long, set_up),
		cmocka_unit_test_setup(what_a_slow_reader_takes_is_no_flood, set_up),
		cmocka_unit_test_setup(much_at_once_is_no_flood, set_up),
		cmocka_unit_test_setup(flood_is_over_soon_after_however_long_it_lasted, set_up),
		cmocka_unit_test_setup(rest_in_which_nothing_came_is_the_last, set_up),
		cmocka_unit_test_setup(rest_of_one_stream_is_not_that_of_the_other, set_up),
		cmocka_unit_test_setup(streams_that_take_turns_never_rest, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
