/*
 * Being process 1, of a virtual machine or of a container: a process of its own that makes the
 * system usable, reaps orphans, passes on signals, and watches over the daemon, its child. So the
 * daemon itself is the same wherever it runs, and waits for nobody's children but its own.
 */
#ifndef MSB_INIT_H
#define MSB_INIT_H

#include <stdbool.h>

/*
 * Forks the daemon, and again when a signal killed it. Returns false in each such child, which
 * goes on as the daemon, with all signals blocked. In process 1 it blocks until all is over:
 * a virtual machine is powered off; in a container it returns true, with the status to exit with,
 * as it does at once, with a line to the log, for a process that is not number 1.
 */
bool init_supervise(int *ret_status);

#endif
