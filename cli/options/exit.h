/* What a client's program exits with: its own failures, and how a command of the guest ended. */
#ifndef MSB_EXIT_H
#define MSB_EXIT_H

#include <signal.h>

#include "shared/wire/msg.h"

#define EXIT_TIMED_OUT	124
#define EXIT_FAILED	125
#define EXIT_CANNOT_RUN 126
#define EXIT_NOT_FOUND	127

#define EXIT_NO_SIGNAL	255 /* -1 from an agent that does not say which signal */
#define EXIT_RSH_FAILED 255 /* in place of EXIT_FAILED, as whoever calls ssh has it */

/* The signal that ended a command, or 0; also where the agent names one that there is not. */
static inline int exit_signal(const struct msg_exec_exited *exited)
{
	return exited->signal <= SIGRTMAX ? exited->signal : 0;
}

static inline int exit_status(const struct msg_exec_exited *exited)
{
	if (exited->signal)
		return exit_signal(exited) ? 128 + exited->signal : EXIT_NO_SIGNAL;
	return exited->code < 0 ? EXIT_NO_SIGNAL : exited->code & 0xff;
}

#endif
