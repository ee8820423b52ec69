/* Ranges of ids: what section 4 of the protocol fixes, and slots that are given again late. */
#include "unit.h"

#include "daemon/relay/slots.h"

static void ranges_are_those_of_the_reference(void **state)
{
	(void)state;
	assert_int_equal(relay_slot_min(0), 1);
	assert_int_equal(relay_slot_end(0), 33554431);
	assert_int_equal(relay_slot_min(1), 33554432);
	assert_int_equal(relay_slot_end(1), 67108862);
	assert_int_equal(relay_slot_min(127), 4261412738u);
	assert_int_equal(relay_slot_end(127), 4294967168u);
}

static void each_id_of_a_range_is_its_slots_and_the_steps_are_nobodys(void **state)
{
	(void)state;
	for (int slot = 0; slot < RELAY_SLOTS; slot++) {
		assert_int_equal(relay_slot_of(relay_slot_min(slot)), slot);
		assert_int_equal(relay_slot_of(relay_slot_end(slot) - 1), slot);
		assert_int_equal(relay_slot_of(relay_slot_min(slot) - 1), -1);
		assert_int_equal(relay_slot_of(relay_slot_end(slot)), -1);
	}
	assert_int_equal(relay_slot_of(0), -1);
	assert_int_equal(relay_slot_of(4294967169u), -1);
	assert_int_equal(relay_slot_of(UINT32_MAX), -1);
}

static void a_slot_is_given_again_as_late_as_possible(void **state)
{
	static struct relay_slots slots;

	(void)state;
	for (int i = 0; i < 300; i++) {
		assert_int_equal(relay_slots_take(&slots), i % RELAY_SLOTS);
		relay_slots_free(&slots, i % RELAY_SLOTS);
	}
	assert_null(memchr(slots.taken, 1, sizeof(slots.taken)));
}

static void when_all_are_taken_there_is_none_until_one_is_freed(void **state)
{
	static struct relay_slots slots;

	(void)state;
	for (int i = 0; i < RELAY_SLOTS; i++)
		assert_int_equal(relay_slots_take(&slots), i);
	assert_int_equal(relay_slots_take(&slots), -EBUSY);
	relay_slots_free(&slots, 77);
	assert_int_equal(relay_slots_take(&slots), 77);
	assert_int_equal(relay_slots_take(&slots), -EBUSY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_are_those_of_the_reference),
		cmocka_unit_test(each_id_of_a_range_is_its_slots_and_the_steps_are_nobodys),
		cmocka_unit_test(a_slot_is_given_again_as_late_as_possible),
		cmocka_unit_test(when_all_are_taken_there_is_none_until_one_is_freed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
