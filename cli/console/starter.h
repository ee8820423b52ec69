/*
 * How the guest's shell is started: a script for /bin/sh that says who and where it is, and becomes bash if
 * the guest has one, zsh if that is the user's shell, else /bin/sh, with marks for prompts. Pure.
 */
#ifndef MSB_CONSOLE_STARTER_H
#define MSB_CONSOLE_STARTER_H

#include <stdbool.h>

#include "shared/buf.h"

enum shell_kind { SHELL_SH, SHELL_BASH, SHELL_ZSH, SHELL_BUSYBOX, SHELL_KINDS };

/* What each is called, also in the mark. */
extern const char *const shell_kinds[SHELL_KINDS];

/*
 * The marks' texts:
 *   h  user, host, kind of the shell, home, uid: once, before the shell begins
 *   p  $?, folder, PATH: a prompt, the shell wants a command
 *   c  $?: it wants more of the command
 *   x  $?: it runs one; of bash since 4.4
 * Those of busybox have two more: the terminal's modes and the line's number.
 */

/* The script, whose $1 is what to start, or empty; the nonce is of MARK_NONCE_LEN. 0 or -ENOMEM. */
int starter_put(struct buf *out, const char *nonce);

/*
 * A line, without its newline, that gives a shell of that kind its prompts; is_diverted: its stderr may be
 * no terminal any more. 0 or -ENOMEM.
 */
int starter_put_prompts(struct buf *out, const char *nonce, enum shell_kind kind, bool is_diverted);

#endif
