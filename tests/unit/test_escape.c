/* What is typed: which keys go on, which are ours, and that none is late. */
#include "cli/terminal/escape.h"
#include "unit.h"

#define TYPED_MAX 64

/* What came of some keys: those that went on, and a letter for each action behind them. */
struct outcome {
	char passed[2 * TYPED_MAX];
	size_t len;
	char actions[TYPED_MAX];
	size_t count;
};

static const struct escape_keys three = {{0x1d, 0x1d, 0x1d}, 3};

static void feed(struct escape *escape, uint64_t now_ms, const char *keys, size_t len,
		 struct outcome *ret)
{
	static const char letters[] = " EShD";
	uint8_t room[TYPED_MAX + 1];
	size_t done = 0, taken, kept;

	/* In place, as msb-exec does it. */
	memcpy(room + 1, keys, len);
	while (done < len) {
		enum escape_action action = escape_take(escape, now_ms, room + 1 + done, len - done,
							room + done, &taken, &kept);

		assert_in_range(taken, 1, len - done);
		assert_true(kept <= taken + 1);
		memcpy(ret->passed + ret->len, room + done, kept);
		ret->len += kept;
		if (action)
			ret->actions[ret->count++] = letters[action];
		else
			assert_int_equal(done + taken, len);
		done += taken;
	}
	ret->passed[ret->len] = '\0';
	ret->actions[ret->count] = '\0';
}

/* Those keys, typed at the beginning of a session. */
static void assert_typed(struct escape escape, const char *keys, const char *passed,
			 const char *actions)
{
	struct outcome outcome = {.len = 0};

	feed(&escape, 0, keys, strlen(keys), &outcome);
	if (strcmp(outcome.passed, passed) || strcmp(outcome.actions, actions))
		fail_msg("%s: passed \"%s\", did \"%s\"", keys, outcome.passed, outcome.actions);
}

static void escapes_count_after_a_newline_and_at_the_beginning(void **state)
{
	const struct escape tilde = {.character = '~'};

	(void)state;
	assert_typed(tilde, "~.", "", "E");
	assert_typed(tilde, "ls\r~.", "ls\r", "E");
	assert_typed(tilde, "ls\n~\x1a", "ls\n", "S");
	assert_typed(tilde, "~?~?~.", "", "hhE");
	assert_typed(tilde, "x~.", "x~.", "");
	assert_typed(tilde, "\r ~.", "\r ~.", "");
	assert_typed(tilde, "~.rest", "rest", "E");
}

static void escape_character_twice_is_one_of_them(void **state)
{
	const struct escape tilde = {.character = '~'}, question = {.character = '?'};

	(void)state;
	assert_typed(tilde, "~~", "~", "");
	assert_typed(tilde, "~~.", "~.", "");
	assert_typed(tilde, "~~~.", "~~.", "");
	assert_typed(question, "??", "?", "");
	assert_typed(question, "?.", "", "E");
}

static void any_other_key_sends_both(void **state)
{
	const struct escape tilde = {.character = '~'};

	(void)state;
	assert_typed(tilde, "~/x", "~/x", "");
	assert_typed(tilde, "~\r~.", "~\r", "E");
	assert_typed(tilde, "\r~x~.", "\r~x~.", "");
}

static void other_characters_and_none(void **state)
{
	const struct escape percent = {.character = '%'}, none = {.character = ESCAPE_OFF},
			    high = {.character = 0xff};

	(void)state;
	assert_typed(percent, "~.\r%.", "~.\r", "E");
	assert_typed(none, "~.\r~.\xff.", "~.\r~.\xff.", "");
	assert_typed(high, "\xff.", "", "E");
}

static void nothing_but_the_escape_character_waits(void **state)
{
	(void)state;
	for (int key = 0; key < 256; key++) {
		struct escape escape = {.character = '~', .detach = three};
		struct outcome outcome = {.len = 0};
		char typed = (char)key;

		feed(&escape, 0, &typed, 1, &outcome);
		assert_int_equal(outcome.len, key != '~');
		assert_int_equal(outcome.count, 0);
		/* Anywhere else not even that. */
		outcome.len = 0;
		escape.in_line = true;
		escape.held = false;
		feed(&escape, 0, &typed, 1, &outcome);
		assert_int_equal(outcome.len, 1);
		assert_int_equal((uint8_t)outcome.passed[0], key);
	}
}

/* ---- every short line, held against the rule in its plainest form ---- */

static const char alphabet[] = "\r\n~.?\x1ax";

static void expected(const char *keys, size_t len, struct outcome *ret)
{
	bool fresh = true;

	for (size_t i = 0; i < len; i++) {
		char next = i + 1 < len ? keys[i + 1] : '\0';

		if (!fresh || keys[i] != '~') {
			ret->passed[ret->len++] = keys[i];
			fresh = keys[i] == '\r' || keys[i] == '\n';
			continue;
		}
		i++;
		if (!next)
			break;
		if (strchr(".?\x1a", next)) {
			ret->actions[ret->count++] = next == '.' ? 'E' : next == '?' ? 'h' : 'S';
			continue;
		}
		if (next != '~')
			ret->passed[ret->len++] = '~';
		ret->passed[ret->len++] = next;
		fresh = next == '\r' || next == '\n';
	}
}

static void every_short_line_is_as_the_rule_has_it_however_it_is_cut(void **state)
{
	enum { LENGTH = 5, LETTERS = sizeof(alphabet) - 1 };
	char keys[LENGTH];
	size_t all = 1;

	(void)state;
	for (int i = 0; i < LENGTH; i++)
		all *= LETTERS;
	for (size_t number = 0; number < all; number++) {
		struct outcome want = {.len = 0};
		size_t rest = number;

		for (int i = 0; i < LENGTH; i++, rest /= LETTERS)
			keys[i] = alphabet[rest % LETTERS];
		expected(keys, LENGTH, &want);
		for (size_t cut = 0; cut <= LENGTH; cut++) {
			struct escape escape = {.character = '~', .detach = three};
			struct outcome got = {.len = 0};

			feed(&escape, 0, keys, cut, &got);
			feed(&escape, 0, keys + cut, LENGTH - cut, &got);
			assert_int_equal(got.len, want.len);
			assert_memory_equal(got.passed, want.passed, want.len);
			assert_int_equal(got.count, want.count);
			assert_memory_equal(got.actions, want.actions, want.count);
		}
	}
}

/* ---- detach keys ---- */

struct press {
	uint64_t at_ms;
	char key;
};

/* How many presses it took until they detached; 0: they did not. */
static size_t presses(const struct escape_keys *keys, const struct press *press, size_t count)
{
	struct escape escape = {.character = '~', .detach = *keys};

	for (size_t i = 0; i < count; i++) {
		struct outcome outcome = {.len = 0};

		feed(&escape, press[i].at_ms, &press[i].key, 1, &outcome);
		if (outcome.count) {
			assert_string_equal(outcome.actions, "D");
			assert_int_equal(outcome.len, 0);
			return i + 1;
		}
		assert_int_equal(outcome.len, 1);
		assert_int_equal(outcome.passed[0], press[i].key);
	}
	return 0;
}

#define PRESSES(keys, ...)                                 \
	presses(keys, (const struct press[]){__VA_ARGS__}, \
		UNIT_COUNT(((const struct press[]){__VA_ARGS__})))

static void detach_keys_go_on_until_the_last_one(void **state)
{
	(void)state;
	assert_int_equal(PRESSES(&three, {5000, 0x1d}, {5000, 0x1d}, {5000, 0x1d}), 3);
	assert_int_equal(PRESSES(&three, {0, 0x1d}, {500, 0x1d}, {1000, 0x1d}), 3);
	assert_int_equal(PRESSES(&three, {0, 0x1d}, {500, 0x1d}, {1001, 0x1d}), 0);
	assert_int_equal(PRESSES(&three, {0, 0x1d}, {1, 'x'}, {2, 0x1d}, {3, 0x1d}), 0);
	/* Whichever of them was too early: the last three count. */
	assert_int_equal(PRESSES(&three, {0, 0x1d}, {900, 0x1d}, {1800, 0x1d}, {1850, 0x1d}), 4);
	assert_int_equal(PRESSES(&three, {0, 'x'}, {1, 0x1d}, {2, 0x1d}, {3, 0x1d}), 4);
}

static void detach_keys_may_be_others_or_none(void **state)
{
	const struct escape_keys docker = {{0x10, 0x11}, 2}, one = {{0x1c}, 1}, none = {.len = 0};

	(void)state;
	assert_int_equal(PRESSES(&docker, {0, 0x10}, {1, 0x11}), 2);
	assert_int_equal(PRESSES(&docker, {0, 0x10}, {1, 0x10}, {2, 0x11}), 3);
	assert_int_equal(PRESSES(&docker, {0, 0x11}, {1, 0x10}, {2, 'q'}), 0);
	assert_int_equal(PRESSES(&one, {0, 'x'}, {1, 0x1c}), 2);
	assert_int_equal(PRESSES(&none, {0, 0x1d}, {0, 0x1d}, {0, 0x1d}, {0, 0}), 0);
}

static void detach_keys_that_begin_anew_within_themselves(void **state)
{
	const struct escape_keys keys = {{'a', 'b', 'a', 'c'}, 4};

	(void)state;
	assert_int_equal(PRESSES(&keys, {0, 'a'}, {0, 'b'}, {0, 'a'}, {0, 'b'}, {0, 'a'}, {0, 'c'}),
			 6);
}

static void detach_keys_count_behind_the_escape_character(void **state)
{
	const struct escape escape = {.character = '~', .detach = three};

	(void)state;
	assert_typed(escape, "~\x1d\x1d\x1d", "~\x1d\x1d", "D");
	assert_typed(escape, "\x1d\x1d\x1d\x1d\x1d\x1d", "\x1d\x1d\x1d\x1d", "DD");
	assert_typed(escape, "~.\x1d\x1d", "\x1d\x1d", "E");
}

int main(void)
{
	const struct CMUnitTest escape_tests[] = {
		cmocka_unit_test(escapes_count_after_a_newline_and_at_the_beginning),
		cmocka_unit_test(escape_character_twice_is_one_of_them),
		cmocka_unit_test(any_other_key_sends_both),
		cmocka_unit_test(other_characters_and_none),
		cmocka_unit_test(nothing_but_the_escape_character_waits),
		cmocka_unit_test(every_short_line_is_as_the_rule_has_it_however_it_is_cut),
		cmocka_unit_test(detach_keys_go_on_until_the_last_one),
		cmocka_unit_test(detach_keys_may_be_others_or_none),
		cmocka_unit_test(detach_keys_that_begin_anew_within_themselves),
		cmocka_unit_test(detach_keys_count_behind_the_escape_character),
	};

	return cmocka_run_group_tests(escape_tests, NULL, NULL);
}
