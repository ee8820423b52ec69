/*
 * The way to an agent: an address or the usual places, dialled, and again for as long as an agent that is on
 * its way is waited for. What comes of it is a stream, or the failure to tell.
 */
#ifndef MSB_REACH_H
#define MSB_REACH_H

#include "cli/options/opts.h"
#include "shared/address/dial.h"

struct reach_terms {
	const char *address; /* which must live as long as the way; NULL: the usual places */
	const char *guest;   /* the name of what is there, if it has one, for messages; or NULL */
	const char *from;    /* the variable that it comes from, for messages; or NULL */
	uint64_t connect_ms; /* for connecting and the greeting; DIAL_FOREVER: no limit */
	uint64_t wait_ms;    /* to try again for so long; 0: not at all */
};

/* What the options say. */
struct reach_terms reach_terms_of(const struct opts *opts);

/* A guest's name and what is to be seen of an address. */
#define REACH_NAME_MAX (GUESTS_NAME_MAX + 128)

struct reach {
	struct loop *loop;
	struct reach_terms terms;
	struct dial dial;
	char name[REACH_NAME_MAX];     /* of the guest and its address, for messages */
	char users[ENDPOINT_PATH_MAX]; /* without an address: the user's own place, or empty */
	bool at_users;		       /* which is tried now */
	int users_num;		       /* and why that could not be connected to, an errno */
	uint64_t due_ms;	       /* when this try is late */
	uint64_t wait_due_ms;	       /* when the last try begins */
	struct loop_timer again;       /* armed: the next one is due */
	unsigned tries;		       /* that were in vain, and followed by another */

	/* Its creator's, set before reach_start(), which may call all but clear(). */
	void (*on_stream)(struct reach *reach, int fd,
			  pid_t process); /* as dial_start() has them */
	void (*on_failed)(struct reach *reach, const struct err *err); /* for good */
	/* What is left of the last try is to go. False: it has not gone yet, and this is asked again. */
	bool (*clear)(struct reach *reach);
};

void reach_start(struct reach *reach, struct loop *loop, const struct reach_terms *terms);

/* The stream that came of it is lost: once more from the beginning, after a pause, and for so long. */
void reach_again(struct reach *reach, uint64_t wait_ms);

/* Gives up, and calls nobody. Legal on zeroes. */
void reach_cancel(struct reach *reach);

/* What is left of the time for this try, for the greeting of its stream; or DIAL_FOREVER. */
uint64_t reach_left_ms(const struct reach *reach);

/* No greeting came from that stream: tries again, or calls on_failed. */
void reach_fail(struct reach *reach, const struct err *err);

/* What is there is no agent, and will not become one: nothing is tried again. */
void reach_want_no_more(struct reach *reach);

#endif
