/*
 * The terminal that msb-exec was started on: raw while a pty session runs, and as it was before
 * on every way out but SIGKILL.
 */
#ifndef MSB_TERM_H
#define MSB_TERM_H

#include <stdbool.h>

#include "../shared/msg.h"

/* Saves the modes of the terminal on fd and makes it raw. 0 or -errno. */
int term_make_raw(int fd);

/* Gives the saved modes back, if they were changed. Idempotent; safe in a signal handler. */
void term_restore(void);

/* Restores, stops the process as Ctrl-Z would, and makes the terminal raw again afterwards. */
void term_suspend(void);

/* The size of whichever standard stream is a terminal, stdin first; else 24 by 80. */
void term_size_or_default(struct msg_exec_resize *ret);

/* Whether reading fd, a terminal, would not stop us: we are in its foreground. */
bool term_is_foreground(int fd);

#endif
