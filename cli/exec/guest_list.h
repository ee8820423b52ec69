/* msb-exec --guests: the guests that have names, and which of them answer. */
#ifndef MSB_GUEST_LIST_H
#define MSB_GUEST_LIST_H

#include "cli/options/opts.h"
#include "shared/io/loop.h"

/*
 * Asks them all side by side, on a loop of its own, prints a table or JSON; returns the exit status. Call once: a
 * signal ends what was started for it, and then us.
 */
int guest_list_run(const struct opts *opts, struct buf_spare *spare);

#endif
