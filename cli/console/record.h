/* What was run at the prompt, as a script, which stops at what fails but for what begins with -. Pure. */
#ifndef MSB_CONSOLE_RECORD_H
#define MSB_CONSOLE_RECORD_H

#include <stdbool.h>

#include "shared/buf.h"

struct record {
	struct buf runs; /* the lines of the command that runs */
	struct buf kept; /* those that have run */
};

void record_init(struct record *record);
void record_release(struct record *record);

/* A line of it. Where there is no memory it is left out. */
void record_add(struct record *record, const char *line);

/* It has run: it is kept unless it is blank, or forgotten. */
void record_keep(struct record *record, bool failed);
void record_forget(struct record *record);

#endif
