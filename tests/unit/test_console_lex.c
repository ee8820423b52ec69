/* The shell's grammar as the console sees it: whole lines, open ones, and words with their quotes. */
#include "../../cli/console_lex.h"

#include <stdlib.h>
#include <string.h>

#include "unit.h"

static void assert_verdict(const char *text, enum lex_verdict expected)
{
	enum lex_verdict verdict = lex_judge(text, strlen(text));

	if (verdict != expected)
		fail_msg("[%s] is %d, not %d", text, verdict, expected);
}

static void lines_that_are_whole(void **state)
{
	static const char *const texts[] = {
		"ls",
		"",
		"echo 'a b' \"c\" d\\ e",
		"a | b && c; d &",
		"echo it\\'s",
		"cd /tmp; ls -l >x 2>&1 </dev/null",
		"X=1 Y='2' make",
		"echo a#b # it's a comment",
		"cat <<<word",
		"cat <<E\nit's \"open\nE",
		"cat <<-'E O'\n\ta $(b\n\tE O",
		"cat <<A <<B\na\nA\nb\nB",
		"echo if then",
		"echo $'it\\'s'",
		"\"a\nb\"",
		"echo \\\\",
		"echo 'a\\'",
		"echo $x $1 $",
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(texts); i++)
		assert_verdict(texts[i], LEX_WHOLE);
}

static void lines_that_go_on(void **state)
{
	static const char *const texts[] = {
		"echo 'a",
		"echo \"a",
		"echo \"it's",
		"echo a \\",
		"echo $'it\\'",
		"cat <<E",
		"cat <<E\nbody",
		"cat <<E\nbody\n E",
		"cat <<-E\n\tbody",
		"cat <<'E'\nE2",
		"cat <<A <<B\nA\nb",
		"echo \"a\\\"",
		"for i in a; do cat <<E\nx",
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(texts); i++)
		assert_verdict(texts[i], LEX_OPEN);
}

/* The guest's shell knows; we only must not claim to. */
static void lines_that_are_asked_about(void **state)
{
	static const char *const texts[] = {
		"if true",
		"for i in 1 2",
		"while read x",
		"case x in",
		"f() {",
		"{ echo a",
		"(echo a",
		"echo $(ls",
		"echo ${a",
		"echo `ls",
		"true &&",
		"true |",
		"a || ",
		"x=1 if true",
		"true; if true",
		"[[ a",
		"echo $((1 << 2))",
		"echo \"$(echo 'a)\"",
		"echo $(cat <<E\nx\nE\n)",
		"! true",
		"time ls",
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(texts); i++)
		assert_verdict(texts[i], LEX_ASK);
}

static void deep_nesting_is_survived(void **state)
{
	char text[4 * LEX_DEPTH * 2 + 1] = "";

	(void)state;
	for (int i = 0; i < LEX_DEPTH * 2; i++)
		strcat(text, "$(\"");
	assert_verdict(text, LEX_ASK);
	memset(text, '`', sizeof(text) - 1);
	lex_judge(text, sizeof(text) - 1);
	memset(text, ')', sizeof(text) - 1);
	assert_verdict(text, LEX_ASK);
}

/* For Tab: is the word that begins at the end a command's name? */
static void where_a_command_stands(void **state)
{
	static const struct {
		const char *text;
		bool command;
	} rows[] = {
		{"", true},	     {"ls ", false},	    {"ls; ", true},   {"ls | ", true},
		{"ls && ", true},    {"echo $(", true},	    {"(", true},      {"X=1 ", true},
		{"if ", true},	     {"sudo ", true},	    {"cat <", false}, {"cat >", false},
		{"echo \"$(", true}, {"echo `", true},	    {"a\n", true},    {"! ", true},
		{"then ", true},     {"echo then ", false}, {"a & ", true},
	};
	struct lex lex;

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
		lex_read(rows[i].text, strlen(rows[i].text), &lex);
		if (lex.command != rows[i].command)
			fail_msg("[%s]", rows[i].text);
	}
}

static void complaints_about_a_missing_end(void **state)
{
	static const char *const missing[] = {
		"bash: line 2: syntax error: unexpected end of file",
		"bash: line 1: unexpected EOF while looking for matching `\"'",
		"bash: line 1: warning: here-document at line 1 delimited by end-of-file (wanted "
		"`E')",
		"bash: -c: line 2: syntax error: unexpected end of file from `if' command on line "
		"1",
		"sh: 2: Syntax error: end of file unexpected (expecting \"do\")",
		"sh: 2: Syntax error: Unterminated quoted string",
		"sh: 1: Syntax error: Missing '}'",
		"sh: 2: Syntax error: EOF in backquote substitution",
		"sh: syntax error: unexpected end of file (expecting \"fi\")",
		"sh: syntax error: unterminated quoted string",
	};
	static const char *const wrong[] = {
		"",
		"bash: line 1: syntax error near unexpected token `fi'\nbash: line 1: `fi # EOF'",
		"bash: line 1: syntax error near unexpected token `EOF'",
		"sh: 1: Syntax error: \"fi\" unexpected",
		"sh: syntax error: unexpected \")\"",
		"sh: syntax error: unexpected \"EOF\"",
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(missing); i++)
		if (!lex_missed_end(missing[i], strlen(missing[i])))
			fail_msg("%s", missing[i]);
	for (size_t i = 0; i < UNIT_COUNT(wrong); i++)
		if (lex_missed_end(wrong[i], strlen(wrong[i])))
			fail_msg("%s", wrong[i]);
}

static void assert_quoted(const char *text, char quote, bool bash, const char *expected)
{
	char *word = lex_quote(text, quote, bash);

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
		char *word = lex_unquote(rows[i].text, rows[i].quote);

		assert_string_equal(word, rows[i].expected);
		free(word);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_that_are_whole),
		cmocka_unit_test(lines_that_go_on),
		cmocka_unit_test(lines_that_are_asked_about),
		cmocka_unit_test(deep_nesting_is_survived),
		cmocka_unit_test(where_a_command_stands),
		cmocka_unit_test(complaints_about_a_missing_end),
		cmocka_unit_test(words_are_quoted),
		cmocka_unit_test(words_are_unquoted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
