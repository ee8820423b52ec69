/* A line of JSON: what it says, and that it is one however little room there is. */
#include "cli/report/json.h"

#include "shared/shown.h"
#include "unit.h"
#include "unit_json.h"

static char space[16384];
static struct json json;

static void is_line(const char *want)
{
	size_t len = json_end(&json);

	assert_int_equal(len, strlen(want));
	assert_memory_equal(space, want, len);
	assert_true(unit_json_is_line(space, len));
}

static void every_kind_of_member_is_spelt(void **state)
{
	(void)state;
	json_begin(&json, space, sizeof(space));
	json_word(&json, "type", "exited");
	json_word(&json, "nothing", NULL);
	json_text(&json, "none", NULL, 7);
	json_text(&json, "empty", "", 0);
	json_number(&json, "most", UINT64_MAX);
	json_signed(&json, "least", INT64_MIN);
	json_bool(&json, "yes", true);
	json_bool(&json, "no", false);
	json_null(&json, "null");
	json_open(&json, "usage");
	json_number(&json, "a", 0);
	json_open(&json, "deeper");
	json_close(&json);
	json_close(&json);
	json_open_list(&json, "list");
	json_word(&json, NULL, "a");
	json_signed(&json, NULL, -1);
	json_open(&json, NULL);
	json_close(&json);
	json_close(&json);
	json_open_list(&json, "bare");
	json_close(&json);
	json_number(&json, "last", 1);
	is_line("{\"type\":\"exited\",\"nothing\":null,\"none\":null,\"empty\":\"\","
		"\"most\":18446744073709551615,\"least\":-9223372036854775808,\"yes\":true,\"no\":"
		"false,"
		"\"null\":null,\"usage\":{\"a\":0,\"deeper\":{}},\"list\":[\"a\",-1,{}],\"bare\":[]"
		","
		"\"last\":1}\n");
}

static void object_may_be_empty(void **state)
{
	(void)state;
	json_begin(&json, space, sizeof(space));
	is_line("{}\n");
}

static void what_is_open_is_closed_at_the_end(void **state)
{
	(void)state;
	json_begin(&json, space, sizeof(space));
	json_open(&json, "a");
	json_open_list(&json, "b");
	is_line("{\"a\":{\"b\":[]}}\n");
}

static void terminal_would_obey_nothing_of_it(void **state)
{
	(void)state;
	json_begin(&json, space, sizeof(space));
	json_text(&json, "t", "\"\\/\b\f\n\r\t\0\x1b\x7f", 11);
	json_word(
		&json, "u",
		"\xc2\x80\xc2\x9f\xc2\xa0\xd8\x9c\xe2\x80\x8e\xe2\x80\xa8\xe2\x80\xae\xe2\x81\xa6");
	is_line("{\"t\":\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u001b\\u007f\","
		"\"u\":\"\\u0080\\u009f\xc2\xa0\\u061c\\u200e\\u2028\\u202e\\u2066\"}\n");
}

/* Each character alone: it comes out as it is, or as its number. */
static void every_character_says_itself(void **state)
{
	char text[4];
	uint8_t back[8];

	(void)state;
	for (uint32_t c = 0; c < 0x110000; c += c < 0x10000 || c >= 0xdfff0 ? 1 : 0x95) {
		size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4, n = 0;
		struct unit_json read;

		if (c >= 0xd800 && c < 0xe000)
			continue;
		text[0] = (char)(len == 1   ? c
				 : len == 2 ? 0xc0 | c >> 6
				 : len == 3 ? 0xe0 | c >> 12
					    : 0xf0 | c >> 18);
		for (size_t i = 1; i < len; i++)
			text[i] = (char)(0x80 | (c >> 6 * (len - 1 - i) & 0x3f));
		json_begin(&json, space, sizeof(space));
		json_text(&json, "c", text, len);
		n = json_end(&json);
		assert_true(unit_json_is_line(space, n));
		read = (struct unit_json){space + strlen("{\"c\":"), space + n};
		assert_true(unit_json_string(&read, back, &n));
		assert_int_equal(n, len);
		assert_memory_equal(back, text, len);
		if (shown_is_control(c) && c < 0x10000)
			assert_int_equal(space[strlen("{\"c\":\"")], '\\');
	}
}

static void what_is_no_text_becomes_the_character_for_it(void **state)
{
#define UNKNOWN "\xef\xbf\xbd"
	static const struct {
		const char *text, *want;
	} rows[] = {
		{"a\xff", "a" UNKNOWN},
		{"\xc3", UNKNOWN},
		{"\xc3z", UNKNOWN "z"},
		{"\xe2\x82", UNKNOWN UNKNOWN},
		{"\xed\xa0\x80", UNKNOWN UNKNOWN UNKNOWN},
		{"\xc0\xaf", UNKNOWN UNKNOWN},
		{"\xf0\x9f\x98\x80\x80", "\xf0\x9f\x98\x80" UNKNOWN},
	};
	char want[128];

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
		unit_held struct msg_bytes exact = unit_copy(rows[i].text, strlen(rows[i].text));

		json_begin(&json, space, sizeof(space));
		json_text(&json, "t", (char *)exact.ptr, exact.len);
		snprintf(want, sizeof(want), "{\"t\":\"%s\"}\n", rows[i].want);
		is_line(want);
	}
}

/* A text of that character, much too long: it ends where one does, and what comes behind has its place. */
static void text_that_is_too_long_is_cut_at_a_character(void **state)
{
	static const char *const characters[] = {
		"x", "\n", "\x01", "\xc3\xa9", "\xe4\xb8\xad", "\xf0\x9f\x98\x80", "\xff"};
	static char text[32768];

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(characters); i++)
		for (size_t size = JSON_SIZE_MIN; size < JSON_SIZE_MIN + 16; size++) {
			char *exact = malloc(size);
			size_t n = strlen(characters[i]), len;

			assert_non_null(exact);
			for (size_t at = 0; at + n <= sizeof(text); at += n)
				memcpy(text + at, characters[i], n);
			json_begin(&json, exact, size);
			json_text(&json, "message", text, sizeof(text) / n * n);
			json_text(&json, "hint", text, sizeof(text) / n * n);
			for (int k = 0; k < 40; k++)
				json_number(&json, "stdout_bytes", UINT64_MAX - 9);
			json_null(&json, "last");
			len = json_end(&json);
			assert_true(len <= size);
			assert_true(len > size - JSON_SPARE);
			assert_true(unit_json_is_line(exact, len));
			assert_memory_equal(exact + len - 14, ",\"last\":null}\n", 14);
			free(exact);
		}
}

/* Anything, in any order, and more than there is room for. */
static void line_is_valid_whatever_does_not_fit(void **state)
{
	uint64_t seed = 3;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		size_t size = JSON_SIZE_MIN + unit_below(&seed, 64), depth = 0, len;
		bool lists[200] = {false};
		char text[300], *exact = malloc(size);

		assert_non_null(exact);
		json_begin(&json, exact, size);
		for (uint32_t left = unit_below(&seed, 150); left; left--) {
			const char *key = lists[depth] ? NULL : "some_key";

			for (size_t i = 0; i < sizeof(text); i++)
				text[i] = (char)unit_random(&seed);
			switch (unit_below(&seed, 8)) {
			case 0:
			case 1:
				json_text(&json, key, text, unit_below(&seed, sizeof(text)));
				break;
			case 2:
				json_open(&json, key);
				lists[++depth] = false;
				break;
			case 3:
				json_open_list(&json, key);
				lists[++depth] = true;
				break;
			case 4:
				if (depth) {
					json_close(&json);
					depth--;
				}
				break;
			case 5:
				json_bool(&json, key, left & 1);
				break;
			default:
				json_signed(&json, key, -(int64_t)unit_random(&seed));
				break;
			}
		}
		len = json_end(&json);
		assert_true(len <= size);
		assert_true(unit_json_is_line(exact, len));
		free(exact);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_of_member_is_spelt),
		cmocka_unit_test(object_may_be_empty),
		cmocka_unit_test(what_is_open_is_closed_at_the_end),
		cmocka_unit_test(terminal_would_obey_nothing_of_it),
		cmocka_unit_test(every_character_says_itself),
		cmocka_unit_test(what_is_no_text_becomes_the_character_for_it),
		cmocka_unit_test(text_that_is_too_long_is_cut_at_a_character),
		cmocka_unit_test(line_is_valid_whatever_does_not_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
