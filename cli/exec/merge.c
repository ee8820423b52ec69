/* Whether the command is to have one pipe for its stdout and its stderr: see merge.h. */
#include "merge.h"

#include <unistd.h>

#include "cli/terminal/same.h"
#include "shared/log.h"

bool exec_merges(const struct opts *opts, bool tty, const struct greeting *agent)
{
	bool can = agent->features & MSG_FEATURE_MERGE_OUTPUT;

	/* A terminal is one for both anyway. */
	if (tty || opts->merge == OPTS_MERGE_NEVER)
		return false;
	if (opts->merge == OPTS_MERGE_ALWAYS) {
		if (!can)
			log_warn("this agent cannot merge stdout and stderr, so they come apart");
		return can;
	}
	/* Of one that is left nothing comes here, and in JSON each stream is told by its name. */
	return can && !opts->detach && !opts->json && same_open_file(STDOUT_FILENO, STDERR_FILENO);
}
