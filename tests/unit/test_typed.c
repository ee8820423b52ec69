/* Lines as they are typed into a terminal, and their echo among other output. */
#include "cli/console/typed.h"

#include <string.h>

#include "unit.h"

static struct typed typed;
static struct buf out, shown;

static int set_up(void **state)
{
	(void)state;
	typed_init(&typed);
	buf_init(&out, TYPED_MAX, NULL);
	buf_init(&shown, TYPED_MAX, NULL);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	typed_release(&typed);
	buf_release(&out);
	buf_release(&shown);
	return 0;
}

static void type(const char *line)
{
	assert_int_equal(typed_put(&typed, line, strlen(line), &out), 0);
	assert_int_equal(typed_put_key(&typed, '\n', "\r\n", &out), 0);
}

static void show(void *owner, const char *data, size_t len)
{
	(void)owner;
	buf_append(&shown, data, len);
}

static void comes(const char *data)
{
	typed_strip(&typed, data, strlen(data), NULL, show);
}

static void assert_bytes(struct buf *buf, const char *expected)
{
	assert_int_equal(buf_len(buf), strlen(expected));
	if (expected[0])
		assert_memory_equal(buf_head(buf), expected, strlen(expected));
	buf_consume(buf, buf_len(buf));
}

static void plain_text_is_typed_as_it_is(void **state)
{
	(void)state;
	type("echo gr\xc3\xbc\xc3\x9f\t\xe9");
	assert_bytes(&out, "echo gr\xc3\xbc\xc3\x9f\t\xe9\n");
	comes("echo gr\xc3\xbc\xc3\x9f\t\xe9\r\nout\r\n");
	assert_bytes(&shown, "out\r\n");
}

static void control_characters_are_quoted(void **state)
{
	(void)state;
	type("a\x03\x7f");
	assert_bytes(&out, "a\x16\x03\x16\x7f\n");
	comes("a^\b^C^\b^?\r\nb");
	assert_bytes(&shown, "b");
}

/* No part has as many bytes as a terminal keeps, nor a multiple of what a shell reads at a time. */
static void long_line_is_sent_off_in_parts(void **state)
{
	static char line[100000];
	size_t part = 0, bytes = 0;

	(void)state;
	memset(line, 'x', sizeof(line) - 1);
	type(line);
	for (size_t i = 0; i < buf_len(&out); i++) {
		if (buf_head(&out)[i] != 4) {
			part++;
			continue;
		}
		assert_in_range(part, 1, 4095);
		assert_int_not_equal(part % 128, 0);
		bytes += part;
		part = 0;
	}
	assert_int_equal(bytes + part, sizeof(line));
}

static void echo_is_found_behind_and_in_pieces(void **state)
{
	static const char all[] = "job\r\nlls -l\r\nls";

	(void)state;
	for (size_t cut = 1; cut < sizeof(all) - 1; cut++) {
		char head[sizeof(all)];

		type("ls -l");
		snprintf(head, sizeof(head), "%.*s", (int)cut, all);
		comes(head);
		comes(all + cut);
		assert_bytes(&shown, "job\r\nlls");
		assert_int_equal(buf_len(&typed.echo), 0);
	}
}

/* Of a terminal that repeats nothing: all is a command's, even what begins like the line. */
static void output_without_echo_is_whole(void **state)
{
	(void)state;
	type("echo echo");
	comes("echo\r\necho e");
	comes("lse\r\necho");
	assert_bytes(&shown, "echo\r\necho else\r\n");
	typed_forget(&typed, NULL, show);
	comes(" echo\r\n");
	assert_bytes(&shown, "echo echo\r\n");
}

/* Of one whose echo was off until the line had nearly been read. */
static void end_of_a_line_may_be_all_that_comes(void **state)
{
	static const char *const ends[] = {"echo no no", "cho no no", "no", "o no", ""};
	char data[64];

	(void)state;
	typed.partly = true;
	for (size_t i = 0; i < UNIT_COUNT(ends); i++) {
		type("echo no no");
		snprintf(data, sizeof(data), "%s\r\nno no\r\n", ends[i]);
		comes(data);
		assert_bytes(&shown, "no no\r\n");
	}
	type("echo no no");
	comes("none\r\nnone\r\n");
	assert_bytes(&shown, "nonenone\r\n");
}

/* What a terminal has no room for comes behind the prompt, or not at all. */
static void echo_of_a_long_line_may_be_late(void **state)
{
	char line[600];

	(void)state;
	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	type(line);
	typed_strip(&typed, line, 300, NULL, show);
	typed_forget(&typed, NULL, show);
	typed_strip(&typed, line, 299, NULL, show);
	comes("\r\nout");
	assert_bytes(&shown, "out");
	type(line);
	typed_strip(&typed, line, 300, NULL, show);
	comes("\r\nout");
	assert_bytes(&shown, "out");
	type(line);
	type("ls");
	typed_strip(&typed, line, 300, NULL, show);
	typed_forget(&typed, NULL, show);
	comes("ls\r\nout");
	assert_bytes(&shown, "out");
}

/* busybox shows a newline, of a prompt alone; bash and dash what the terminal shows, and that. */
static void echo_of_ctrl_c_is_the_first_that_comes_or_none(void **state)
{
	static const char *const echoes[] = {"\r\n", "^C\r\n"};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(typed_put_key(&typed, 3, echoes[i], &out), 0);
		comes(echoes[i]);
		comes("$ \r\n");
		assert_bytes(&shown, "$ \r\n");
		assert_int_equal(typed_put_key(&typed, 3, echoes[i], &out), 0);
		comes("^");
		comes("Cint\r\n");
		comes("^C\r\n");
		assert_bytes(&shown, "^Cint\r\n^C\r\n");
	}
}

static void newlines_may_be_untranslated(void **state)
{
	(void)state;
	type("a");
	type("b");
	comes("a\nb\r\nc");
	assert_bytes(&shown, "c");
}

static void what_was_erased_shows_first(void **state)
{
	(void)state;
	assert_int_equal(typed_put_erase(&typed, &out), 0);
	type("ls");
	comes("\b \b\b \bls\r\n\b \b");
	assert_bytes(&out, "\x15ls\n");
	assert_bytes(&shown, "\b \b");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(plain_text_is_typed_as_it_is, set_up, tear_down),
		cmocka_unit_test_setup_teardown(control_characters_are_quoted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(long_line_is_sent_off_in_parts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(echo_is_found_behind_and_in_pieces, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(output_without_echo_is_whole, set_up, tear_down),
		cmocka_unit_test_setup_teardown(end_of_a_line_may_be_all_that_comes, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(echo_of_a_long_line_may_be_late, set_up, tear_down),
		cmocka_unit_test_setup_teardown(echo_of_ctrl_c_is_the_first_that_comes_or_none,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(newlines_may_be_untranslated, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_was_erased_shows_first, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
