/* Flow control by credit: what may go, and when to say what was taken. */
#include "shared/wire/credit.h"
#include "unit.h"

static void without_a_window_everything_may_go(void **state)
{
	struct credit credit = {.sent = UINT64_MAX / 2};

	(void)state;
	assert_int_equal(credit_room(&credit, 0), 0);
	assert_int_equal(credit_room(&credit, 4096), 4096);
	assert_int_equal(credit_room(&credit, SIZE_MAX), SIZE_MAX);
}

static void no_more_than_the_window_is_in_flight(void **state)
{
	struct credit credit = {.window = 1000};

	(void)state;
	assert_int_equal(credit_room(&credit, 5000), 1000);
	credit.sent = 999;
	assert_int_equal(credit_room(&credit, 5000), 1);
	credit.sent = 1000;
	assert_int_equal(credit_room(&credit, 1), 0);
	credit_consumed(&credit, 300);
	assert_int_equal(credit_room(&credit, 5000), 300);
	assert_int_equal(credit_room(&credit, 200), 200);
}

/* The client may send 64 KiB before it learns the window, which may be smaller. */
static void window_that_shrinks_stops_the_sender(void **state)
{
	struct credit credit = {.window = 65536, .sent = 65536};

	(void)state;
	credit.window = 1024;
	assert_int_equal(credit_room(&credit, 1), 0);
	credit_consumed(&credit, 65536 - 1024);
	assert_int_equal(credit_room(&credit, 1), 0);
	credit_consumed(&credit, 65536 - 1023);
	assert_int_equal(credit_room(&credit, 10), 1);
}

static void credit_that_makes_no_sense_is_harmless(void **state)
{
	struct credit credit = {.window = 1000, .sent = 500};

	(void)state;
	credit_consumed(&credit, UINT64_MAX);
	assert_int_equal(credit.consumed, 500);
	credit_consumed(&credit, 3);
	assert_int_equal(credit.consumed, 500);
	assert_int_equal(credit_room(&credit, 5000), 1000);
}

static void who_counts_nothing_is_told_nothing(void **state)
{
	struct credit_account account = {.received = 1 << 20};
	uint64_t consumed = 7;

	(void)state;
	assert_false(credit_due(&account, 0, &consumed));
	assert_int_equal(consumed, 7);
}

static void each_quarter_of_the_window_is_told_once(void **state)
{
	struct credit_account account = {.window = 1000, .received = 249};
	uint64_t consumed;

	(void)state;
	assert_false(credit_due(&account, 0, &consumed));
	account.received = 250;
	assert_false(credit_due(&account, 1, &consumed));
	assert_true(credit_due(&account, 0, &consumed));
	assert_int_equal(consumed, 250);
	assert_false(credit_due(&account, 0, &consumed));
	account.received = 1250;
	assert_false(credit_due(&account, 1000, &consumed));
	assert_true(credit_due(&account, 0, &consumed));
	assert_int_equal(consumed, 1250);
}

/* A receiver that said more than its rule, and went back to it. */
static void nothing_is_taken_back(void **state)
{
	struct credit_account account = {.window = 1000, .received = 2000};
	uint64_t consumed;

	(void)state;
	assert_true(credit_due(&account, 0, &consumed));
	assert_false(credit_due(&account, 1500, &consumed));
	assert_int_equal(account.told, 2000);
}

/* However small the window: whoever waits with all of it in flight is told. */
static void nobody_waits_for_a_rest_that_is_never_told(void **state)
{
	(void)state;
	for (uint64_t window = 1; window < 50; window++) {
		struct credit_account account = {.window = window};
		struct credit credit = {.window = window};
		uint64_t consumed;

		for (int i = 0; i < 200; i++) {
			size_t n = credit_room(&credit, 3);

			assert_true(n > 0);
			credit.sent += n;
			account.received += n;
			if (credit_due(&account, 0, &consumed))
				credit_consumed(&credit, consumed);
		}
	}
}

/* What waits may be more than this session's: a queue that many share, or words of our own. */
static void what_waits_of_others_is_not_taken_for_consumed(void **state)
{
	struct credit_account account = {.window = 1000};
	uint64_t consumed;

	(void)state;
	assert_false(credit_due(&account, 500, &consumed));
	account.received = 100;
	assert_false(credit_due(&account, 500, &consumed));
	account.received = 900;
	assert_true(credit_due(&account, 500, &consumed));
	assert_int_equal(consumed, 400);
	assert_true(credit_due(&account, 0, &consumed));
	assert_int_equal(consumed, 900);
}

int main(void)
{
	const struct CMUnitTest credit_tests[] = {
		cmocka_unit_test(without_a_window_everything_may_go),
		cmocka_unit_test(no_more_than_the_window_is_in_flight),
		cmocka_unit_test(window_that_shrinks_stops_the_sender),
		cmocka_unit_test(credit_that_makes_no_sense_is_harmless),
		cmocka_unit_test(who_counts_nothing_is_told_nothing),
		cmocka_unit_test(each_quarter_of_the_window_is_told_once),
		cmocka_unit_test(nothing_is_taken_back),
		cmocka_unit_test(nobody_waits_for_a_rest_that_is_never_told),
		cmocka_unit_test(what_waits_of_others_is_not_taken_for_consumed),
	};

	return cmocka_run_group_tests(credit_tests, NULL, NULL);
}
