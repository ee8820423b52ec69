/* Clients of a daemon that is not stingy. For one source file of a program. */
#ifndef MSB_UNIT_BUDGET_H
#define MSB_UNIT_BUDGET_H

#include "daemon/door/budget.h"
#include "daemon/door/peer.h"
#include "shared/duration.h"

static const struct budget unit_budget = {
	.connections = 1000,
	.connections_of_user = 1000,
	.request = FRAME_LEN_MAX,
	.frame_ms = DURATION_INFINITE,
	.greeting_ms = DURATION_INFINITE,
};

static const struct peer unit_peer = {.trusted = true, .name = "test"};

#endif
