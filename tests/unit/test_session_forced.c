/* The state machine of one command: ends by force, of time-outs, lost clients and shutdown. */
#include "unit_session.h"

static void time_out_asks_first_and_kills_after_the_grace(void **state)
{
	struct session s = {0};

	(void)state;
	WALK(&s, {SESSION_RUNS, SESSION_SEND_STARTED},
	     {SESSION_TIMED_OUT, SESSION_ASK | SESSION_ARM_GRACE},
	     {SESSION_GRACE_OVER, SESSION_WATCH | SESSION_KILL}, {SESSION_LEADER_ENDED, 0},
	     {SESSION_OUTPUT_ENDED, SESSION_SEND_EXITED | SESSION_DISCARD},
	     {SESSION_EMPTY, SESSION_BURY | SESSION_OVER});
	assert_true(s.timed_out);
	assert_nothing_is_left(&s);
}

static void command_that_ends_when_asked_is_not_killed(void **state)
{
	struct session s = {0};

	(void)state;
	WALK(&s, {SESSION_RUNS, SESSION_SEND_STARTED},
	     {SESSION_TIMED_OUT, SESSION_ASK | SESSION_ARM_GRACE},
	     {SESSION_LEADER_ENDED, SESSION_WATCH}, {SESSION_EMPTY, 0},
	     {SESSION_OUTPUT_ENDED, END_OF_ALL});
	assert_nothing_is_left(&s);
}

/* Interactive bash ignores TERM and its jobs outlive it: exited goes out, the forced end goes on.
 */
static void survivors_are_killed_although_exited_went_out(void **state)
{
	struct session s = {0};

	(void)state;
	WALK(&s, {SESSION_RUNS, SESSION_SEND_STARTED},
	     {SESSION_TIMED_OUT, SESSION_ASK | SESSION_ARM_GRACE},
	     {SESSION_LEADER_ENDED, SESSION_WATCH},
	     {SESSION_OUTPUT_ENDED, SESSION_SEND_EXITED | SESSION_DISCARD},
	     {SESSION_GRACE_OVER, SESSION_KILL}, {SESSION_EMPTY, SESSION_BURY | SESSION_OVER});
	assert_nothing_is_left(&s);
}

/* What the killing frees may still be output: no tail is lost to the linger clock. */
static void silence_waits_for_a_forced_end(void **state)
{
	struct session s = {0};

	(void)state;
	WALK(&s, {SESSION_RUNS, SESSION_SEND_STARTED},
	     {SESSION_TIMED_OUT, SESSION_ASK | SESSION_ARM_GRACE},
	     {SESSION_LEADER_ENDED, SESSION_WATCH}, {SESSION_SILENT, 0},
	     {SESSION_GRACE_OVER, SESSION_KILL},
	     {SESSION_EMPTY, SESSION_SEND_EXITED | SESSION_DISCARD | SESSION_BURY},
	     {SESSION_OUTPUT_ENDED, SESSION_OVER});
	assert_nothing_is_left(&s);
}

/* msb-exec that is hung up passes that on and is gone: it is heard out before more is asked. */
static void hang_up_that_was_passed_on_has_a_grace_of_its_own(void **state)
{
	struct session s = {.hup_before = true}, ends = {.hup_before = true};
	struct session tty = {.hup_before = true, .hangs_up = true};
	struct session hurried = {.hup_before = true}, other = {.hup_before = true};

	(void)state;
	WALK(&s, {SESSION_RUNS, SESSION_SEND_STARTED},
	     {SESSION_CLIENT_GONE, SESSION_DISCARD | SESSION_ARM_GRACE},
	     {SESSION_GRACE_OVER, SESSION_ASK | SESSION_ARM_AGAIN},
	     {SESSION_GRACE_OVER, SESSION_WATCH | SESSION_KILL}, {SESSION_LEADER_ENDED, 0},
	     {SESSION_OUTPUT_ENDED, 0}, {SESSION_EMPTY, SESSION_BURY | SESSION_OVER});
	assert_nothing_is_left(&s);
	WALK(&ends, {SESSION_RUNS, SESSION_SEND_STARTED},
	     {SESSION_CLIENT_GONE, SESSION_DISCARD | SESSION_ARM_GRACE},
	     {SESSION_LEADER_ENDED, SESSION_WATCH}, {SESSION_EMPTY, SESSION_BURY},
	     {SESSION_OUTPUT_ENDED, SESSION_OVER});
	assert_nothing_is_left(&ends);
	/* In a terminal it is what would be asked. */
	WALK(&tty, {SESSION_RUNS, SESSION_SEND_STARTED},
	     {SESSION_CLIENT_GONE, SESSION_DISCARD | SESSION_ARM_GRACE},
	     {SESSION_GRACE_OVER, SESSION_WATCH | SESSION_KILL});
	/* Who else ends it does not wait for that. */
	WALK(&hurried, {SESSION_RUNS, SESSION_SEND_STARTED},
	     {SESSION_CLIENT_GONE, SESSION_DISCARD | SESSION_ARM_GRACE},
	     {SESSION_SHUTDOWN, SESSION_ASK | SESSION_ARM_AGAIN | SESSION_HASTEN},
	     {SESSION_GRACE_OVER, SESSION_WATCH | SESSION_KILL});
	WALK(&other, {SESSION_RUNS, SESSION_SEND_STARTED},
	     {SESSION_SHUTDOWN, SESSION_ASK | SESSION_ARM_GRACE},
	     {SESSION_CLIENT_GONE, SESSION_DISCARD | SESSION_HASTEN});
}

static void time_out_that_never_kills_only_asks(void **state)
{
	struct session s = {.never_kill = true}, silent = {.never_kill = true};

	(void)state;
	WALK(&s, {SESSION_RUNS, SESSION_SEND_STARTED}, {SESSION_TIMED_OUT, SESSION_ASK},
	     {SESSION_LEADER_ENDED, 0}, {SESSION_OUTPUT_ENDED, END_OF_ALL});
	assert_true(s.timed_out);
	assert_nothing_is_left(&s);
	WALK(&silent, {SESSION_RUNS, SESSION_SEND_STARTED}, {SESSION_TIMED_OUT, SESSION_ASK},
	     {SESSION_LEADER_ENDED, 0},
	     {SESSION_SILENT, SESSION_SEND_EXITED | SESSION_DISCARD | SESSION_BURY});
}

static void time_out_after_the_last_frame_is_none(void **state)
{
	struct session s = {0};

	(void)state;
	WALK(&s, {SESSION_FAILED, SESSION_SEND_FAILED | SESSION_DISCARD}, {SESSION_TIMED_OUT, 0},
	     {SESSION_LEADER_ENDED, SESSION_BURY}, {SESSION_OUTPUT_ENDED, SESSION_OVER});
	assert_false(s.timed_out);
}

static void shutdown_ends_what_runs_and_still_tells_how(void **state)
{
	struct session s = {0}, early = {0};

	(void)state;
	WALK(&s, {SESSION_RUNS, SESSION_SEND_STARTED},
	     {SESSION_SHUTDOWN, SESSION_ASK | SESSION_ARM_GRACE},
	     {SESSION_LEADER_ENDED, SESSION_WATCH},
	     {SESSION_OUTPUT_ENDED, SESSION_SEND_EXITED | SESSION_DISCARD},
	     {SESSION_EMPTY, SESSION_BURY | SESSION_OVER});
	assert_false(s.timed_out);
	assert_nothing_is_left(&s);
	WALK(&early, {SESSION_SHUTDOWN, SESSION_ASK | SESSION_ARM_GRACE},
	     {SESSION_FAILED, SESSION_SEND_FAILED | SESSION_DISCARD},
	     {SESSION_LEADER_ENDED, SESSION_WATCH}, {SESSION_OUTPUT_ENDED, 0},
	     {SESSION_EMPTY, SESSION_BURY | SESSION_OVER});
	assert_nothing_is_left(&early);
}

static void shutdown_ends_what_a_lost_client_left(void **state)
{
	struct session s = {.on_disconnect = MSG_DISCONNECT_KEEP};

	(void)state;
	WALK(&s, {SESSION_RUNS, SESSION_SEND_STARTED}, {SESSION_CLIENT_GONE, SESSION_DISCARD},
	     {SESSION_SHUTDOWN, SESSION_ASK | SESSION_ARM_GRACE},
	     {SESSION_GRACE_OVER, SESSION_WATCH | SESSION_KILL}, {SESSION_LEADER_ENDED, 0},
	     {SESSION_OUTPUT_ENDED, 0}, {SESSION_EMPTY, SESSION_BURY | SESSION_OVER});
}

/* Who left the session still holds the output, and is nobody's to wait for. */
static void shutdown_does_not_wait_for_the_end_of_output(void **state)
{
	struct session s = {0};

	(void)state;
	WALK(&s, {SESSION_RUNS, SESSION_SEND_STARTED},
	     {SESSION_SHUTDOWN, SESSION_ASK | SESSION_ARM_GRACE},
	     {SESSION_LEADER_ENDED, SESSION_WATCH}, {SESSION_SILENT, 0},
	     {SESSION_EMPTY, END_OF_ALL});
}

/* kill_after_ms 0 holds for the time-out alone. */
static void shutdown_kills_what_a_time_out_never_would(void **state)
{
	struct session fresh = {.never_kill = true}, asked = {.never_kill = true};

	(void)state;
	WALK(&fresh, {SESSION_RUNS, SESSION_SEND_STARTED},
	     {SESSION_SHUTDOWN, SESSION_ASK | SESSION_ARM_GRACE},
	     {SESSION_GRACE_OVER, SESSION_WATCH | SESSION_KILL});
	WALK(&asked, {SESSION_RUNS, SESSION_SEND_STARTED}, {SESSION_TIMED_OUT, SESSION_ASK},
	     {SESSION_SHUTDOWN, SESSION_ARM_GRACE},
	     {SESSION_GRACE_OVER, SESSION_WATCH | SESSION_KILL});
}

static void lost_client_kills_what_a_time_out_never_would(void **state)
{
	struct session fresh = {.never_kill = true}, asked = {.never_kill = true};

	(void)state;
	WALK(&fresh, {SESSION_RUNS, SESSION_SEND_STARTED},
	     {SESSION_CLIENT_GONE, SESSION_ASK | SESSION_ARM_GRACE | SESSION_DISCARD},
	     {SESSION_GRACE_OVER, SESSION_WATCH | SESSION_KILL});
	WALK(&asked, {SESSION_RUNS, SESSION_SEND_STARTED}, {SESSION_TIMED_OUT, SESSION_ASK},
	     {SESSION_CLIENT_GONE, SESSION_ARM_GRACE | SESSION_DISCARD},
	     {SESSION_GRACE_OVER, SESSION_WATCH | SESSION_KILL});
}

/* The daemon's own bound is a time-out that no request can put off. */
static void command_that_is_overdue_is_killed_whatever_was_asked_for(void **state)
{
	struct session fresh = {.never_kill = true}, asked = {.never_kill = true}, slow = {0};

	(void)state;
	WALK(&fresh, {SESSION_RUNS, SESSION_SEND_STARTED},
	     {SESSION_OVERDUE, SESSION_ASK | SESSION_ARM_GRACE},
	     {SESSION_GRACE_OVER, SESSION_WATCH | SESSION_KILL}, {SESSION_LEADER_ENDED, 0},
	     {SESSION_OUTPUT_ENDED, SESSION_SEND_EXITED | SESSION_DISCARD},
	     {SESSION_EMPTY, SESSION_BURY | SESSION_OVER});
	assert_true(fresh.timed_out);
	assert_nothing_is_left(&fresh);
	WALK(&asked, {SESSION_RUNS, SESSION_SEND_STARTED}, {SESSION_TIMED_OUT, SESSION_ASK},
	     {SESSION_OVERDUE, SESSION_ARM_GRACE},
	     {SESSION_GRACE_OVER, SESSION_WATCH | SESSION_KILL});
	WALK(&slow, {SESSION_RUNS, SESSION_SEND_STARTED},
	     {SESSION_TIMED_OUT, SESSION_ASK | SESSION_ARM_GRACE},
	     {SESSION_OVERDUE, SESSION_HASTEN}, {SESSION_GRACE_OVER, SESSION_WATCH | SESSION_KILL});
}

static void overdue_after_the_last_frame_is_nothing(void **state)
{
	struct session s = {0}, kept = {.on_disconnect = MSG_DISCONNECT_KEEP};

	(void)state;
	WALK(&s, {SESSION_RUNS, SESSION_SEND_STARTED}, {SESSION_LEADER_ENDED, 0},
	     {SESSION_SILENT, SESSION_SEND_EXITED | SESSION_DISCARD | SESSION_BURY},
	     {SESSION_OVERDUE, 0}, {SESSION_OUTPUT_ENDED, SESSION_OVER});
	assert_false(s.timed_out);
	/* But nobody's wish to be kept is longer than the bound. */
	WALK(&kept, {SESSION_RUNS, SESSION_SEND_STARTED}, {SESSION_CLIENT_GONE, SESSION_DISCARD},
	     {SESSION_OVERDUE, SESSION_ASK | SESSION_ARM_GRACE},
	     {SESSION_GRACE_OVER, SESSION_WATCH | SESSION_KILL});
}

int main(void)
{
	const struct CMUnitTest session_forced_tests[] = {
		cmocka_unit_test(time_out_asks_first_and_kills_after_the_grace),
		cmocka_unit_test(command_that_ends_when_asked_is_not_killed),
		cmocka_unit_test(survivors_are_killed_although_exited_went_out),
		cmocka_unit_test(silence_waits_for_a_forced_end),
		cmocka_unit_test(hang_up_that_was_passed_on_has_a_grace_of_its_own),
		cmocka_unit_test(time_out_that_never_kills_only_asks),
		cmocka_unit_test(time_out_after_the_last_frame_is_none),
		cmocka_unit_test(command_that_is_overdue_is_killed_whatever_was_asked_for),
		cmocka_unit_test(overdue_after_the_last_frame_is_nothing),
		cmocka_unit_test(shutdown_ends_what_runs_and_still_tells_how),
		cmocka_unit_test(shutdown_ends_what_a_lost_client_left),
		cmocka_unit_test(shutdown_does_not_wait_for_the_end_of_output),
		cmocka_unit_test(shutdown_kills_what_a_time_out_never_would),
		cmocka_unit_test(lost_client_kills_what_a_time_out_never_would),
	};

	return cmocka_run_group_tests(session_forced_tests, NULL, NULL);
}
