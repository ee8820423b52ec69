/* What to do about a failure: the second line of an error, where there is one. */
#ifndef MSB_HINT_H
#define MSB_HINT_H

#include "opts.h"
#include "shared/address/endpoint.h"
#include "shared/err.h"

/*
 * An address that cannot be connected to: *err, whose errno it goes by, gets a hint unless it has one.
 * waited: for so long, so that nobody need be told that one can wait. May look at the file.
 */
void hint_connect(const struct endpoint *endpoint, bool waited, struct err *err);

/*
 * Nothing was heard from what was connected to, or nothing that an agent says. status: with what a
 * program for exec: ended, or -1.
 */
void hint_greeting(const struct endpoint *endpoint, int status, struct err *err);

/*
 * A command that the guest has not: text that reads like something for a shell, which none of ours
 * reads. NULL: nothing to say.
 */
const char *hint_command(const struct opts *opts);

#endif
