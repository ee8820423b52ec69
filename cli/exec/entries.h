/*
 * The list of kept sessions as an agent tells it: collected, sorted, and printed as a table or as JSON. What
 * the agent says is not trusted: nothing of it reaches a terminal that could drive it.
 */
#ifndef MSB_ENTRIES_H
#define MSB_ENTRIES_H

#include <stddef.h>
#include <stdio.h>

#include "cli/client/client.h"

/* What an agent can make us hold of its list, in bytes. */
#define ENTRIES_MAX_BYTES (64 * 1024 * 1024)

/* All zero to start with. */
struct entries {
	struct entry *list; /* owned */
	size_t count, cap;
	size_t bytes; /* of their payloads */
};

/*
 * Takes what came as MSG_SESSION_ENTRY. 0, -EBADMSG for what is none, -ENOMEM, or -E2BIG over
 * ENTRIES_MAX_BYTES.
 */
int entries_add(struct entries *entries, struct msg_bytes payload);
void entries_release(struct entries *entries);

/* From now on the oldest come first; those of one age as they came. */
void entries_sort(struct entries *entries);

/*
 * A table with a head; the command, which is its last column, is cut where width ends, in columns of a terminal; 0:
 * nowhere. 0, or -ENOMEM with nothing printed. What cannot be written is for the stream to tell.
 */
int entries_table(const struct entries *entries, FILE *out, size_t width);

/* An object a line. 0, or -ENOMEM in the midst of it. */
int entries_json(const struct entries *entries, FILE *out);

#endif
