/* Lines without a prompt: from -c, from a file, or from a stdin that is no terminal. */
#ifndef MSB_CONSOLE_SCRIPT_H
#define MSB_CONSOLE_SCRIPT_H

#include "opts.h"

/*
 * Runs them in a shell of the guest, which reads them as its own file while they come, and stops at the
 * first that fails. The exit status; or the signal to die of in *ret_die_of, else 0 there.
 */
int script_run(struct console_opts *opts, int *ret_die_of);

#endif
