/* msb-exec --sessions, --kill and --remove: what is asked of an agent about its kept sessions, and one answer. */
#ifndef MSB_SESSIONS_H
#define MSB_SESSIONS_H

#include "cli/options/opts.h"
#include "shared/io/loop.h"

/* Connects, asks, prints what comes; returns the exit status. */
int sessions_run(const struct opts *opts, struct loop *loop, struct buf_spare *spare);

#endif
