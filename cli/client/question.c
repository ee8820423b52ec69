/* One question for an agent: see question.h. */
#include "question.h"

#include <string.h>

#include "shared/log.h"

void question_put(struct client *client, struct loop *loop, const struct opts *opts,
		  struct buf_spare *spare)
{
	struct reach_terms terms = reach_terms_of(opts);
	int r;

	client_connect(client, loop, &terms, 0, spare);
	r = loop_run(loop);
	if (r < 0)
		log_error("cannot wait for the agent: %s", strerror(-r));
	client_release(client);
}
