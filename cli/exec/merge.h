/* Whether the command is to have one pipe for its stdout and its stderr. */
#ifndef MSB_MERGE_H
#define MSB_MERGE_H

#include "cli/client/greeting.h"
#include "cli/options/opts.h"

/*
 * Asked once for each command, when its agent is known; tty: it gets a terminal. What was asked for and cannot be
 * had is said.
 */
bool exec_merges(const struct opts *opts, bool tty, const struct greeting *agent);

#endif
