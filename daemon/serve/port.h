/*
 * A serial port: a virtio port by its name, or any device by its path. Waits for the device, then
 * for a host on its other side, and opens a connection for each host that comes.
 */
#ifndef MSB_PORT_H
#define MSB_PORT_H

#include <sys/stat.h>

#include "serial.h"
#include "shared/address/endpoint.h"
#include "shared/err.h"
#include "shared/io/loop.h"

#define PORT_MAX 16

struct port_host;

struct port {
	struct port_host *host;
	struct endpoint endpoint;
	char text[ENDPOINT_NAME_MAX]; /* in log lines */
	char path[64];		      /* of the device that was opened, for a name */
	int fd;			      /* owned; -1 while there is no device */
	bool tty;		      /* hung up, it never comes back: it has to be opened again */
	bool was_pts;		      /* what was opened last is a pseudo-terminal */
	struct stat link;	      /* and what its path was */
	bool served;		      /* a connection is open */
	bool complained;	      /* that there is no device */
	uint64_t missing_since_ms;
	struct serial serial;
	struct loop_source source;
	struct loop_timer look;
};

/* All ports of a daemon; the owner fills in the first three. */
struct port_host {
	struct loop *loop;
	struct dispatch *dispatch;
	struct boot *boot;
	struct port ports[PORT_MAX];
	size_t count;
	bool had_host; /* and so none will send a bootstrap unasked any more */
	bool retired;
};

/*
 * Opens the port, or goes on looking for it while it is not there yet: drivers come late. The
 * endpoint's text must outlive the host. 0, or -errno with *err filled for what time cannot mend.
 */
int port_open(struct port_host *host, const struct endpoint *endpoint, struct err *err);

/* No more hosts: the connections that are open go on. */
void port_retire_all(struct port_host *host);

/* Closes the devices; after the connections. */
void port_close_all(struct port_host *host);

/*
 * Finds the virtio port of that name in a folder such as /sys/class/virtio-ports: 0 with the path
 * of its device, -ENODEV, or another -errno.
 */
int port_find(const char *folder, const char *name, char *ret_path, size_t len);

#endif
