/* Shares of the processors on command lines. */
#include "shared/cpus.h"

#include "unit.h"

static void numbers_are_taken_in_thousandths(void **state)
{
	static const struct {
		const char *text;
		uint64_t millis;
	} rows[] = {{"1", 1000}, {"0.5", 500}, {".01", 10}, {"2.", 2000}, {"1.2345", 1235}};
	struct err err;

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
		uint64_t millis = 0;

		assert_int_equal(cpus_parse(rows[i].text, &millis, &err), 0);
		assert_int_equal(millis, rows[i].millis);
	}
}

static void what_is_none_is_refused_and_changes_nothing(void **state)
{
	static const char *const texts[] = {"",	   ".",	 "-1",	  "+1", "1e3",	 "inf",
					    "0x1", "1 ", "1.2.3", "0",	"0.009", "1000000000"};
	struct err err;

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(texts); i++) {
		uint64_t millis = 7;

		assert_true(cpus_parse(texts[i], &millis, &err) < 0);
		assert_int_equal(millis, 7);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_taken_in_thousandths),
		cmocka_unit_test(what_is_none_is_refused_and_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
