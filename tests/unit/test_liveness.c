/* Signs of life: when a peer is asked, when it is lost, and which silence does not count. */
#include "cli/client/liveness.h"

#include "unit.h"

#define LIMIT 1000
#define START 50000 /* the clock does not begin with us */

static struct liveness begun(void)
{
	struct liveness l = {.limit_ms = LIMIT};

	liveness_heard(&l, START);
	return l;
}

/* Looks at that time, which is when it wanted to be looked at or a little later. */
static enum liveness_step look(struct liveness *l, uint64_t now, uint64_t wanted_wait)
{
	uint64_t wait = 0;
	enum liveness_step step = liveness_look(l, now, &wait);

	if (step != LIVENESS_LOST)
		assert_int_equal(wait, wanted_wait);
	return step;
}

static void silence_is_asked_about_and_then_lost(void **state)
{
	struct liveness l = begun();

	(void)state;
	assert_int_equal(look(&l, START + LIMIT, LIMIT), LIVENESS_ASK);
	assert_int_equal(look(&l, START + 2 * LIMIT, LIMIT), LIVENESS_LOST);
}

static void what_comes_puts_it_off(void **state)
{
	struct liveness l = begun();

	(void)state;
	liveness_heard(&l, START + 400);
	assert_int_equal(look(&l, START + LIMIT, 400), LIVENESS_WAIT);
	assert_int_equal(look(&l, START + 1400, LIMIT), LIVENESS_ASK);
	liveness_heard(&l, START + 1500);
	assert_int_equal(look(&l, START + 2400, 100), LIVENESS_WAIT);
	assert_int_equal(look(&l, START + 2500, LIMIT), LIVENESS_ASK);
	assert_int_equal(look(&l, START + 3500, LIMIT), LIVENESS_LOST);
}

static void an_answer_at_the_last_moment_counts(void **state)
{
	struct liveness l = begun();
	uint64_t now = START;

	(void)state;
	for (int i = 0; i < 100; i++) {
		now += LIMIT;
		assert_int_equal(look(&l, now, LIMIT), LIVENESS_ASK);
		now += LIMIT - 1;
		liveness_heard(&l, now);
		assert_int_equal(look(&l, now + 1, LIMIT - 1), LIVENESS_WAIT);
	}
}

static void a_look_that_comes_much_too_late_begins_anew(void **state)
{
	struct liveness l = begun();

	(void)state;
	assert_int_equal(look(&l, START + LIMIT, LIMIT), LIVENESS_ASK);
	/* Stopped for an hour. */
	assert_int_equal(look(&l, START + 3600000, LIMIT), LIVENESS_WAIT);
	assert_int_equal(look(&l, START + 3600000 + LIMIT, LIMIT), LIVENESS_ASK);
	assert_int_equal(look(&l, START + 3600000 + 2 * LIMIT, LIMIT), LIVENESS_LOST);
}

static void a_look_that_comes_a_little_late_counts(void **state)
{
	struct liveness l = begun();

	(void)state;
	assert_int_equal(look(&l, START + LIMIT + 300, LIMIT), LIVENESS_ASK);
	assert_int_equal(look(&l, START + 2 * LIMIT + 900, LIMIT), LIVENESS_LOST);
}

int main(void)
{
	const struct CMUnitTest liveness_tests[] = {
		cmocka_unit_test(silence_is_asked_about_and_then_lost),
		cmocka_unit_test(what_comes_puts_it_off),
		cmocka_unit_test(an_answer_at_the_last_moment_counts),
		cmocka_unit_test(a_look_that_comes_much_too_late_begins_anew),
		cmocka_unit_test(a_look_that_comes_a_little_late_counts),
	};

	return cmocka_run_group_tests(liveness_tests, NULL, NULL);
}
