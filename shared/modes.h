/*
 * The modes that a command turns on in the terminal by what it prints: the alternate screen, a
 * hidden cursor, reports of the mouse and so on. Watched so that they can be turned off when the
 * command has no chance to do it itself; and whether it has left the cursor behind text. Pure.
 */
#ifndef MSB_MODES_H
#define MSB_MODES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MODES_TEXT_MAX 256

enum modes_state { MODES_PLAIN, MODES_ESC, MODES_ESC_MORE, MODES_CSI, MODES_STRING };

struct modes {
	uint32_t on; /* a bit for each row of the table that is not as a fresh terminal has it */
	enum modes_state state;
	/* Of the sequence that has begun. */
	uint8_t prefix, between; /* ? > ! and so on; 0: none */
	uint32_t named;		 /* the rows that its numbers name */
	uint32_t number, numbers[2];
	size_t count; /* of the numbers before the current one */
	bool in_line; /* the cursor stands behind text, as far as newlines and going home say */
};

/* Takes what went to the terminal, in pieces of any size. */
void modes_watch(struct modes *modes, const uint8_t *data, size_t len);

/* Somebody else has begun a line, whatever stood there. */
static inline void modes_begin_line(struct modes *modes)
{
	modes->state = MODES_PLAIN;
	modes->in_line = false;
}

/*
 * What to print to turn these off, or on again: its length, at most MODES_TEXT_MAX; 0 if nothing
 * is on. Safe in a signal handler.
 */
size_t modes_off(uint32_t on, char *out);
size_t modes_on(uint32_t on, char *out);

/* Whether the alternate screen is among them. */
bool modes_have_screen(uint32_t on);

#endif
