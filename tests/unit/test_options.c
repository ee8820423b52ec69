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
		{{"--all", "--size", NULL}, "option --size needs a value"},
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
		cmocka_unit_test(table_may_be_full),
		cmocka_unit_test(help_is_set_in_two_columns),
	};

	return cmocka_run_group_tests(options_tests, NULL, NULL);
}
