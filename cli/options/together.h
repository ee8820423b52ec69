/* What goes together on the command line, once all of it has been read. */
#ifndef MSB_OPTS_TOGETHER_H
#define MSB_OPTS_TOGETHER_H

#include "settings.h"

/* The wire carries UTF-8 alone. 0, or -EINVAL with *err filled, as of all here. */
int together_check_texts(const struct opts *o, struct err *err);

/* Also what follows from an option for others. */
int together_check(struct opts *o, struct err *err);

/* Whether there is an end of a command to tell of. */
bool together_has_end(const struct opts *o);

/* Whether there is something to come back to. */
bool together_can_reconnect(const struct opts *o);

#endif
