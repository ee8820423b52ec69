/*
 * The guest of the console: the connection to it and the shell there; and, while \user, \connect or a
 * killed shell make another, the one that is to follow. What was in use stays so until that is ready. A
 * connection that is lost is tried to get back, where the shell there goes on without.
 */
#ifndef MSB_CONSOLE_GUEST_H
#define MSB_CONSOLE_GUEST_H

#include "cli/client/look.h"
#include "shell.h"

/* Ids are taken in order and never again. */
struct peer {
	struct client client; /* its owner is the guest */
	struct opts
		opts; /* that it was connected by: its address, and what its shells start with */
	bool owned;   /* they are: of all but the first */
	struct loop_grave grave;
	unsigned partings; /* shells that are ended by it */
	bool retired;	   /* it goes when they have ended */
	struct list_node of_guest;
};

/* The connection in use. */
enum guest_way {
	GUEST_CONNECTED,
	GUEST_TRYING, /* it is lost, and tried to get back */
	GUEST_AWAY,   /* nor tried any more, before guest_return() */
};

struct guest {
	struct loop *loop; /* not owned, as what follows */
	struct buf_spare *spare;
	struct opts opts; /* what shells are started with: \user changes it, and so does \connect */
	struct peer *peer; /* owned: whose shell it is */
	struct shell shells[2];
	struct shell *shell;	     /* the one in use; NULL before the first is ready */
	struct shell *candidate;     /* one that is to follow it, or NULL */
	struct peer *candidate_peer; /* the same as peer, or owned */
	enum guest_way way;
	/* A candidate that was lost with it, and is to end once it is back; or empty. */
	char orphan[MSG_SESSION_ID_LEN + 1];
	bool asked;	       /* guest_return() asked for what is tried */
	uint64_t reconnect_ms; /* for which to try; 0: a shell ends with its connection */
	uint64_t due_ms;       /* the end of that, DURATION_INFINITE: none */
	struct list retired;   /* owned: peers that only end what they have */
	unsigned partings;     /* of all */
	bool leaving;
	struct look look;   /* what the guest is asked before a candidate starts */
	struct opts wanted; /* what it starts with; borrows all of it but carried and the user */
	struct env_list carried;     /* owned: what \user has that one find in its environment */
	char *user, *candidate_user; /* owned: what \user set, and what it is to set */
	bool resized;		     /* the guest's terminals are to be told */

	struct shell_sink sink; /* of its shells */
	void *owner;
	void (*on_ready)(void *owner, bool is_new);	    /* is_new: the candidate, in use now */
	void (*on_gone)(void *owner, int code, int signal); /* the shell in use */
	/* The candidate came to nothing; status: to leave with, if there is no other. */
	void (*on_failed)(void *owner, int status, const char *why);
	/* The connection in use: for good; for now. stopped: a candidate was on it, and is none any more. */
	void (*on_lost)(void *owner, const struct err *err);
	void (*on_away)(void *owner, bool stopped);
	/* It is back, and the shell goes on, but without so many bytes of its output; asked: see above. */
	void (*on_back)(void *owner, uint64_t missed, bool asked);
	/* Or the shell is no more. */
	void (*on_forgotten)(void *owner, const char *why, bool asked);
	void (*on_unreached)(void *owner, const char *why); /* guest_return() was in vain */
	void (*on_left)(void *owner);			    /* guest_leave() was done */
	void (*on_unanswered)(void *owner, enum patience_step step);
	size_t (*waiting)(void *owner); /* bytes of output that nobody took yet */
};

/* Something changed that the connections' turns derive from: our output, or the window. */
void guest_mark(struct guest *guest);
void guest_resized(struct guest *guest);

/* Whether there is a shell: none is before the first, nor after it was killed. */
bool guest_has_shell(const struct guest *guest);

static inline struct client *guest_client(const struct guest *guest)
{
	return &guest->peer->client;
}

/* Starts a small command beside the shell, of whose terms opts and beside are set here. */
void guest_ask(struct guest *guest, struct side *side, struct side_terms terms);

/* What the console's own command line says, before the first connection. Borrowed. */
void guest_use(struct guest *guest, const struct opts *opts);

/* Starts a shell that is to follow: on a connection of its own to where guest_use() said */
void guest_connect(struct guest *guest);

/* or these do, of opts_again(), which are taken */
void guest_move(struct guest *guest, const struct opts *opts);

/* on the current one, in that folder */
void guest_restart(struct guest *guest, const char *folder);

/* or as another user, with these variables, which are taken; or -ENOMEM, and they are not */
int guest_become(struct guest *guest, const char *user, struct env_list *env);

/* or not at all. */
void guest_drop_candidate(struct guest *guest);

/* Does not try any more, while it tries; and tries, once, or as it does already. */
void guest_stop(struct guest *guest);
void guest_return(struct guest *guest);

/* How to come back to the shell without a console, or nothing. */
void guest_way_back(const struct guest *guest, char *out, size_t len);

/*
 * Ends the shells that would not end with us, but the one in use if the options want that kept. Whether there is
 * something to wait for: then on_left() is called. Nothing else is from now on.
 */
bool guest_leave(struct guest *guest);
void guest_release(struct guest *guest);

#endif
