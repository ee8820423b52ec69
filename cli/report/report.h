/*
 * What programs are told: objects of JSON, a line each, on our stdout, of which the last says how all ended;
 * that one alone in a file; and for people a line about what it took.
 */
#ifndef MSB_EXEC_REPORT_H
#define MSB_EXEC_REPORT_H

#include "cli/client/remote.h"
#include "cli/terminal/stream.h"
#include "json.h"
#include "output.h"
#include "reason.h"
#include "result.h"

#define REPORT_LINE_MAX (16 * 1024)

/* How all ended. */
struct report_end {
	enum reason reason;
	int status; /* what we exit with */
	bool exited;
	struct msg_exec_exited how; /* if the command's end is known */
	const char *complaint;	    /* a line, or empty */
	const char *hint;	    /* and another */
	const char *session, *name; /* of one that is kept; or empty */
};

struct report {
	const struct opts *opts;
	struct report_output *output; /* neither is owned */
	bool opened;
	struct result result; /* if it was */
	bool told;	      /* the last object has been printed, */
	bool written;	      /* and is in the file */
	char line[REPORT_LINE_MAX];
};

/* Before anything else is opened. 0, or -errno with *err filled: the file for the result cannot be made. */
int report_open(struct report *report, const struct opts *opts, struct err *err);

/* Also of one that was not opened, all zeroes: there is no file then. */
void report_begin(struct report *report, const struct opts *opts, struct report_output *output);
void report_release(struct report *report);

/* What happens meanwhile; each is nothing without --json. */
void report_started(struct report *report, const struct remote *remote);
void report_attached(struct report *report, const struct remote *remote);
void report_skipped(struct report *report, enum msg_stream stream, uint64_t bytes);
void report_away(struct report *report, const char *why);
void report_back(struct report *report);

/* The last object, once. */
void report_last(struct report *report, const struct report_end *end);

/* The same once more where the disk had no room for it, with that as its end. */
void report_squeeze(struct report *report, const struct report_end *end);

/* The same for the file, once. 0, or -errno with *err filled. */
int report_result(struct report *report, const struct report_end *end, struct err *err);

/* What the command took, on stderr. */
void report_usage(const struct report_end *end);

/* Of what failed before anything else began, on stdout and in the file, whose name may be NULL. */
void report_failure(enum reason reason, int status, const struct err *err, bool json,
		    const char *result);

#endif
