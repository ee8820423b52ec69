/* Who is at the other end of a connection, and whether it may be there. */
#ifndef MSB_PEER_H
#define MSB_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "share.h"
#include "shared/buf.h"
#include "shared/err.h"

#define PEER_NAMED_MAX 64

/* What one user, or one machine, has of a daemon, as those who give it count it. */
struct peer_use {
	size_t connections;
	size_t sessions;
	struct share share;
	struct buf_spare memory; /* of the queues of its connections */
};

/* Who is let in beside root and our own user, and beside the host of this machine. */
struct peer_rules {
	uid_t uids[PEER_NAMED_MAX];
	size_t uid_count;
	uint32_t cids[PEER_NAMED_MAX];
	size_t cid_count;
	struct peer_use uids_use[PEER_NAMED_MAX], cids_use[PEER_NAMED_MAX];
};

/* What is known of who it is. */
enum peer_kind {
	PEER_HOST,    /* of this machine */
	PEER_PORT,    /* a serial port, at whose other end the host may speak for others */
	PEER_USER,    /* of this machine */
	PEER_MACHINE, /* another one */
};

struct peer {
	enum peer_kind kind;
	uint32_t number;      /* uid or CID; of the host 0 */
	bool trusted;	      /* root, our own user, or the host: may end the program */
	struct peer_use *use; /* what it has; NULL: it is trusted, and nobody counts */
	pid_t pid;	      /* PEER_USER: 0 in another process namespace */
	uint32_t cid, port;   /* over vsock; else 0 */
	char name[32];	      /* for log lines */
};

/* What counts the memory of a connection's queues: of each user who is counted half of the whole at most. */
static inline struct buf_spare *peer_memory(const struct peer *peer, struct buf_spare *whole)
{
	if (!peer->use)
		return whole;
	peer->use->memory.whole = whole;
	peer->use->memory.limit = whole->limit / 2;
	return &peer->use->memory;
}

/* What an option adds to its struct peer_rules: a uid, or a CID. 0, or -EINVAL with *err filled. */
int peer_allow_uid(const char *text, void *target, struct err *err);
int peer_allow_cid(const char *text, void *target, struct err *err);

/*
 * Asks the kernel who is at the other end of a connected socket: 0 when it is let in, else -errno
 * (-EACCES when the rules say so) with *err filled, which names the option that would let it in.
 */
int peer_check(struct peer_rules *rules, int fd, struct peer *ret, struct err *err);

#endif
