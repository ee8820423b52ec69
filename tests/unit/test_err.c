/* Failures as values: what they return, how they are worded, and that nothing is overrun. */
#include "shared/err.h"

#include "unit.h"

static void set_fills_all_and_returns_the_negated_errno(void **state)
{
	struct err err;

	(void)state;
	assert_int_equal(err_set(&err, ENOENT, "chdir", "folder %s of %d", "x", 3), -ENOENT);
	assert_int_equal(err.num, ENOENT);
	assert_string_equal(err.stage, "chdir");
	assert_string_equal(err.text, "folder x of 3");
}

static void set_without_an_errno_returns_einval(void **state)
{
	struct err err = {.num = 5, .stage = "old"};

	(void)state;
	assert_int_equal(err_set(&err, 0, NULL, "no"), -EINVAL);
	assert_int_equal(err.num, 0);
	assert_null(err.stage);
}

static void text_that_is_too_long_is_cut(void **state)
{
	struct {
		struct err err;
		char guard[8];
	} boxed = {.guard = "guarded"};
	char *text = malloc(2 * ERR_TEXT_MAX + 1);

	(void)state;
	assert_non_null(text);
	memset(text, 'x', 2 * ERR_TEXT_MAX);
	text[2 * ERR_TEXT_MAX] = '\0';
	assert_int_equal(err_set(&boxed.err, EIO, NULL, "%s", text), -EIO);
	assert_int_equal(strlen(boxed.err.text), ERR_TEXT_MAX - 1);
	assert_string_equal(boxed.guard, "guarded");
	free(text);
}

static void words_name_the_thing_and_the_reason(void **state)
{
	char out[128];
	struct err err;

	(void)state;
	err_set(&err, ENOENT, NULL, "cannot connect to /x");
	assert_ptr_equal(err_words(&err, out, sizeof(out)), out);
	assert_string_equal(out, "cannot connect to /x: No such file or directory");
	err_set(&err, 0, NULL, "it is empty");
	assert_string_equal(err_words(&err, out, sizeof(out)), "it is empty");
}

static void words_end_with_the_buffer(void **state)
{
	struct err err;

	(void)state;
	err_set(&err, ENOENT, NULL, "cannot connect");
	for (size_t len = 1; len < 60; len++) {
		char *out = malloc(len);
		const char *all = "cannot connect: No such file or directory";

		assert_non_null(out);
		err_words(&err, out, len);
		assert_int_equal(strlen(out), len - 1 < strlen(all) ? len - 1 : strlen(all));
		assert_memory_equal(out, all, strlen(out));
		free(out);
	}
}

static void hint_goes_with_the_error_it_was_given_to(void **state)
{
	struct err err;

	(void)state;
	assert_int_equal(err_set(&err, ENOENT, NULL, "first"), -ENOENT);
	assert_string_equal(err.hint, "");
	assert_int_equal(err_hint(&err, "do %d things", 2), -ENOENT);
	assert_string_equal(err.hint, "do 2 things");
	err_set(&err, 0, NULL, "second");
	assert_string_equal(err.hint, "");
}

static void what_it_is_about_stands_before_it_and_is_not_cut(void **state)
{
	char text[ERR_TEXT_MAX];
	struct err err;

	(void)state;
	err_set(&err, 0, NULL, "1x is no duration");
	err_hint(&err, "a way");
	assert_int_equal(err_about(&err, "--%s", "timeout"), -EINVAL);
	assert_string_equal(err.text, "--timeout: 1x is no duration");
	assert_string_equal(err.hint, "a way");
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	err_set(&err, 0, NULL, "%s", text);
	err_about(&err, "--timeout");
	assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
	assert_memory_equal(err.text, "--timeout: xxx", 14);
	err_set(&err, 0, NULL, "of nothing");
	err_about(&err, "%s", text);
	assert_memory_equal(err.text, text, ERR_TEXT_MAX);
}

int main(void)
{
	const struct CMUnitTest err_tests[] = {
		cmocka_unit_test(hint_goes_with_the_error_it_was_given_to),
		cmocka_unit_test(what_it_is_about_stands_before_it_and_is_not_cut),
		cmocka_unit_test(set_fills_all_and_returns_the_negated_errno),
		cmocka_unit_test(set_without_an_errno_returns_einval),
		cmocka_unit_test(text_that_is_too_long_is_cut),
		cmocka_unit_test(words_name_the_thing_and_the_reason),
		cmocka_unit_test(words_end_with_the_buffer),
	};

	return cmocka_run_group_tests(err_tests, NULL, NULL);
}
