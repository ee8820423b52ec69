/* The inside of an exec: exec.c (its life), exec_agent.c (what the agent says), exec_term.c, exec_signal.c. */
#ifndef MSB_EXEC_INSIDE_H
#define MSB_EXEC_INSIDE_H

#include "exec.h"

/* The session is over with that status; what is queued for our readers is still written. */
void exec_finish(struct exec *exec, int status);

/* The same, with a line to leave with, printed when the terminal is itself again. */
void exec_finish_with(struct exec *exec, int status, const char *complaint);

/* Leaves now, by that signal, whatever is queued. */
void exec_leave_by(struct exec *exec, int signal);

/* Passes a signal on to the command, or leaves by it, as it must. */
void exec_forward(struct exec *exec, int signal);

/* A signal that was passed on has no answer. */
void exec_on_unanswered(struct client *client, enum patience_step step);

/*
 * Stdin: watched while it may be read; its end, as the command is to learn it; and that the command takes
 * no more of it, so that whoever writes it learns that.
 */
void exec_refuse_input(struct exec *exec);
void exec_watch_input(struct exec *exec);
void exec_on_input(struct stream *stream);
void exec_on_background(struct loop_timer *timer);
void exec_end_input(struct exec *exec);

/* Told when it is another. */
void exec_tell_size(struct exec *exec);

/* The terminal once the request has been sent, and on the way out, before the last line. */
void exec_begin_terminal(struct exec *exec);
void exec_end_terminal(struct exec *exec);

/* Its keys are its own again, as soon as the session is over. */
void exec_cook_terminal(struct exec *exec);

/* Stops msb-exec, or all of its group, until it is continued. */
void exec_suspend(struct exec *exec, bool whole_group);

/* Somebody else may have had the terminal, and changed it. */
void exec_look_again(struct exec *exec);

/*
 * Does what those keys ask of msb-exec, and leaves the others, one more perhaps than came, in
 * keys - 1: their number.
 */
size_t exec_take_keys(struct exec *exec, uint8_t *keys, size_t len);

/* Large frames of output: so that all but their beginning is moved and not copied. */
bool exec_on_part(struct remote *remote, enum msg_type type, const void *data, size_t len);
ssize_t exec_on_body(struct remote *remote, int fd, size_t len);

/* What becomes of what the agent says. */
void exec_set_up_remote(struct exec *exec);

#endif
