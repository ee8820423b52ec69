/* What may be sent to an agent that counts: against what was recorded of one, and where its count is not known. */
#include "daemon/relay/quota.h"

#include "unit.h"

/* Of control, for the relay itself. */
#define OURS_FRAMES 4
#define OURS_BYTES  65536

static struct quota met(uint8_t generation, bool ran_before)
{
	struct quota q;

	quota_begin(&q);
	quota_meet(&q, generation, ran_before);
	return q;
}

static void an_agent_before_generation_9_counts_nothing(void **state)
{
	struct quota q = met(8, false);

	(void)state;
	for (int i = 0; i < 1000; i++) {
		assert_true(quota_fits(&q, QUOTA_BOTH, 4194308));
		quota_spend(&q, QUOTA_BOTH, 4194308);
	}
	assert_true(quota_bulk_room(&q) == SIZE_MAX);
}

static void frames_bind_first_and_each_kind_alone(void **state)
{
	struct quota q = met(9, false);

	(void)state;
	for (int i = 0; i < 256 - OURS_FRAMES; i++) {
		assert_true(quota_fits(&q, QUOTA_CONTROL, 30));
		quota_spend(&q, QUOTA_CONTROL, 30);
	}
	assert_false(quota_fits(&q, QUOTA_CONTROL, 30));
	assert_false(quota_fits(&q, QUOTA_BOTH, 30));
	assert_true(quota_fits(&q, QUOTA_BULK, 33554432));
	assert_false(quota_fits(&q, QUOTA_BULK, 33554433));
	assert_int_equal(quota_bulk_room(&q), 33554432);
	quota_spend(&q, QUOTA_BULK, 33554000);
	assert_int_equal(quota_bulk_room(&q), 432);
}

/* A request and four frames of input, and what agent 0.7.2 said after them. */
static void the_recorded_credit_is_what_we_count(void **state)
{
	static const size_t input[] = {1045, 70049, 70049, 41};
	struct msg_transport_credit credit = {8388706, 257, 33695616, 260};
	struct quota q = met(9, false);

	(void)state;
	quota_spend(&q, QUOTA_CONTROL, 98);
	for (int i = 0; i < 4; i++)
		quota_spend(&q, QUOTA_BULK, input[i]);
	quota_grant(&q, &credit);
	/* All is done with, so that the whole start is there again. */
	assert_int_equal(quota_bulk_room(&q), 33554432);
	assert_true(quota_fits(&q, QUOTA_CONTROL, 8388608 - OURS_BYTES));
	assert_false(quota_fits(&q, QUOTA_CONTROL, 8388608 - OURS_BYTES + 1));
}

static void an_agent_that_ran_before_is_sent_nothing_until_it_has_said_where_it_is(void **state)
{
	struct msg_transport_credit credit = {8388608 + 5000, 256 + 50, 33554432 + 7, 256 + 1};
	struct quota q = met(9, true);
	int frames = 0;

	(void)state;
	assert_false(quota_fits(&q, QUOTA_CONTROL, 30));
	assert_int_equal(quota_bulk_room(&q), 0);
	quota_spend(&q, QUOTA_CONTROL, 29);
	quota_grant(&q, &credit);
	for (; quota_fits(&q, QUOTA_CONTROL, 30); frames++)
		quota_spend(&q, QUOTA_CONTROL, 30);
	/* Fewer than it would take, since it may not have said all. */
	assert_int_equal(frames, 256 - 64 - 1 - OURS_FRAMES);
	assert_int_equal(quota_bulk_room(&q), 33554432 - 1048576);
	/* From then on as with any other. */
	credit.control_frames += 100;
	quota_grant(&q, &credit);
	for (frames = 0; quota_fits(&q, QUOTA_CONTROL, 30); frames++)
		quota_spend(&q, QUOTA_CONTROL, 30);
	assert_int_equal(frames, 100);
}

static void one_that_begins_anew_counts_what_the_one_before_may_not_have_got(void **state)
{
	struct quota q = met(9, false);
	int frames = 0;

	(void)state;
	for (int i = 0; i < 200; i++)
		quota_spend(&q, QUOTA_CONTROL, 30);
	quota_heard(&q);
	for (int i = 0; i < 3; i++)
		quota_spend(&q, QUOTA_CONTROL, 60);
	quota_restart(&q);
	assert_true(quota_fits(&q, QUOTA_CONTROL, 30)); /* what it is, is still to be seen */
	quota_meet(&q, 9, false);
	for (; quota_fits(&q, QUOTA_CONTROL, 30); frames++)
		quota_spend(&q, QUOTA_CONTROL, 30);
	assert_int_equal(frames, 253 - OURS_FRAMES);
}

static void numbers_that_make_no_sense_stop_it_and_no_more(void **state)
{
	struct msg_transport_credit none = {0, 0, 0, 0};
	struct msg_transport_credit all = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
	struct quota q = met(9, true);

	(void)state;
	quota_grant(&q, &none);
	assert_false(quota_fits(&q, QUOTA_CONTROL, 1));
	assert_int_equal(quota_bulk_room(&q), 0);
	quota_grant(&q, &all);
	assert_true(quota_fits(&q, QUOTA_BOTH, 4194308));
	quota_waive(&q);
	assert_true(quota_bulk_room(&q) == SIZE_MAX);
}

static void credit_from_an_older_generation_counts_too(void **state)
{
	struct msg_transport_credit credit = {OURS_BYTES + 100, OURS_FRAMES + 2, 100, 2};
	struct quota q = met(7, false);

	(void)state;
	quota_grant(&q, &credit);
	assert_true(quota_fits(&q, QUOTA_CONTROL, 100));
	assert_false(quota_fits(&q, QUOTA_CONTROL, 101));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_agent_before_generation_9_counts_nothing),
		cmocka_unit_test(frames_bind_first_and_each_kind_alone),
		cmocka_unit_test(the_recorded_credit_is_what_we_count),
		cmocka_unit_test(
			an_agent_that_ran_before_is_sent_nothing_until_it_has_said_where_it_is),
		cmocka_unit_test(one_that_begins_anew_counts_what_the_one_before_may_not_have_got),
		cmocka_unit_test(numbers_that_make_no_sense_stop_it_and_no_more),
		cmocka_unit_test(credit_from_an_older_generation_counts_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
