/*
 * What an agent says before any frame that is for a session: its range of ids and what it is. Knows
 * msb-execd and every reference agent or relay, back to those that greet with one word instead of two. Pure.
 */
#ifndef MSB_GREETING_H
#define MSB_GREETING_H

#include "shared/wire/msg.h"

struct greeting {
	uint32_t id;	  /* the first of our range, for the one session */
	uint32_t ids_end; /* behind the last; 0: it gives no range, and had one of many millions */
	uint32_t generation; /* the lower of both sides' */
	uint32_t features;   /* enum msg_feature */
	char version[64];    /* of the agent, as it calls itself, and as it is shown */
};

/*
 * Takes it from what has come: 1 when done, 0 for more bytes, -ECONNREFUSED of an agent that has no room
 * for us, with *ret_refusal valid until the queue changes, or another -errno for what is no greeting.
 */
int greeting_take(struct buf *in, struct greeting *ret, struct msg_error *ret_refusal);

#define GREETING_QUOTE_MAX 60 /* characters, and the bytes that they take */
#define GREETING_QUOTE_LEN (4 * GREETING_QUOTE_MAX + 1)

/* What is no greeting: a line's beginning, printable. False: nothing that people could read. */
bool greeting_quote(const struct buf *in, char *out, size_t len);

#endif
