/* The head and the tail of a stream: compared with what a look at the whole stream finds, however it is cut. */
#include "cli/report/excerpt.h"

#include "shared/utf8.h"
#include "unit.h"

/* What came out: before the cut, and behind it. */
static uint8_t *out;
static size_t head_len, all_len, out_room;
static uint64_t cut;

static void make_room(size_t len)
{
	if (len > out_room) {
		free(out);
		out = malloc(len);
		assert_non_null(out);
		out_room = len;
	}
	head_len = all_len = 0;
}

static void take(struct excerpt *excerpt, const uint8_t *data, size_t len)
{
	unit_held struct msg_bytes exact = unit_copy(data, len);
	ssize_t n = excerpt_take(excerpt, exact.ptr, len);

	assert_true(n >= 0 && (size_t)n <= len);
	memcpy(out + head_len, data, (size_t)n);
	head_len += (size_t)n;
}

static void finish(struct excerpt *excerpt)
{
	struct excerpt_rest rest = excerpt_end(excerpt);

	cut = rest.cut;
	all_len = head_len;
	for (int i = 0; i < 2; i++)
		if (rest.parts[i].len) {
			memcpy(out + all_len, rest.parts[i].data, rest.parts[i].len);
			all_len += rest.parts[i].len;
		}
	excerpt_release(excerpt);
}

/* Whether at this place of the stream a character begun before it goes on: how many bytes before, and in all. */
static size_t char_at(const uint8_t *data, size_t len, size_t at, size_t *ret_before)
{
	for (size_t before = 1; before <= 3 && before <= at; before++) {
		size_t n = utf8_char(data + at - before, len - (at - before), NULL);

		if (n > before) {
			*ret_before = before;
			return n;
		}
	}
	*ret_before = 0;
	return 0;
}

/* What came out of data is what should. */
static void check(const uint8_t *data, size_t len, size_t max)
{
	size_t head = max - max / 2, tail = len - max / 2, before, n;

	if (len <= max) {
		assert_int_equal(cut, 0);
		assert_int_equal(all_len, len);
		assert_memory_equal(out, data, len);
		return;
	}
	assert_true(all_len <= max);
	assert_int_equal(cut, len - all_len);
	assert_memory_equal(out, data, head_len);
	assert_memory_equal(out + head_len, data + len - (all_len - head_len), all_len - head_len);
	/* No more is left out than a character asks for; what only looks like one is none for the tail. */
	n = char_at(data, len, head, &before);
	if (utf8_valid(data, len))
		assert_int_equal(head_len, head - before);
	else
		assert_true(head_len <= head - before && head_len + 3 >= head);
	n = char_at(data, len, tail, &before);
	assert_int_equal(all_len - head_len, len - tail - (n ? n - before : 0));
}

static void once(const uint8_t *data, size_t len, size_t max, size_t first, size_t second)
{
	struct excerpt excerpt;

	make_room(len + 1);
	excerpt_init(&excerpt, max);
	take(&excerpt, data, first);
	take(&excerpt, data + first, second - first);
	take(&excerpt, data + second, len - second);
	finish(&excerpt);
	check(data, len, max);
}

static void every_cut_of_a_stream_gives_the_same(void **state)
{
	static const char *const streams[] = {
		"",
		"plain text",
		"\xc3\xa9\xc3\xa8\xc2\x80\xdf\xbf\xc3\xa9",
		"a\xe4\xb8\xad\xe6\x96\x87\xe0\xa0\x80z",
		"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\xf0\x9f\x98\x80",
		"\x80\x80\x80\x80\x80\x80\x80\x80\x80",
		"\xf0\xf0\xf0\xf0\xe4\xe4\xe4\xc3\xc3",
		"\xf0\x9f\x98\xe4\xb8\xc3\xf0\x9f\x98",
		"ab\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80\xff\xe9",
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(streams); i++) {
		const uint8_t *data = (const uint8_t *)streams[i];
		size_t len = strlen(streams[i]);

		for (size_t max = 0; max <= len + 2; max++)
			for (size_t first = 0; first <= len; first++)
				for (size_t second = first; second <= len; second++)
					once(data, len, max, first, second);
	}
}

static void head_goes_out_at_once(void **state)
{
	struct excerpt excerpt;

	(void)state;
	excerpt_init(&excerpt, 10);
	assert_int_equal(excerpt_take(&excerpt, (const uint8_t *)"abc", 3), 3);
	assert_int_equal(excerpt_take(&excerpt, (const uint8_t *)"defgh", 5), 2);
	assert_int_equal(excerpt_take(&excerpt, (const uint8_t *)"i", 1), 0);
	assert_int_equal(excerpt_end(&excerpt).cut, 0);
	assert_int_equal(excerpt_end(&excerpt).parts[0].len, 4);
	assert_int_equal(excerpt_take(&excerpt, NULL, 0), 0);
	excerpt_release(&excerpt);
}

static void memory_is_taken_as_it_is_needed(void **state)
{
	static const uint8_t data[100000];
	struct excerpt excerpt;

	(void)state;
	excerpt_init(&excerpt, (uint64_t)1 << 30);
	assert_int_equal(excerpt_take(&excerpt, data, sizeof(data)), sizeof(data));
	assert_null(excerpt.kept);
	excerpt_release(&excerpt);
	excerpt_init(&excerpt, 100);
	for (int i = 0; i < 1000; i++)
		assert_true(excerpt_take(&excerpt, data, sizeof(data)) >= 0);
	assert_true(excerpt.cap < 100);
	assert_int_equal(excerpt_end(&excerpt).cut, sizeof(data) * UINT64_C(1000) - 100);
	excerpt_release(&excerpt);
}

static void random_streams_in_random_pieces(void **state)
{
	static const char *const characters[] = {
		"a", "\n", "\xc3\xa9", "\xe4\xb8\xad", "\xf0\x9f\x98\x80", "\xff", "\xe4"};
	uint64_t seed = 5;

	(void)state;
	for (int round = 0; round < 4000; round++) {
		uint32_t room = 1 + unit_below(&seed, round % 100 ? 500 : 400000), len = 0, max;
		uint8_t *data = malloc(room + 4);
		uint32_t kinds = unit_below(&seed, 4) ? 5 : 7;
		struct excerpt excerpt;

		assert_non_null(data);
		while (len < room) {
			const char *c = characters[unit_below(&seed, kinds)];

			memcpy(data + len, c, strlen(c));
			len += (uint32_t)strlen(c);
		}
		max = unit_below(&seed, len + len / 4 + 1);
		make_room(len);
		excerpt_init(&excerpt, max);
		for (uint32_t at = 0, n; at < len; at += n) {
			n = 1 + unit_below(&seed, len / 3 + 1);
			n = n < len - at ? n : len - at;
			take(&excerpt, data + at, n);
		}
		finish(&excerpt);
		check(data, len, max);
		free(data);
	}
}

static int tear_down(void **state)
{
	(void)state;
	free(out);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cut_of_a_stream_gives_the_same),
		cmocka_unit_test(head_goes_out_at_once),
		cmocka_unit_test(memory_is_taken_as_it_is_needed),
		cmocka_unit_test(random_streams_in_random_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, tear_down);
}
