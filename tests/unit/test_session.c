/*
 * The state machine of one command, row by row: normal ends, failures, lost clients. Ends by force
 * are test_session_forced.c's, random courses test_session_walk.c's.
 */
#include "unit_session.h"

static void normal_end_kills_nothing(void **state)
{
	struct session s = {0};

	(void)state;
	WALK(&s, {SESSION_RUNS, SESSION_SEND_STARTED}, {SESSION_LEADER_ENDED, 0},
	     {SESSION_OUTPUT_ENDED, END_OF_ALL});
	assert_nothing_is_left(&s);
}

static void output_may_end_before_the_leader(void **state)
{
	struct session s = {0};

	(void)state;
	WALK(&s, {SESSION_RUNS, SESSION_SEND_STARTED}, {SESSION_OUTPUT_ENDED, 0},
	     {SESSION_LEADER_ENDED, END_OF_ALL});
	assert_nothing_is_left(&s);
}

static void started_comes_before_exited_however_late_the_verdict(void **state)
{
	struct session s = {0};

	(void)state;
	WALK(&s, {SESSION_OUTPUT_ENDED, 0}, {SESSION_LEADER_ENDED, 0},
	     {SESSION_RUNS, SESSION_SEND_STARTED | END_OF_ALL});
	assert_nothing_is_left(&s);
}

static void failed_comes_alone(void **state)
{
	struct session s = {0}, late = {0};

	(void)state;
	WALK(&s, {SESSION_FAILED, SESSION_SEND_FAILED | SESSION_DISCARD},
	     {SESSION_LEADER_ENDED, SESSION_BURY}, {SESSION_OUTPUT_ENDED, SESSION_OVER});
	assert_nothing_is_left(&s);
	WALK(&late, {SESSION_LEADER_ENDED, 0}, {SESSION_OUTPUT_ENDED, 0},
	     {SESSION_FAILED, SESSION_SEND_FAILED | SESSION_DISCARD | SESSION_BURY | SESSION_OVER});
	assert_nothing_is_left(&late);
}

static void survivors_that_hold_the_output_are_waited_for(void **state)
{
	struct session s = {0};

	(void)state;
	WALK(&s, {SESSION_RUNS, SESSION_SEND_STARTED}, {SESSION_LEADER_ENDED, 0},
	     {SESSION_LEADER_ENDED, 0}, {SESSION_RUNS, 0});
	assert_false(s.done & SESSION_SEND_EXITED);
}

/* They live on: their output is read and thrown away until its end. */
static void silence_ends_the_wait_for_survivors(void **state)
{
	struct session s = {0};

	(void)state;
	WALK(&s, {SESSION_RUNS, SESSION_SEND_STARTED}, {SESSION_LEADER_ENDED, 0},
	     {SESSION_SILENT, SESSION_SEND_EXITED | SESSION_DISCARD | SESSION_BURY},
	     {SESSION_OUTPUT_ENDED, SESSION_OVER});
	assert_nothing_is_left(&s);
}

/* They live on still; but the daemon's end does not wait for theirs. */
static void shutdown_leaves_the_survivors_of_a_normal_end(void **state)
{
	struct session s = {0};

	(void)state;
	WALK(&s, {SESSION_RUNS, SESSION_SEND_STARTED}, {SESSION_LEADER_ENDED, 0},
	     {SESSION_SILENT, SESSION_SEND_EXITED | SESSION_DISCARD | SESSION_BURY},
	     {SESSION_SHUTDOWN, SESSION_OVER});
	assert_nothing_is_left(&s);
}

static void silence_of_a_running_leader_ends_nothing(void **state)
{
	struct session s = {0};

	(void)state;
	WALK(&s, {SESSION_RUNS, SESSION_SEND_STARTED}, {SESSION_SILENT, 0});
	assert_false(s.done & SESSION_SEND_EXITED);
}

static void lost_client_kills_by_default(void **state)
{
	struct session s = {0};

	(void)state;
	WALK(&s, {SESSION_RUNS, SESSION_SEND_STARTED},
	     {SESSION_CLIENT_GONE, SESSION_ASK | SESSION_ARM_GRACE | SESSION_DISCARD},
	     {SESSION_GRACE_OVER, SESSION_WATCH | SESSION_KILL}, {SESSION_OUTPUT_ENDED, 0},
	     {SESSION_LEADER_ENDED, 0}, {SESSION_EMPTY, SESSION_BURY | SESSION_OVER});
	assert_false(s.timed_out);
	assert_nothing_is_left(&s);
}

static void lost_client_hangs_up_and_no_more(void **state)
{
	struct session s = {.on_disconnect = MSG_DISCONNECT_HANGUP};

	(void)state;
	WALK(&s, {SESSION_RUNS, SESSION_SEND_STARTED},
	     {SESSION_CLIENT_GONE, SESSION_HANG_UP | SESSION_DISCARD}, {SESSION_OUTPUT_ENDED, 0},
	     {SESSION_LEADER_ENDED, SESSION_BURY | SESSION_OVER});
	assert_nothing_is_left(&s);
}

static void lost_client_may_leave_all_as_it_is(void **state)
{
	struct session s = {.on_disconnect = MSG_DISCONNECT_KEEP};

	(void)state;
	WALK(&s, {SESSION_RUNS, SESSION_SEND_STARTED}, {SESSION_CLIENT_GONE, SESSION_DISCARD},
	     {SESSION_LEADER_ENDED, SESSION_BURY}, {SESSION_OUTPUT_ENDED, SESSION_OVER});
	assert_nothing_is_left(&s);
}

static void time_out_strikes_with_the_client_gone(void **state)
{
	static const enum msg_on_disconnect ways[] = {MSG_DISCONNECT_KEEP, MSG_DISCONNECT_HANGUP};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(ways); i++) {
		struct session s = {.on_disconnect = ways[i]};

		WALK(&s, {SESSION_RUNS, SESSION_SEND_STARTED});
		session_event(&s, SESSION_CLIENT_GONE);
		WALK(&s, {SESSION_TIMED_OUT, SESSION_ASK | SESSION_ARM_GRACE},
		     {SESSION_GRACE_OVER, SESSION_WATCH | SESSION_KILL}, {SESSION_LEADER_ENDED, 0},
		     {SESSION_OUTPUT_ENDED, 0}, {SESSION_EMPTY, SESSION_BURY | SESSION_OVER});
		assert_nothing_is_left(&s);
	}
}

static void client_lost_before_the_verdict_hears_nothing(void **state)
{
	struct session kill = {0}, keep = {.on_disconnect = MSG_DISCONNECT_KEEP};
	struct session failed = {.on_disconnect = MSG_DISCONNECT_KEEP};

	(void)state;
	WALK(&kill, {SESSION_CLIENT_GONE, SESSION_ASK | SESSION_ARM_GRACE | SESSION_DISCARD},
	     {SESSION_RUNS, 0}, {SESSION_LEADER_ENDED, SESSION_WATCH}, {SESSION_OUTPUT_ENDED, 0},
	     {SESSION_EMPTY, SESSION_BURY | SESSION_OVER});
	WALK(&keep, {SESSION_CLIENT_GONE, SESSION_DISCARD}, {SESSION_RUNS, 0},
	     {SESSION_OUTPUT_ENDED, 0}, {SESSION_LEADER_ENDED, SESSION_BURY | SESSION_OVER});
	WALK(&failed, {SESSION_CLIENT_GONE, SESSION_DISCARD}, {SESSION_FAILED, 0},
	     {SESSION_OUTPUT_ENDED, 0}, {SESSION_LEADER_ENDED, SESSION_BURY | SESSION_OVER});
}

static void client_gone_after_exited_changes_nothing(void **state)
{
	(void)state;
	for (int way = MSG_DISCONNECT_KILL; way <= MSG_DISCONNECT_KEEP; way++) {
		struct session s = {.on_disconnect = (enum msg_on_disconnect)way};

		WALK(&s, {SESSION_RUNS, SESSION_SEND_STARTED}, {SESSION_LEADER_ENDED, 0},
		     {SESSION_SILENT, SESSION_SEND_EXITED | SESSION_DISCARD | SESSION_BURY},
		     {SESSION_CLIENT_GONE, 0}, {SESSION_OUTPUT_ENDED, SESSION_OVER});
		assert_nothing_is_left(&s);
	}
}

/* Once buried its number may be another's: nobody may be signalled any more. */
static void client_gone_after_failed_changes_nothing(void **state)
{
	(void)state;
	for (int way = MSG_DISCONNECT_KILL; way <= MSG_DISCONNECT_KEEP; way++) {
		struct session s = {.on_disconnect = (enum msg_on_disconnect)way};

		WALK(&s, {SESSION_FAILED, SESSION_SEND_FAILED | SESSION_DISCARD},
		     {SESSION_LEADER_ENDED, SESSION_BURY}, {SESSION_CLIENT_GONE, 0},
		     {SESSION_OUTPUT_ENDED, SESSION_OVER});
	}
}

static void each_action_is_given_once(void **state)
{
	struct session s = {0};

	(void)state;
	WALK(&s, {SESSION_RUNS, SESSION_SEND_STARTED}, {SESSION_RUNS, 0},
	     {SESSION_TIMED_OUT, SESSION_ASK | SESSION_ARM_GRACE}, {SESSION_TIMED_OUT, 0},
	     {SESSION_CLIENT_GONE, SESSION_DISCARD | SESSION_HASTEN}, {SESSION_CLIENT_GONE, 0},
	     {SESSION_SHUTDOWN, 0}, {SESSION_SHUTDOWN, 0},
	     {SESSION_GRACE_OVER, SESSION_WATCH | SESSION_KILL}, {SESSION_GRACE_OVER, 0},
	     {SESSION_OUTPUT_ENDED, 0}, {SESSION_OUTPUT_ENDED, 0}, {SESSION_LEADER_ENDED, 0},
	     {SESSION_LEADER_ENDED, 0}, {SESSION_EMPTY, SESSION_BURY | SESSION_OVER},
	     {SESSION_EMPTY, 0});
	assert_nothing_is_left(&s);
}

int main(void)
{
	const struct CMUnitTest session_tests[] = {
		cmocka_unit_test(normal_end_kills_nothing),
		cmocka_unit_test(output_may_end_before_the_leader),
		cmocka_unit_test(started_comes_before_exited_however_late_the_verdict),
		cmocka_unit_test(failed_comes_alone),
		cmocka_unit_test(survivors_that_hold_the_output_are_waited_for),
		cmocka_unit_test(silence_ends_the_wait_for_survivors),
		cmocka_unit_test(shutdown_leaves_the_survivors_of_a_normal_end),
		cmocka_unit_test(silence_of_a_running_leader_ends_nothing),
		cmocka_unit_test(lost_client_kills_by_default),
		cmocka_unit_test(lost_client_hangs_up_and_no_more),
		cmocka_unit_test(lost_client_may_leave_all_as_it_is),
		cmocka_unit_test(time_out_strikes_with_the_client_gone),
		cmocka_unit_test(client_lost_before_the_verdict_hears_nothing),
		cmocka_unit_test(client_gone_after_exited_changes_nothing),
		cmocka_unit_test(client_gone_after_failed_changes_nothing),
		cmocka_unit_test(each_action_is_given_once),
	};

	return cmocka_run_group_tests(session_tests, NULL, NULL);
}
