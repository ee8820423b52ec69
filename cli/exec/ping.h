/* msb-exec --ping: a sign of life of the agent. */
#ifndef MSB_PING_H
#define MSB_PING_H

#include "cli/options/opts.h"
#include "shared/io/loop.h"

/* Connects, pings, prints one line; returns the exit status. */
int ping_run(const struct opts *opts, struct loop *loop, struct buf_spare *spare);

#endif
