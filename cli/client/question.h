/* One question for an agent, and no command. */
#ifndef MSB_QUESTION_H
#define MSB_QUESTION_H

#include "cli/options/opts.h"
#include "client.h"

/* Connects, and goes on until the loop is stopped; nothing is left of the connection then. */
void question_put(struct client *client, struct loop *loop, const struct opts *opts,
		  struct buf_spare *spare);

#endif
