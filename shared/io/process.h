/*
 * A program that is started to be talked to over its stdin and stdout (ssh, a private msb-execd):
 * its beginning, and its end, which takes no longer than it may.
 */
#ifndef MSB_PROCESS_H
#define MSB_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "loop.h"
#include "shared/err.h"

/*
 * Starts program, looked for in PATH, in a process group of its own with a socket as its stdin and
 * stdout; err_fd is its stderr, or ours if it is -1; the environment is inherited. Returns our end,
 * which the caller closes, with its process in *ret_pid, which the caller reaps, or -errno with *err
 * filled.
 */
int process_start(const char *program, char *const argv[], int err_fd, pid_t *ret_pid,
		  struct err *err);

/* Whether our child is stopped, as a job is. */
bool process_is_stopped(pid_t pid);

/*
 * Blocks until pid is gone and reaped. Its end of the stream must have been closed by now; if that
 * has not ended it after patience_ms, or it is stopped, its group gets TERM and CONT, and a while
 * later KILL. INT, TERM, QUIT and HUP, if blocked, cut each wait short.
 */
void process_end(pid_t pid, unsigned patience_ms);

/* The same on a loop, for whoever serves others meanwhile. All zero: nothing is ending. */
struct process_ending {
	struct loop *loop;
	pid_t pid; /* 0: it is gone, and reaped */
	uint64_t due_ms;
	bool asked;
	struct loop_timer look;
};

void process_end_on(struct process_ending *ending, struct loop *loop, pid_t pid,
		    unsigned patience_ms);

/* Does not wait for it on the loop any longer, but here: process_end() with the patience left. */
void process_end_now(struct process_ending *ending);

/*
 * Looks for a program of ours beside our own: the first of the places, each relative to its folder,
 * that can be executed. Whether there is one; its path is in out then.
 */
bool process_beside(const char *const *places, size_t count, char *out, size_t len);

/* Becomes that program, or the one in PATH that is called as the first place is. -errno if it cannot. */
int process_become(const char *const *places, size_t count, char *argv[]);

/* How waitpid() says that it ended: "status 255" or "signal 9 (KILL)". Returns out. */
const char *process_words(int wait_status, char *out, size_t len);

#endif
