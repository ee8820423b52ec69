/* Who of a daemon's sessions wants little and soon. */
#include "daemon/session/lively.h"
#include "unit.h"

#define NOW_US 1000000

static const char one, other;	 /* clients */
static const char first, second; /* sessions */
static struct lively lively;

static int set_up(void **state)
{
	(void)state;
	lively = (struct lively){0};
	return 0;
}

static void nobody_is_at_first(void **state)
{
	(void)state;
	assert_false(lively_beside(&lively, &one, &first, NOW_US));
	assert_false(lively_beside(&lively, NULL, NULL, NOW_US));
}

static void one_is_for_all_but_himself(void **state)
{
	(void)state;
	lively_stir(&lively, &one, &first, NOW_US);
	assert_false(lively_beside(&lively, &one, &first, NOW_US));
	assert_true(lively_beside(&lively, &one, &second, NOW_US));
	assert_true(lively_beside(&lively, &other, &second, NOW_US));
}

static void one_who_has_just_come_is_no_other_to_his_own_session(void **state)
{
	(void)state;
	lively_stir(&lively, &one, NULL, NOW_US);
	assert_false(lively_beside(&lively, &one, &first, NOW_US));
	assert_true(lively_beside(&lively, &other, &second, NOW_US));
}

static void another_is_thought_of_though_oneself_came_after_him(void **state)
{
	(void)state;
	lively_stir(&lively, &other, &second, NOW_US);
	for (int i = 0; i < 3; i++)
		lively_stir(&lively, &one, &first, NOW_US + 10);
	assert_true(lively_beside(&lively, &one, &first, NOW_US + 20));
	assert_true(lively_beside(&lively, &other, &second, NOW_US + 20));
}

/* Those that are kept have no client. */
static void kept_ones_are_told_apart(void **state)
{
	(void)state;
	lively_stir(&lively, NULL, &first, NOW_US);
	assert_false(lively_beside(&lively, NULL, &first, NOW_US));
	assert_true(lively_beside(&lively, NULL, &second, NOW_US));
	assert_false(lively_beside(&lively, &one, &first, NOW_US));
}

static void nobody_is_thought_of_for_long(void **state)
{
	(void)state;
	lively_stir(&lively, &other, &second, NOW_US);
	assert_true(lively_beside(&lively, &one, &first, NOW_US + LIVELY_US - 1));
	assert_false(lively_beside(&lively, &one, &first, NOW_US + LIVELY_US));
}

int main(void)
{
	const struct CMUnitTest lively_tests[] = {
		cmocka_unit_test_setup(nobody_is_at_first, set_up),
		cmocka_unit_test_setup(one_is_for_all_but_himself, set_up),
		cmocka_unit_test_setup(one_who_has_just_come_is_no_other_to_his_own_session,
				       set_up),
		cmocka_unit_test_setup(another_is_thought_of_though_oneself_came_after_him, set_up),
		cmocka_unit_test_setup(kept_ones_are_told_apart, set_up),
		cmocka_unit_test_setup(nobody_is_thought_of_for_long, set_up),
	};

	return cmocka_run_group_tests(lively_tests, NULL, NULL);
}
