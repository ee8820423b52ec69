/*
 * Where an agent is: the text of an address, to a connected or a listening descriptor.
 *
 *	unix:/path or /path   a Unix stream socket
 *	local:                a private msb-execd over a socket pair (clients)
 *	stdio:                standard input and output (the daemon)
 */
#ifndef MSB_ENDPOINT_H
#define MSB_ENDPOINT_H

#include <stdbool.h>
#include <sys/types.h>

#include "err.h"

enum endpoint_kind { ENDPOINT_UNIX, ENDPOINT_LOCAL, ENDPOINT_STDIO };

struct endpoint {
	enum endpoint_kind kind;
	const char *path; /* of a Unix socket: points into the parsed text */
};

/* text must outlive *ret. 0, or -errno with *err filled. */
int endpoint_parse(const char *text, struct endpoint *ret, struct err *err);

/* What a client holds of a connection. */
struct endpoint_stream {
	int fd;	       /* owned by the caller: in and out */
	pid_t process; /* of a program that was started for it, 0 for none */
};

/*
 * Connects, or starts the program that will be talked to. Blocks no longer than a connect() to a
 * Unix socket does. 0, or -errno with *err filled.
 */
int endpoint_connect(const struct endpoint *endpoint, struct endpoint_stream *ret, struct err *err);

/*
 * Binds and listens, mode 0600, non-blocking. A dead socket in the way is replaced; a live one, or
 * a file of another kind, is refused (-EADDRINUSE). *ret_ino tells endpoint_unlink() which one is
 * ours. Returns the fd, which the caller closes, or -errno with *err filled.
 */
int endpoint_listen(const struct endpoint *endpoint, ino_t *ret_ino, struct err *err);

/* Removes the socket's file if it is still the one that was bound. */
void endpoint_unlink(const struct endpoint *endpoint, ino_t ino);

#endif
