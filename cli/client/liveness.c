/* Whether a peer is still there: see liveness.h. */
#include "liveness.h"

void liveness_heard(struct liveness *liveness, uint64_t now_ms)
{
	liveness->since_ms = now_ms;
	liveness->asked = false;
}

enum liveness_step liveness_look(struct liveness *liveness, uint64_t now_ms, uint64_t *ret_wait_ms)
{
	enum liveness_step step = LIVENESS_WAIT;
	uint64_t silent;

	/* So late that we must have been stopped, and who knows what the silence was. */
	if (liveness->look_ms && now_ms - liveness->look_ms >= liveness->limit_ms)
		liveness_heard(liveness, now_ms);
	silent = now_ms - liveness->since_ms;
	if (silent >= liveness->limit_ms) {
		step = liveness->asked ? LIVENESS_LOST : LIVENESS_ASK;
		liveness->asked = true;
		liveness->since_ms = now_ms;
		silent = 0;
	}
	*ret_wait_ms = liveness->limit_ms - silent;
	liveness->look_ms = now_ms + *ret_wait_ms;
	return step;
}
