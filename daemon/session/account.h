/*
 * What the record says of a session: a line for its beginning and one for its end, as text and as fields. Their form is
 * in the manual, and programs read them. Nothing of a command's environment or input is ever in one.
 */
#ifndef MSB_ACCOUNT_H
#define MSB_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "owner.h"
#include "shared/log.h"
#include "shared/wire/msg.h"

#define ACCOUNT_COMMAND_MAX 200 /* bytes of a command as it is written, without the mark of a cut */
#define ACCOUNT_COMMAND_LEN (ACCOUNT_COMMAND_MAX + sizeof(" ..."))
#define ACCOUNT_FIELDS_MAX  16

/* What is put together: the line, and what it was made of, which points into it. */
struct account {
	struct log_field fields[ACCOUNT_FIELDS_MAX];
	size_t count;
	char text[1600]; /* of all values, one behind the other */
	size_t text_len;
	char line[LOG_LINE_MAX];
	size_t line_len;
};

struct account_begin {
	uint64_t number;
	struct owner owner;
	uint32_t id;   /* on its connection */
	bool as_known; /* else it failed before that was: */
	uid_t uid;
	gid_t gid;
	pid_t leader; /* 0: none */
	bool tty;
	const char *kept;    /* its id, if it is kept from its start, or empty */
	const char *command; /* by account_command() */
};

enum account_how {
	ACCOUNT_EXITED,	 /* code */
	ACCOUNT_KILLED,	 /* signal */
	ACCOUNT_FAILED,	 /* it never began to run: why */
	ACCOUNT_UNKNOWN, /* somebody else heard how */
	ACCOUNT_LEFT,	 /* the daemon ended, and it did not */
};

/* Why it was made to end; the first that applies is said. */
struct account_end {
	uint64_t number;
	enum account_how how;
	int code, signal;
	bool core_dumped;
	const char *why; /* ACCOUNT_FAILED: in words */
	bool oom_killed; /* for its own limit of memory */
	bool overdue, timed_out, shutdown, client_lost;
	const char *kept;      /* its id, if it was kept by then, or empty */
	uint64_t ms;	       /* since its beginning */
	uint64_t in, out, err; /* bytes: taken from its client, written by it */
};

/*
 * Writes the request's command as a shell would read it, control characters and what else drives a terminal as
 * \ooo, at most ACCOUNT_COMMAND_MAX bytes; ... stands for the rest. The request stays as it is.
 */
void account_command(const struct msg_exec_request *request, char ret[ACCOUNT_COMMAND_LEN]);

void account_of_begin(struct account *account, const struct account_begin *begin);
void account_of_end(struct account *account, const struct account_end *end);

/* So many sessions are missing in the record. */
void account_of_missing(struct account *account, uint64_t count, unsigned allowed);

#endif
