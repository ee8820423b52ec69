/*
 * Connecting to an agent's address on the loop, with a deadline. Nothing here blocks: a full queue
 * of connections is tried again, a guest that is slow to answer is waited for, while signals and
 * timers are served.
 */
#ifndef MSB_DIAL_H
#define MSB_DIAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "endpoint.h"
#include "shared/err.h"
#include "shared/io/loop.h"

#define DIAL_FOREVER  UINT64_MAX
#define DIAL_LINE_MAX 128

struct dial {
	struct loop *loop;
	struct endpoint endpoint;
	struct endpoint tried;	 /* a sandbox: the Unix socket that is tried now */
	char tried_path[108];	 /* what that points into */
	char tried_all[3 * 116]; /* for the error */
	size_t tries;
	bool under_way;
	int fd; /* owned while under way, or -1 */
	struct loop_source source;
	struct loop_timer again, deadline;
	char line[DIAL_LINE_MAX]; /* hvsock: the answer as far as it came */
	size_t line_len;
	void (*on_done)(struct dial *dial, int fd, pid_t process, const struct err *err);
};

/*
 * Connects, or starts the program that will be talked to. on_done is called once, and before this
 * returns if nothing had to be waited for. It gets a stream socket that is now its owner's and, for
 * exec: and local:, the process that was started for it, which the owner reaps (process_end()), else
 * 0; or fd -1 and *err. It may dial again. timeout_ms may be DIAL_FOREVER. What
 * endpoint points to must live until then.
 */
void dial_start(struct dial *dial, struct loop *loop, const struct endpoint *endpoint,
		uint64_t timeout_ms,
		void (*on_done)(struct dial *dial, int fd, pid_t process, const struct err *err));

/* Gives up without a call of on_done. Idempotent, and legal before dial_start() on zeroes. */
void dial_cancel(struct dial *dial);

#endif
