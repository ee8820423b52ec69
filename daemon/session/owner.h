/* Whose a session is, and who may touch it. */
#ifndef MSB_OWNER_H
#define MSB_OWNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum owner_kind {
	OWNER_HOST,    /* of this machine, without saying for whom */
	OWNER_USER,    /* of this machine, by uid */
	OWNER_RELAYED, /* of the host, by uid, as its relay says */
	OWNER_MACHINE, /* another one, by CID */
};

/* By which way who asks came, for the record alone: nothing is decided by it. */
enum owner_way { OWNER_BY_STDIO, OWNER_BY_UNIX, OWNER_BY_VSOCK, OWNER_BY_SERIAL };

struct owner {
	enum owner_kind kind;
	uint32_t number; /* of the host 0 */
	size_t *running; /* where its commands are counted besides; NULL: nowhere, and no limit of a user's holds */
	enum owner_way way;
	pid_t pid;	    /* OWNER_BY_UNIX: as the kernel says; 0: of another namespace */
	uint32_t cid, port; /* OWNER_BY_VSOCK */
};

static inline bool owner_is(const struct owner *a, const struct owner *b)
{
	return a->kind == b->kind && a->number == b->number;
}

/* Whether there are limits for him: he is not trusted, or whom a relay speaks for, by rules of its own. */
static inline bool owner_is_limited(const struct owner *owner)
{
	return owner->running || (owner->kind == OWNER_RELAYED && owner->number != 0);
}

/* Root may all, and so may the host, whose the guest is. */
static inline bool owner_may(const struct owner *who, const struct owner *whose)
{
	bool is_root = who->kind != OWNER_MACHINE && who->number == 0;

	return is_root || owner_is(who, whose);
}

#endif
