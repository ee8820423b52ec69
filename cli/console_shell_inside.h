/* The inside of the console's shell: console_shell.c (what it is told), console_hear.c (what it says). */
#ifndef MSB_CONSOLE_SHELL_INSIDE_H
#define MSB_CONSOLE_SHELL_INSIDE_H

#include "console_shell.h"

/* Bytes for its stdin that are not ours to expect back. */
void shell_type(struct shell *shell, const char *keys, size_t len);

/* Mark i has come: the function that reads the line waits for it. */
void shell_feed_line(struct shell *shell);

/* Mark c has come: the next step of it. */
void shell_feed_step(struct shell *shell);

/* The line was not begun: what stood before our call in the terminal became a command with it. */
void shell_call_again(struct shell *shell);

/* An interrupted line has no mark e: asks for it. */
void shell_ask(struct shell *shell);

/* No prompt came behind mark e, which happens. */
void shell_on_settled(struct loop_timer *timer);

#endif
