/* The host's half of a greeting, with each kind of guest that may be behind the stream. */
#include "daemon/relay/hello.h"

#include "unit.h"

static void a_guest_that_begins_is_told_all_in_order(void **state)
{
	struct hello h = {.boots = true};
	bool up = false;

	(void)state;
	assert_int_equal(hello_begin(&h), HELLO_BOOTSTRAP);
	assert_int_equal(hello_resolved(&h), HELLO_ACK);
	assert_int_equal(hello_ready(&h, false, &up), 0);
	assert_true(up);
}

static void an_agent_of_ours_serves_only_once_it_has_the_bootstrap(void **state)
{
	struct hello h = {.boots = true};
	bool up = true;

	(void)state;
	hello_begin(&h);
	/* It says ready by itself to a host that says nothing for long. */
	assert_int_equal(hello_ready(&h, true, &up), 0);
	assert_false(up);
	assert_int_equal(hello_resolved(&h), HELLO_ACK);
	hello_ready(&h, true, &up);
	assert_true(up);
	/* It has restarted, and says ready: it has yet to hear of the bootstrap. */
	hello_restart(&h, false);
	assert_int_equal(hello_ready(&h, true, &up), HELLO_BOOTSTRAP);
	assert_false(up);
	assert_int_equal(hello_ready(&h, true, &up), 0);
	assert_false(up);
	assert_int_equal(hello_resolved(&h), HELLO_ACK);
	hello_ready(&h, true, &up);
	assert_true(up);
}

static void one_that_says_nothing_is_asked_and_then_hung_up(void **state)
{
	struct hello h = {.boots = true};
	uint64_t wait;

	(void)state;
	hello_begin(&h);
	assert_false(hello_is_running(&h, 9));
	assert_int_equal(hello_look(&h, &wait), HELLO_ACK | HELLO_PING);
	assert_int_equal(wait, HELLO_PATIENCE_MS);
	assert_true(hello_is_running(&h, 9));
	assert_false(hello_is_running(&h, 6));
	assert_int_equal(hello_look(&h, &wait), HELLO_HANG_UP);
}

/* Its bootstrap was lost, and the ack made it greet: a pong is no leave to go without. */
static void one_of_ours_that_answers_the_ping_is_none_of_the_reference(void **state)
{
	struct hello h = {.boots = true};
	uint64_t wait;
	bool up = true;

	(void)state;
	hello_begin(&h);
	hello_look(&h, &wait);
	hello_ready(&h, true, &up);
	assert_false(up);
	assert_false(hello_is_running(&h, 7));
	assert_int_equal(hello_look(&h, &wait), HELLO_HANG_UP);
}

static void the_ack_of_a_late_answer_is_under_way_already(void **state)
{
	struct hello h = {.boots = true};
	uint64_t wait;

	(void)state;
	hello_begin(&h);
	hello_look(&h, &wait);
	assert_int_equal(hello_resolved(&h), 0);
	/* It greets by itself: its pong says nothing. */
	assert_false(hello_is_running(&h, 9));
}

static void a_long_boot_has_its_time_and_an_end(void **state)
{
	struct hello h = {.boots = true};
	unsigned looks = 0;
	uint64_t wait;

	(void)state;
	hello_begin(&h);
	hello_resolved(&h);
	while (hello_look(&h, &wait) == (HELLO_BOOTSTRAP | HELLO_ACK))
		looks++;
	assert_int_equal(looks * HELLO_PATIENCE_MS, 180000);
}

static void one_that_was_reset_has_answered_the_bootstrap_that_asked(void **state)
{
	struct hello h = {.boots = true};
	bool up = false;

	(void)state;
	hello_begin(&h);
	hello_resolved(&h);
	hello_ready(&h, false, &up);
	hello_restart(&h, true);
	assert_int_equal(hello_resolved(&h), 0);
	assert_int_equal(hello_ready(&h, false, &up), 0);
	assert_true(up);
}

static void without_bootstraps_none_is_sent_and_nothing_else_that_is_newer(void **state)
{
	struct hello h = {.boots = false};
	uint64_t wait;
	bool up = false;

	(void)state;
	assert_int_equal(hello_begin(&h), 0);
	assert_int_equal(hello_look(&h, &wait), HELLO_ACK);
	assert_int_equal(hello_ready(&h, true, &up), 0);
	assert_true(up);
	hello_restart(&h, false);
	assert_int_equal(hello_ready(&h, false, &up), 0);
	assert_true(up);
	hello_begin(&h);
	hello_resolved(&h);
	assert_int_equal(hello_look(&h, &wait), HELLO_ACK);
	/* It has restarted, of itself says whose its commands are, and waits for the ack. */
	hello_restart(&h, true);
	assert_int_equal(hello_resolved(&h), HELLO_ACK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_guest_that_begins_is_told_all_in_order),
		cmocka_unit_test(an_agent_of_ours_serves_only_once_it_has_the_bootstrap),
		cmocka_unit_test(one_that_says_nothing_is_asked_and_then_hung_up),
		cmocka_unit_test(one_of_ours_that_answers_the_ping_is_none_of_the_reference),
		cmocka_unit_test(the_ack_of_a_late_answer_is_under_way_already),
		cmocka_unit_test(a_long_boot_has_its_time_and_an_end),
		cmocka_unit_test(one_that_was_reset_has_answered_the_bootstrap_that_asked),
		cmocka_unit_test(without_bootstraps_none_is_sent_and_nothing_else_that_is_newer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
