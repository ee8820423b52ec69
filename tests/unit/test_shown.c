/* Text of others as people are shown it: nothing in it acts on a terminal, and all of it can be read. */
#include "shared/shown.h"

#include "shared/utf8.h"
#include "unit.h"

static void assert_shown(const void *text, size_t len, const char *want)
{
	unit_held struct msg_bytes exact = unit_copy(text, len);
	char out[256];

	assert_int_equal(shown_put(out, sizeof(out), (const char *)exact.ptr, len), strlen(want));
	assert_string_equal(out, want);
}

static void what_drives_a_terminal_or_is_not_seen_is_its_number(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{"plain, \xc3\xbc \xe2\x82\xac \xf0\x9f\x98\x80 a\\b", NULL},
		{"\x1b]0;title\a", "\\x1b]0;title\\x07"},
		{"\r\n\t\x7f", "\\r\\n\\t\\x7f"},
		{"\xc2\x80\xc2\x9b\x31m\xc2\x9f\xc2\xa0", "\\u0080\\u009b1m\\u009f\xc2\xa0"},
		/* The same as bytes, which terminals of other character sets obey. */
		{"\x9b\x31m\x80", "\\x9b1m\\x80"},
		{"\xe2\x80\xaetxt.exe\xe2\x80\xac", "\\u202etxt.exe\\u202c"},
		{"\xe2\x81\xa6\xe2\x81\xa9\xd8\x9c\xe2\x80\x8f", "\\u2066\\u2069\\u061c\\u200f"},
		{"a\xe2\x80\x8b"
		 "b\xef\xbb\xbf\xc2\xad\xe2\x81\xa0",
		 "a\\u200bb\\ufeff\\u00ad\\u2060"},
		{"\xf3\xa0\x81\x81\xf3\xa0\x81\xbf", "\\U000e0041\\U000e007f"},
		{"\xff\xfe\xc0\xaf\xed\xa0\x80", "\\xff\\xfe\\xc0\\xaf\\xed\\xa0\\x80"},
		{"cut \xe2\x82", "cut \\xe2\\x82"},
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(rows); i++)
		assert_shown(rows[i].text, strlen(rows[i].text),
			     rows[i].want ? rows[i].want : rows[i].text);
	assert_shown("a\0b", 3, "a\\x00b");
	assert_shown("", 0, "");
}

static size_t encode(uint32_t c, char out[4])
{
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	for (size_t i = n - 1; i > 0; i--, c >>= 6)
		out[i] = (char)(0x80 | (c & 0x3f));
	out[0] = (char)(n == 1 ? c : (0xf00u >> n & 0xf0) | c);
	return n;
}

/* What comes out is text without any of them, whichever character goes in, and however little room there is. */
static void nothing_is_shown_that_is_to_be_escaped(void **state)
{
	char text[4], out[SHOWN_MAX];

	(void)state;
	for (uint32_t c = 0; c < 0x110000; c++) {
		size_t n = c >= 0xd800 && c < 0xe000 ? 0 : encode(c, text), len;

		if (!n)
			continue;
		assert_int_equal(shown_next(text, n, out), n);
		len = strlen(out);
		assert_true(len > 0 && len < SHOWN_MAX && utf8_valid(out, len));
		if (shown_is_control(c) != (out[0] == '\\' && len > 1))
			fail_msg("U+%04x is shown as %s", c, out);
	}
	for (unsigned byte = 0; byte < 256; byte++) {
		text[0] = (char)byte;
		assert_int_equal(shown_next(text, 1, out), 1);
		for (const char *at = out; byte != 0x7f && *at; at++)
			assert_in_range(*at, ' ', '~');
	}
}

static void no_more_is_written_than_there_is_room_for(void **state)
{
	static const char text[] = "a\x1b\xe2\x80\xae\xc3\xbcz";
	char whole[64];
	size_t all = shown_put(whole, sizeof(whole), text, strlen(text));

	(void)state;
	for (size_t size = 1; size <= all + 1; size++) {
		unit_held struct msg_bytes out = {malloc(size), size};
		size_t n = shown_put((char *)out.ptr, size, text, strlen(text));

		assert_true(n < size);
		assert_int_equal(strlen((char *)out.ptr), n);
		assert_memory_equal(out.ptr, whole, n);
		assert_true(utf8_valid(out.ptr, n));
		/* No number that is cut would be another one. */
		assert_true(n == 0 || n == 1 || n == 5 || n == 11 || n >= 13);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_drives_a_terminal_or_is_not_seen_is_its_number),
		cmocka_unit_test(nothing_is_shown_that_is_to_be_escaped),
		cmocka_unit_test(no_more_is_written_than_there_is_room_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
