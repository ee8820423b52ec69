/*
 * One event loop: descriptors, timers, signals, and work at the end of each batch. Everything
 * that is registered is embedded in its owner, and nothing is allocated: what is asked of the loop
 * cannot fail. A descriptor that the kernel has no room to watch is looked at now and then instead.
 *
 * A batch is what one epoll_wait() brought. Callbacks in it move bytes and mark tasks; tasks run
 * after the batch and derive what to do and which descriptors to watch; what was buried is
 * freed last, so that no callback of the batch meets freed memory.
 *
 * Who says of himself that he moves much is late: he comes behind all others and their tasks, and of many
 * such ones only some before the others are looked for again.
 */
#ifndef MSB_LOOP_H
#define MSB_LOOP_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/list.h"

#define LOOP_IN	  1u /* or hung up: a read says which */
#define LOOP_OUT  2u /* or broken: a write says which */
#define LOOP_HUP  4u /* the peer has gone, whatever is still to be read */
#define LOOP_EDGE 8u /* tell of changes alone, for a device that is hung up for long */

struct loop;

enum loop_how {
	LOOP_WATCHED,
	LOOP_ALWAYS,	/* a regular file: epoll refuses it, and it is always ready */
	LOOP_LOOKED_AT, /* the kernel has no room for a watch just now */
};

struct loop_source {
	int fd;	       /* not owned; -1 when not in the loop */
	uint32_t want; /* LOOP_IN and so on; 0: not watched at all, not even for hang-ups */
	void (*on_ready)(struct loop_source *source, uint32_t ready);
	enum loop_how how;
	bool late;	  /* the owner's to set: it moves much */
	uint32_t waiting; /* what it is ready for, while it is among the late ones that wait */
	struct list_node in_late;
	struct loop_source *next_aside; /* of those that are not watched */
};

struct loop_timer {
	uint64_t due_us;
	bool armed;
	bool due; /* taken out of the heap, and to be called in this round */
	/* In the heap: the first of those below, the next beside, and who has it as one of these. */
	struct loop_timer *below, *beside, *holder;
	struct loop_timer *next_due;
	void (*on_due)(struct loop_timer *timer);
};

struct loop_task {
	bool marked;
	bool late; /* the owner's to set while it is not marked */
	struct loop_task *next;
	void (*on_run)(struct loop_task *task);
};

/* Memory that is to be freed after the batch. */
struct loop_grave {
	struct loop_grave *next;
	void (*on_free)(struct loop_grave *grave);
};

struct loop_signal {
	int number;
	int sender_pid; /* 0 when the kernel sent it, as the terminal's keys do */
};

struct loop {
	int epoll_fd;  /* owned */
	int signal_fd; /* owned; -1 without signals */
	struct loop_source signals;
	void (*on_signal)(struct loop *loop, const struct loop_signal *info);
	struct loop_timer *heap; /* the one that is due first */
	/* Two lists, of which the second has the late ones; batch_end stands behind those that run in this turn. */
	struct loop_tasks {
		struct loop_task batch_end, *first, **last;
	} tasks[2];
	struct list late; /* sources that wait until the others were served */
	struct loop_grave *graves;
	struct loop_source *aside;
	bool stopped;
};

__attribute__((warn_unused_result)) int loop_init(struct loop *loop);
void loop_release(struct loop *loop);

/* Blocks and dispatches until loop_stop(). 0 or -errno. */
__attribute__((warn_unused_result)) int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* After a run within a callback, which that has ended: the one around it goes on. */
void loop_go_on(struct loop *loop);

/* The monotonic clock. */
uint64_t loop_now_ms(void);
uint64_t loop_now_us(void);

/* Initializes only; the source is watched once loop_want() asks for something. */
void loop_source_init(struct loop_source *source, int fd,
		      void (*on_ready)(struct loop_source *source, uint32_t ready));

/* Sets what the source is watched for; cheap when nothing changes. */
void loop_want(struct loop *loop, struct loop_source *source, uint32_t want);

/* Takes the source out for good, before its fd is closed. Idempotent. */
void loop_remove(struct loop *loop, struct loop_source *source);

/* Arms or re-arms; after_ms 0 is due in the next round. */
void loop_arm(struct loop *loop, struct loop_timer *timer, uint64_t after_ms);

/* The same in microseconds, for what is to be soon; the kernel adds some 50. */
void loop_arm_us(struct loop *loop, struct loop_timer *timer, uint64_t after_us);
void loop_disarm(struct loop *loop, struct loop_timer *timer);

/* Has the task run once after this batch. */
void loop_mark(struct loop *loop, struct loop_task *task);
void loop_unmark(struct loop *loop, struct loop_task *task);

void loop_bury(struct loop *loop, struct loop_grave *grave,
	       void (*on_free)(struct loop_grave *grave));

/* Blocks these signals and has them reported. Call once. 0 or -errno. */
__attribute__((warn_unused_result)) int
loop_signals(struct loop *loop, const sigset_t *set,
	     void (*on_signal)(struct loop *loop, const struct loop_signal *info));

#endif
