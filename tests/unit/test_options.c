/* The option table that both programs parse by: words to rows, and the help. */
#include "shared/options.h"

#include "unit.h"

static const struct option_row rows[] = {
	{'a', "all", NULL, "first", .kind = OPTION_IGNORED},
	{0, "size", "N", "only a long name", .kind = OPTION_IGNORED},
	{'x', "exact-and-rather-long", "VALUE", "below its name", .kind = OPTION_IGNORED},
	{'z', "zero", NULL, "last", .kind = OPTION_IGNORED},
	{0},
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
	struct options o = {.rows = rows, .argc = 10, .argv = argv};
	const char *value = NULL;
	struct err err;

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(want); i++) {
		assert_int_equal(options_next(&o, &value, &err), want[i].row);
		if (want[i].value)
			assert_string_equal(value, want[i].value);
	}
	assert_int_equal(options_next(&o, &value, &err), -1);
	assert_int_equal(o.at + 1, 8);
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
		struct options o = {.rows = rows, .argc = 3, .argv = argv};
		const char *value = NULL;
		struct err err;

		assert_int_equal(options_next(&o, &value, &err), 0);
		assert_int_equal(options_next(&o, &value, &err), -EINVAL);
		assert_string_equal(err.text, lines[i].complaint);
	}
}

/* The complaint about the first word, and what it says to do. */
static struct err refused(const char *word, const char *next)
{
	char *argv[] = {(char *)"p", (char *)word, (char *)next, NULL};
	struct options o = {.rows = rows, .argc = 3, .argv = argv};
	const char *value = NULL;
	struct err err = {.text = ""};

	if (options_next(&o, &value, &err) >= 0)
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
		{0, "timeout", "DURATION", "", .kind = OPTION_IGNORED},
		{0, "tick", NULL, "", .kind = OPTION_IGNORED},
		{0, "ti", NULL, "", .kind = OPTION_IGNORED},
		{0},
	};
	char *argv[] = {(char *)"p", (char *)"--t", NULL};
	struct options o = {.rows = near, .argc = 2, .argv = argv};
	const char *value = NULL;
	struct err err;

	(void)state;
	assert_int_equal(options_next(&o, &value, &err), -EINVAL);
	assert_string_equal(err.text, "--t may be several options");
	assert_string_equal(err.hint, "it begins --timeout, --tick, --ti");
	/* One whose name is whole is no beginning of others. */
	argv[1] = (char *)"--ti";
	o.at = 0;
	assert_int_equal(options_next(&o, &value, &err), 2);
}

static void abbreviation_swallows_no_word(void **state)
{
	struct err err = refused("--exa", "operand");

	(void)state;
	assert_string_equal(err.text, "--exa is short for --exact-and-rather-long, which takes a "
				      "value");
	assert_non_null(strstr(err.hint, "--exa=VALUE"));
}

static void table_may_be_long(void **state)
{
	static char names[64][8];
	struct option_row many[UNIT_COUNT(names) + 1] = {0};
	char *argv[] = {(char *)"p", (char *)"--n63=v", (char *)"-h", NULL};
	struct options o = {.rows = many, .argc = 3, .argv = argv};
	const char *value = NULL;
	struct err err;

	(void)state;
	for (int i = 0; i < 64; i++) {
		snprintf(names[i], sizeof(names[i]), "n%d", i);
		many[i] = (struct option_row){(char)('A' + i % 58), names[i], "V", "help",
					      .kind = OPTION_IGNORED};
	}
	many[62] = (struct option_row){'h', "help", NULL, "help", .kind = OPTION_IGNORED};
	many['h' - 'A'].short_name = 0;
	assert_int_equal(options_next(&o, &value, &err), 63);
	assert_string_equal(value, "v");
	assert_int_equal(options_next(&o, &value, &err), 62);
}

static void help_is_set_in_two_columns(void **state)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	assert_non_null(out);
	options_help(out, rows, 0);
	fclose(out);
	assert_string_equal(text, "  -a, --all                   first\n"
				  "      --size N                only a long name\n"
				  "  -x, --exact-and-rather-long VALUE\n"
				  "                              below its name\n"
				  "  -z, --zero                  last\n");
	free(text);
}

/* What each kind makes of its value, and what a row has of its own. */
struct kept {
	bool flag;
	const char *text;
	unsigned long number;
	uint64_t size, duration, limit, infinite;
	int own;
};

static int take_own(const char *value, void *target, struct err *err)
{
	*(int *)target = (int)strlen(value);
	return *value ? 0 : err_set(err, 0, NULL, "nothing");
}

#define TO(kind, member) OPTION_TO(kind, struct kept, member)

static const struct option_row kinds[] = {
	{'f', "flag", NULL, "", TO(FLAG, flag)},
	{'t', "text", "V", "", TO(TEXT, text)},
	{'n', "number", "V", "", TO(NUMBER, number)},
	{'s', "size", "V", "", TO(SIZE, size)},
	{'d', "duration", "V", "", TO(DURATION, duration)},
	{'l', "limit", "V", "", TO(LIMIT, limit)},
	{'i', "infinite", "V", "", TO(LIMIT_INFINITE, infinite)},
	{'o', "own", "V", "", OPTION_BY(take_own, struct kept, own)},
	{'x', "other", NULL, "there is another", .kind = OPTION_REFUSED},
	{'a', "of-one", NULL, "", TO(FLAG, flag), .only = 1},
	{'a', "of-two", NULL, "", .kind = OPTION_IGNORED, .only = 2},
	{0},
};

/* The words of that line, with blanks between; values are of it until the next. */
static int keep(const char *line, unsigned program, struct kept *ret, struct err *err)
{
	static char text[64];
	char *argv[16] = {(char *)"p"}, *at = text;
	struct options o = {.rows = kinds, .program = program, .argc = 1, .argv = argv};

	*ret = (struct kept){.limit = 7};
	snprintf(text, sizeof(text), "%s", line);
	while ((argv[o.argc] = strsep(&at, " ")))
		o.argc++;
	return options_parse(&o, ret, err);
}

static void kind_says_what_a_value_becomes(void **state)
{
	struct kept kept;
	struct err err;

	(void)state;
	assert_int_equal(keep("-ft x -n 12 -s1K -d 2s -l inf -i0 --own=abc -- -q", 0, &kept, &err),
			 0);
	assert_true(kept.flag);
	assert_string_equal(kept.text, "x");
	assert_int_equal(kept.number, 12);
	assert_int_equal(kept.size, 1024);
	assert_int_equal(kept.duration, 2000);
	assert_int_equal(kept.limit, 0);
	assert_true(kept.infinite == UINT64_MAX);
	assert_int_equal(kept.own, 3);
	assert_int_equal(keep("-l 3ms -i 4ms", 0, &kept, &err), 0);
	assert_int_equal(kept.limit, 3);
	assert_int_equal(kept.infinite, 4);
}

static void value_that_is_refused_is_said_with_its_option(void **state)
{
	static const char *const lines[][2] = {
		{"-n 0", "--number: 0 is not a number from 1 to 1000000"},
		{"-o ", "--own: nothing"},
		{"-l x", "--limit: x is not a duration such as 1.5s, 500ms or 2m"},
		{"-x", "there is no --other"},
		{"--oth", "unknown option --oth"},
	};
	struct kept kept;
	struct err err;

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(lines); i++) {
		assert_int_equal(keep(lines[i][0], 0, &kept, &err), -EINVAL);
		assert_string_equal(err.text, lines[i][1]);
	}
}

static void row_is_of_one_program_alone(void **state)
{
	struct kept kept;
	struct err err;

	(void)state;
	assert_int_equal(keep("-a", 1, &kept, &err), 0);
	assert_true(kept.flag);
	assert_int_equal(keep("-a --of", 2, &kept, &err), 0);
	assert_false(kept.flag);
	assert_int_equal(keep("--of-one", 2, &kept, &err), -EINVAL);
	assert_string_equal(err.text, "unknown option --of-one");
	assert_string_equal(err.hint, "did you mean --of-two? --help lists all options");
}

int main(void)
{
	const struct CMUnitTest options_tests[] = {
		cmocka_unit_test(rows_are_found_by_either_name),
		cmocka_unit_test(complaint_is_about_the_right_option),
		cmocka_unit_test(word_is_unknown_or_ambiguous_or_takes_no_value),
		cmocka_unit_test(ambiguous_word_names_the_candidates),
		cmocka_unit_test(abbreviation_swallows_no_word),
		cmocka_unit_test(table_may_be_long),
		cmocka_unit_test(help_is_set_in_two_columns),
		cmocka_unit_test(kind_says_what_a_value_becomes),
		cmocka_unit_test(value_that_is_refused_is_said_with_its_option),
		cmocka_unit_test(row_is_of_one_program_alone),
	};

	return cmocka_run_group_tests(options_tests, NULL, NULL);
}
