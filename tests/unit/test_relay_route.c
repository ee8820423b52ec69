/* Live ids: found, ended, bounded; credit for output that a client's socket took; held input. */
#include "unit.h"

#include "daemon/relay/route.h"

static void ids_are_found_until_they_end(void **state)
{
	struct route_table table = {0};

	(void)state;
	for (uint32_t id = 1; id <= 1000; id++)
		assert_non_null(route_add(&table, id, id % 2 ? ROUTE_EXEC : ROUTE_ASK));
	assert_int_equal(table.count, 1000);
	assert_int_equal(table.sessions, 500);
	assert_int_equal(table.asks, 500);
	for (uint32_t id = 1; id <= 1000; id += 3)
		route_remove(&table, route_find(&table, id));
	for (uint32_t id = 1; id <= 1000; id++) {
		struct route *route = route_find(&table, id);

		assert_int_equal(route == NULL, id % 3 == 1);
		assert_true(!route || route->id == id);
	}
	route_clear(&table);
	assert_int_equal(table.count, 0);
	assert_int_equal(table.sessions, 0);
	assert_int_equal(table.asks, 0);
	assert_null(table.list.first);
}

static void each_kind_counts_as_what_it_is(void **state)
{
	static const struct {
		enum route_kind kind;
		bool is_session, has_answer, takes_input, is_command;
	} kinds[] = {
		{ROUTE_EXEC, true, false, true, true},	    {ROUTE_ATTACH, true, false, true, true},
		{ROUTE_INPUT, true, false, true, false},    {ROUTE_QUERY, true, true, false, false},
		{ROUTE_STREAM, false, false, false, false}, {ROUTE_ASK, false, true, false, false},
	};
	struct route_table table = {0};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(kinds); i++) {
		struct route *route = route_add(&table, 1, kinds[i].kind);

		assert_int_equal(table.count, 1);
		assert_int_equal(table.sessions, kinds[i].is_session);
		assert_int_equal(table.asks, kinds[i].has_answer);
		assert_int_equal(route_takes_input(route), kinds[i].takes_input);
		assert_int_equal(route_is_command(route), kinds[i].is_command);
		route_remove(&table, route);
		assert_int_equal(table.count + table.sessions + table.asks, 0);
	}
}

/* The stream holds other things too: positions in it grow faster than the route's bytes. */
static void output_is_credited_when_the_socket_took_it(void **state)
{
	struct route_table table = {0};
	struct route *route = route_add(&table, 1, ROUTE_EXEC);
	uint64_t consumed = 0;

	(void)state;
	route->output.window = 1000;
	route_queued(route, 250, 300);
	assert_false(route_sent(route, 299, &consumed));
	route_queued(route, 250, 700);
	route_queued(route, 250, 1100);
	assert_true(route_sent(route, 300, &consumed));
	assert_int_equal(consumed, 250);
	/* Now the next place is the end of all that was queued meanwhile. */
	assert_false(route_sent(route, 1099, &consumed));
	assert_true(route_sent(route, 1100, &consumed));
	assert_int_equal(consumed, 750);
	assert_false(route_sent(route, 2000, &consumed));
	route_clear(&table);
}

/* Whatever the order of sending and queueing: the agent learns of all but less than a quarter. */
static void output_credit_never_falls_behind(void **state)
{
	struct route_table table = {0};
	struct route *route = route_add(&table, 1, ROUTE_EXEC);
	uint64_t told = 0, end = 0, sent = 0, queued = 0;

	(void)state;
	route->output.window = 4096;
	srand(1);
	for (int i = 0; i < 100000; i++) {
		size_t len = (size_t)rand() % 700;

		if (rand() % 2 && queued + len - told <= 4096) {
			queued += len;
			end += len + 50;
			route_queued(route, len, end);
		} else {
			sent += (uint64_t)rand() % (end - sent + 1);
		}
		if (route_sent(route, sent, &told))
			assert_true(told <= queued);
	}
	for (int i = 0; i < 2; i++)
		route_sent(route, end, &told);
	assert_true(queued - told < 1024);
	route_clear(&table);
}

static void held_input_goes_as_far_as_there_is_credit(void **state)
{
	struct route_table table = {0};
	struct route *route = route_add(&table, 1, ROUTE_EXEC);
	uint8_t data[1000] = {0};

	(void)state;
	route->input.window = 600;
	assert_int_equal(route_hold(&table, route, data, sizeof(data)), 0);
	assert_int_equal(table.held, 1000);
	assert_int_equal(route_may_go(route, SIZE_MAX), 600);
	assert_int_equal(route_may_go(route, 100), 100);
	route_went(&table, route, 600);
	assert_int_equal(route_may_go(route, SIZE_MAX), 0);
	credit_consumed(&route->input, 500);
	assert_int_equal(route_may_go(route, SIZE_MAX), 400);
	route_went(&table, route, 400);
	assert_int_equal(table.held, 0);
	route_clear(&table);
}

static void too_much_held_input_of_one_or_of_all_is_seen(void **state)
{
	static uint8_t data[256 * 1024];
	struct route_table table = {0};
	struct route *one = route_add(&table, 1, ROUTE_EXEC);

	(void)state;
	assert_int_equal(route_hold(&table, one, data, sizeof(data) - 1), 0);
	assert_false(route_table_is_full(&table));
	assert_int_equal(route_hold(&table, one, data, 1), 0);
	assert_true(route_table_is_full(&table));
	route_remove(&table, one);
	assert_false(route_table_is_full(&table));
	for (uint32_t id = 1; id <= 33; id++)
		route_hold(&table, route_add(&table, id, ROUTE_EXEC), data, sizeof(data) - 1);
	assert_true(route_table_is_full(&table));
	route_clear(&table);
	assert_int_equal(table.held, 0);
	assert_false(route_table_is_full(&table));
}

static void windows_of_all_commands_fit_what_a_client_may_have_queued(void **state)
{
	uint64_t sum = 0;

	(void)state;
	for (size_t sessions = 0; sessions < ROUTE_SESSIONS_MAX; sessions++)
		sum += route_window(sessions);
	assert_true(sum < 64 * 1024 * 1024);
}

static void who_was_served_comes_last(void **state)
{
	struct route_table table = {0};
	struct route *first = route_add(&table, 1, ROUTE_EXEC);
	struct route *second = route_add(&table, 2, ROUTE_EXEC);

	(void)state;
	assert_ptr_equal(list_first(&table.list, struct route, in_table), first);
	route_served(&table, first);
	assert_ptr_equal(list_first(&table.list, struct route, in_table), second);
	assert_ptr_equal(list_after(second, in_table), first);
	route_clear(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_are_found_until_they_end),
		cmocka_unit_test(each_kind_counts_as_what_it_is),
		cmocka_unit_test(output_is_credited_when_the_socket_took_it),
		cmocka_unit_test(output_credit_never_falls_behind),
		cmocka_unit_test(held_input_goes_as_far_as_there_is_credit),
		cmocka_unit_test(too_much_held_input_of_one_or_of_all_is_seen),
		cmocka_unit_test(who_was_served_comes_last),
		cmocka_unit_test(windows_of_all_commands_fit_what_a_client_may_have_queued),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
