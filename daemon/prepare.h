/* What commands start with, as the daemon was started and configured. */
#ifndef MSB_PREPARE_H
#define MSB_PREPARE_H

#include <stdbool.h>

#include "daemon/spawn/spawn.h"
#include "settings.h"

/*
 * What the command line says about all spawns to come, checked now, since it would fail each of them. 0,
 * or -errno with *err filled.
 */
int prepare_settings(const struct settings *settings, struct spawn_config *ret, struct err *err);

/* Whether that is bad usage, or what may pass, such as want of memory. */
bool prepare_is_usage(const struct err *err);

/*
 * Fills in what we ourselves were started with, and makes the daemon sturdier than what it runs: more
 * descriptors, a lower OOM score. Call once.
 */
void prepare_spawns(struct spawn_config *ret);

#endif
