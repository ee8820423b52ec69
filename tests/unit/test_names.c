/* What errnos and signals are called: as glibc has it. */
#include <signal.h>

#include "shared/names.h"
#include "unit.h"

static void errnos_have_the_names_that_glibc_gives_them(void **state)
{
	(void)state;
	for (int num = 1; num < 4200; num++) {
		const char *name = strerrorname_np(num);

		if (name)
			assert_string_equal(errno_name(num), name);
		else
			assert_null(errno_name(num));
	}
}

static void signals_have_the_names_that_glibc_gives_them(void **state)
{
	(void)state;
	for (int number = 1; number < 32; number++)
		assert_string_equal(signal_name(number), sigabbrev_np(number));
}

static void other_numbers_have_none(void **state)
{
	(void)state;
	assert_null(errno_name(0));
	assert_null(errno_name(-1));
	assert_null(errno_name(INT32_MIN));
	assert_null(errno_name(INT32_MAX));
	assert_null(signal_name(0));
	assert_null(signal_name(-1));
	assert_null(signal_name(32));
	assert_null(signal_name(INT32_MAX));
}

int main(void)
{
	const struct CMUnitTest names_tests[] = {
		cmocka_unit_test(errnos_have_the_names_that_glibc_gives_them),
		cmocka_unit_test(signals_have_the_names_that_glibc_gives_them),
		cmocka_unit_test(other_numbers_have_none),
	};

	return cmocka_run_group_tests(names_tests, NULL, NULL);
}
