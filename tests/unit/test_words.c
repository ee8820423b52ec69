/* Words of the shell as Tab sees them: where one stands, and its quotes. */
#include "cli/console/words.h"

#include <stdlib.h>
#include <string.h>

#include "unit.h"

static void where_a_word_begins_a_command(void **state)
{
	static const struct {
		const char *line;
		bool command;
	} rows[] = {
		{"", true},	   {"ls ", false},	  {"ls; ", true},	 {"a | ", true},
		{"A=1 ", true},	   {"if ", true},	  {"sudo ", true},	 {"(", true},
		{"echo $(", true}, {"echo 'a;' ", false}, {"echo a\\; ", false}, {"./a=b ", false},
		{"x && ! ", true}, {"ls -l ", false},	  {"\"a b\" ", false},
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(rows); i++)
		if (words_look(rows[i].line, strlen(rows[i].line)).command != rows[i].command)
			fail_msg("[%s]", rows[i].line);
}

static void what_is_open_at_a_place(void **state)
{
	(void)state;
	assert_int_equal(words_look("echo 'a", 7).quote, '\'');
	assert_int_equal(words_look("echo 'a'", 8).quote, 0);
	assert_int_equal(words_look("echo \"it's", 10).quote, '"');
	assert_true(words_look("echo a\\", 7).escaped);
	assert_false(words_look("echo 'a\\", 8).escaped);
	assert_false(words_look("echo a\\\\", 8).escaped);
}

static void assert_quoted(const char *text, char quote, bool bash, const char *expected)
{
	char *word = words_quote(text, quote, bash);

	if (expected)
		assert_string_equal(word, expected);
	else
		assert_null(word);
	free(word);
}

static void words_are_quoted(void **state)
{
	(void)state;
	assert_quoted("plain/file-1.c", 0, false, "plain/file-1.c");
	assert_quoted("a b", 0, false, "a\\ b");
	assert_quoted("a b", '"', false, "a b");
	assert_quoted("a\"$b`", '"', false, "a\\\"\\$b\\`");
	assert_quoted("it's", '\'', false, "it'\\''s");
	assert_quoted("it's", 0, false, "it\\'s");
	assert_quoted("~x", 0, false, "\\~x");
	assert_quoted("x~", 0, false, "x~");
	assert_quoted("*?[;&|<>(){}#!", 0, false, "\\*\\?\\[\\;\\&\\|\\<\\>\\(\\)\\{\\}\\#\\!");
	assert_quoted("a\nb", 0, true, "$'a\\012b'");
	assert_quoted("\x1b]0;'\\\a", 0, true, "$'\\033]0;\\'\\\\\\007'");
	assert_quoted("a\nb", 0, false, NULL);
	/* Terminals obey these, too, or show the rest the other way around, or not at all. */
	assert_quoted("a\xc2\x9b"
		      "2J",
		      0, true, "$'a\\302\\2332J'");
	assert_quoted("\xe2\x80\xae"
		      "fdp.sh",
		      0, true, "$'\\342\\200\\256fdp.sh'");
	assert_quoted("a\xe2\x80\x8b", 0, false, NULL);
	assert_quoted("\x9b"
		      "2J",
		      0, true, "$'\\2332J'");
	assert_quoted("a\nb", '"', true, NULL);
	assert_quoted("gr\xc3\xbc\xc3\x9f", 0, false, "gr\xc3\xbc\xc3\x9f");
}

static void words_are_unquoted(void **state)
{
	static const struct {
		const char *text;
		char quote;
		const char *expected;
	} rows[] = {
		{"plain", 0, "plain"},	{"a\\ b", 0, "a b"},   {"\"a b", 0, "a b"},
		{"'a b'c", 0, "a bc"},	{"a\\b", '"', "a\\b"}, {"a\\$b", '"', "a$b"},
		{"a\\b", '\'', "a\\b"}, {"a\\", 0, "a\\"},     {"it'\\''s", '\'', "it's"},
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
		char *word = words_unquote(rows[i].text, rows[i].quote);

		assert_string_equal(word, rows[i].expected);
		free(word);
	}
}

static void a_text_is_taken_word_by_word(void **state)
{
	static const struct {
		const char *text, *home, *word, *rest;
	} rows[] = {
		{"a b", NULL, "a", "b"},	 {"a\\ b \t c d", NULL, "a b", "c d"},
		{"'a b'c", NULL, "a bc", ""},	 {"", NULL, "", ""},
		{"~/x y", NULL, "~/x", "y"},	 {"~/x y", "/home/u", "/home/u/x", "y"},
		{"~", "/home/u", "/home/u", ""}, {"~x", "/home/u", "~x", ""},
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
		const char *text = rows[i].text;
		char *word = words_next(&text, rows[i].home);

		assert_string_equal(word, rows[i].word);
		assert_string_equal(text, rows[i].rest);
		free(word);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(where_a_word_begins_a_command),
		cmocka_unit_test(what_is_open_at_a_place),
		cmocka_unit_test(words_are_quoted),
		cmocka_unit_test(words_are_unquoted),
		cmocka_unit_test(a_text_is_taken_word_by_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
