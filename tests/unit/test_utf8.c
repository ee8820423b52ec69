/* UTF-8: what is well-formed, compared with a second, arithmetical reading of the rules. */
#include "shared/utf8.h"

#include "unit.h"

/* The check from exactly sized memory, so that a look past the end is seen. */
static bool is_valid(const void *text, size_t len)
{
	unit_held struct msg_bytes exact = unit_copy(text, len);

	return utf8_valid(exact.ptr, len);
}

/* By decoding: enough bytes, continuation bytes, shortest form, a scalar value. */
static bool is_valid_by_arithmetic(const uint8_t *at, size_t len)
{
	while (len) {
		static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
		size_t n = at[0] < 0x80		    ? 1
			   : (at[0] & 0xe0) == 0xc0 ? 2
			   : (at[0] & 0xf0) == 0xe0 ? 3
						    : 4;
		uint32_t point = at[0] & (n == 1 ? 0x7fu : 0x7fu >> n);

		if ((at[0] & 0xc0) == 0x80 || at[0] >= 0xf8 || n > len)
			return false;
		for (size_t i = 1; i < n; i++) {
			if ((at[i] & 0xc0) != 0x80)
				return false;
			point = point << 6 | (at[i] & 0x3f);
		}
		if (point < least[n] || point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
			return false;
		at += n;
		len -= n;
	}
	return true;
}

static void text_that_is_empty_is_valid(void **state)
{
	(void)state;
	assert_true(utf8_valid("", 0));
	assert_true(utf8_valid(NULL, 0));
}

static void text_may_hold_nul_bytes(void **state)
{
	(void)state;
	assert_true(is_valid("a\0b", 3));
	assert_true(is_valid("\0\0\0\0\0\0\0\0\0", 9));
}

static void edges_of_the_table_are_exact(void **state)
{
	static const char *const valid[] = {
		"\x7f",
		"\xc2\x80",
		"\xdf\xbf",
		"\xe0\xa0\x80",
		"\xe0\xbf\xbf",
		"\xe1\x80\x80",
		"\xec\xbf\xbf",
		"\xed\x80\x80",
		"\xed\x9f\xbf",
		"\xee\x80\x80",
		"\xef\xbf\xbf",
		"\xf0\x90\x80\x80",
		"\xf0\xbf\xbf\xbf",
		"\xf1\x80\x80\x80",
		"\xf3\xbf\xbf\xbf",
		"\xf4\x8f\xbf\xbf",
	};
	static const char *const invalid[] = {
		"\x80",
		"\xbf",
		"\xc0\x80",
		"\xc1\xbf",
		"\xc2",
		"\xc2\x7f",
		"\xc2\xc0",
		"\xe0\x9f\xbf",
		"\xe0\xa0",
		"\xed\xa0\x80",
		"\xed\xbf\xbf",
		"\xe1\x80\xc0",
		"\xf0\x8f\xbf\xbf",
		"\xf0\x90\x80",
		"\xf4\x90\x80\x80",
		"\xf5\x80\x80\x80",
		"\xf8\x88\x80\x80\x80",
		"\xfe",
		"\xff",
		"\xef\xbb",
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(valid); i++)
		assert_true(is_valid(valid[i], strlen(valid[i])));
	for (size_t i = 0; i < UNIT_COUNT(invalid); i++)
		assert_false(is_valid(invalid[i], strlen(invalid[i])));
}

static void all_short_sequences_agree_with_the_arithmetic(void **state)
{
	static const uint8_t tails[] = {0x00, 0x7f, 0x80, 0x9f, 0xa0, 0xbf, 0xc0, 0xff};
	uint8_t at[4];

	(void)state;
	for (unsigned lead = 0; lead < 65536; lead++) {
		at[0] = (uint8_t)(lead >> 8);
		at[1] = (uint8_t)lead;
		if (utf8_valid(at, 2) != is_valid_by_arithmetic(at, 2))
			fail_msg("%02x %02x", at[0], at[1]);
		for (size_t i = 0; i < UNIT_COUNT(tails) * UNIT_COUNT(tails); i++) {
			at[2] = tails[i / UNIT_COUNT(tails)];
			at[3] = tails[i % UNIT_COUNT(tails)];
			if (utf8_valid(at, 3) != is_valid_by_arithmetic(at, 3) ||
			    utf8_valid(at, 4) != is_valid_by_arithmetic(at, 4))
				fail_msg("%02x %02x %02x %02x", at[0], at[1], at[2], at[3]);
		}
	}
}

static void every_scalar_value_is_valid(void **state)
{
	(void)state;
	for (uint32_t c = 0x10000; c <= 0x10ffff; c++) {
		uint8_t at[4] = {(uint8_t)(0xf0 | c >> 18), (uint8_t)(0x80 | (c >> 12 & 0x3f)),
				 (uint8_t)(0x80 | (c >> 6 & 0x3f)), (uint8_t)(0x80 | (c & 0x3f))};

		if (!utf8_valid(at, 4))
			fail_msg("U+%x", c);
	}
}

/* ASCII is passed over eight bytes at a time: what is wrong is found at every distance. */
static void bad_byte_is_found_wherever_it_stands(void **state)
{
	char text[40];

	(void)state;
	for (size_t len = 1; len <= sizeof(text); len++) {
		memset(text, 'a', sizeof(text));
		assert_true(is_valid(text, len));
		for (size_t i = 0; i < len; i++) {
			text[i] = (char)0xff;
			assert_false(is_valid(text, len));
			text[i] = (char)0x80;
			assert_false(is_valid(text, len));
			text[i] = 'a';
		}
	}
}

static void sequence_that_is_cut_off_is_found_wherever_it_stands(void **state)
{
	static const char *const sequences[] = {"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
	char text[40];

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(sequences); i++)
		for (size_t before = 0; before < 20; before++) {
			size_t n = strlen(sequences[i]);

			memset(text, 'a', sizeof(text));
			memcpy(text + before, sequences[i], n);
			assert_true(is_valid(text, before + n));
			assert_true(is_valid(text, sizeof(text)));
			for (size_t cut = 1; cut < n; cut++)
				assert_false(is_valid(text, before + cut));
			text[before + n - 1] = 'a';
			assert_false(is_valid(text, sizeof(text)));
		}
}

static void scrubbing_replaces_what_is_not_well_formed(void **state)
{
	static const struct {
		const char *text, *scrubbed;
	} rows[] = {
		{"", ""},
		{"plain \xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80",
		 "plain \xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
		{"a\xff", "a?"},
		{"a\xc3", "a?"},
		{"\xc3z", "?z"},
		{"\xe2\x82", "??"},
		{"\xf0\x9f\x98-\xc3\xa9", "??"
					  "?-\xc3\xa9"},
		{"\xed\xa0\x80", "??"
				 "?"},
		{"\xc0\xaf", "??"},
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
		size_t len = strlen(rows[i].text);
		unit_held struct msg_bytes text = unit_copy(rows[i].text, len);

		utf8_scrub((char *)text.ptr, len);
		assert_memory_equal(text.ptr, rows[i].scrubbed, len);
		assert_int_equal(strlen(rows[i].scrubbed), len);
	}
}

static void what_was_scrubbed_is_valid(void **state)
{
	uint64_t seed = 6;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		uint8_t noise[24];
		size_t len = unit_below(&seed, sizeof(noise) + 1);

		for (size_t i = 0; i < len; i++)
			noise[i] = (uint8_t)(unit_below(&seed, 2) ? unit_random(&seed) | 0x80
								  : unit_random(&seed));
		unit_held struct msg_bytes text = unit_copy(noise, len);
		bool valid = utf8_valid(noise, len);

		utf8_scrub((char *)text.ptr, len);
		assert_true(utf8_valid(text.ptr, len));
		assert_int_equal(memcmp(text.ptr, noise, len) == 0, valid);
	}
}

/* By trying: how many of the last bytes some three more make a character, and no fewer do. */
static size_t begun_by_trying(const uint8_t *at, size_t len)
{
	static const uint8_t more[] = {0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf};

	for (size_t n = 1; n <= 3 && n <= len; n++)
		for (size_t i = 0; i < UNIT_COUNT(more); i++) {
			uint8_t whole[6] = {0};

			memcpy(whole, at + len - n, n);
			whole[n] = more[i];
			whole[n + 1] = whole[n + 2] = 0xbf;
			if (utf8_char(whole, n + 3, NULL) > n)
				return n;
		}
	return 0;
}

static void what_is_begun_is_what_more_bytes_would_end(void **state)
{
	static const uint8_t bytes[] = {0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf,
					0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed,
					0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff};
	uint8_t at[4];

	(void)state;
	assert_int_equal(utf8_begun("", 0), 0);
	for (size_t i = 0; i < UNIT_COUNT(bytes) * UNIT_COUNT(bytes); i++)
		for (size_t k = 0; k < UNIT_COUNT(bytes) * UNIT_COUNT(bytes); k++) {
			at[0] = bytes[i / UNIT_COUNT(bytes)];
			at[1] = bytes[i % UNIT_COUNT(bytes)];
			at[2] = bytes[k / UNIT_COUNT(bytes)];
			at[3] = bytes[k % UNIT_COUNT(bytes)];
			for (size_t len = 1; len <= 4; len++)
				if (utf8_begun(at, len) != begun_by_trying(at, len))
					fail_msg("%02x %02x %02x %02x, %zu of them", at[0], at[1],
						 at[2], at[3], len);
		}
}

static void character_is_told_with_its_number(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		uint32_t c;
	} rows[] = {
		{"a", 1, 'a'},
		{"\xc2\x80z", 2, 0x80},
		{"\xe2\x82\xac", 3, 0x20ac},
		{"\xf0\x9f\x98\x80", 4, 0x1f600},
		{"\xf4\x8f\xbf\xbf", 4, 0x10ffff},
		{"\xff", 0, 7},
		{"\xe2\x82", 0, 7},
		{"", 0, 7},
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
		unit_held struct msg_bytes text = unit_copy(rows[i].text, strlen(rows[i].text));
		uint32_t c = 7;

		assert_int_equal(utf8_char(text.ptr, text.len, &c), rows[i].len);
		assert_int_equal(c, rows[i].c);
	}
}

int main(void)
{
	const struct CMUnitTest utf8_tests[] = {
		cmocka_unit_test(text_that_is_empty_is_valid),
		cmocka_unit_test(text_may_hold_nul_bytes),
		cmocka_unit_test(edges_of_the_table_are_exact),
		cmocka_unit_test(all_short_sequences_agree_with_the_arithmetic),
		cmocka_unit_test(every_scalar_value_is_valid),
		cmocka_unit_test(bad_byte_is_found_wherever_it_stands),
		cmocka_unit_test(scrubbing_replaces_what_is_not_well_formed),
		cmocka_unit_test(what_was_scrubbed_is_valid),
		cmocka_unit_test(what_is_begun_is_what_more_bytes_would_end),
		cmocka_unit_test(character_is_told_with_its_number),
		cmocka_unit_test(sequence_that_is_cut_off_is_found_wherever_it_stands),
	};

	return cmocka_run_group_tests(utf8_tests, NULL, NULL);
}
