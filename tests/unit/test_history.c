/* The console's history: which lines are kept, and where. */
#include "cli/console/history.h"

#include <stdlib.h>

#include "unit.h"

static void lines_that_are_kept(void **state)
{
	(void)state;
	assert_true(history_keeps("ls", NULL));
	assert_true(history_keeps("ls", "pwd"));
	assert_true(history_keeps("\\cd /tmp", "ls"));
	assert_false(history_keeps("ls", "ls"));
	assert_false(history_keeps("", NULL));
	assert_false(history_keeps(" secret", NULL));
	assert_false(history_keeps("\tsecret", NULL));
	assert_true(history_keeps("a\nb", NULL));
}

static void assert_found(const char *file, const char *state, const char *home,
			 const char *expected)
{
	const char *const names[] = {"MSB_EXEC_HISTFILE", "XDG_STATE_HOME", "HOME"};
	const char *const values[] = {file, state, home};
	char *path;

	for (size_t i = 0; i < UNIT_COUNT(names); i++)
		if (values[i])
			setenv(names[i], values[i], 1);
		else
			unsetenv(names[i]);
	path = history_find();
	if (expected)
		assert_string_equal(path, expected);
	else
		assert_null(path);
	free(path);
}

static void where_the_file_is(void **state)
{
	(void)state;
	assert_found("/x/h", "/s", "/h", "/x/h");
	assert_found("", "/s", "/h", NULL);
	assert_found(NULL, "/s", "/h", "/s/msb-exec/history");
	assert_found(NULL, NULL, "/h", "/h/.local/state/msb-exec/history");
	assert_found(NULL, "relative", "/h", "/h/.local/state/msb-exec/history");
	assert_found(NULL, "", "/h", "/h/.local/state/msb-exec/history");
	assert_found(NULL, NULL, NULL, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_that_are_kept),
		cmocka_unit_test(where_the_file_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
