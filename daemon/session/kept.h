/*
 * A session that goes on without a client: the last of its output, whoever is attached to it or looks on, and how
 * it ended. For its command it stands where an outlet stands for others: it takes the output, and says what
 * those who are attached say, through the command's own calls.
 */
#ifndef MSB_KEPT_H
#define MSB_KEPT_H

#include "outlet.h"
#include "owner.h"
#include "ring.h"
#include "shared/io/loop.h"
#include "shared/modes.h"
#include "shared/wire/msg.h"

#define KEPT_ARGV_MAX 32

struct kept;
struct kept_viewer;

/* What all of a daemon share. */
struct kept_host {
	struct loop *loop;
	struct buf_spare *spare;		 /* whether queues are short now */
	uint64_t *activity;			 /* what core.touch counts */
	size_t replay;				 /* bytes that are held of each stream */
	struct ring_total total;		 /* of all rings, for the keeper */
	uint64_t keep_ended_ms;			 /* how long an end is held; UINT64_MAX: for ever */
	void (*on_forgotten)(struct kept *kept); /* that time is over: nobody needs it any more */
};

/* Written by kept.c alone; others read the first part. */
struct kept {
	struct kept_host *host; /* not owned */
	struct list_node of_keeper;
	struct owner owner;
	struct ring_total *total; /* of its rings and others; not owned */
	char id[MSG_SESSION_ID_LEN + 1];
	char name[MSG_SESSION_NAME_MAX + 1]; /* empty: none */
	bool ended, fetched;

	struct outlet_member *command; /* not owned; NULL: none yet, or none any more */
	char *argv[KEPT_ARGV_MAX];     /* what fits into the text */
	size_t argc;
	char argv_text[256];
	char user[33];
	pid_t pid;
	bool tty;
	uint64_t started_ms, ended_ms;
	struct msg_exec_exited exited;

	struct ring rings[2]; /* by enum msg_stream */
	struct modes modes;   /* of a terminal, where its ring begins */
	struct list viewers;  /* in the order in which they came */
	size_t viewer_count;
	struct kept_viewer *holder; /* who has it, or NULL */
	uint64_t unacknowledged[2]; /* of the last holder, who was lost */
	uint64_t hold_ms, stdin_at;
	size_t waiting; /* of its input, in the command's queue */
	uint32_t turn;	/* how often somebody else has come to have it */
	struct loop_timer hold, forget;
	struct loop_grave grave;
};

/* ---- for the keeper ---- */

/* All zero but host, owner, total, id and name before. Legal before anything else is called. */
void kept_init(struct kept *kept);

/* Whoever is attached is told that it is no more; freed after this batch. */
void kept_free(struct kept *kept);

/* What it is and how it does, for core.session.entry; points into it. */
void kept_describe(const struct kept *kept, struct msg_session_entry *ret);

/*
 * Somebody comes to it: the answer, and all that follows, goes there. 0; -EUSERS: too many are there, and nothing
 * was done; or -errno of the queue.
 */
int kept_attach(struct kept *kept, struct outlet *outlet, uint32_t id,
		const struct msg_session_attach *attach, enum msg_attach mode);

/* The same for its stdin alone. */
int kept_attach_input(struct kept *kept, struct outlet *outlet, uint32_t id,
		      const struct msg_session_attach *attach);

/* Whether somebody who is attached has still to get what there is. */
bool kept_owes(const struct kept *kept);

/* ---- for the command ---- */

/*
 * Its client is the first to have it, as its request says, and hears of its start by that id. 0 or -ENOMEM.
 */
int kept_open(struct kept *kept, struct outlet *outlet, uint32_t id, uint64_t stdin_window,
	      const struct msg_exec_request *request);

/* What runs. Its output so far was at[] bytes, its input stdin_at. */
struct kept_facts {
	pid_t pid;
	bool tty;
	char user[33];
	char *const *argv; /* is copied, as far as it fits */
	size_t argc;
	uint64_t at[2], stdin_at;
	uint64_t age_ms;
	struct msg_bytes restore; /* of the terminal's modes by now */
};

/* command's calls are what those who are attached say; it stays the caller's. */
void kept_bind(struct kept *kept, struct outlet_member *command, const struct kept_facts *facts);

/* The command takes no more part in it. */
void kept_unbind(struct kept *kept);

/*
 * It runs; it does not, and never will, which its client is told by the fields of core.exec.failed, unless somebody
 * else has it by now; how it ended.
 */
void kept_started(struct kept *kept);
void kept_failed(struct kept *kept, enum msg_failure kind, int num, const char *message,
		 const char *stage);
void kept_ended(struct kept *kept, const struct msg_exec_exited *exited);

/* Nobody who was lost can come back any more: output does not wait for them. */
void kept_hold_no_more(struct kept *kept);

/* How much output may be read now, of either stream. */
size_t kept_room(const struct kept *kept);

/* Room for it, at most max bytes in one piece: how much, 0, or -ENOMEM; and how much was read into it. */
ssize_t kept_reserve(struct kept *kept, enum msg_stream stream, size_t max, uint8_t **ret_space);
void kept_commit(struct kept *kept, enum msg_stream stream, size_t len);

/* Whether who has it, if anybody, has been sent all; when last; and calls on_moved() once that changes. */
bool kept_is_level(const struct kept *kept);
uint64_t kept_sent_ms(const struct kept *kept);
void kept_await(struct kept *kept);

/* Input was lost, and why: an errno. */
void kept_input_error(struct kept *kept, int error);

/* So much of what came waits for the command to take it. */
void kept_input_moved(struct kept *kept, size_t waiting);

/* The answer to who leaves a session that was not kept: it is from now on. 0, or -errno of the queue. */
int kept_put_detached(const struct kept *kept, struct buf *out, uint32_t id, enum msg_detached why);

#endif
