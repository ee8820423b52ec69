/* A prompt in a guest: the one console of msb-exec-console. */
#ifndef MSB_CONSOLE_H
#define MSB_CONSOLE_H

#include "cli/options/opts.h"

#define CONSOLE "msb-exec-console"

/* Until it is left: the exit status. *ret_signal: one to die of instead, or 0. */
int console_talk(const struct opts *opts, int *ret_signal);

#endif
