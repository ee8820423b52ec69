/* Signals that a client's program gets for itself, and the one that it may have to die of. */
#ifndef MSB_CLIENT_SIGNALS_H
#define MSB_CLIENT_SIGNALS_H

#include <stddef.h>

#include "../shared/loop.h"

/*
 * Has these reported by the loop, but for those that we were started to ignore (nohup, a script's
 * background job), which stay ignored. Call once. 0 or -errno.
 */
int signals_watch(struct loop *loop, const int *numbers, size_t count,
		  void (*on_signal)(struct loop *loop, const struct loop_signal *info));

/* Ends the program by that signal, so that a script's loop stops. */
_Noreturn void signals_die_of(int number);

#endif
