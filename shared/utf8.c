/* UTF-8, checked by the table of well-formed sequences in the Unicode standard (3-7). */
#include "utf8.h"

#include <string.h>

#include "shared/base.h"

struct sequence {
	uint8_t first_min, first_max;	/* range of the first byte */
	uint8_t second_min, second_max; /* range of the second; the others are 80..bf */
	uint8_t len;
};

static const struct sequence sequences[] = {
	{0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
	{0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
	{0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
};

/* Returns the length of the sequence at the start of at, or 0 when there is none. */
static size_t sequence_len(const uint8_t *at, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(sequences); i++) {
		const struct sequence *s = &sequences[i];

		if (at[0] < s->first_min || at[0] > s->first_max)
			continue;
		if (len < s->len || at[1] < s->second_min || at[1] > s->second_max)
			return 0;
		for (size_t k = 2; k < s->len; k++)
			if ((at[k] & 0xc0) != 0x80)
				return 0;
		return s->len;
	}
	return 0;
}

bool utf8_valid(const void *text, size_t len)
{
	const uint8_t *at = text;
	size_t i = 0;

	while (i < len) {
		uint64_t eight;
		size_t n;

		if (len - i >= sizeof(eight)) {
			memcpy(&eight, at + i, sizeof(eight));
			if (!(eight & 0x8080808080808080u)) {
				i += sizeof(eight);
				continue;
			}
		}
		if (at[i] < 0x80) {
			i++;
			continue;
		}
		n = sequence_len(at + i, len - i);
		if (!n)
			return false;
		i += n;
	}
	return true;
}

size_t utf8_char(const void *text, size_t len, uint32_t *ret_c)
{
	const uint8_t *at = text;
	uint32_t c;
	size_t n;

	if (!len)
		return 0;
	n = at[0] < 0x80 ? 1 : sequence_len(at, len);
	if (!n || !ret_c)
		return n;
	c = n == 1 ? at[0] : at[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++)
		c = c << 6 | (at[i] & 0x3f);
	*ret_c = c;
	return n;
}

/* Whether n bytes are the beginning of a sequence that has more. */
static bool is_begun(const uint8_t *at, size_t n)
{
	for (size_t i = 0; i < ARRAY_LEN(sequences); i++) {
		const struct sequence *s = &sequences[i];

		if (at[0] >= s->first_min && at[0] <= s->first_max)
			return n < s->len &&
			       (n == 1 || (at[1] >= s->second_min && at[1] <= s->second_max));
	}
	return false;
}

size_t utf8_begun(const void *text, size_t len)
{
	const uint8_t *end = (const uint8_t *)text + len;

	for (size_t n = 1; n <= 3 && n <= len; n++)
		if ((end[-(ptrdiff_t)n] & 0xc0) != 0x80)
			return is_begun(end - n, n) ? n : 0;
	return 0;
}

void utf8_scrub(char *text, size_t len)
{
	size_t i = 0;

	while (i < len) {
		uint8_t first = (uint8_t)text[i];
		size_t n = first < 0x80 ? 1 : sequence_len((uint8_t *)text + i, len - i);

		if (!n) {
			text[i] = '?';
			n = 1;
		}
		i += n;
	}
}
