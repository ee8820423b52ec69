/* The option table that both programs parse by: rows to getopt and back, and the help. */
#include "../../shared/options.h"

#include <getopt.h>

#include "unit.h"

static const struct option_row rows[] = {
	{'a', "all", NULL, "first"},
	{0, "size", "N", "only a long name"},
	{'x', "exact-and-rather-long", "VALUE", "below its name"},
	{'z', "zero", NULL, "last"},
};

static void rows_are_found_by_either_name(void **state)
{
	char *argv[] = {(char *)"p",	   (char *)"--size", (char *)"5",  (char *)"-ax7",
			(char *)"--zero",  (char *)"--all",  (char *)"-z", (char *)"--exact=8",
			(char *)"operand", (char *)"-a",     NULL};
	static const struct {
		int row;
		const char *value;
	} want[] = {{1, "5"}, {0, NULL}, {2, "7"}, {3, NULL}, {0, NULL}, {3, NULL}, {2, "8"}};
	const char *value = NULL;
	int operand = 0;
	struct err err;

	(void)state;
	optind = 0;
	for (size_t i = 0; i < UNIT_COUNT(want); i++) {
		assert_int_equal(
			options_next(10, argv, rows, UNIT_COUNT(rows), &value, &operand, &err),
			want[i].row);
		if (want[i].value)
			assert_string_equal(value, want[i].value);
	}
	assert_int_equal(options_next(10, argv, rows, UNIT_COUNT(rows), &value, &operand, &err),
			 -1);
	assert_int_equal(operand, 8);
}

static void complaint_is_about_the_right_option(void **state)
{
	static const struct {
		const char *words[3], *complaint;
	} lines[] = {
		{{"-a", "-q", NULL}, "unknown option -q"},
		{{"-a", "-x", NULL}, "option -x needs a value"},
		{{"--all", "--size", NULL}, "--size needs a value: N"},
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(lines); i++) {
		char *argv[] = {(char *)"p", (char *)lines[i].words[0], (char *)lines[i].words[1],
				NULL};
		const char *value = NULL;
		int operand = 0;
		struct err err;

		optind = 0;
		assert_int_equal(
			options_next(3, argv, rows, UNIT_COUNT(rows), &value, &operand, &err), 0);
		assert_int_equal(
			options_next(3, argv, rows, UNIT_COUNT(rows), &value, &operand, &err),
			-EINVAL);
		assert_string_equal(err.text, lines[i].complaint);
	}
}

/* The complaint about the first word, and what it says to do. */
static struct err refused(const char *word, const char *next)
{
	char *argv[] = {(char *)"p", (char *)word, (char *)next, NULL};
	const char *value = NULL;
	struct err err = {.text = ""};
	int operand = 0;

	optind = 0;
	if (options_next(3, argv, rows, UNIT_COUNT(rows), &value, &operand, &err) >= 0)
		fail_msg("took %s", word);
	return err;
}

static void word_is_unknown_or_ambiguous_or_takes_no_value(void **state)
{
	struct err err = refused("--sise", "5");

	(void)state;
	assert_string_equal(err.text, "unknown option --sise");
	assert_non_null(strstr(err.hint, "did you mean --size?"));
	err = refused("--sise=5", "x");
	assert_string_equal(err.text, "unknown option --sise");
	err = refused("-size", "5");
	assert_string_equal(err.text, "unknown option -s");
	assert_non_null(strstr(err.hint, "did you mean --size?"));
	/* What is like none of them is not said to be. */
	err = refused("--elephant", "x");
	assert_null(strstr(err.hint, "did you mean"));
	err = refused("--aa", "x");
	assert_null(strstr(err.hint, "--zero"));
	err = refused("--all=yes", "x");
	assert_string_equal(err.text, "--all takes no value");
	err = refused("----all", "x");
	assert_string_equal(err.text, "unknown option ----all");
	err = refused("--=5", "x");
	assert_string_equal(err.text, "unknown option --");
}

static void ambiguous_word_names_the_candidates(void **state)
{
	static const struct option_row near[] = {
		{0, "timeout", "DURATION", ""}, {0, "tick", NULL, ""}, {0, "ti", NULL, ""}};
	char *argv[] = {(char *)"p", (char *)"--t", NULL};
	const char *value = NULL;
	int operand = 0;
	struct err err;

	(void)state;
	optind = 0;
	assert_int_equal(options_next(2, argv, near, 3, &value, &operand, &err), -EINVAL);
	assert_string_equal(err.text, "--t may be several options");
	assert_string_equal(err.hint, "it begins --timeout, --tick, --ti");
	/* One whose name is whole is no beginning of others. */
	argv[1] = (char *)"--ti";
	optind = 0;
	assert_int_equal(options_next(2, argv, near, 3, &value, &operand, &err), 2);
}

static void abbreviation_swallows_no_word(void **state)
{
	struct err err = refused("--exa", "operand");

	(void)state;
	assert_string_equal(err.text, "--exa is short for --exact-and-rather-long, which takes a "
				      "value");
	assert_non_null(strstr(err.hint, "--exa=VALUE"));
}

static void table_may_be_full(void **state)
{
	struct option_row many[OPTIONS_MAX];
	char *argv[] = {(char *)"p", (char *)"--n63=v", (char *)"-h", NULL};
	static char names[OPTIONS_MAX][8];
	const char *value = NULL;
	int operand = 0;
	struct err err;

	(void)state;
	for (int i = 0; i < OPTIONS_MAX; i++) {
		snprintf(names[i], sizeof(names[i]), "n%d", i);
		many[i] = (struct option_row){(char)('A' + i % 58), names[i], "V", "help"};
	}
	many[OPTIONS_MAX - 2] = (struct option_row){'h', "help", NULL, "help"};
	many['h' - 'A'].short_name = 0;
	optind = 0;
	assert_int_equal(options_next(3, argv, many, OPTIONS_MAX, &value, &operand, &err), 63);
	assert_string_equal(value, "v");
	assert_int_equal(options_next(3, argv, many, OPTIONS_MAX, &value, &operand, &err), 62);
}

static void help_is_set_in_two_columns(void **state)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	assert_non_null(out);
	options_help(out, rows, UNIT_COUNT(rows));
	fclose(out);
	assert_string_equal(text, "  -a, --all                   first\n"
				  "      --size N                only a long name\n"
				  "  -x, --exact-and-rather-long VALUE\n"
				  "                              below its name\n"
				  "  -z, --zero                  last\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest options_tests[] = {
		cmocka_unit_test(rows_are_found_by_either_name),
		cmocka_unit_test(complaint_is_about_the_right_option),
		cmocka_unit_test(word_is_unknown_or_ambiguous_or_takes_no_value),
		cmocka_unit_test(ambiguous_word_names_the_candidates),
		cmocka_unit_test(abbreviation_swallows_no_word),
		cmocka_unit_test(table_may_be_full),
		cmocka_unit_test(help_is_set_in_two_columns),
	};

	return cmocka_run_group_tests(options_tests, NULL, NULL);
}
