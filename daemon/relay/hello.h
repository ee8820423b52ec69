/*
 * The host's half of a greeting, on a stream of which nobody knows what has become of the guest:
 * what to say when, and what to think of the answers. Pure.
 *
 *	host: core.bootstrap       first, always: other agents than ours die of anything else
 *	guest: core.init.resolved  answers it; a guest that runs already, unless it is ours, says nothing
 *	host: core.init.ack
 *	guest: core.ready
 *
 * A guest that says nothing may not be there yet, may have greeted an earlier host, or, if it is
 * ours, may not have noticed a new one. An ack makes ours greet; behind it, others that run
 * answer a ping.
 */
#ifndef MSB_RELAY_HELLO_H
#define MSB_RELAY_HELLO_H

#include <stdbool.h>
#include <stdint.h>

#define HELLO_BOOT_SINCE  7	/* the generation that knows bootstraps */
#define HELLO_LOOK_MS	  1000	/* before the first look */
#define HELLO_PATIENCE_MS 10000 /* between that and the others */

enum hello_step {
	HELLO_BOOTSTRAP = 1, /* send these, in this order */
	HELLO_ACK = 2,
	HELLO_PING = 4,
	HELLO_HANG_UP = 8, /* begin another stream, so that the guest sees a new host */
};

struct hello {
	bool boots;    /* whether bootstraps are sent: given by the owner, the rest is our own */
	bool booted;   /* one is under way to this guest */
	bool resolved; /* and has been answered */
	bool acked;    /* an ack went out behind it */
	bool pinged;
	bool ours;	/* it has said ready, and has still to answer the bootstrap */
	unsigned looks; /* at the silence */
};

/* A stream begins. Returns what to send, as the others do: a set of steps. */
unsigned hello_begin(struct hello *hello);

/*
 * A guest that had said ready says something that only a beginning one says; answers_bootstrap: its
 * answer to one that was sent with an ack behind it, if any is.
 */
void hello_restart(struct hello *hello, bool answers_bootstrap);

/* core.init.resolved came: look again in HELLO_PATIENCE_MS. */
unsigned hello_resolved(struct hello *hello);

/*
 * core.ready came; ours: from an agent that is not to run anything before it has the bootstrap. True in
 * *ret_is_up: the guest can be served.
 */
unsigned hello_ready(struct hello *hello, bool ours, bool *ret_is_up);

/* A pong came: whether it is that of a guest which has greeted an earlier host. */
bool hello_is_running(const struct hello *hello, uint8_t generation);

/* So long nothing came. *ret_wait_ms: when to look again. */
unsigned hello_look(struct hello *hello, uint64_t *ret_wait_ms);

#endif
