/* The inside of an exec: exec.c (its life), exec_agent.c (what the agent says), exec_signal.c. */
#ifndef MSB_EXEC_INSIDE_H
#define MSB_EXEC_INSIDE_H

#include "exec.h"

/* The session is over with that status; what is queued for our readers is still written. */
void exec_finish(struct exec *exec, int status);

/* The same, with a line to leave with, printed when the terminal is itself again. */
void exec_finish_with(struct exec *exec, int status, const char *complaint);

/* Takes a frame of the agent. */
void exec_on_frame(struct client *client, const struct frame *frame);

#endif
