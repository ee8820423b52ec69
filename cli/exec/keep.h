/*
 * A session that is kept, beside what any session is to msb-exec: how it is come to and left, how its
 * connection is got back, and what is said about it.
 */
#ifndef MSB_EXEC_KEEP_H
#define MSB_EXEC_KEEP_H

#include "cli/client/client.h"
#include "cli/client/remote.h"

struct keep {
	const struct opts *opts;
	struct client *client; /* neither is owned */
	struct remote *remote;
	uint64_t reconnect_ms; /* to try to get the connection back; 0: not at all */
	uint64_t due_ms;       /* when that time is over, of the present loss */
	bool away;	       /* the connection is lost, and tried again */
	bool detaching;	       /* the agent has been asked to let us go */
	char lost[256];	       /* why, as a line */
	struct loop_timer unanswered, repaint;

	/* Its creator's, set before keep_init(). */
	void *owner;
	void (*on_unanswered)(void *owner); /* keep_leave() was, for too long */
	void (*on_repaint)(void *owner);    /* the terminal's right size is due */
};

/* Whether what is asked for has the command: its stdin, signals and the terminal's size. */
bool keep_has_command(const struct opts *opts);

/* Whether our stdin is read for it. */
bool keep_reads_stdin(const struct opts *opts);

/* A private agent ends with us, and what it runs does, too. */
bool keep_is_private(const struct opts *opts);

/* tty: our stdin is a terminal and is read, of a command that is to be run, for one of its own. */
void keep_init(struct keep *keep, struct client *client, struct remote *remote,
	       const struct opts *opts, bool tty);

/* The terms of it that these are not yet: its output is held and its input retained. */
void keep_terms(const struct keep *keep, struct remote_terms *terms);

/* Comes to a session as the options say; and to the one whose connection was lost. As remote_start(). */
int keep_attach(struct keep *keep, const struct remote_terms *terms, struct err *err);
int keep_resume(struct keep *keep, const struct remote_terms *terms, struct err *err);

/* Leaves it. in_time: if the agent does not answer within some seconds, on_unanswered() is called. */
void keep_leave(struct keep *keep, uint32_t modes, bool in_time);

/* The agent has answered, or is not waited for any more. */
void keep_answered(struct keep *keep);

/* The connection is lost: whether it is tried to get it back. Says so the first time, in line. */
bool keep_lost(struct keep *keep, const struct err *err, char *line, size_t len);

/* It is attached to. */
void keep_is_attached(struct keep *keep);

/* Programs that fill the screen are to paint it: another size now, on_repaint() a moment later. */
void keep_repaint(struct keep *keep);

/* Nothing of it is due any more. Legal on zeroes. */
void keep_stop(struct keep *keep);

/* Its name, or else its id, or what it was asked for by. */
const char *keep_label(const struct keep *keep);

/* Whether it goes on without us, and its id is known. */
bool keep_is_kept(const struct keep *keep);

/* The line of who goes, without asking the command: what becomes of that. Whether it runs on. */
bool keep_farewell(const struct keep *keep, bool detach, char *out, size_t len);

/* How to come back to it. */
void keep_way_back(const struct keep *keep, char *out, size_t len);

#endif
