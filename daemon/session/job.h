/*
 * One command, alive: the session's state machine with the process, the pump and the timers that it decides
 * over. Where its frames go is its client's outlet or, if it is kept, what stands for that; a job may outlive
 * either.
 */
#ifndef MSB_JOB_H
#define MSB_JOB_H

#include "cgroup.h"
#include "daemon/spawn/spawn.h"
#include "keeper.h"
#include "ledger.h"
#include "lively.h"
#include "outlet.h"
#include "owner.h"
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
#define JOB_FRAMES_MAX                      \
	(JOB_OUTPUT_LIMIT + PUMP_READ_MAX + \
	 1536 * 1024) /* with the answers, a long list among them */

/* What holds for every job. All zero: nothing does. */
struct job_limits {
	bool has_linger;      /* for requests that do not say themselves: */
	uint64_t linger_ms;   /* the silence of who holds the output after the command's end */
	uint64_t max_time_ms; /* from a command's start to its forced end; 0: none */
	/* Of each who is not trusted, and how many there may be in all for such a one to start one more. */
	size_t sessions_of_user, sessions_of_others;
};

/* All jobs of a daemon, and what they share. */
struct job_host {
	struct loop *loop;
	struct spawn_config spawn;
	struct reaper reaper;
	struct cgroups cgroups;
	struct buf_spare spare;
	struct list jobs;
	size_t job_count;
	void (*on_idle)(struct job_host *host); /* the last job is over; may be NULL */
	uint64_t activity;			/* what core.touch counts */
	struct lively lively;
	struct job_limits limits;
	struct keeper keeper;
	struct ledger ledger;
	bool ending; /* no job is started any more */
};

/*
 * Starts the command; what comes of it, a failure too, is told through the outlet, and what its client says
 * afterwards goes to the outlet's member of that id. The request is consumed. At most max_jobs may run at once, or
 * it fails as resource_limit.
 */
void job_start(struct job_host *host, struct outlet *outlet, uint32_t id, const struct owner *owner,
	       struct msg_exec_request *request, size_t max_jobs);

/* Ends every job by force. */
void job_end_all(struct job_host *host);

/* Frees every job at once; only when the daemon ends. */
void job_free_all(struct job_host *host);

#endif
