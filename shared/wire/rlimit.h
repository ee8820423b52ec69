/* The names of the resource limits, as the wire and the command line have them. */
#ifndef MSB_RLIMIT_H
#define MSB_RLIMIT_H

#include <stddef.h>

#include "msg.h"
#include "shared/err.h"

struct rlimit_name {
	const char *name;  /* "nofile" */
	const char *macro; /* "RLIMIT_NOFILE" */
	int resource;	   /* RLIMIT_NOFILE */
};

extern const struct rlimit_name rlimit_names[];
extern const size_t rlimit_count;

/* The row of that name in any case, not terminated, or NULL. */
const struct rlimit_name *rlimit_find(const char *name, size_t len);

/*
 * Reads NAME=SOFT[:HARD], with sizes (see size.h) or unlimited, as a command line has it; *ret points
 * into text. 0, or -EINVAL with *err filled.
 */
int rlimit_parse(const char *text, struct msg_rlimit *ret, struct err *err);

#endif
