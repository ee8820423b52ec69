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
#include "job.h"

/* Ids of the reference relay's first slot; they are per connection here. */
#define CONN_ID_MIN 1u
#define CONN_ID_END 33554431u /* exclusive */

struct conn;

/* All connections of a daemon, and what they share. */
struct conn_host {
	struct job_host *jobs;
	struct conn *conns;
	size_t conn_count;
	size_t max_jobs;
	uint64_t boot_time_ns, init_time_ns, ready_time_ns; /* what core.ready says */
	void (*on_closed)(struct conn_host *host);
	void (*on_shutdown)(struct conn_host *host); /* a peer that may has asked for it */
};

/*
 * Takes ownership of the descriptors and greets. trusted: may ask for core.shutdown. name is for
 * log lines, copied. 0 or -errno, with the descriptors closed.
 */
int conn_open(struct conn_host *host, int in_fd, int out_fd, bool trusted, const char *name);

/* Closes every connection at once; only when the daemon ends. */
void conn_close_all(struct conn_host *host);

/* Tries to get out what is queued for the clients; returns how many bytes are left. */
size_t conn_flush_all(struct conn_host *host);

#endif
