/*
 * What systemd's journal takes beside lines: a datagram of fields, in its native form. Filling one in is pure;
 * sending it never waits.
 */
#ifndef MSB_JOURNAL_H
#define MSB_JOURNAL_H

#include <stddef.h>

#define JOURNAL_MESSAGE_MAX 4096

struct journal_message {
	char bytes[JOURNAL_MESSAGE_MAX];
	size_t len;
};

/*
 * Adds a field. The key is of capital letters, digits and _, as the journal wants it; the value may hold
 * anything. 0, or -ENOBUFS, and nothing was added.
 */
int journal_put(struct journal_message *message, const char *key, const char *value, size_t len);

/*
 * Sends it, from the socket at *fd, which is made if it is -1 and stays the caller's. 0, or -errno: it did not go
 * out, and will not.
 */
int journal_send(int *fd, const struct journal_message *message);

#endif
