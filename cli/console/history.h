/*
 * Where the console's history is kept: a file that several consoles append to at once without losing any,
 * for its owner's eyes alone. What is in it is readline's matter.
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

/* Whether an entry is to be kept; previous: the last that was, or NULL. */
bool history_keeps(const char *line, const char *previous);

/*
 * The file, open, locked and for its owner alone (0600); made where it is missing, with its folders (0700).
 * Waits for another console that has it, which is short. A descriptor, or -errno.
 */
int history_lock(const char *path);

#endif
