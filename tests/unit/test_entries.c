/* The list of kept sessions as JSON: all of what an agent says is in it, however long and whatever it is. */
#include "cli/exec/entries.h"

#include "unit.h"
#include "unit_json.h"

/* A text, or a list or a map of so many, as CBOR. */
static void put_head(struct buf *out, uint8_t kind, size_t len)
{
	uint8_t head[5] = {(uint8_t)(kind | 0x1a), (uint8_t)(len >> 24), (uint8_t)(len >> 16),
			   (uint8_t)(len >> 8), (uint8_t)len};

	if (len < 24) {
		head[0] = (uint8_t)(kind | len);
		assert_int_equal(buf_append(out, head, 1), 0);
	} else {
		assert_int_equal(buf_append(out, head, sizeof(head)), 0);
	}
}

static void put_text(struct buf *out, const char *text)
{
	put_head(out, 0x60, strlen(text));
	assert_int_equal(buf_append(out, text, strlen(text)), 0);
}

/* A session with a name and a command of count words, all of which are that. What is printed, freed by the caller. */
static char *print(const char *word, size_t count, size_t *ret_len)
{
	struct entries entries = {0};
	char *text = NULL;
	struct buf payload;
	FILE *out;

	buf_init(&payload, 1 << 24, NULL);
	put_head(&payload, 0xa0, 3);
	put_text(&payload, "session");
	put_text(&payload, word);
	put_text(&payload, "name");
	put_text(&payload, word);
	put_text(&payload, "command");
	put_head(&payload, 0x80, count);
	for (size_t i = 0; i < count; i++)
		put_text(&payload, word);
	assert_int_equal(
		entries_add(&entries, (struct msg_bytes){buf_head(&payload), buf_len(&payload)}),
		0);
	buf_release(&payload);
	out = open_memstream(&text, ret_len);
	assert_non_null(out);
	assert_int_equal(entries_json(&entries, out), 0);
	fclose(out);
	entries_release(&entries);
	return text;
}

static void long_commands_are_whole(void **state)
{
	static const char *const words[] = {
		"",	   "a", "\x1b", "\"", "\n", "\xc3\xa9", "\xe2\x80\xae", "\xf0\x9f\x98\x80",
		"word\x7f"};
	static const size_t counts[] = {0, 1, 100, 20000};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(words); i++)
		for (size_t k = 0; k < UNIT_COUNT(counts); k++) {
			size_t len, word_len, found = 0;
			char *text = print(words[i], counts[k], &len), *at;
			struct unit_json json;
			uint8_t back[64];

			assert_true(unit_json_is_line(text, len));
			at = strstr(text, "\"command\":[");
			assert_non_null(at);
			json = (struct unit_json){at + strlen("\"command\":["), text + len};
			while (*json.at != ']') {
				assert_true(unit_json_string(&json, back, &word_len));
				assert_int_equal(word_len, strlen(words[i]));
				assert_memory_equal(back, words[i], word_len);
				unit_json_is(&json, ",");
				found++;
			}
			assert_int_equal(found, counts[k]);
			free(text);
		}
}

static void long_word_is_whole(void **state)
{
	size_t len, word_len;
	char *word = malloc(100001), *text, *at;
	uint8_t *back = malloc(100001);
	struct unit_json json;

	(void)state;
	assert_true(word && back);
	memset(word, '\x01', 100000);
	word[100000] = '\0';
	text = print(word, 1, &len);
	assert_true(unit_json_is_line(text, len));
	at = strstr(text, "\"command\":[");
	assert_non_null(at);
	json = (struct unit_json){at + strlen("\"command\":["), text + len};
	assert_true(unit_json_string(&json, back, &word_len));
	assert_int_equal(word_len, 100000);
	assert_memory_equal(back, word, word_len);
	free(text);
	free(word);
	free(back);
}

static void object_is_as_it_is_documented(void **state)
{
	size_t len;
	char *text = print("n", 2, &len);

	(void)state;
	assert_string_equal(
		text, "{\"id\":\"n\",\"name\":\"n\",\"user\":null,\"pid\":0,\"tty\":false,"
		      "\"state\":\"running\","
		      "\"age_ms\":0,\"cpu_us\":0,\"attached\":0,\"command\":[\"n\",\"n\"],"
		      "\"stdout\":{\"begin\":0,\"end\":0},\"stderr\":{\"begin\":0,\"end\":0}}\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(long_commands_are_whole),
		cmocka_unit_test(long_word_is_whole),
		cmocka_unit_test(object_is_as_it_is_documented),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
