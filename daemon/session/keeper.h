/* The kept sessions of a daemon: their ids and names, how many there may be, and who may come to which. */
#ifndef MSB_KEEPER_H
#define MSB_KEEPER_H

#include "kept.h"

#define KEEPER_MOST 1000 /* sessions, whose list is one answer */

/* The owner fills in the first part, of host all but on_forgotten. */
struct keeper {
	bool keeps; /* else no session is kept */
	struct kept_host host;
	size_t max; /* sessions; of each whom limits hold for; of all such together */
	size_t max_of_user, max_of_others;

	struct list all; /* the oldest first */
	size_t count;
	struct list shares; /* of those whom limits hold for */
};

void keeper_init(struct keeper *keeper);

/*
 * A new one, of that owner and name (ptr NULL: none), without a command yet. 0; -EINVAL that is no name;
 * -EEXIST it is taken; -ENOSPC all that there may be run, or their ends are others'; -EDQUOT all of that owner's run; -ENOMEM.
 */
int keeper_add(struct keeper *keeper, const struct owner *owner, struct msg_text name,
	       struct kept **ret);

/* It is no more: whoever is attached is told. */
void keeper_remove(struct keeper *keeper, struct kept *kept);
void keeper_remove_all(struct keeper *keeper);

/* The one of that id or name, if it may be touched; NULL: none that is. */
struct kept *keeper_find(const struct keeper *keeper, struct msg_text text,
			 const struct owner *who);

/* Queues an entry for each that may be seen, and that these were all. 0 or -errno of the queue. */
int keeper_list(const struct keeper *keeper, const struct owner *who, struct buf *out, uint32_t id);

/* Whether anybody who is attached has still to get what there is. */
bool keeper_owes(const struct keeper *keeper);

#endif
