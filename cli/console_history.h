/*
 * The console's history: a file of one line each that several consoles append to at once without
 * losing any, for its owner's eyes alone.
 */
#ifndef MSB_CONSOLE_HISTORY_H
#define MSB_CONSOLE_HISTORY_H

#include <stdbool.h>
#include <stddef.h>

#define HISTORY_LINES_MAX 5000 /* what the file is cut to */

/*
 * Where it is: $MSB_EXEC_HISTFILE, else msb-exec/history in $XDG_STATE_HOME, else in
 * ~/.local/state. In malloced memory, or NULL for no history: an empty $MSB_EXEC_HISTFILE, or no
 * home.
 */
char *history_find(void);

/* Whether a line is to be kept; previous: the last that was, or NULL. */
bool history_keeps(const char *line, const char *previous);

/*
 * Makes the folders (0700), cuts the file to HISTORY_LINES_MAX, and calls on_line for each line,
 * oldest first. A file that cannot be read is an empty one. 0 or -errno.
 */
int history_load(const char *path, void (*on_line)(const char *line));

/* Appends; the file is 0600. Waits for another console that does, which is short. 0 or -errno. */
int history_append(const char *path, const char *line);

#endif
