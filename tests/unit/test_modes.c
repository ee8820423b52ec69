/* What a command left on in the terminal, from what it printed. */
#include "shared/modes.h"
#include "unit.h"

/* What would be printed after that, to turn off what is on. */
static void left(const char *printed, size_t cut, char *ret_text)
{
	struct modes modes = {.on = 0};

	modes_watch(&modes, (const uint8_t *)printed, cut);
	modes_watch(&modes, (const uint8_t *)printed + cut, strlen(printed) - cut);
	ret_text[modes_off(modes.on, ret_text)] = '\0';
}

static void assert_left(const char *printed, const char *off)
{
	char text[MODES_TEXT_MAX + 1];

	/* However the reads cut it. */
	for (size_t cut = 0; cut <= strlen(printed); cut++) {
		left(printed, cut, text);
		if (strcmp(text, off))
			fail_msg("after \"%s\", cut at %zu: \"%s\"", printed + 1, cut, text + 1);
	}
}

static void each_mode_is_turned_off_by_its_own_sequence(void **state)
{
	static const char *const pairs[][2] = {
		{"\033[?1049h", "\033[?1049l"}, {"\033[?1047h", "\033[?1047l"},
		{"\033[?47h", "\033[?47l"},	{"\033[?25l", "\033[?25h"},
		{"\033[?2004h", "\033[?2004l"}, {"\033[?1000h", "\033[?1000l"},
		{"\033[?1002h", "\033[?1002l"}, {"\033[?1003h", "\033[?1003l"},
		{"\033[?1005h", "\033[?1005l"}, {"\033[?1006h", "\033[?1006l"},
		{"\033[?1015h", "\033[?1015l"}, {"\033[?1016h", "\033[?1016l"},
		{"\033[?9h", "\033[?9l"},	{"\033[?1004h", "\033[?1004l"},
		{"\033[?2026h", "\033[?2026l"}, {"\033[?1h", "\033[?1l"},
		{"\033[?7l", "\033[?7h"},	{"\033=", "\033>"},
		{"\033[>4;2m", "\033[>4m"},
	};
	char both[32];

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(pairs); i++) {
		assert_left(pairs[i][0], pairs[i][1]);
		snprintf(both, sizeof(both), "%s%s", pairs[i][0], pairs[i][1]);
		assert_left(both, "");
		assert_left(pairs[i][1], "");
	}
}

static void what_was_turned_off_again_is_not_left(void **state)
{
	(void)state;
	assert_left("text \033[31mred\033[m \033[?25l\033[2J\033[?25h more", "");
	assert_left("\033[?1049h\033[?25l\033[?2004h\033[?2004l", "\033[?25h\033[?1049l");
	/* One alternate screen, whichever way in and out. */
	assert_left("\033[?1049h\033[?47l", "");
}

static void several_modes_in_one_sequence(void **state)
{
	(void)state;
	assert_left("\033[?1000;1006;25h", "\033[?1000l\033[?1006l");
	assert_left("\033[?;12;2004;1h", "\033[?1l\033[?2004l");
	assert_left("\033[?1;2;3;4;5;6;8;10;11;12;13;14;15;16;17;18;19;20;1049h",
		    "\033[?1l\033[?1049l");
}

static void what_only_looks_like_a_mode_is_none(void **state)
{
	static const char *const printed[] = {
		"[?1049h",
		"\033 [?1049h",
		"\033[1049h",
		"\033[?1049$h",
		"\033[?1049x",
		"\033(=",
		"\033#=",
		"\033[?104900h",
		"\033[>1h",
		"\033[?1049",
		"\033[=1h",
		"\033\033",
		"\033[?10490\bh",
		"\033[4;2m",
		"\033[?4;2m",
		"\033[>0;276;0c",
		"\033[?99999999999999999999999999h",
		"\033[?1049\030h",
		"\033[?1049\032h",
		"\033[?10\xc3\xa4"
		"49h",
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(printed); i++)
		assert_left(printed[i], "");
}

static void sequences_that_are_broken_off_hide_none(void **state)
{
	(void)state;
	assert_left("\033[?\033[?25l", "\033[?25h");
	assert_left("\033\033=", "\033>");
	assert_left("\033]0;title\033\\\033[?25l", "\033[?25h");
	assert_left("\033[?\r\n25l", "\033[?25h");
	assert_left("\033(\033[?25l", "\033[?25h");
}

static void resets_reset(void **state)
{
	(void)state;
	assert_left("\033[?1049h\033[?25l\033=\033c", "");
	assert_left("\033[?2004h\033[?25l\033[?1h\033[?7l\033=\033[!p", "\033[?2004l");
	assert_left("\033[>4;2m\033[>m", "");
	assert_left("\033[>4;2m\033[>4;0m", "");
	assert_left("\033[>4;2m\033[>1m", "\033[>4m");
}

static void everything_at_once_fits_and_comes_back_in_the_other_order(void **state)
{
	char text[MODES_TEXT_MAX], again[MODES_TEXT_MAX + 1];
	struct modes modes = {.on = 0};

	(void)state;
	assert_in_range(modes_off(UINT32_MAX, text), 100, MODES_TEXT_MAX);
	assert_in_range(modes_on(UINT32_MAX, text), 100, MODES_TEXT_MAX);
	assert_int_equal(modes_off(0, text), 0);
	modes_watch(&modes, (const uint8_t *)"\033[?25l\033[?1049h", 14);
	again[modes_on(modes.on, again)] = '\0';
	assert_string_equal(again, "\033[?1049h\033[?25l");
	assert_true(modes_have_screen(modes.on));
	modes_watch(&modes, (const uint8_t *)"\033[?1049l", 8);
	assert_false(modes_have_screen(modes.on));
}

/* However the reads cut it. */
static uint32_t watched(const char *text, size_t len, enum modes_state *ret_state)
{
	struct modes modes = {.on = 0};

	modes_watch(&modes, (const uint8_t *)text, len);
	*ret_state = modes.state;
	return modes.on;
}

/* Whoever comes later is sent what turns them on, and its own watch must come to the same. */
static void what_turns_modes_on_is_understood_as_that(void **state)
{
	enum modes_state after;
	char text[MODES_TEXT_MAX];
	uint64_t random = 1;
	uint32_t all;

	(void)state;
	all = watched(text, modes_on(UINT32_MAX, text), &after);
	assert_int_equal(all & (all + 1), 0);
	for (uint32_t on = 1; on & all; on <<= 1)
		assert_int_equal(watched(text, modes_on(on, text), &after), on);
	for (int round = 0; round < 2000; round++) {
		uint32_t on = unit_random(&random) & all;

		assert_int_equal(watched(text, modes_on(on, text), &after), on);
		assert_int_equal(after, MODES_PLAIN);
	}
}

static void assert_in_line(const char *printed, bool in_line)
{
	for (size_t cut = 0; cut <= strlen(printed); cut++) {
		struct modes modes = {.on = 0};

		modes_watch(&modes, (const uint8_t *)printed, cut);
		modes_watch(&modes, (const uint8_t *)printed + cut, strlen(printed) - cut);
		if (modes.in_line != in_line)
			fail_msg("after \"%s\", cut at %zu", printed, cut);
	}
}

static void whether_a_line_has_begun(void **state)
{
	(void)state;
	assert_in_line("", false);
	assert_in_line("$ ", true);
	assert_in_line("$ \r\n", false);
	assert_in_line("50%\r", false);
	assert_in_line("\r50%\a", true);
	assert_in_line("text\n\033[31m\033[0m", false);
	assert_in_line("text\n\033[31mred\033[0m", true);
	/* The screen cleared, or the cursor at the left. */
	assert_in_line("text\033[H\033[2J", false);
	assert_in_line("text\033[24;1H\033[K\033[?1049l", false);
	assert_in_line("\033[24;7H", true);
	/* The title of a window stands nowhere; it may be UTF-8. */
	assert_in_line("\033]0;t\303\251xt\a", false);
	assert_in_line("\033]0;text\033\\", false);
	assert_in_line("\033Pq#text\033\\\033_G\033\\$", true);
}

static void noise_is_survived(void **state)
{
	uint64_t random = 1;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		static const char likely[] = "\033[?>!;;:0124579hlmpc=>(";
		struct modes modes = {.on = 0};
		char text[MODES_TEXT_MAX];
		uint8_t noise[64];

		for (size_t i = 0; i < sizeof(noise); i++)
			noise[i] = unit_below(&random, 8)
					   ? (uint8_t)likely[unit_below(&random, sizeof(likely))]
					   : (uint8_t)unit_random(&random);
		modes_watch(&modes, noise, sizeof(noise));
		assert_true(modes_off(modes.on, text) <= sizeof(text));
	}
}

int main(void)
{
	const struct CMUnitTest modes_tests[] = {
		cmocka_unit_test(each_mode_is_turned_off_by_its_own_sequence),
		cmocka_unit_test(what_was_turned_off_again_is_not_left),
		cmocka_unit_test(several_modes_in_one_sequence),
		cmocka_unit_test(what_only_looks_like_a_mode_is_none),
		cmocka_unit_test(sequences_that_are_broken_off_hide_none),
		cmocka_unit_test(resets_reset),
		cmocka_unit_test(everything_at_once_fits_and_comes_back_in_the_other_order),
		cmocka_unit_test(what_turns_modes_on_is_understood_as_that),
		cmocka_unit_test(whether_a_line_has_begun),
		cmocka_unit_test(noise_is_survived),
	};

	return cmocka_run_group_tests(modes_tests, NULL, NULL);
}
