/* Pseudo-terminals. */
#ifndef MSB_PTY_H
#define MSB_PTY_H

#include <stdint.h>
#include <sys/types.h>

#include "shared/err.h"
#include "shared/wire/msg.h"

/* Opens a pair of that size; the master is non-blocking, both close on exec, both the caller's. */
int pty_open(const struct msg_exec_resize *size, int *ret_master, int *ret_slave, struct err *err);

/* The kernel sends SIGWINCH to whoever is in the foreground. 0 or -errno. */
int pty_resize(int master, const struct msg_exec_resize *size);

#endif
