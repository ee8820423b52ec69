/* The inside of a client: client.c (handshake and frames), client_connect.c, client_alive.c,
 * client_answer.c. */
#ifndef MSB_CLIENT_INSIDE_H
#define MSB_CLIENT_INSIDE_H

#include "client.h"

/* What a client does with its link. */
extern const struct link_calls client_calls;

/* All sessions are on no connection any more. */
void client_drop(struct client *client);

/* Tells the owner, once. */
void client_lose(struct client *client, const struct err *err);

/* What it said that is no greeting: a line's beginning, printable. False: nothing that people could read. */
bool client_quote(struct client *client, char *out, size_t len);

#define CLIENT_QUOTE_MAX 60 /* characters, and the bytes that they take */
#define CLIENT_QUOTE_LEN (4 * CLIENT_QUOTE_MAX + 1)

/* A failure before the greeting, of an agent that may still come: whether it is tried again. */
bool client_tries_again(struct client *client, const struct err *err);

/* Tells the owner that it is lost, and how often it was tried. */
void client_tell_lost(struct client *client, const struct err *err);

/* The agent ended the stream; if a process carried it, how that ended is waited for a moment. error is an errno, or 0. */
void client_lose_ended(struct client *client, int error);

/* Begins to ask the agent for signs of life, if it is of those that answer. */
void client_watch_life(struct client *client);

/* Something came; or would not have been heard, so that silence does not count. */
void client_heard(struct client *client);
void client_deaf(struct client *client);

/* Whether it knows pings and has an id left; asks for a sign of life: the id of the answer, or 0. */
bool client_can_ask(const struct client *client);
uint32_t client_ping(struct client *client);

/* Takes note of a frame: it may be the answer that is waited for. */
void client_look_at(struct client *client, const struct frame *frame);

/* The same of the link: something came, or would not have been heard. */
void client_note_sign(struct client *client);
void client_note_deaf(struct client *client);

#endif
