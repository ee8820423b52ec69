/*
 * A host on a serial port: one at a time, which speaks for all its clients. It holds a connection that
 * nobody can close: any id is legal, no range is told, and when framing is lost, or the host says
 * that it is new, what it ran ends and it is greeted again.
 *
 *	host: core.bootstrap   may come first, and is answered with the default user
 *	      core.init.ack    asks for ready: it is new, which a UART cannot tell, or has heard that
 *	us:   core.ready       at once, unless a bootstrap is waited for
 *
 * One that asks for it in its ack has, from there on, a mark behind each frame of both sides, by which is seen what
 * another one's bytes have filled.
 *
 * These have id 0, which no client of a relay may use.
 */
#ifndef MSB_SERIAL_H
#define MSB_SERIAL_H

#include "boot.h"
#include "dispatch.h"

/* The owner fills in the first part. */
struct serial {
	struct boot *boot; /* what hosts may change */
	/* The host is gone, or the device: the connection's descriptor is closed. */
	void (*on_end)(struct serial *serial);

	struct conn conn;
	enum serial_state {
		SERIAL_NEW,	/* ready is still to come */
		SERIAL_GREETED, /* it has been sent */
		SERIAL_REFUSED, /* its bootstrap was no good: it gets no command */
	} state;
	bool used;  /* it has asked for a command */
	size_t cut; /* bytes of an unfinished frame when they were last counted */
	struct loop_timer greet_timer, cut_timer;
};

/*
 * Opens the connection for the host that is there now, which is trusted and may take boot_wait_ms to
 * send a bootstrap before ready. Takes ownership of fd, which is non-blocking and not shared with
 * other readers; serial must live until its on_end.
 */
void serial_open(struct serial *serial, struct dispatch *dispatch, int fd, const char *name,
		 uint64_t boot_wait_ms);

#endif
