/* The request that msb-exec's options make. */
#ifndef MSB_REQUEST_H
#define MSB_REQUEST_H

#include "../shared/buf.h"
#include "../shared/err.h"
#include "opts.h"

/*
 * Appends the request, asking only for those features that the agent has. 0, or -errno with *err
 * filled when it cannot be said in one frame, or not to this agent.
 */
int request_put(struct buf *out, uint32_t id, const struct opts *opts, uint32_t features, bool tty,
		uint16_t rows, uint16_t cols, struct err *err);

#endif
