/* Fields for systemd's journal: see journal.h. */
#include "journal.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

/* Fixed, and read from nowhere: whoever could name another place would read what is said. */
#define JOURNAL_SOCKET "/run/systemd/journal/socket"

static void add(struct journal_message *message, const void *data, size_t len)
{
	memcpy(message->bytes + message->len, data, len);
	message->len += len;
}

int journal_put(struct journal_message *message, const char *key, const char *value, size_t len)
{
	/* A newline would begin another field, of whatever name its author likes. */
	bool binary = memchr(value, '\n', len);
	size_t key_len = strlen(key), need = key_len + 1 + (binary ? 8 : 0) + len + 1;
	uint8_t size[8];

	if (need > sizeof(message->bytes) - message->len)
		return -ENOBUFS;
	add(message, key, key_len);
	add(message, binary ? "\n" : "=", 1);
	for (size_t i = 0; i < sizeof(size); i++)
		size[i] = (uint8_t)((uint64_t)len >> (8 * i));
	if (binary)
		add(message, size, sizeof(size));
	add(message, value, len);
	add(message, "\n", 1);
	return 0;
}

int journal_send(int *fd, const struct journal_message *message)
{
	static const struct sockaddr_un to = {.sun_family = AF_UNIX, .sun_path = JOURNAL_SOCKET};

	if (*fd < 0)
		*fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (*fd < 0)
		return -errno;
	/* Each time by its name: the journal may have been started again. */
	if (sendto(*fd, message->bytes, message->len, MSG_DONTWAIT | MSG_NOSIGNAL,
		   (const struct sockaddr *)&to, sizeof(to)) < 0)
		return -errno;
	return 0;
}
