/* The inside of a client: client.c (handshake and frames), client_connect.c, client_alive.c. */
#ifndef MSB_CLIENT_INSIDE_H
#define MSB_CLIENT_INSIDE_H

#include "client.h"

#define CLIENT_OF(ptr, member) ((struct client *)((char *)(ptr)-offsetof(struct client, member)))

/* The link has something to read, or room. */
void client_on_ready(struct link *link, uint32_t ready);

/* After a batch in which something changed. */
void client_on_turn(struct loop_task *task);

/* Tells the owner, once. */
void client_lose(struct client *client, const struct err *err);

/* The agent ended the stream; if a process carried it, how that ended is waited for a moment. */
void client_lose_ended(struct client *client);

/* Begins to ask the agent for signs of life, if it is of those that answer. */
void client_watch_life(struct client *client);

/* The link was read, or is not to be. */
void client_heard(struct client *client);

#endif
