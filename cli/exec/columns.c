/* Text in columns: see columns.h. */
#include "columns.h"

#include <stdint.h>
#include <sys/ioctl.h>
#include <unistd.h>

size_t columns_of_terminal(void)
{
	struct winsize size;

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

size_t columns_width(const char *text, size_t of_others)
{
	size_t width = 0;

	for (; *text; text++) {
		uint8_t byte = (uint8_t)*text;

		if (byte < 0x80)
			width++;
		else if (byte >= 0xc0)
			width += of_others;
	}
	return width;
}

/* How many bytes of it are no wider than that. */
static size_t fitting(const char *text, size_t width)
{
	size_t taken = 0, len = 0;

	for (; text[len]; len++) {
		uint8_t byte = (uint8_t)text[len];

		taken += byte < 0x80 ? 1 : byte >= 0xc0 ? 2 : 0;
		if (taken > width)
			break;
	}
	return len;
}

void columns_put_cut(const char *text, size_t width, FILE *out)
{
	size_t dots = 3;

	if (columns_width(text, 2) <= width) {
		fputs(text, out);
		return;
	}
	dots = dots < width ? dots : width;
	fprintf(out, "%.*s%.*s", (int)fitting(text, width - dots), text, (int)dots, "...");
}
