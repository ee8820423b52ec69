/* Signals that a client's program gets for itself, and the one that it may have to die of. */
#ifndef MSB_CLIENT_SIGNALS_H
#define MSB_CLIENT_SIGNALS_H

#include <stddef.h>

#include "shared/io/loop.h"

/* What a program starts with, whatever it was started to ignore. */
void signals_begin(void);

/*
 * Has these reported by the loop, but for those that we were started to ignore (nohup, a script's
 * background job), which stay ignored. Call once. 0 or -errno.
 */
int signals_watch(struct loop *loop, const int *numbers, size_t count,
		  void (*on_signal)(struct loop *loop, const struct loop_signal *info));

#define SIGNALS_INSIST	  3 /* so many in so short a time mean the program and not what it runs */
#define SIGNALS_INSIST_MS 2000

/* When the last came, in turn. */
struct signals_insist {
	uint64_t at_ms[SIGNALS_INSIST];
	unsigned count;
};

/* One more came: whether whoever sent it insists. */
bool signals_insist(struct signals_insist *insist, uint64_t now_ms);

/* Ends the program by that signal, so that a script's loop stops. */
_Noreturn void signals_die_of(int number);

#endif
