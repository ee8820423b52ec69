/* What commands start with, as the daemon was started and configured. */
#ifndef MSB_PREPARE_H
#define MSB_PREPARE_H

#include "settings.h"
#include "spawn.h"

/*
 * Fills *ret for all spawns to come, and makes the daemon itself sturdier than what it runs: more
 * descriptors, a lower OOM score. Call once. 0, or -errno with *err filled.
 */
int prepare_spawns(const struct settings *settings, struct spawn_config *ret, struct err *err);

#endif
