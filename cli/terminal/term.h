/*
 * The terminal that msb-exec was started on: raw while a pty session runs, and as it was before
 * on every way out but SIGKILL, what the command turned on in it included.
 */
#ifndef MSB_TERM_H
#define MSB_TERM_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/wire/msg.h"

/*
 * Saves the modes of the terminal on fd, which is that one for ever, and makes it raw.
 * Idempotent: modes that are raw by us are not saved. 0 or -errno.
 */
int term_make_raw(int fd);
bool term_is_raw(void);

/*
 * A library, which begins now, sets the modes of the terminal on fd, and back; until we take it back,
 * term_restore() does that for it. same: it says that it has set them back; else we do.
 */
void term_lend(int fd);
void term_take_back(bool same);

/* What a command has turned on in the terminal on fd (see modes.h), for term_restore(). */
void term_note_modes(int fd, uint32_t on);

/*
 * Gives the saved modes back, as term_restore() does, but what was noted stays on; verbatim: but for
 * those of its output, while what is raw is still to be written. Where that fails, term_restore() tries again.
 */
void term_cook(bool verbatim);

/*
 * Gives the saved modes back and turns off what was noted, if there is any; not in the background,
 * where the terminal is somebody else's. Idempotent; safe in a signal handler. Waits for a terminal
 * that takes nothing for no longer than half a second. 0, or -errno: it is as it was, though not hung up.
 */
int term_restore(void);

/* Says what term_restore() returned, with the way out, if it is a failure. */
void term_tell(int r);

/*
 * From now on a terminal that stops us in the background, for writing to it or reading it, does so only
 * until a signal is pending that tells us to end; and after the second call not at all.
 */
void term_catch_stops(void);
void term_end_stops(void);

/* Whether a signal is pending that does: who is told to end, as by kill %1, is not to stop first. */
bool term_is_told_to_end(void);

/*
 * Restores, stops the process as Ctrl-Z would, with its whole group if so wanted, and makes the
 * terminal anew what it was. Before it stops it says on stderr what could not be restored.
 */
void term_suspend(bool whole_group);

/*
 * After somebody else has had the terminal (a shell, while we were stopped): makes it raw again,
 * unless it still is, or is not ours.
 */
void term_resume(int fd);

/* The size of whichever standard stream is a terminal, stdin first; else 24 by 80. */
void term_size_or_default(struct msg_exec_resize *ret);

/* Whether reading fd, a terminal, would not stop us: we are in its foreground. */
bool term_is_foreground(int fd);

/* Whether fd, a terminal when it was opened, has hung up since. */
bool term_is_hung_up(int fd);

#endif
