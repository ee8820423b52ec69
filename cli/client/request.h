/* The request that msb-exec's options make. */
#ifndef MSB_REQUEST_H
#define MSB_REQUEST_H

#include "cli/options/opts.h"
#include "shared/buf.h"
#include "shared/err.h"

/* What the session is to be like, besides what the options say. */
struct request_terms {
	uint32_t features; /* of the agent */
	bool tty;
	bool merges;		     /* stdout and stderr are one pipe, where the agent can */
	struct msg_exec_resize size; /* its pixels only if the agent knows them */
	uint64_t output_window;	     /* 0: none */
	uint64_t hold_ms; /* output is held for so long if we are lost, of a session that is kept */
	const char *term; /* what TERM is to be; NULL: ours */
};

/*
 * Appends the request, asking only for those features that the agent has. 0, or -errno with *err
 * filled when it cannot be said in one frame, or not to this agent.
 */
int request_put(struct buf *out, uint32_t id, const struct opts *opts,
		const struct request_terms *terms, struct err *err);

#endif
