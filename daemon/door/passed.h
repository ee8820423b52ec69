/*
 * Sockets that systemd bound and listens on, and passes to the program that serves them, as
 * sd_listen_fds(3) has it, without its library.
 */
#ifndef MSB_PASSED_H
#define MSB_PASSED_H

#include "listen.h"
#include "shared/err.h"

/*
 * How many descriptors, from 3 on, were passed to this very process; they become close-on-exec, and
 * what says so leaves the environment.
 * To be called before anything is opened, since a number is all that tells them from ours. 0 when
 * none were, or when they were meant for another process; -errno with *err filled.
 */
int passed_take(struct err *err);

/*
 * Listens on so many passed sockets as they are: their files and modes are systemd's. Unix and
 * vsock stream sockets that listen; anything else is refused, naming it. 0, or -errno with *err.
 */
int passed_listen(struct listen_host *host, int count, struct err *err);

#endif
