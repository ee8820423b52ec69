/* The answer to a signal: when its absence is said, when it is the end, and what counts as one. */
#include <signal.h>

#include "cli/client/patience.h"

#include "unit.h"

#define SILENT PATIENCE_SILENT_MS
#define MORE   PATIENCE_MORE_MS
#define START  50000 /* the clock does not begin with us */

static struct patience begun(bool asked, bool dry)
{
	struct patience p = {0};

	assert_int_equal(patience_signal(&p, SIGINT, asked, dry, START), PATIENCE_WAIT);
	assert_true(patience_runs(&p));
	return p;
}

/* Looks at that time, and is to look again after so long. */
static enum patience_step look(struct patience *p, uint64_t now, uint64_t wanted_wait)
{
	uint64_t wait = 0;
	enum patience_step step = patience_look(p, now, &wait);

	assert_int_equal(wait, wanted_wait);
	return step;
}

static enum patience_step again(struct patience *p, int signal, uint64_t now)
{
	return patience_signal(p, signal, true, true, now);
}

static void silence_is_said_after_three_seconds_and_the_end_after_ten(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		struct patience p = begun(i & 1, i & 2);

		assert_int_equal(look(&p, START + 2999, 1), PATIENCE_WAIT);
		assert_int_equal(look(&p, START + 3000, 7000), PATIENCE_SAY);
		assert_int_equal(look(&p, START + 9999, 1), PATIENCE_WAIT);
		assert_int_equal(look(&p, START + 10000, 0), PATIENCE_END);
		assert_int_equal(p.signal, SIGINT);
	}
}

static void the_same_signal_is_the_end_once_that_was_said(void **state)
{
	struct patience p = begun(true, true);

	(void)state;
	assert_int_equal(again(&p, SIGINT, START + 100), PATIENCE_WAIT);
	assert_int_equal(look(&p, START + SILENT, MORE), PATIENCE_SAY);
	/* Another goes on to the agent first. */
	assert_int_equal(again(&p, SIGTERM, START + SILENT + 1), PATIENCE_WAIT);
	assert_int_equal(again(&p, SIGINT, START + SILENT + 2), PATIENCE_END);
	assert_int_equal(again(&p, SIGTERM, START + SILENT + 3), PATIENCE_END);
}

static void a_second_signal_does_not_put_off_anything(void **state)
{
	struct patience p = begun(true, true);

	(void)state;
	again(&p, SIGTERM, START + 2000);
	assert_int_equal(look(&p, START + SILENT, MORE), PATIENCE_SAY);
	assert_int_equal(p.signal, SIGINT);
}

static void an_answer_stops_the_clock_and_the_next_signal_starts_it_anew(void **state)
{
	struct patience p = begun(true, true);

	(void)state;
	assert_int_equal(look(&p, START + SILENT, MORE), PATIENCE_SAY);
	patience_answered(&p);
	assert_false(patience_runs(&p));
	assert_int_equal(again(&p, SIGINT, START + 60000), PATIENCE_WAIT);
	assert_int_equal(look(&p, START + 62999, 1), PATIENCE_WAIT);
	assert_int_equal(look(&p, START + 63000, MORE), PATIENCE_SAY);
}

static void output_of_an_agent_that_was_asked_is_no_answer_but_no_silence(void **state)
{
	struct patience p = begun(true, true);

	(void)state;
	patience_heard(&p, START + 2000);
	assert_true(patience_runs(&p));
	assert_int_equal(look(&p, START + SILENT, 2000), PATIENCE_WAIT);
	assert_int_equal(look(&p, START + 5000, MORE), PATIENCE_SAY);
	/* It has said something after all, and then no more. */
	patience_heard(&p, START + 11900);
	assert_int_equal(look(&p, START + 12000, 2900), PATIENCE_WAIT);
	assert_int_equal(look(&p, START + 14900, 0), PATIENCE_END);
}

static void output_of_an_agent_that_cannot_be_asked_is_the_answer(void **state)
{
	struct patience p = begun(false, true);

	(void)state;
	patience_heard(&p, START + 10);
	assert_false(patience_runs(&p));
}

static void but_not_what_was_on_its_way_before_the_signal(void **state)
{
	struct patience p = begun(false, false);

	(void)state;
	patience_heard(&p, START + 10);
	assert_true(patience_runs(&p));
	assert_int_equal(look(&p, START + SILENT, 10), PATIENCE_WAIT);
	p.dry = true;
	assert_int_equal(look(&p, START + 3010, MORE), PATIENCE_SAY);
	patience_heard(&p, START + 4000);
	assert_false(patience_runs(&p));
}

static void silence_that_is_not_listened_to_does_not_count(void **state)
{
	struct patience p = begun(false, true);
	uint64_t now = START;

	(void)state;
	for (int i = 0; i < 100; i++) {
		now += SILENT;
		patience_deaf(&p, now);
		assert_int_equal(look(&p, now, SILENT), PATIENCE_WAIT);
	}
	assert_true(patience_runs(&p));
	assert_int_equal(look(&p, now + SILENT, MORE), PATIENCE_SAY);
}

static void time_in_which_we_were_stopped_does_not_count(void **state)
{
	struct patience p = begun(true, true);
	uint64_t hour = 3600000;

	(void)state;
	assert_int_equal(look(&p, START + hour, SILENT), PATIENCE_WAIT);
	assert_int_equal(look(&p, START + hour + SILENT, MORE), PATIENCE_SAY);
	/* Once more, when half of the rest is over. */
	assert_int_equal(look(&p, START + hour + SILENT + 3500, 3500), PATIENCE_WAIT);
	assert_int_equal(look(&p, START + 2 * hour, SILENT), PATIENCE_WAIT);
	assert_int_equal(look(&p, START + 2 * hour + SILENT, 0), PATIENCE_END);
}

static void a_look_that_comes_a_little_late_counts(void **state)
{
	struct patience p = begun(true, true);

	(void)state;
	assert_int_equal(look(&p, START + 3900, MORE), PATIENCE_SAY);
	assert_int_equal(look(&p, START + 11000, 0), PATIENCE_END);
}

static void the_keys_of_a_terminal_stand_for_their_signals(void **state)
{
	(void)state;
	assert_int_equal(patience_key((const uint8_t *)"ab\x03\x1c", 4), SIGINT);
	assert_int_equal(patience_key((const uint8_t *)"\x1c", 1), SIGQUIT);
	assert_int_equal(patience_key((const uint8_t *)"\x03", 0), 0);
	assert_int_equal(patience_key((const uint8_t *)"\0\x04\x1a", 3), 0);
}

static void the_line_names_the_agent_and_the_signal(void **state)
{
	struct patience p = {.signal = SIGINT};
	char words[200];

	(void)state;
	patience_words(&p, "unix:/s", "x", words, sizeof(words));
	assert_string_equal(words, "unix:/s does not answer; SIGINT (Ctrl-C) once more ends x "
				   "at once, else it ends in 7 s");
	p.signal = SIGTERM;
	patience_words(&p, "unix:/s", "x", words, sizeof(words));
	assert_string_equal(words, "unix:/s does not answer; SIGTERM once more ends x at once, "
				   "else it ends in 7 s");
}

int main(void)
{
	const struct CMUnitTest patience_tests[] = {
		cmocka_unit_test(silence_is_said_after_three_seconds_and_the_end_after_ten),
		cmocka_unit_test(the_same_signal_is_the_end_once_that_was_said),
		cmocka_unit_test(a_second_signal_does_not_put_off_anything),
		cmocka_unit_test(an_answer_stops_the_clock_and_the_next_signal_starts_it_anew),
		cmocka_unit_test(output_of_an_agent_that_was_asked_is_no_answer_but_no_silence),
		cmocka_unit_test(output_of_an_agent_that_cannot_be_asked_is_the_answer),
		cmocka_unit_test(but_not_what_was_on_its_way_before_the_signal),
		cmocka_unit_test(silence_that_is_not_listened_to_does_not_count),
		cmocka_unit_test(time_in_which_we_were_stopped_does_not_count),
		cmocka_unit_test(a_look_that_comes_a_little_late_counts),
		cmocka_unit_test(the_keys_of_a_terminal_stand_for_their_signals),
		cmocka_unit_test(the_line_names_the_agent_and_the_signal),
	};

	return cmocka_run_group_tests(patience_tests, NULL, NULL);
}
