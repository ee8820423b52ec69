/*
 * Where an agent is: the text of an address, and what becomes of it. endpoint.c reads the text and
 * is pure, endpoint_listen.c is the daemon's side of it, dial.h the clients'.
 *
 *	unix:PATH or PATH     a Unix stream socket (both sides); a path has no colon before its first /
 *	unix:@NAME	      the same without a file, in the kernel's abstract namespace
 *	vsock:CID:PORT        a virtual machine's socket (clients)
 *	vsock:PORT            the same, for every CID (the daemon)
 *	hvsock:/path:PORT     a Unix socket whose hypervisor wants to hear CONNECT PORT (clients)
 *	exec:COMMAND          the stdin and stdout of a command, such as ssh (clients)
 *	sandbox:NAME          the agent of a microsandbox sandbox (clients)
 *	local:                a private msb-execd over a socket pair (clients)
 *	serial:NAME or /path  a virtio-serial port, by its name or its device (the daemon)
 *	stdio:                standard input and output (the daemon)
 */
#ifndef MSB_ENDPOINT_H
#define MSB_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

#include "shared/err.h"

enum endpoint_kind {
	ENDPOINT_UNIX,
	ENDPOINT_VSOCK,
	ENDPOINT_HVSOCK,
	ENDPOINT_EXEC,
	ENDPOINT_SANDBOX,
	ENDPOINT_LOCAL,
	ENDPOINT_SERIAL,
	ENDPOINT_STDIO,
};

/* Who is asking: some addresses can only be connected to, some only be listened on. */
enum endpoint_side { ENDPOINT_CLIENT = 1, ENDPOINT_DAEMON = 2 };

/* Where daemons listen and clients look without an address: the system's, and the user's own. */
#define ENDPOINT_SYSTEM "/run/msb-execd.sock"

#define ENDPOINT_CID_ANY  UINT32_MAX
#define ENDPOINT_NAME_MAX 512 /* an address in a message, with its NUL */
#define ENDPOINT_PATH_MAX \
	sizeof(((struct sockaddr_un *)0)->sun_path) /* a socket's path, with its NUL */

struct endpoint {
	enum endpoint_kind kind;
	/* Point into the parsed text; NULL where the kind has none. */
	const char *path;    /* unix, with the @ of an abstract one; hvsock, serial by device */
	size_t path_len;     /* of path, which for hvsock goes on with the port */
	const char *name;    /* sandbox, serial by name */
	const char *command; /* exec: for the shell */
	uint32_t cid;	     /* vsock; ENDPOINT_CID_ANY for the daemon */
	uint32_t port;	     /* vsock, hvsock */
};

/*
 * Reads an address as that side may use it. text must outlive *ret. 0, or -errno with *err filled,
 * and *ret untouched.
 */
int endpoint_parse(const char *text, enum endpoint_side side, struct endpoint *ret,
		   struct err *err);

/* The address as messages name it, with its kind; what is cut ends in "...". Returns out. */
const char *endpoint_name(const struct endpoint *endpoint, char *out, size_t len);

/* The user's own place, $XDG_RUNTIME_DIR/msb-execd.sock. False: there is no such folder, or it is too long. */
bool endpoint_of_user(char out[ENDPOINT_PATH_MAX]);

/* The address of a Unix or hvsock socket, and how long it is. */
socklen_t endpoint_unix_address(const struct endpoint *endpoint, struct sockaddr_un *ret);

/* Whether it is a Unix socket that has a file. */
bool endpoint_is_file(const struct endpoint *endpoint);

/*
 * Binds and listens on a Unix socket, with mode 0600, or on vsock; non-blocking. A dead socket in
 * the way is replaced; a live one, or a file of another kind, is refused (-EADDRINUSE). *ret_ino
 * tells endpoint_unlink() which file is ours. Returns the fd, which the caller closes, or -errno with *err filled.
 */
int endpoint_listen(const struct endpoint *endpoint, ino_t *ret_ino, struct err *err);

/* Removes the socket's file, where there is one, if it is still the one that was bound. 0 or -errno. */
int endpoint_unlink(const struct endpoint *endpoint, ino_t ino);

#endif
