/* -e and --env-file: what becomes an entry, literally, as docker has it; and what is refused. */
#include "cli/options/values.h"

#include <unistd.h>

#include "unit.h"

/* Adds a file with that text, which is gone afterwards. */
static int add_text(struct env_list *list, const char *text, size_t len, struct err *err)
{
	char path[] = "/tmp/msb-unit-XXXXXX";
	int fd = mkstemp(path), r;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	close(fd);
	r = env_add_file(list, path, err);
	unlink(path);
	return r;
}

static void assert_list(const struct env_list *list, const char *const *want)
{
	size_t i;

	for (i = 0; want[i]; i++) {
		assert_true(i < list->count);
		assert_string_equal(list->entries[i], want[i]);
	}
	assert_int_equal(list->count, i);
}

static void assert_file(const char *text, const char *const *want)
{
	struct env_list list = {0};
	struct err err = {.text = ""};

	if (add_text(&list, text, strlen(text), &err) < 0)
		fail_msg("%s", err.text);
	assert_list(&list, want);
	env_release(&list);
	assert_null(list.entries);
}

static void assert_bad_file(const char *text, size_t len, const char *why)
{
	struct env_list list = {0};
	struct err err = {.text = ""};

	assert_true(add_text(&list, text, len, &err) < 0);
	if (!strstr(err.text, why))
		fail_msg("%s: not \"%s\"", err.text, why);
	env_release(&list);
}

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

static void entries_are_kept_as_they_are_given(void **state)
{
	struct env_list list = {0};
	struct err err;

	(void)state;
	assert_int_equal(env_add(&list, "A=1", &err), 0);
	assert_int_equal(env_add(&list, "B=", &err), 0);
	assert_int_equal(env_add(&list, "A=2=3 'x' # y", &err), 0);
	assert_list(&list, LIST("A=1", "B=", "A=2=3 'x' # y"));
	env_release(&list);
}

static void name_alone_copies_the_hosts_value_if_there_is_one(void **state)
{
	struct env_list list = {0};
	struct err err;

	(void)state;
	setenv("MSB_UNIT_SET", "a=b c", 1);
	setenv("MSB_UNIT_EMPTY", "", 1);
	unsetenv("MSB_UNIT_UNSET");
	assert_int_equal(env_add(&list, "MSB_UNIT_SET", &err), 0);
	assert_int_equal(env_add(&list, "MSB_UNIT_UNSET", &err), 0);
	assert_int_equal(env_add(&list, "MSB_UNIT_EMPTY", &err), 0);
	assert_list(&list, LIST("MSB_UNIT_SET=a=b c", "MSB_UNIT_EMPTY="));
	env_release(&list);
}

static void entry_without_a_name_is_refused(void **state)
{
	struct env_list list = {0};
	struct err err;

	(void)state;
	assert_int_equal(env_add(&list, "", &err), -EINVAL);
	assert_int_equal(env_add(&list, "=", &err), -EINVAL);
	assert_int_equal(env_add(&list, "=x", &err), -EINVAL);
	assert_non_null(strstr(err.text, "no variable name"));
	assert_int_equal(list.count, 0);
	env_release(&list);
}

static void key_is_found_whole(void **state)
{
	struct env_list list = {0};
	struct err err;

	(void)state;
	assert_int_equal(env_add(&list, "TERMINAL=1", &err), 0);
	assert_int_equal(env_add(&list, "HOME=", &err), 0);
	assert_false(env_has(&list, "TERM"));
	assert_true(env_has(&list, "HOME"));
	assert_false(env_has(&list, "HOM"));
	assert_false(env_has(&list, "HOME="));
	env_release(&list);
}

static void file_is_taken_line_by_line(void **state)
{
	(void)state;
	assert_file("", LIST(NULL));
	assert_file("\n\n", LIST(NULL));
	assert_file("A=1\nB=2\n", LIST("A=1", "B=2"));
	assert_file("A=1\nB=2", LIST("A=1", "B=2"));
	assert_file("A=1\r\nB=2\r\n", LIST("A=1", "B=2"));
	assert_file("\xef\xbb\xbf"
		    "A=1\nB=2\n",
		    LIST("A=1", "B=2"));
	assert_file("A=\xef\xbb\xbf\n", LIST("A=\xef\xbb\xbf"));
}

static void file_has_comments_and_blank_lines(void **state)
{
	(void)state;
	assert_file("# one\n#A=1\n \t# two\n   \n\t\nB=2\n", LIST("B=2"));
	assert_file("\xef\xbb\xbf# one\nB=2\n", LIST("B=2"));
}

/* No quotes, no expansion, no trimming, no comments behind: docker's way, not the shell's. */
static void file_is_literal(void **state)
{
	(void)state;
	assert_file("A=\"1 2\"\n", LIST("A=\"1 2\""));
	assert_file("A='x'\n", LIST("A='x'"));
	assert_file("A=1 # not a comment\n", LIST("A=1 # not a comment"));
	assert_file("A= 1 \n", LIST("A= 1 "));
	assert_file("A=1\t\r\n", LIST("A=1\t"));
	assert_file("A=1\r\r\n", LIST("A=1\r"));
	assert_file("A=$B\\n\n", LIST("A=$B\\n"));
	assert_file("A=1=2\n", LIST("A=1=2"));
	assert_file("A=\n", LIST("A="));
	assert_file("  A=1\n\tB=2\n", LIST("A=1", "B=2"));
	assert_file("A.b-c=1\n", LIST("A.b-c=1"));
	assert_file("export=1\n", LIST("export=1"));
}

static void name_alone_in_a_file_copies_the_hosts_value(void **state)
{
	(void)state;
	setenv("MSB_UNIT_SET", "host", 1);
	unsetenv("MSB_UNIT_UNSET");
	assert_file("MSB_UNIT_SET\nMSB_UNIT_UNSET\nA=1\n", LIST("MSB_UNIT_SET=host", "A=1"));
}

static void line_that_is_wrong_is_refused_with_its_number(void **state)
{
	(void)state;
	assert_bad_file("A=1\n=2\n", 7, ":2: no variable name");
	assert_bad_file("export A=1\n", 11, ":1: a variable name with a blank");
	assert_bad_file("\n# x\nA =1\n", 10, ":3: a variable name with a blank");
	assert_bad_file("A\tB\n", 4, ":1: a variable name with a blank");
	assert_bad_file("A \n", 3, ":1: a variable name with a blank");
	assert_bad_file("A=1\nB=2\nC=x\0y\n", 14, ":3: a NUL byte");
}

static void file_that_cannot_be_read_is_an_error(void **state)
{
	struct env_list list = {0};
	struct err err;

	(void)state;
	assert_int_equal(env_add_file(&list, "/no/such/file", &err), -ENOENT);
	assert_non_null(strstr(err.text, "/no/such/file"));
	assert_int_equal(env_add_file(&list, "/tmp", &err), -EISDIR);
	assert_int_equal(list.count, 0);
	env_release(&list);
}

static void line_may_be_long(void **state)
{
	size_t len = 1000000;
	char *text = malloc(len + 3);
	struct env_list list = {0};
	struct err err;

	(void)state;
	assert_non_null(text);
	memset(text, 'x', len);
	memcpy(text, "A=", 2);
	text[len] = '\n';
	memcpy(text + len + 1, "B=", 2);
	assert_int_equal(add_text(&list, text, len + 3, &err), 0);
	assert_int_equal(list.count, 2);
	assert_int_equal(strlen(list.entries[0]), len);
	assert_string_equal(list.entries[1], "B=");
	env_release(&list);
	free(text);
}

int main(void)
{
	const struct CMUnitTest env_file_tests[] = {
		cmocka_unit_test(entries_are_kept_as_they_are_given),
		cmocka_unit_test(name_alone_copies_the_hosts_value_if_there_is_one),
		cmocka_unit_test(entry_without_a_name_is_refused),
		cmocka_unit_test(key_is_found_whole),
		cmocka_unit_test(file_is_taken_line_by_line),
		cmocka_unit_test(file_has_comments_and_blank_lines),
		cmocka_unit_test(file_is_literal),
		cmocka_unit_test(name_alone_in_a_file_copies_the_hosts_value),
		cmocka_unit_test(line_that_is_wrong_is_refused_with_its_number),
		cmocka_unit_test(file_that_cannot_be_read_is_an_error),
		cmocka_unit_test(line_may_be_long),
	};

	return cmocka_run_group_tests(env_file_tests, NULL, NULL);
}
