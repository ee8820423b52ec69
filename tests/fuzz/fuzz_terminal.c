/*
 * A terminal's keys and screen on their way through msb-exec: escapes and detach keys among what is
 * typed, and what a command turned on in the output. The first byte is the escape character (0: none),
 * the second how many detach keys follow, the third how large the pieces are that the rest comes in.
 */
#include "fuzz.h"

#include "cli/terminal/escape.h"
#include "shared/modes.h"

static void take_keys(struct escape *escape, const uint8_t *keys, size_t len, size_t piece)
{
	bool off = escape->character == ESCAPE_OFF && !escape->detach.len;
	uint64_t now_ms = 1000;

	for (size_t at = 0; at < len; at += piece, now_ms += 100) {
		size_t left = len - at < piece ? len - at : piece, taken, passed;
		/* Where the keys may be passed on: from one before they came. */
		uint8_t *room = malloc(left + 1), *in = room + 1;

		CLAIM(room);
		memcpy(in, keys + at, left);
		while (left) {
			enum escape_action action =
				escape_take(escape, now_ms, in, left, in - 1, &taken, &passed);

			CLAIM(taken >= 1 && taken <= left && passed <= taken + 1);
			CLAIM(action != ESCAPE_NOTHING || taken == left);
			if (off)
				CLAIM(action == ESCAPE_NOTHING && passed == taken &&
				      memcmp(in - 1, keys + at, passed) == 0);
			in += taken;
			left -= taken;
		}
		free(room);
	}
}

/* In pieces it is the same; what turns the modes off does, and fits. */
static void watch(const uint8_t *data, size_t len, size_t piece)
{
	struct modes whole = {0}, pieces = {0}, after = {0};
	char text[MODES_TEXT_MAX + 1];
	size_t n;

	modes_watch(&whole, data, len);
	for (size_t at = 0; at < len; at += piece) {
		size_t left = len - at < piece ? len - at : piece;
		uint8_t *copy = fuzz_copy(data + at, left);

		modes_watch(&pieces, copy, left);
		free(copy);
	}
	CLAIM(whole.on == pieces.on && whole.state == pieces.state);
	n = modes_on(whole.on, text);
	CLAIM(n <= MODES_TEXT_MAX);
	modes_watch(&after, (const uint8_t *)text, n);
	n = modes_off(after.on, text);
	CLAIM(n <= MODES_TEXT_MAX && (n > 0 || !after.on));
	modes_watch(&after, (const uint8_t *)text, n);
	CLAIM(!after.on);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct escape escape = {0};
	size_t piece;

	if (len < 3)
		return 0;
	escape.character = data[0] ? data[0] : ESCAPE_OFF;
	escape.detach.len = data[1] % (ESCAPE_KEYS_MAX + 1);
	piece = (size_t)data[2] + 1;
	data += 3;
	len -= 3;
	if (escape.detach.len > len)
		escape.detach.len = len;
	memcpy(escape.detach.keys, data, escape.detach.len);
	take_keys(&escape, data, len, piece);
	watch(data, len, piece);
	return 0;
}
