/*
 * A host on a serial stream, who speaks for all its clients. There is no connection to close: when framing
 * is lost, or the host says that it is new, what it ran ends and it is greeted again.
 *
 *	host: core.bootstrap   may come first, and is answered with the default user
 *	      core.init.ack    asks for ready: it is new, which a UART cannot tell, or has heard that
 *	us:   core.ready       at once, unless a bootstrap is waited for
 *
 * These have id 0, which no client of a relay may use.
 */
#ifndef MSB_SERIAL_H
#define MSB_SERIAL_H

#include "boot.h"
#include "conn.h"

/* One host after the other; the owner fills in the first part. */
struct serial {
	struct conn_host *conns;
	struct boot *boot; /* what its bootstrap changes */
	/* The host is gone, or the device: the stream's descriptor is closed. */
	void (*on_end)(struct serial *serial);

	struct conn *conn; /* of the host that is there */
	bool greeted;	   /* core.ready has been sent to it */
	bool boot_failed;  /* its bootstrap was no good: it gets no command */
	size_t cut;	   /* bytes of an unfinished frame when they were last counted */
	struct loop_timer greet_timer, cut_timer;
};

/*
 * Serves the host that is there now, until on_end(); boot_wait_ms: how long it may take to send a bootstrap
 * before ready. Takes ownership of fd, as conn_open_shared() does. 0 or -ENOMEM.
 */
int serial_open(struct serial *serial, int fd, const char *name, uint64_t boot_wait_ms);

#endif
