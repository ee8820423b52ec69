/*
 * Users and groups of the guest, from its own /etc/passwd and /etc/group. No name service is
 * asked: the daemon runs in roots that have none, and must not block on one.
 */
#ifndef MSB_USER_H
#define MSB_USER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "shared/err.h"

struct user {
	uid_t uid;
	gid_t gid;
	char *name, *home, *shell; /* owned; NULL without an entry in passwd */
	gid_t *groups;		   /* owned: the supplementary groups */
	size_t group_count;
};

/*
 * Resolves "user", "uid", "user:group", "uid:gid" (len bytes, blanks around the parts ignored).
 * A part of digits is a number unless something is named so. A uid without an entry gets no
 * supplementary group, and the daemon's own gid if none is given. 0, or -errno with *err filled
 * (stage "user").
 */
int user_resolve(const char *spec, size_t len, struct user *ret, struct err *err);

/* The entry of that uid; all of *ret but uid is empty when there is none. As above. */
int user_by_uid(uid_t uid, struct user *ret, struct err *err);

void user_release(struct user *user);

#endif
