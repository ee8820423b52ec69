/* One user's share of a daemon's time. */
#include "daemon/door/share.h"
#include "unit.h"

static void share_rests_for_as_long_as_it_took(void **state)
{
	struct share share = {0};

	(void)state;
	share_spend(&share, 1000000, 1150000);
	assert_int_equal(share_rest(&share, 1150000), 150000);
	assert_int_equal(share_rest(&share, 1299999), 1);
	assert_int_equal(share_rest(&share, 1300000), 0);
}

static void share_of_many_small_things_is_their_sum(void **state)
{
	struct share share = {0};
	uint64_t now = 1000000;

	(void)state;
	while (!share_rest(&share, now)) {
		share_spend(&share, now, now + 100);
		now += 100;
	}
	assert_int_equal(now, 1000000 + SHARE_US);
	assert_int_equal(share_rest(&share, now), SHARE_US);
	/* And after the rest it is the same again. */
	now += SHARE_US;
	share_spend(&share, now, now + 100);
	assert_int_equal(share_rest(&share, now + 100), 0);
}

static void share_is_not_used_up_by_who_takes_his_time(void **state)
{
	struct share share = {0};
	uint64_t now = 1000000;

	(void)state;
	/* A third of the time, for long. */
	for (int i = 0; i < 10000; i++) {
		share_spend(&share, now, now + 100);
		assert_int_equal(share_rest(&share, now + 100), 0);
		now += 300;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(share_rests_for_as_long_as_it_took),
		cmocka_unit_test(share_of_many_small_things_is_their_sum),
		cmocka_unit_test(share_is_not_used_up_by_who_takes_his_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
