/* How a session ended, as msb-exec tells it: what to exit with, and what to say. */
#ifndef MSB_EXEC_ENDING_H
#define MSB_EXEC_ENDING_H

#include "cli/client/remote.h"
#include "cli/report/reason.h"

struct ending {
	enum reason reason;
	int status;
	int signal;		 /* that ended the command, or 0 */
	char complaint[1024];	 /* a line, or empty */
	char hint[ERR_HINT_MAX]; /* and the one after it, or empty */
};

struct ending_terms {
	const struct opts *opts;
	bool timed_out;	   /* by our own clock */
	bool was_asked;	   /* for a session that is kept, and not to run a command, */
	const char *label; /* which is called so */
};

/* Whether that is what an agent says of a session that there is not, or that is somebody else's. */
bool ending_is_no_session(struct msg_text message);

void ending_of(const struct remote_end *end, const struct ending_terms *terms, struct ending *ret);

#endif
