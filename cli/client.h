/*
 * A connection to an agent: connect, shake hands, and then frames. Knows msb-execd and every
 * reference agent or relay, back to those that greet with one word instead of two.
 */
#ifndef MSB_CLIENT_H
#define MSB_CLIENT_H

#include <stdbool.h>

#include "../shared/endpoint.h"
#include "../shared/err.h"
#include "../shared/link.h"
#include "../shared/msg.h"

struct client {
	struct loop *loop;
	struct link link;
	struct loop_task turn;
	struct loop_timer deadline; /* of the handshake, or of an answer that the owner waits for */
	pid_t process;		    /* that was started for the connection, or 0 */
	bool greeted;
	bool lost;
	uint32_t id;	     /* the first of our range; one is all we need */
	uint32_t generation; /* the lower of both sides' */
	uint32_t features;   /* enum msg_feature */
	char version[64];    /* of the agent, as it calls itself */
	char name[128];	     /* of the address, for messages */

	void *owner;
	void (*on_greeted)(struct client *client);
	void (*on_frame)(struct client *client, const struct frame *frame);
	/* The beginning of a frame is there. Whether it was taken, and the rest becomes the link's
	 * body. May be NULL. */
	bool (*on_part)(struct client *client);
	void (*on_lost)(struct client *client, const struct err *err);
	/* After each batch: flush and watch are done after this. Says whether to read frames. */
	bool (*on_turn)(struct client *client);
};

/*
 * Connects to text, or, if that is NULL, to the usual places. The callbacks and the owner must be
 * set before. 0, or -errno with *err filled, and *ret_hint too where there is a way out.
 */
int client_connect(struct client *client, struct loop *loop, const char *text,
		   struct buf_spare *spare, struct err *err, const char **ret_hint);
void client_release(struct client *client);

/* Something changed that on_turn derives from. */
void client_mark(struct client *client);

#endif
