/*
 * One command of one client, alive: the session's state machine with the process, the pump and
 * the timers that it decides over. A job may outlive its client.
 */
#ifndef MSB_JOB_H
#define MSB_JOB_H

#include "daemon/spawn/spawn.h"
#include "outlet.h"
#include "pump.h"
#include "reap.h"
#include "session.h"
#include "shared/io/loop.h"
#include "shared/wire/msg.h"

#define JOB_INPUT_WINDOW \
	(512 * 1024) /* bytes of input a client that counts credit may send ahead */
#define JOB_INPUT_LIMIT	 (256 * 1024) /* queued input at which another client's job is stalled */
#define JOB_OUTPUT_LIMIT (512 * 1024) /* queued frames at which output waits */
#define JOB_SHORT	 (64 * 1024)  /* both, while all queues together hold too much */
#define JOB_FRAMES_MAX	 (JOB_OUTPUT_LIMIT + PUMP_READ_MAX + 512 * 1024) /* with the answers */

/* What holds for every job. All zero: nothing does. */
struct job_limits {
	bool has_linger;      /* for requests that do not say themselves: */
	uint64_t linger_ms;   /* the silence of who holds the output after the command's end */
	uint64_t max_time_ms; /* from a command's start to its forced end; 0: none */
};

/* All jobs of a daemon, and what they share. */
struct job_host {
	struct loop *loop;
	struct spawn_config spawn;
	struct reaper reaper;
	struct buf_spare spare;
	struct list jobs;
	size_t job_count;
	void (*on_idle)(struct job_host *host); /* the last job is over; may be NULL */
	uint64_t activity;			/* what core.touch counts */
	struct job_limits limits;
	bool ending; /* no job is started any more */
};

struct job;

/*
 * Starts the command; what comes of it, a failure too, is told through the outlet. The request
 * is consumed. At most max_jobs may run at once, or it fails as resource_limit.
 */
void job_start(struct job_host *host, struct outlet *outlet, uint32_t id,
	       struct msg_exec_request *request, size_t max_jobs);

/* The job of that id, or NULL. */
struct job *job_find(const struct outlet *outlet, uint32_t id);

/* What the client sends; all are harmless at any time of a job's life. */
void job_input(struct job *job, struct msg_bytes data);

/*
 * The same for len bytes that are still in a socket: their number, 0 at the socket's end, or
 * -errno. Without a job, or when its command takes no more, they are read away.
 */
ssize_t job_move_input(struct job *job, int from_fd, size_t len);
bool job_can_move_input(const struct job *job);

void job_resize(struct job *job, const struct msg_exec_resize *size);
void job_signal(struct job *job, int signal);
void job_close_output(struct job *job, enum msg_stream stream);
void job_output_credit(struct job *job, uint64_t consumed);

/* A bad frame was answered on this id, which ends it for the client: force an end, in silence. */
void job_abandon(struct job *job);

/* Ends every job by force. */
void job_end_all(struct job_host *host);

/* Frees every job at once; only when the daemon ends. */
void job_free_all(struct job_host *host);

#endif
