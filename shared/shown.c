/* Text that others said, as people are shown it: see shown.h. */
#include "shown.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base.h"
#include "utf8.h"

bool shown_is_control(uint32_t c)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {{0, 0x1f},	{0x7f, 0x9f},	  {0xad, 0xad},	      {0x34f, 0x34f},
		      {0x61c, 0x61c},	{0x115f, 0x1160}, {0x180e, 0x180e},   {0x200b, 0x200f},
		      {0x2028, 0x202e}, {0x2060, 0x206f}, {0x3164, 0x3164},   {0xfeff, 0xfeff},
		      {0xffa0, 0xffa0}, {0xfff9, 0xfffb}, {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff}};

	/* Most text is of these. */
	if (c >= ' ' && c < 0x7f)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(ranges); i++)
		if (c >= ranges[i].first && c <= ranges[i].last)
			return true;
	return false;
}

/* Of those that have one, behind a backslash. */
static char short_escape(uint32_t c)
{
	return c == '\n' ? 'n' : c == '\t' ? 't' : c == '\r' ? 'r' : 0;
}

size_t shown_next(const char *text, size_t len, char out[SHOWN_MAX])
{
	uint32_t c = 0;
	size_t n = utf8_char(text, len, &c);

	if (!n) {
		snprintf(out, SHOWN_MAX, "\\x%02x", (unsigned char)*text);
		return 1;
	}
	if (!shown_is_control(c)) {
		memcpy(out, text, n);
		out[n] = '\0';
	} else if (short_escape(c)) {
		snprintf(out, SHOWN_MAX, "\\%c", short_escape(c));
	} else {
		snprintf(out, SHOWN_MAX,
			 c < 0x80      ? "\\x%02" PRIx32
			 : c < 0x10000 ? "\\u%04" PRIx32
				       : "\\U%08" PRIx32,
			 c);
	}
	return n;
}

size_t shown_put(char *out, size_t size, const char *text, size_t len)
{
	size_t done = 0, at = 0;
	char one[SHOWN_MAX];

	while (at < len) {
		size_t taken = shown_next(text + at, len - at, one), n = strlen(one);

		if (done + n + 1 > size)
			break;
		memcpy(out + done, one, n);
		done += n;
		at += taken;
	}
	out[done] = '\0';
	return done;
}
