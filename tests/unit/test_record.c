/* What was run in the console, as a script. */
#include "cli/console/record.h"

#include "unit.h"

static void assert_kept(const struct record *record, const char *text)
{
	assert_int_equal(buf_len(&record->kept), strlen(text));
	assert_memory_equal(buf_head(&record->kept), text, strlen(text));
}

static void what_failed_may_fail(void **state)
{
	struct record record;

	(void)state;
	record_init(&record);
	record_add(&record, "ls");
	record_keep(&record, false);
	record_add(&record, "false");
	record_keep(&record, true);
	assert_kept(&record, "ls\n-false\n");
	record_release(&record);
}

static void a_command_of_several_lines_is_one(void **state)
{
	struct record record;

	(void)state;
	record_init(&record);
	record_add(&record, "for x in a; do");
	record_add(&record, "false; done");
	record_keep(&record, true);
	assert_kept(&record, "-for x in a; do\nfalse; done\n");
	record_release(&record);
}

static void what_is_blank_or_given_up_is_left_out(void **state)
{
	struct record record;

	(void)state;
	record_init(&record);
	record_add(&record, " \t");
	record_add(&record, "");
	record_keep(&record, true);
	record_add(&record, "cat <<X");
	record_forget(&record);
	record_add(&record, "ls");
	record_keep(&record, false);
	assert_kept(&record, "ls\n");
	record_release(&record);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_failed_may_fail),
		cmocka_unit_test(a_command_of_several_lines_is_one),
		cmocka_unit_test(what_is_blank_or_given_up_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
