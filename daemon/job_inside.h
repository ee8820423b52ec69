/* The inside of a job, which job.c (its life) and job_io.c (its client and bytes) share. */
#ifndef MSB_JOB_INSIDE_H
#define MSB_JOB_INSIDE_H

#include "../shared/credit.h"
#include "job.h"

struct job {
	struct job_host *host;
	struct job_outlet *outlet; /* NULL once the client has had its last frame, or is gone */
	uint32_t id;
	struct job *next_of_host, *prev_of_host, *next_of_outlet;
	struct job *later, *earlier; /* in the outlet's turns */

	struct session session;
	struct spawn_plan *plan; /* until the verdict */
	struct spawn_failure failure;
	struct reap_status status;
	struct reap_watch watch;
	pid_t pid;
	int pid_fd, verdict_fd;
	struct loop_source pid_source, verdict_source;
	struct pump pump;

	uint64_t linger_ms; /* UINT64_MAX: the end of output is waited for */
	uint64_t read_ms, started_us;
	uint64_t hup_ms; /* when the client passed on a SIGHUP, or 0 */
	/* What was there to be read when nothing but others held the output any more. */
	enum job_tail { TAIL_UNKNOWN, TAIL_KNOWN, TAIL_OF_FORCED_END } tail;
	size_t tail_left[2];
	int timeout_signal;
	uint64_t kill_after_ms;
	struct credit output;	     /* what the client lets us send */
	struct credit_account input; /* what we let it send */
	bool stalled;
	int input_error; /* to be told once it is said to run */
	struct loop_timer timeout, max_time, grace, linger, limit, parked, poll;
	struct loop_grave grave;
};

/* Reports an event to the session and carries out what follows. The job may be over afterwards. */
void job_happen(struct job *job, enum session_event event);

/* The leader's end and its output must not overtake a verdict that is still in the pipe. */
void job_hear_verdict(struct job *job);

/* Takes the job out of its outlet: nothing more is said to the client. */
void job_detach(struct job *job);

/* Puts it in. */
void job_attach(struct job *job, struct job_outlet *outlet);

/* A frame was queued, or, with a negative result, could not be. */
void job_told(struct job *job, int result);

/* Input was lost, and why; started comes before that. */
void job_tell_input_error(struct job *job, int error);

/* Derives what the child's descriptors are watched for. */
void job_watch_pump(struct job *job);

/* Runs the clocks that end the wait for output after the leader's end, or stops them. */
void job_run_linger_clocks(struct job *job);

/* Callbacks of the pump and of the timers that have to do with output. */
void job_on_output(struct pump *pump, enum msg_stream stream);
void job_on_input(struct pump *pump, int error);
void job_on_parked(struct loop_timer *timer);
void job_on_linger(struct loop_timer *timer);
void job_on_limit(struct loop_timer *timer);

#endif
