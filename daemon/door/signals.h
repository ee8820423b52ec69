/* The signals of a daemon: those that end it are reported, the rest is as for a fresh process. */
#ifndef MSB_SIGNALS_H
#define MSB_SIGNALS_H

#include "shared/io/loop.h"

/*
 * Has TERM, INT and HUP reported by the loop, HUP only if it was not ignored from the start.
 * Call once, before anything that signals could interrupt. 0 or -errno.
 */
int signals_set(struct loop *loop,
		void (*on_signal)(struct loop *loop, const struct loop_signal *info));

#endif
