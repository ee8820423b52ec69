/* The options of msb-exec and of its console, one table, and what each does to the settings. */
#ifndef MSB_OPTS_ROWS_H
#define MSB_OPTS_ROWS_H

#include "settings.h"
#include "shared/options.h"

extern const struct option_row opts_rows[];

/* What holds where nothing is said. */
extern const struct opts opts_defaults;

/* The first of these options among argv's, or NULL. What is wrong there is for opts_parse() to say. */
const char *opts_find(int argc, char *const argv[], enum opts_program program,
		      const char *const *names);

/* The option that is for it; static. */
const char *opts_action_name(enum opts_action action);

/* from: the option or the variable that says so. Where several do, the last one counts. */
void opts_set_endpoint(struct opts *o, const char *text, const char *from);

#endif
