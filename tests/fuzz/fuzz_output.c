/*
 * A command's output as lines of JSON, with and without an excerpt before: whatever it is and however it is cut, each
 * line is one, and together they say the bytes that came, or their head and tail. The first two bytes say how much
 * may come out, the third in which pieces it comes.
 */
#include "fuzz.h"

#include "cli/report/excerpt.h"
#include "cli/report/json.h"
#include "cli/report/jsonl.h"
#include "tests/unit/unit_json.h"

struct said {
	struct jsonl jsonl;
	uint8_t *data;
	size_t len;
};

static char line[JSONL_LINE_MAX];

static void hear(struct said *said, size_t len)
{
	bool is_text = false;
	size_t n;

	if (!len)
		return;
	CLAIM(len <= sizeof(line));
	n = unit_json_output(line, len, "stderr", said->data + said->len, &is_text);
	CLAIM(n != SIZE_MAX);
	CLAIM(is_text == utf8_valid(said->data + said->len, n));
	said->len += n;
}

static void take(struct said *said, const uint8_t *data, size_t len)
{
	while (len) {
		size_t n = len < JSONL_SLICE ? len : JSONL_SLICE;
		uint8_t *exact = fuzz_copy(data, n);

		hear(said, jsonl_line(&said->jsonl, exact, n, line));
		free(exact);
		data += n;
		len -= n;
	}
}

static void finish(struct said *said)
{
	hear(said, jsonl_last(&said->jsonl, line));
}

/* Room for all of it, and for what a line of base64 is before it is bytes. */
static struct said begin(size_t len)
{
	struct said said = {.data = malloc(len + sizeof(line))};

	CLAIM(said.data);
	jsonl_init(&said.jsonl, "stderr");
	return said;
}

/* Pieces whose sizes follow from the seed. */
static size_t piece(uint32_t *seed, size_t left)
{
	size_t n;

	*seed = *seed * 1103515245 + 12345;
	n = 1 + (*seed >> 16) % (*seed & 0x100 ? 70 : 5);
	return n < left ? n : left;
}

static void all_of_it(const uint8_t *data, size_t len, uint32_t seed)
{
	struct said said = begin(len);

	for (size_t at = 0, n; at < len; at += n) {
		n = piece(&seed, len - at);
		take(&said, data + at, n);
	}
	finish(&said);
	CLAIM(said.len == len && memcmp(said.data, data, len) == 0);
	free(said.data);
}

static void head_and_tail(const uint8_t *data, size_t len, size_t max, uint32_t seed)
{
	struct said said = begin(len);
	struct excerpt_rest rest;
	struct excerpt excerpt;
	size_t head;

	excerpt_init(&excerpt, max);
	for (size_t at = 0, n; at < len; at += n) {
		uint8_t *exact;
		ssize_t out;

		n = piece(&seed, len - at);
		exact = fuzz_copy(data + at, n);
		out = excerpt_take(&excerpt, exact, n);
		CLAIM(out >= 0 && (size_t)out <= n);
		take(&said, exact, (size_t)out);
		free(exact);
	}
	rest = excerpt_end(&excerpt);
	if (rest.cut)
		finish(&said);
	head = said.len;
	for (int i = 0; i < 2; i++)
		take(&said, rest.parts[i].data, rest.parts[i].len);
	finish(&said);
	excerpt_release(&excerpt);
	CLAIM((rest.cut > 0) == (len > max));
	CLAIM(said.len + rest.cut == len && said.len <= max);
	CLAIM(memcmp(said.data, data, rest.cut ? head : said.len) == 0);
	CLAIM(memcmp(said.data + head, data + len - (said.len - head), said.len - head) == 0);
	CLAIM(!rest.cut || said.len + 6 >= max);
	free(said.data);
}

/* As a message: whatever it is and however little room there is, it is an object. */
static void as_a_message(const uint8_t *data, size_t len, size_t room)
{
	size_t size = JSON_SIZE_MIN + room;
	char *space = malloc(size);
	struct json json;

	CLAIM(space);
	json_begin(&json, space, size);
	json_open_list(&json, "words");
	json_text(&json, NULL, (const char *)data, len / 2);
	json_text(&json, NULL, (const char *)data + len / 2, len - len / 2);
	json_close(&json);
	json_text(&json, "message", (const char *)data, len);
	json_number(&json, "status", 1);
	len = json_end(&json);
	CLAIM(len <= size && unit_json_is_line(space, len));
	CLAIM(memcmp(space + len - 13, ",\"status\":1}\n", 13) == 0);
	free(space);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	size_t max;
	uint32_t seed;

	if (len < 3)
		return 0;
	max = (size_t)data[0] << 8 | data[1];
	seed = data[2];
	data += 3;
	len -= 3;
	all_of_it(data, len, seed);
	head_and_tail(data, len, len ? max % (len + 2) : max, seed);
	as_a_message(data, len, max % 512);
	return 0;
}
