/*
 * Tab: asks the guest in a session beside, in the shell's folder and with its PATH, and waits for the
 * answer no longer than a person does not notice, or than the person said. No answer is no completion.
 */
#ifndef MSB_CONSOLE_COMPLETE_H
#define MSB_CONSOLE_COMPLETE_H

#include "guest.h"
#include "prompt.h"

struct complete {
	struct loop *loop; /* not owned, as what follows */
	struct guest *guest;
	struct prompt *prompt;
	const bool *finished; /* something ended the loop, and means it */
	uint64_t within_ms;   /* DURATION_INFINITE: until Ctrl-C */
	struct side side;
	bool answered;
};

/* Blocks for an answer, with the loop run within. */
void complete_word(struct complete *complete, const struct prompt_word *word,
		   struct prompt_matches *matches);

#endif
