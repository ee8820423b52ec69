/* Output as lines of JSON: however it is cut, the lines say the same bytes, and no character is in two of them. */
#include "cli/report/jsonl.h"

#include "unit.h"
#include "unit_json.h"

/* What was said so far. */
static uint8_t *said;
static size_t said_len, lines, texts;
static char *line;
static uint8_t *bytes;

static int set_up(void **state)
{
	(void)state;
	said = malloc(1 << 20);
	line = malloc(JSONL_LINE_MAX);
	bytes = malloc(JSONL_LINE_MAX);
	assert_true(said && line && bytes);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	free(said);
	free(line);
	free(bytes);
	return 0;
}

static void begin(struct jsonl *jsonl)
{
	jsonl_init(jsonl, "stdout");
	said_len = lines = texts = 0;
}

static void hear(size_t len)
{
	bool is_text = false;
	size_t n;

	if (!len)
		return;
	assert_true(len <= JSONL_LINE_MAX);
	n = unit_json_output(line, len, "stdout", bytes, &is_text);
	if (n == SIZE_MAX)
		fail_msg("not a line of output: %.*s", (int)len, line);
	/* What is UTF-8 is said as such. */
	assert_true(is_text == utf8_valid(bytes, n));
	memcpy(said + said_len, bytes, n);
	said_len += n;
	lines++;
	texts += is_text;
}

/* From memory of exactly that size. */
static void take(struct jsonl *jsonl, const void *data, size_t len)
{
	unit_held struct msg_bytes exact = unit_copy(data, len);
	size_t n = jsonl_line(jsonl, exact.ptr, len, line);

	hear(n);
	/* What is held is the beginning of one character and nothing else. */
	assert_int_equal(utf8_begun(jsonl->held, jsonl->held_len), jsonl->held_len);
}

static void finish(struct jsonl *jsonl, const void *data, size_t len)
{
	hear(jsonl_last(jsonl, line));
	assert_int_equal(jsonl_last(jsonl, line), 0);
	assert_int_equal(said_len, len);
	assert_memory_equal(said, data, len);
}

/* In one piece, and cut at every byte into two and three. */
static void cut_everywhere(const void *data, size_t len)
{
	const uint8_t *at = data;
	bool valid = utf8_valid(data, len);
	struct jsonl jsonl;

	for (size_t i = 0; i <= len; i++)
		for (size_t k = i; k <= len; k++) {
			begin(&jsonl);
			take(&jsonl, at, i);
			take(&jsonl, at + i, k - i);
			take(&jsonl, at + k, len - k);
			finish(&jsonl, data, len);
			if (valid)
				assert_int_equal(texts, lines);
		}
}

static void line_is_what_it_is_said_to_be(void **state)
{
	static const char data[] =
		"a\"b\\c/\b\f\n\r\t\x01\x1f\x7f\xc2\x85\xe2\x80\xa8\xf0\x9f\x98\x80";
	static const char want[] =
		"{\"type\":\"stderr\",\"text\":\"a\\\"b\\\\c/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f"
		"\xc2\x85\xe2\x80\xa8\xf0\x9f\x98\x80\"}\n";
	struct jsonl jsonl;
	size_t n;

	(void)state;
	jsonl_init(&jsonl, "stderr");
	n = jsonl_line(&jsonl, (const uint8_t *)data, strlen(data), line);
	assert_int_equal(n, strlen(want));
	assert_memory_equal(line, want, n);
	n = jsonl_line(&jsonl, (const uint8_t *)"\xff\xfe!", 3, line);
	assert_int_equal(n, strlen("{\"type\":\"stderr\",\"base64\":\"//4h\"}\n"));
	assert_memory_equal(line, "{\"type\":\"stderr\",\"base64\":\"//4h\"}\n", n);
	assert_int_equal(jsonl_line(&jsonl, NULL, 0, line), 0);
	assert_int_equal(jsonl_last(&jsonl, line), 0);
}

static void every_cut_of_text_is_the_same_text(void **state)
{
	static const char *const texts_of[] = {
		"",
		"plain text of several words, longer than eight",
		"a\nb\"c\\d\te\r\n",
		"\xc3\xa9\xc3\xa8\xc2\x80\xdf\xbf",
		"\xe4\xb8\xad\xe6\x96\x87\xe0\xa0\x80\xed\x9f\xbf\xef\xbf\xbf",
		"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\xf0\x9f\x98\x80",
		"a\xc3\xa9-\xe4\xb8\xad\"\xf0\x9f\x98\x80\\8bytes..\xc3\xa9",
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(texts_of); i++)
		cut_everywhere(texts_of[i], strlen(texts_of[i]));
	cut_everywhere("a\0b\0\0\0\0\0\0\0\0c", 12);
}

static void every_cut_of_what_is_no_text_is_the_same_bytes(void **state)
{
	static const char *const wrong[] = {
		"\x80",
		"\xbf",
		"\xc0\x80",
		"\xc1\xbf",
		"\xc2",
		"\xc2\x7f",
		"\xe0\x9f\xbf",
		"\xe0\xa0",
		"\xed\xa0\x80",
		"\xed\xbf\xbf",
		"\xe1\x80\xc0",
		"\xf0\x8f\xbf\xbf",
		"\xf0\x90\x80",
		"\xf4\x90\x80\x80",
		"\xf5\x80\x80\x80",
		"\xfe",
		"\xff",
		"\xe4\xe4\xb8",
		"\xf0\x9f\xf0\x9f",
		"\xf0\x9f\x98\xc3\xa9",
		"\xc3\xc3\xc3\xa9",
		"\xe4\xb8\"",
		"\x80\x80\x80\x80",
	};
	static const char *const around[] = {"",	 "a",	    "\xc3\xa9", "\xe4\xb8\xad",
					     "\xe4\xb8", "12345678"};
	char data[64];

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(wrong); i++)
		for (size_t k = 0; k < UNIT_COUNT(around); k++)
			for (size_t l = 0; l < UNIT_COUNT(around); l++) {
				snprintf(data, sizeof(data), "%s%s%s", around[k], wrong[i],
					 around[l]);
				cut_everywhere(data, strlen(data));
			}
}

/* Eight bytes are looked at together: each byte is found at every distance. */
static void every_byte_is_said_wherever_it_stands(void **state)
{
	uint8_t data[24];
	struct jsonl jsonl;

	(void)state;
	for (unsigned c = 0; c < 256; c++)
		for (size_t i = 0; i < sizeof(data); i++)
			for (unsigned other = 0; other < 4; other++) {
				memset(data, "a\n\x1f\x21"[other], sizeof(data));
				data[i] = (uint8_t)c;
				begin(&jsonl);
				take(&jsonl, data, sizeof(data));
				finish(&jsonl, data, sizeof(data));
			}
}

static void what_is_no_text_leaves_the_next_line_whole(void **state)
{
	struct jsonl jsonl;

	(void)state;
	begin(&jsonl);
	take(&jsonl, "\xff-\xe4\xb8", 4);
	assert_int_equal(texts, 0);
	assert_int_equal(said_len, 2);
	take(&jsonl, "\xad.", 2);
	assert_int_equal(texts, 1);
	finish(&jsonl, "\xff-\xe4\xb8\xad.", 6);
}

static void character_in_single_bytes_is_one_line(void **state)
{
	struct jsonl jsonl;

	(void)state;
	begin(&jsonl);
	for (const char *at = "\xf0\x9f\x98\x80"; *at; at++)
		take(&jsonl, at, 1);
	assert_int_equal(lines, 1);
	finish(&jsonl, "\xf0\x9f\x98\x80", 4);
}

static void longest_line_fits(void **state)
{
	uint8_t *data = malloc(JSONL_SLICE);
	struct jsonl jsonl;

	(void)state;
	assert_non_null(data);
	for (int c = 0; c < 4; c++) {
		memset(data, "\x01\xff\xe4\""[c], JSONL_SLICE);
		begin(&jsonl);
		take(&jsonl, "\xf0\x9f\x98", 3);
		take(&jsonl, data, JSONL_SLICE);
		hear(jsonl_last(&jsonl, line));
		assert_int_equal(said_len, JSONL_SLICE + 3);
	}
	memset(data, 1, JSONL_SLICE);
	data[0] = 0x80;
	begin(&jsonl);
	take(&jsonl, "\xf0\x9f\x98", 3);
	take(&jsonl, data, JSONL_SLICE);
	assert_int_equal(texts, 1);
	assert_int_equal(said_len, JSONL_SLICE + 3);
	free(data);
}

/* Bytes that begin, go on and break characters more often than chance has it. */
static void random_bytes_in_random_pieces_come_out(void **state)
{
	static const uint8_t edges[] = {0x80, 0xbf, 0xc2, 0xc3, 0xe0, 0xe4,
					0xed, 0xf0, 0xf4, 0xa0, 0x9f, 0x90};
	uint8_t data[300];
	uint64_t seed = 11;
	struct jsonl jsonl;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		size_t len = unit_below(&seed, sizeof(data)), at = 0, n;
		uint32_t kind = unit_below(&seed, 3);

		for (size_t i = 0; i < len; i++)
			data[i] = (uint8_t)(kind == 0 || !unit_below(&seed, 20) ? unit_random(&seed)
					    : kind == 1 ? 0x20 + unit_below(&seed, 0x60)
							: edges[unit_below(&seed, sizeof(edges))]);
		begin(&jsonl);
		for (; at < len; at += n) {
			n = 1 + unit_below(&seed, 40);
			n = n < len - at ? n : len - at;
			take(&jsonl, data + at, n);
		}
		finish(&jsonl, data, len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(line_is_what_it_is_said_to_be),
		cmocka_unit_test(every_cut_of_text_is_the_same_text),
		cmocka_unit_test(every_cut_of_what_is_no_text_is_the_same_bytes),
		cmocka_unit_test(every_byte_is_said_wherever_it_stands),
		cmocka_unit_test(what_is_no_text_leaves_the_next_line_whole),
		cmocka_unit_test(character_in_single_bytes_is_one_line),
		cmocka_unit_test(longest_line_fits),
		cmocka_unit_test(random_bytes_in_random_pieces_come_out),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
