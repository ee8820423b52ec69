/*
 * One client's connection: the handshake, its range of ids, the frames it sends and what becomes
 * of each. A client that breaks the framing or the rules loses its own connection; nobody else
 * notices.
 */
#ifndef MSB_CONN_H
#define MSB_CONN_H

#include <stdbool.h>
#include <stddef.h>

#include "../shared/link.h"
#include "budget.h"
#include "job.h"
#include "peer.h"

/* Ids of the reference relay's first slot; they are per connection here. */
#define CONN_ID_MIN 1u
#define CONN_ID_END 33554431u /* exclusive */

struct boot;
struct conn;

/* All connections of a daemon, and what they share. */
struct conn_host {
	struct job_host *jobs;
	struct conn *conns;
	size_t conn_count;
	size_t max_jobs;
	const struct budget *budget;
	uint64_t boot_time_ns, init_time_ns, ready_time_ns; /* what core.ready says */
	struct boot *boot; /* what hosts on serial streams may change */
	void (*on_closed)(struct conn_host *host);
	void (*on_shutdown)(struct conn_host *host); /* a client that may has asked for it */
};

/*
 * Takes ownership of the descriptors and greets; peer is copied. 0 or -errno, with the descriptors
 * closed.
 */
int conn_open(struct conn_host *host, int in_fd, int out_fd, const struct peer *peer);

/*
 * A serial stream: one host at a time, which speaks for all its clients. Any id is legal, no range
 * is told, and what is wrong is never answered by closing. conn_serial.c says more.
 */
struct conn_serial {
	uint64_t boot_wait_ms; /* how long the host may take to send a bootstrap before ready */
	/* The host is gone, or the device: the connection's descriptor is closed. */
	void (*on_end)(struct conn_serial *serial);
};

/*
 * Opens a connection for the host that is there now. fd is non-blocking and not shared with other
 * readers; serial must live until its on_end. Otherwise as conn_open(); the host is trusted.
 */
int conn_open_serial(struct conn_host *host, int fd, const char *name, struct conn_serial *serial);

/* Closes every connection at once; only when the daemon ends. */
void conn_close_all(struct conn_host *host);

/* Tries to get out what is queued for the clients; returns how many bytes are left. */
size_t conn_flush_all(struct conn_host *host);

#endif
