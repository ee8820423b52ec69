/* Modes of the terminal that a command turns on: see modes.h. */
#include "modes.h"

#include <string.h>

#include "shared/base.h"

#define BEL	   0x07
#define ESC	   0x1b
#define CAN	   0x18
#define SUB	   0x1a
#define NUMBER_MAX 100000 /* more than any mode */

enum {
	ROW_KEYPAD,
	ROW_OTHER_KEYS,
	ROW_CURSOR_KEYS,
	ROW_SYNC,
	ROW_PASTE,
	ROW_FOCUS,
	ROW_MOUSE_X10,
	ROW_MOUSE,
	ROW_MOUSE_DRAG,
	ROW_MOUSE_ALL,
	ROW_MOUSE_UTF8,
	ROW_MOUSE_SGR,
	ROW_MOUSE_URXVT,
	ROW_MOUSE_PIXELS,
	ROW_NO_WRAP,
	ROW_NO_CURSOR,
	ROW_SCREEN_47,
	ROW_SCREEN_1047,
	ROW_SCREEN_1049,
};

#define BIT(row) (1u << (row))
#define SCREENS	 (BIT(ROW_SCREEN_47) | BIT(ROW_SCREEN_1047) | BIT(ROW_SCREEN_1049))

/* In the order in which they are turned off: the alternate screen is the last to go. */
static const struct row {
	uint32_t number; /* of a private mode, 0: it has another way */
	bool reset;	 /* on is what CSI ? number l does */
	const char *on, *off;
} rows[] = {
	[ROW_KEYPAD] = {0, false, "\033=", "\033>"},
	/* xterm's modifyOtherKeys, without which a shell does not know Ctrl-C for what it is. */
	[ROW_OTHER_KEYS] = {0, false, "\033[>4;2m", "\033[>4m"},
	[ROW_CURSOR_KEYS] = {1, false, "\033[?1h", "\033[?1l"},
	[ROW_SYNC] = {2026, false, "\033[?2026h", "\033[?2026l"},
	[ROW_PASTE] = {2004, false, "\033[?2004h", "\033[?2004l"},
	[ROW_FOCUS] = {1004, false, "\033[?1004h", "\033[?1004l"},
	[ROW_MOUSE_X10] = {9, false, "\033[?9h", "\033[?9l"},
	[ROW_MOUSE] = {1000, false, "\033[?1000h", "\033[?1000l"},
	[ROW_MOUSE_DRAG] = {1002, false, "\033[?1002h", "\033[?1002l"},
	[ROW_MOUSE_ALL] = {1003, false, "\033[?1003h", "\033[?1003l"},
	[ROW_MOUSE_UTF8] = {1005, false, "\033[?1005h", "\033[?1005l"},
	[ROW_MOUSE_SGR] = {1006, false, "\033[?1006h", "\033[?1006l"},
	[ROW_MOUSE_URXVT] = {1015, false, "\033[?1015h", "\033[?1015l"},
	[ROW_MOUSE_PIXELS] = {1016, false, "\033[?1016h", "\033[?1016l"},
	[ROW_NO_WRAP] = {7, true, "\033[?7l", "\033[?7h"},
	[ROW_NO_CURSOR] = {25, true, "\033[?25l", "\033[?25h"},
	[ROW_SCREEN_47] = {47, false, "\033[?47h", "\033[?47l"},
	[ROW_SCREEN_1047] = {1047, false, "\033[?1047h", "\033[?1047l"},
	[ROW_SCREEN_1049] = {1049, false, "\033[?1049h", "\033[?1049l"},
};

#define ROWS (ARRAY_LEN(rows))

static void end_number(struct modes *modes)
{
	for (size_t i = 0; i < ROWS; i++)
		if (rows[i].number && rows[i].number == modes->number)
			modes->named |= BIT(i);
	if (modes->count < 2)
		modes->numbers[modes->count] = modes->number;
	modes->count++;
	modes->number = 0;
}

static void set_named(struct modes *modes, bool set)
{
	for (size_t i = 0; i < ROWS; i++) {
		if (!(modes->named & BIT(i)))
			continue;
		if (set != rows[i].reset)
			modes->on |= BIT(i);
		else
			modes->on &= ~BIT(i);
	}
	/* There is one alternate screen, whichever way it was reached. */
	if (!set && modes->named & SCREENS)
		modes->on &= ~SCREENS;
}

static void end_csi(struct modes *modes, uint8_t final)
{
	end_number(modes);
	if (!modes->prefix && !modes->between && (final == 'H' || final == 'f'))
		modes->in_line = modes->numbers[1] > 1;
	if (modes->prefix == '?' && !modes->between && (final == 'h' || final == 'l')) {
		set_named(modes, final == 'h');
	} else if (modes->prefix == '>' && !modes->between && final == 'm') {
		if (modes->numbers[0] == 4 && modes->count > 1 && modes->numbers[1])
			modes->on |= BIT(ROW_OTHER_KEYS);
		else if (modes->numbers[0] == 4 || (modes->count == 1 && !modes->numbers[0]))
			modes->on &= ~BIT(ROW_OTHER_KEYS);
	} else if (!modes->prefix && modes->between == '!' && final == 'p') {
		/* The soft reset leaves screen, mouse and paste as they are. */
		modes->on &= ~(BIT(ROW_KEYPAD) | BIT(ROW_CURSOR_KEYS) | BIT(ROW_NO_WRAP) |
			       BIT(ROW_NO_CURSOR));
	}
}

static void begin_csi(struct modes *modes)
{
	modes->state = MODES_CSI;
	modes->prefix = modes->between = 0;
	modes->named = modes->number = 0;
	modes->numbers[0] = modes->numbers[1] = 0;
	modes->count = 0;
}

static void take_csi(struct modes *modes, uint8_t byte)
{
	if (byte >= '0' && byte <= '9') {
		if (modes->number < NUMBER_MAX)
			modes->number = modes->number * 10 + byte - '0';
	} else if (byte == ';') {
		end_number(modes);
	} else if (byte >= '<' && byte <= '?') {
		modes->prefix = byte;
	} else if (byte >= ' ' && byte < '0') {
		modes->between = byte;
	} else if (byte >= '@' && byte < 0x7f) {
		modes->state = MODES_PLAIN;
		end_csi(modes, byte);
	}
}

static void take_esc(struct modes *modes, uint8_t byte)
{
	if (byte == '[') {
		begin_csi(modes);
		return;
	}
	modes->state = MODES_PLAIN;
	if (byte >= ' ' && byte < '0')
		modes->state = MODES_ESC_MORE;
	else if (strchr("]PX^_", byte))
		modes->state = MODES_STRING;
	else if (byte == '=')
		modes->on |= BIT(ROW_KEYPAD);
	else if (byte == '>')
		modes->on &= ~BIT(ROW_KEYPAD);
	else if (byte == 'c')
		modes->on = 0;
}

static void take(struct modes *modes, uint8_t byte)
{
	bool breaks_off = byte == CAN || byte == SUB || byte >= 0x80;

	if (byte == ESC)
		modes->state = MODES_ESC;
	else if (modes->state == MODES_STRING)
		modes->state =
			byte == BEL || byte == CAN || byte == SUB ? MODES_PLAIN : MODES_STRING;
	else if (breaks_off || (modes->state == MODES_ESC_MORE && byte >= '0'))
		modes->state = MODES_PLAIN;
	else if (byte < ' ')
		/* Other controls take effect in the midst of a sequence, and it goes on. */
		return;
	else if (modes->state == MODES_ESC)
		take_esc(modes, byte);
	else if (modes->state == MODES_CSI)
		take_csi(modes, byte);
}

/* Where plain text leaves the cursor: its last byte that shows, or ends a line, says it. */
static void watch_text(struct modes *modes, const uint8_t *text, const uint8_t *end)
{
	while (end > text && end[-1] < ' ' && end[-1] != '\n' && end[-1] != '\r')
		end--;
	if (end > text)
		modes->in_line = end[-1] >= ' ';
}

void modes_watch(struct modes *modes, const uint8_t *data, size_t len)
{
	const uint8_t *end = data + len;

	while (data < end) {
		if (modes->state == MODES_PLAIN) {
			const uint8_t *text = data;

			data = memchr(text, ESC, (size_t)(end - text));
			watch_text(modes, text, data ? data : end);
			if (!data)
				return;
		}
		take(modes, *data++);
	}
}

static size_t add(char *out, size_t len, const char *text)
{
	while (*text)
		out[len++] = *text++;
	return len;
}

size_t modes_off(uint32_t on, char *out)
{
	size_t len = 0;

	for (size_t i = 0; i < ROWS; i++)
		if (on & BIT(i))
			len = add(out, len, rows[i].off);
	return len;
}

size_t modes_on(uint32_t on, char *out)
{
	size_t len = 0;

	for (size_t i = ROWS; i-- > 0;)
		if (on & BIT(i))
			len = add(out, len, rows[i].on);
	return len;
}

bool modes_have_screen(uint32_t on)
{
	return on & SCREENS;
}
