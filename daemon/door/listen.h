/*
 * Listening sockets: opened or inherited, accepted from, closed on the way down. What is spoken
 * over a connection is its taker's affair.
 */
#ifndef MSB_LISTEN_H
#define MSB_LISTEN_H

#include <stddef.h>
#include <sys/types.h>

#include "budget.h"
#include "peer.h"
#include "shared/address/endpoint.h"
#include "shared/err.h"
#include "shared/io/loop.h"
#include "shared/log.h"

#define LISTEN_MAX 64

struct listen_host;

struct listener {
	struct listen_host *host;
	int fd;			  /* owned */
	struct endpoint endpoint; /* of a socket whose file we remove; else no path */
	ino_t ino;
	struct loop_source source;
};

/* All that a program listens on. The owner fills in the first part and keeps taken true. */
struct listen_host {
	struct loop *loop;
	struct peer_rules *rules;
	const struct budget *budget;
	const size_t *taken; /* how many connections are open */
	/*
	 * Closes the connection that has been silent for the longest, of those of one user or of all (NULL),
	 * if any has been for BUDGET_SILENCE_US: whether it did. May be NULL: none is closed.
	 */
	bool (*make_room)(struct listen_host *host, const struct peer_use *of);
	/* Takes ownership of the descriptor, which is close-on-exec and may block. */
	void (*on_client)(struct listen_host *host, int fd, const struct peer *peer);

	struct listener listeners[LISTEN_MAX];
	size_t count;
	struct loop_timer pause; /* after running out of descriptors */
	int spare_fd;		 /* owned, once it listens; -1 while it is lent to a refusal */
	struct log_rate said;
};

/* Listens on a Unix or vsock socket. The endpoint's text must outlive the host. 0, or -errno with *err. */
int listen_open(struct listen_host *host, const struct endpoint *endpoint, struct err *err);

/*
 * Takes over a stream socket that somebody else bound and listens on; its file, if it has one, is
 * theirs. what is its name in messages. 0, or -errno with *err filled and the descriptor closed.
 */
int listen_adopt(struct listen_host *host, int fd, const char *what, struct err *err);

/* Closes all, and removes the files of those that are ours. */
void listen_close_all(struct listen_host *host);

#endif
